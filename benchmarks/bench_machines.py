"""Workers that share a journal in PostgreSQL: `python benchmarks/bench_machines.py [rows of the long batch]`.

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

from caxton_async import CaxtonClient, open_journal
from caxton_async.auth.stores import PostgresTokenStore, SqliteTokenStore
from caxton_async.batch import PlanOptions, plan_batch, resume_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.encryption import load_keyring
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState, RowStatus, migrate_journal
from caxton_async.journal.binding import binding_of
from caxton_async.journal.postgres import connecting, row_claims, worker_session
from caxton_async.journal.states import PlannedRow
from caxton_async.models import MoveFunds
from caxton_async.secret import Secret
from caxton_async.worker import work_on

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.database_server import Databases, OwnServer

IN_FLIGHT, LATENCY_S, ROWS_EACH = 16, 0.1, 800
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


def claims(where: str, environ: dict[str, str], rows: int) -> tuple[float, float]:
    """Return the seconds of a claim and its outcomes at the first row and at the last, a snapshot being open."""
    planned = (
        PlannedRow(reference=f"row-{n}", request=b'{"Amount": 1}', digest=n.to_bytes(16, "big")) for n in range(rows)
    )

    async def plan() -> int:
        from tests.support.payments import MAY, allow

        async with open_journal(where, environ=environ) as journal:
            return (await journal.plan(MAY, planned, since=0.0, check=allow)).id

    batch = asyncio.run(plan())
    keyring = load_keyring(environ["CAXTON_JOURNAL_KEY_FILE"])
    session = worker_session.WorkerSession(connecting.Server(Secret(where)), keyring, name="bench", grace_s=60.0)
    status = RowStatus(state=RowState.ACCEPTED, started_at=1.0, elapsed_s=0.1)

    def step(after: int, wanted: int) -> float:
        began = time.perf_counter()
        (taken,) = session.commit([lambda tx: row_claims.take(tx, batch, after, wanted)])
        session.commit([row_claims.Outcome([row], status) for row in taken])
        assert len(taken) == wanted
        return time.perf_counter() - began

    with psycopg.connect(where) as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT count(*) FROM caxton.batches")  # the snapshot, from before the first claim
        first = [step(n * CLAIM, CLAIM) for n in range(SAMPLES)]
        at, end = SAMPLES * CLAIM, rows - (SAMPLES + 1) * CLAIM
        while at < end:
            step(at, min(1_000, end - at))
            at += 1_000
        last = [step(end + n * CLAIM, CLAIM) for n in range(SAMPLES)]
    session.close()
    return statistics.median(first), statistics.median(last)


def main(rows: int = 1_000_000) -> None:
    """Print this benchmark's part of the page."""
    folder = Path(tempfile.mkdtemp(prefix="caxton-bench-"))
    key = folder / "key"
    key.write_bytes(base64.b64encode(bytes(32)))
    key.chmod(0o600)
    environ = {"CAXTON_JOURNAL_KEY_FILE": str(key), "CAXTON_STATE_DIR": str(folder)}
    server = OwnServer()
    try:
        databases = Databases(server.dsn, folder)
        where = databases.make()
        migrate_journal(where, environ=environ)
        print("## Machines\n")
        on_file = asyncio.run(rate(str(folder / "journal.db"), environ, 1))
        rates = {workers: asyncio.run(rate(where, environ, workers)) for workers in (1, 2, 4)}
        alone = f"One worker, {IN_FLIGHT} in flight, {LATENCY_S} s a call"
        print(f"{alone}: {rates[1] / on_file:.2f} of the rate on SQLite.\n")
        for workers in (2, 4):
            print(f"{workers} workers: {rates[workers] / rates[1]:.2f} times one ({rates[workers]:.0f} rows/s).\n")
        first, last = claims(where, environ, rows)
        print(
            f"A claim of {CLAIM} rows and their outcomes at row {rows:,}: {first / last:.2f} of the rate at row 1, "
            f"a snapshot being open ({last * 1000:.1f} ms and {first * 1000:.1f} ms)."
        )
    finally:
        server.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
