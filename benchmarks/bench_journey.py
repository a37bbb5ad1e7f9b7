"""Batches from their file to their end: `python benchmarks/bench_journey.py [rows of the batch that is killed]`.

End to end over loopback, 64 in flight, beside a plain gather of as many workers over aiohttp, which keeps nothing; and
a batch that is planned from a CSV file, killed when nine rows in ten are done, and resumed.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import method
import peers
import server
from bench_batch import BINDING, Calls

from caxton_async import CaxtonClient, Credentials, Settings, open_journal
from caxton_async.batch import PlanOptions, plan_batch, read_rows, resume_batch, run_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import MoveFunds

IN_FLIGHT = 64
ROUNDS = 3
# Milliseconds until the server answers, the rows of a batch, and what part of the plain gather's rate is the goal.
LATENCIES = ((0, 6_400, 0.5), (20, 12_800, 0.95), (100, 12_800, 0.98))
ROWS = 1_000_000
RESUME_GOAL_S = 3.0
CONTROL_RANGE = (0.97, 1.03)


async def gather_s(port: int, delay_ms: int, rows: int) -> float:
    """Return the seconds of a plain gather over aiohttp."""
    async with AsyncExitStack() as stack:
        call = await peers.bare_aiohttp(f"http://127.0.0.1:{port}/{delay_ms}ms", stack)
        start = time.perf_counter()
        await method.burst(call, rows, IN_FLIGHT)
        return time.perf_counter() - start


async def batch_s(port: int, delay_ms: int, rows: int) -> float:
    """Return the seconds of the same calls as a batch, planning and two durable states a row included."""
    settings = Settings(base_url=f"http://127.0.0.1:{port}/{delay_ms}ms/api/", paths={"get_access_token": "token"})
    requests = ((f"row-{n}", MoveFunds("GBP", "POTBC-GBP", Decimal(n) / 100)) for n in range(1, rows + 1))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        environ = {"CAXTON_STATE_DIR": folder}
        async with (
            CaxtonClient(Credentials("ada", "ACME", "a password"), settings) as caxton,
            open_journal(Path(folder) / "journal.sqlite", environ=environ) as journal,
        ):
            start = time.perf_counter()
            summary = await run_batch(caxton, MOVE_FUNDS, requests, journal=journal, concurrency=IN_FLIGHT)
            taken = time.perf_counter() - start
    assert summary.left == 0
    assert not summary.unknown
    return taken


def end_to_end(port: int, delay_ms: int, rows: int, goal: float) -> str:
    """Return a line of the table: the rate beside that of the gather, which is measured twice as its own control."""
    ratios, controls = [], []
    for _ in range(ROUNDS):
        plain = asyncio.run(gather_s(port, delay_ms, rows))
        ratios.append(plain / asyncio.run(batch_s(port, delay_ms, rows)))
        controls.append(plain / asyncio.run(gather_s(port, delay_ms, rows)))
    control, ratio = statistics.median(controls), statistics.median(ratios)
    if not CONTROL_RANGE[0] <= control <= CONTROL_RANGE[1]:
        return f"| {delay_ms} ms | {rows:,} | the control came out at {control:.2f}: too noisy | | |"
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return f"| {delay_ms} ms | {rows:,} | {ratio:.2f} | {spread} | {method.verdict(ratio, goal, at_least=True)} |"


class Killing(Calls):
    """A client without a network that ends its process, as a power cut would, when so many calls are made."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    async def call(self, endpoint: object, request: object) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().call(endpoint, request)


class Timing(Calls):
    """A client without a network that tells the processor time of its process at its first call, and ends it."""

    async def call(self, _endpoint: object, _request: object) -> None:
        print(json.dumps(time.process_time()), flush=True)
        os._exit(0)


async def start(folder: Path, rows: int) -> None:
    """Plan the file, and be killed when nine rows in ten are done."""
    async with open_journal(folder / "journal.sqlite", environ={"CAXTON_STATE_DIR": str(folder)}) as journal:
        file = read_rows(folder / "rows.csv", MOVE_FUNDS)
        pairs = ((row.reference, row.request) for row in file)
        planned = await plan_batch(
            journal, MOVE_FUNDS, pairs, binding=BINDING, options=PlanOptions(allow_duplicates=True)
        )
        print(json.dumps(time.process_time()), flush=True)
        await resume_batch(Killing(rows * 9 // 10), planned.id, journal=journal, concurrency=IN_FLIGHT)


async def resume(folder: Path) -> None:
    """Resume the batch, and end at the first call."""
    async with open_journal(folder / "journal.sqlite", environ={"CAXTON_STATE_DIR": str(folder)}) as journal:
        await resume_batch(Timing(), 1, journal=journal, concurrency=IN_FLIGHT)


def killed(rows: int) -> list[str]:
    """Return the lines of a batch that is killed and resumed."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        with (folder / "rows.csv").open("w", encoding="ascii") as file:
            file.write("reference,from_currency,to_currency,amount\n")
            file.writelines(f"row-{n},GBP,POTBC-GBP,{n // 100}.{n % 100:02}\n" for n in range(1, rows + 1))
        planned = run_part("start", folder, rows, -signal.SIGKILL)
        resumed = run_part("resume", folder, rows, 0)
    return [
        f"| {rows:,} rows from a CSV file, planned | {planned:.1f} | |",
        f"| resumed, to the first new call | {resumed:.2f} | {method.verdict(resumed, RESUME_GOAL_S)} |",
    ]


def run_part(part: str, folder: Path, rows: int, ends_with: int) -> float:
    done = subprocess.run(
        [sys.executable, __file__, part, str(folder), str(rows)], check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != ends_with:
        raise RuntimeError(f"{part} ended with {done.returncode}")
    return float(done.stdout.splitlines()[0])


def main(rows: int = ROWS) -> None:
    """Print the tables."""
    print(
        "## Batches, end to end\n\n"
        f"Rows a second, as a part of those of {IN_FLIGHT} workers that call aiohttp and keep nothing: the median of "
        f"{ROUNDS} rounds.\n\n"
        "| the server answers after | rows | part of a plain gather | from, to | goal |\n|---|---|---|---|---|"
    )
    with server.running() as port:
        for delay_ms, count, goal in LATENCIES:
            print(end_to_end(port, delay_ms, count, goal), flush=True)
    print(
        "\nA batch is killed when nine rows in ten are done; the time is the processor's, of the whole process.\n\n"
        "| what | seconds of CPU | goal |\n|---|---|---|"
    )
    print("\n".join(killed(rows)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["start", folder, count]:
            asyncio.run(start(Path(folder), int(count)))
        case ["resume", folder, _]:
            asyncio.run(resume(Path(folder)))
        case given:
            main(*map(int, given))
