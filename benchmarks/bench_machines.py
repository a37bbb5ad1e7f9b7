"""Workers that share a journal in PostgreSQL: `python benchmarks/bench_machines.py [rates | claims [ROWS]]`.

Each worker is a process of its own with 16 calls in flight, against the emulator in this one, which answers after
0.1 s.  The rate is taken from the journal: rows between the first that was sent and the last that was answered.

Goals: 1.8 times the rows of one worker with two, 3 times with four; one worker 0.9 times as many as on SQLite; a claim
at row 1,000,000 at 0.9 times the rate of one at row 1, while a report holds a snapshot open; one login in every run.
"""

import asyncio
import base64
import os
import statistics
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import psycopg
from method import verdict

from caxton_async import CaxtonClient, open_journal
from caxton_async.auth.stores import PostgresTokenStore, SqliteTokenStore
from caxton_async.batch import PlanOptions, plan_batch, resume_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.encryption import load_keyring
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState, RowStatus, migrate_journal
from caxton_async.journal.binding import binding_of
from caxton_async.journal.postgres import connecting, row_claims, worker_session
from caxton_async.journal.postgres.last_claim import ClaimMemory
from caxton_async.journal.states import PlannedRow
from caxton_async.models import MoveFunds
from caxton_async.secret import Secret
from caxton_async.worker import work_on

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.database_server import Databases, OwnServer
from tests.support.payments import MAY, allow

IN_FLIGHT, LATENCY_S, ROWS_EACH, ROUNDS = 16, 0.1, 800, 3
CLAIM = 64  # rows
SAMPLES = 60  # claims at either end
PROCESSES = get_context("spawn")


def work(where: str, environ: dict[str, str], batch: int) -> None:
    """Be a worker: the whole life of a process."""
    os.environ.update(environ)
    asyncio.run(_work(where, environ, batch))


async def _work(where: str, environ: dict[str, str], batch: int) -> None:
    is_file = "://" not in where
    key_file = environ["CAXTON_JOURNAL_KEY_FILE"]
    store = SqliteTokenStore(f"{where}.tokens") if is_file else PostgresTokenStore(where, key_file)
    async with CaxtonClient.from_env(environ, token_store=store) as caxton, open_journal(where) as journal:
        if is_file:
            await resume_batch(caxton, batch, journal=journal, concurrency=IN_FLIGHT)
        else:
            await work_on(batch, caxton=caxton, journal=journal, concurrency=IN_FLIGHT)


async def rate(where: str, environ: dict[str, str], workers: int) -> float:
    """Return how many rows a second so many workers send."""
    async with Emulator() as emulator:
        account = emulator.ledger.accounts.main
        emulator.ledger.fund(account, "GBP", 10**9)
        emulator.ledger.create_pot(account, "GBP", "POT1", None)
        emulator.faults.add(Fault("latency", endpoint="move_funds", seconds=LATENCY_S, times=None))
        pairs = [(f"row-{n}", MoveFunds("GBP", "POT1-GBP", n)) for n in range(1, ROWS_EACH * workers + 1)]
        variables = dict(os.environ) | environ | dict(emulator.environ)
        async with open_journal(where, environ=environ) as journal:
            binding = binding_of(CaxtonClient.from_env(variables))
            options = PlanOptions(allow_duplicates=True)
            batch = (await plan_batch(journal, MOVE_FUNDS, pairs, binding=binding, options=options)).id
            processes = [PROCESSES.Process(target=work, args=(where, variables, batch)) for _ in range(workers)]
            for process in processes:
                process.start()
            for process in processes:
                await asyncio.to_thread(process.join)
            rows = list(journal.rows(batch))
        assert {row.state for row in rows} == {RowState.ACCEPTED}
        assert emulator.logins == 1, f"{emulator.logins} logins"
        # All are at work from when the last has begun until the first has nothing left.
        seen = {row.worker: [each.status.started_at for each in rows if each.worker == row.worker] for row in rows}
        first, last = max(map(min, seen.values())), min(map(max, seen.values()))
        return sum(first <= row.status.started_at <= last for row in rows) / (last - first)


