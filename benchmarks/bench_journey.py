"""Batches from their file to their end: `python benchmarks/bench_journey.py [rows of the batch that is killed]`.

End to end over loopback, 64 in flight, beside a plain gather of as many workers over aiohttp, which keeps nothing, and
beside the first edition, whose journal knew neither requests nor other batches; and a batch that is planned from a CSV
file, killed when nine rows in ten are done, and resumed.
"""

import asyncio
import json
import os
import signal
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
from bench_batch import BINDING, Calls, journal_in, write_input

from caxton_async import CaxtonClient, Credentials, Settings
from caxton_async.batch import PlanOptions, plan_batch, read_rows, resume_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal.binding import binding_of
from caxton_async.models import MoveFunds

HERE = Path(__file__).parents[1]
FIRST_EDITION = "4cf014c"  # the last commit before the journal was built anew
IN_FLIGHT = 64
ROUNDS = 2
# Milliseconds until the server answers, the rows of a batch, and what part of the plain gather's rate is the goal.
LATENCIES = ((0, 12_800, 0.5), (20, 12_800, 0.95), (100, 12_800, 0.98))
ROWS = 200_000
RESUME_GOAL_S = 3.0
CONTROL_RANGE = (0.97, 1.03)


async def gather_s(port: int, delay_ms: int, rows: int) -> float:
    """Return the seconds of a plain gather over aiohttp."""
    async with AsyncExitStack() as stack:
        call = await peers.bare_aiohttp(f"http://127.0.0.1:{port}/{delay_ms}ms", stack)
        start = time.perf_counter()
        await method.burst(call, rows, IN_FLIGHT)
        return time.perf_counter() - start


async def batch_s(port: int, delay_ms: int, rows: int) -> tuple[float, float]:
    """Return the seconds of the same calls as a batch, two durable states a row included: of planning, and of sending.

    All rows are compared with what may have been paid before the first is sent, so planning comes on top.
    """
    settings = Settings(base_url=url_of(port, delay_ms), paths={"get_access_token": "token"})
    requests = ((f"row-{n}", MoveFunds("GBP", "POTBC-GBP", Decimal(n) / 100)) for n in range(1, rows + 1))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with (
            CaxtonClient(Credentials("ada", "ACME", "a password"), settings) as caxton,
            journal_in(Path(folder)) as journal,
        ):
            start = time.perf_counter()
            binding = binding_of(caxton)
            planned = await plan_batch(journal, MOVE_FUNDS, requests, binding=binding, options=PlanOptions())
            sending = time.perf_counter()
            summary = await resume_batch(caxton, planned.id, journal=journal, concurrency=IN_FLIGHT)
            end = time.perf_counter()
    assert summary.left == 0
    assert not summary.unknown
    return sending - start, end - sending


def url_of(port: int, delay_ms: int) -> str:
    return f"http://127.0.0.1:{port}/{delay_ms}ms/api/"


def end_to_end(port: int, delay_ms: int, rows: int, goal: float) -> str:
    """Return two lines of the table: rates beside that of the gather, the best of each, which is its own control."""
    batches: list[tuple[float, float]] = []
    gathers = [asyncio.run(gather_s(port, delay_ms, rows))]
    for _ in range(ROUNDS):
        batches.append(asyncio.run(batch_s(port, delay_ms, rows)))
        gathers.append(asyncio.run(gather_s(port, delay_ms, rows)))
    control = min(gathers[::2]) / min(gathers[1::2])
    if not CONTROL_RANGE[0] <= control <= CONTROL_RANGE[1]:
        return f"| {delay_ms} ms | {rows:,} | the control came out at {control:.2f}: too noisy | |"
    sent = min(gathers) / min(sending for _, sending in batches)
    whole = min(gathers) / min(map(sum, batches))
    return "\n".join(
        f"| {delay_ms} ms, {what} | {rows:,} | {ratio:.2f} | {method.verdict(ratio, goal, at_least=True)} |"
        for what, ratio in (("sent", sent), ("planned and sent", whole))
    )


def beside_the_first_edition(port: int, rows: int) -> str:
    """Return a line: the rate of a batch, planning and all, beside that of the first edition in turn."""
    seconds: dict[Path, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        archive = subprocess.run(
            ["git", "archive", FIRST_EDITION, "caxton_async"], cwd=HERE, check=False, capture_output=True
        )
        if archive.returncode:
            return f"| the first edition ({FIRST_EDITION}) is not in this clone | | | |"
        subprocess.run(["tar", "-x", "-C", name], input=archive.stdout, check=True)
        metadata = Path(name) / "caxton_async-0.1.0.dist-info" / "METADATA"  # it looks up its version
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: caxton-async\nVersion: 0.1.0\n", encoding="ascii")
        for _ in range(ROUNDS):
            for path in (Path(name), HERE):
                seconds.setdefault(path, []).append(run_edition(path, url_of(port, 0), rows))
    first, ours = map(min, seconds.values())
    ratio = method.verdict(first / ours, 1.0, at_least=True)
    return (
        f"| 0 ms, planned and sent: rows a second by the first edition ({FIRST_EDITION}) | {rows:,} "
        f"| {rows / first:,.0f} | |\n"
        f"| 0 ms, planned and sent: rows a second by this one | {rows:,} | {rows / ours:,.0f} | |\n"
        f"| 0 ms, planned and sent: this edition to the first | {rows:,} | {first / ours:.2f} | {ratio} |"
    )


def run_edition(path: Path, url: str, rows: int) -> float:
    """Return the seconds of a batch by the edition of the package at `path`."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        command = [sys.executable, str(HERE / "benchmarks" / "journey_batch.py"), url, str(rows), folder]
        environ = os.environ | {"PYTHONPATH": str(path)}
        done = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


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
    async with journal_in(folder) as journal:
        file = read_rows(folder / "rows.csv", MOVE_FUNDS)
        pairs = ((row.reference, row.request) for row in file)
        planned = await plan_batch(
            journal, MOVE_FUNDS, pairs, binding=BINDING, options=PlanOptions(allow_duplicates=True)
        )
        print(json.dumps(time.process_time()), flush=True)
        await resume_batch(Killing(rows * 9 // 10), planned.id, journal=journal, concurrency=IN_FLIGHT)


async def resume(folder: Path) -> None:
    """Resume the batch, and end at the first call."""
    async with journal_in(folder) as journal:
        await resume_batch(Timing(), 1, journal=journal, concurrency=IN_FLIGHT)


def killed(rows: int) -> list[str]:
    """Return the lines of a batch that is killed and resumed."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        write_input(folder / "rows.csv", rows)
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
        f"Rows a second, as a part of those of {IN_FLIGHT} workers that call aiohttp and keep nothing: the best of "
        f"{ROUNDS} rounds, by the clock.\n"
        "All rows are compared with what may have been paid before the first is sent, so planning comes on top.\n\n"
        "| the server answers after | rows | measured | goal |\n|---|---|---|---|"
    )
    with server.running() as port:
        for delay_ms, count, goal in LATENCIES:
            print(end_to_end(port, delay_ms, count, goal), flush=True)
        print(beside_the_first_edition(port, LATENCIES[0][1]), flush=True)
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