def claims(where: str, environ: dict[str, str], rows: int) -> tuple[float, float, float]:
    """Return the seconds of a claim and its outcomes, a snapshot being open from before the first.

    At the first row of all; then, in turn, at the last of that batch and at the first of another.
    """
    long, short = asyncio.run(plan(where, environ, rows)), asyncio.run(plan(where, environ, 2 * SAMPLES * CLAIM))
    keyring = load_keyring(environ["CAXTON_JOURNAL_KEY_FILE"])
    memory = ClaimMemory(Path(environ["CAXTON_STATE_DIR"]))
    session = worker_session.WorkerSession(
        connecting.Server(Secret(where)), keyring, memory, name="bench", grace_s=60.0
    )
    status = RowStatus(state=RowState.ACCEPTED, started_at=1.0, elapsed_s=0.1)

    def step(batch: int, after: int, wanted: int = CLAIM) -> float:
        began = time.perf_counter()
        (taken,) = session.commit([lambda tx: row_claims.take(tx, batch, after, wanted)])
        session.commit([row_claims.Outcome([row], status) for row in taken])
        assert len(taken) == wanted
        return time.perf_counter() - began

    with psycopg.connect(where) as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT count(*) FROM caxton.batches")  # the snapshot
        warm_up = SAMPLES // 4  # until statements are prepared
        at_start = [step(long, n * CLAIM) for n in range(SAMPLES)][warm_up:]
        at, end = SAMPLES * CLAIM, rows - (SAMPLES + 1) * CLAIM
        while at < end:
            step(long, at, min(1_000, end - at))
            at += 1_000
        pairs = [(step(long, end + n * CLAIM), step(short, n * CLAIM)) for n in range(SAMPLES)][warm_up:]
    session.close()
    last, first = zip(*pairs, strict=True)
    return statistics.median(at_start), statistics.median(last), statistics.median(first)


async def plan(where: str, environ: dict[str, str], rows: int) -> int:
    """Plan a batch by COPY, and return its id."""
    planned = (
        PlannedRow(reference=f"row-{n}", request=b'{"Amount": 1}', digest=n.to_bytes(16, "big")) for n in range(rows)
    )
    async with open_journal(where, environ=environ) as journal:
        return (await journal.plan(MAY, planned, since=0.0, check=allow)).id


def report_rates(where: str, on_file: str, environ: dict[str, str]) -> None:
    """Print how the rate grows with the workers: of ratios within one round, the median."""
    rounds = []
    for number in range(ROUNDS):
        file = asyncio.run(rate(f"{on_file}-{number}.db", environ, 1))
        rounds.append((file, *(asyncio.run(rate(where, environ, workers)) for workers in (1, 2, 4))))
    print(f"| {IN_FLIGHT} calls in flight each, {LATENCY_S} s a call | ratio | rows/s | goal |\n|---|---|---|---|")
    for name, at, of, goal in (
        ("one worker, to one on SQLite", 1, 0, 0.9),
        ("2 workers, to one", 2, 1, 1.8),
        ("4 workers, to one", 3, 1, 3.0),
    ):
        ratio = statistics.median(each[at] / each[of] for each in rounds)
        measured = statistics.median(each[at] for each in rounds)
        print(f"| {name} | {ratio:.2f}x | {measured:.0f} | {verdict(ratio, goal, at_least=True)} |")
    print("\nEach of these runs made one login, or the benchmark would have failed.\n")


def report_claims(where: str, environ: dict[str, str], rows: int) -> None:
    """Print what a claim at the end of a long batch takes."""
    at_start, last, first = claims(where, environ, rows)
    print(f"| {CLAIM} rows claimed and recorded, a snapshot being open | rate | ms | goal |\n|---|---|---|---|")
    what = f"at row {rows:,}, to row 1 of a batch beside it"
    print(f"| {what} | {first / last:.2f}x | {last * 1000:.2f} | {verdict(first / last, 0.9, at_least=True)} |")
    print(f"\nAt row 1 of the long batch, before the rest was worked through: {at_start * 1000:.2f} ms.")


def main(part: str = "", rows: int = 1_000_000) -> None:
    """Print this benchmark's part of the page: `rates`, `claims`, or both."""
    folder = Path(tempfile.mkdtemp(prefix="caxton-bench-"))
    key = folder / "key"
    key.write_bytes(base64.b64encode(bytes(32)))
    key.chmod(0o600)
    environ = {"CAXTON_JOURNAL_KEY_FILE": str(key), "CAXTON_STATE_DIR": str(folder)}
    server = OwnServer()
    try:
        where = Databases(server.dsn, folder).make()
        migrate_journal(where, environ=environ)
        print("## Machines\n")
        if part in {"", "rates"}:
            report_rates(where, str(folder / "journal"), environ)
        if part in {"", "claims"}:
            report_claims(where, environ, rows)
    finally:
        server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:]))
