"""Many processes on one journal: killed, stopped, forked and closed at once, they pay nothing twice and lose none."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from caxton_async.batch.plan import PlanOptions, plan_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.errors import JournalRefused
from caxton_async.journal import Recorded, RowState
from caxton_async.journal.binding import binding_of
from caxton_async.journal.postgres import row_claims
from caxton_async.models import MoveFunds
from tests.support.database_server import Databases, OwnServer
from tests.support.harness import client
from tests.support.payers import PROCESSES, payments, send_rows, start, until
from tests.support.payments import Place, outcome, plan, states_of, take
from tests.support.scale import scaled
from tests.unit.journal.conftest import sqlite_place

UNKNOWN, SENDING = RowState.UNKNOWN, RowState.SENDING


async def planned(place: Place, number: int) -> int:
    """Plan a batch, and return its id."""
    async with place.open() as journal:
        return (await plan(journal, number)).id


async def ended(*processes) -> None:
    """Wait for processes."""
    for process in processes:
        await asyncio.to_thread(process.join)


@pytest.mark.parametrize(
    "kills", [3, pytest.param(scaled(20, 1000), marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
async def test_killed_workers_pay_nothing_twice_and_lose_nothing(place: Place, tmp_path: Path, kills: int) -> None:
    """Three processes share a batch and one after the other is killed: each row is paid at most once, none is lost."""
    number, chance, ledger = 300 * kills, random.Random(kills), tmp_path / "ledger"
    batch = await planned(place, number)
    workers = [start(place, batch, ledger, seed=seed) for seed in range(3)]
    for kill in range(kills):
        enough = payments(ledger).total() + chance.randrange(20, 200)
        await until(lambda: payments(ledger).total() >= enough or not any(w.is_alive() for w in workers))  # noqa: B023
        victim = workers.pop(0)
        victim.kill()
        await ended(victim)
        workers.append(start(place, batch, ledger, seed=kill + 3))
    await ended(*workers)

    paid = payments(ledger)
    with place.open() as journal:
        journal.sweep()
        counts = journal.counts(batch)
        assert sum(counts.values()) == len(states_of(journal, batch)) == number
        assert max(paid.values()) == 1
        assert all(paid[row.reference] for row in journal.rows(batch, [RowState.ACCEPTED, RowState.REJECTED]))
        assert counts[RowState.PLANNED] + counts[SENDING] + counts[RowState.NOT_SENT] == 0
        assert counts[UNKNOWN] <= 8 * kills


@pytest.mark.parametrize(
    "steps",
    [
        range(45, 120, 35),
        pytest.param(range(1, 200, scaled(9, 1)), marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
    ],
    ids=["some", "all"],
)
@pytest.mark.parametrize("loses", ["", "-journal"], ids=["all left", "rollback journal lost"])
async def test_a_kill_at_each_statement_pays_nothing_twice(tmp_path: Path, steps: range, loses: str) -> None:
    """Wherever a process dies, another one ends its batch; without what SQLite would roll back, it refuses to."""
    for step in steps:
        (folder := tmp_path / str(step)).mkdir()
        place, ledger = sqlite_place(folder, is_encrypted=False), folder / "ledger"
        batch = await planned(place, 12)
        await ended(start(place, batch, ledger, concurrency=3, crash_at=step))
        if loses:
            place.path.with_name(place.path.name + loses).unlink(missing_ok=True)
        again = start(place, batch, ledger)
        await ended(again)

        assert max(payments(ledger).values(), default=1) == 1
        if loses and again.exitcode:
            with pytest.raises(JournalRefused, match="damaged"), place.open() as journal:
                journal.check()
            continue
        with place.open() as journal:
            counts = journal.counts(batch)
            assert counts[UNKNOWN] <= 3
            assert counts[RowState.ACCEPTED] + counts[RowState.REJECTED] + counts[UNKNOWN] == 12


@pytest.mark.parametrize(
    "stops", [2, pytest.param(scaled(20, 200), marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
async def test_a_stopped_process_is_not_given_up(place: Place, tmp_path: Path, stops: int) -> None:
    """A process that is frozen keeps its rows, whoever sweeps, and goes on with them when it wakes."""
    ledger, number = tmp_path / "ledger", 200 * stops
    batch = await planned(place, number)
    frozen = start(place, batch, ledger)
    for stop in range(stops):
        await until(lambda: payments(ledger).total() > 100 * stop or not frozen.is_alive())  # noqa: B023
        if not frozen.is_alive():
            break
        os.kill(frozen.pid, signal.SIGSTOP)
        try:
            # Frozen inside a commit it holds the journal, and everybody waits: then there is nothing to be swept.
            swept = asyncio.create_task(asyncio.to_thread(sweep, place))
            await asyncio.wait([swept], timeout=0.3)
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        assert await swept == 0
    await ended(frozen)

    with place.open() as journal:
        assert journal.counts(batch)[UNKNOWN] == 0
    assert payments(ledger) == dict.fromkeys((f"row-{n}" for n in range(1, number + 1)), 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres over TCP"])
async def test_a_process_that_is_stopped_beyond_every_timeout_is_not_given_up(kind: str, tmp_path: Path) -> None:
    """Deadline, claim, grace and the patience of TCP run out in its sleep: its lock is held, so it keeps its rows."""
    stops, server = scaled(1, 20), OwnServer() if kind != "sqlite" else None
    try:
        place = sqlite_place(tmp_path, is_encrypted=False)
        if server is not None:
            place = Databases(server.listen(), tmp_path).place()
        await stop_and_go(place, stops)
    finally:
        if server is not None:
            server.stop()


async def stop_and_go(place: Place, stops: int) -> None:
    """Stop one of two processes after the other, while the other one sends."""
    async with Emulator() as emulator:
        account = emulator.ledger.accounts.main
        emulator.ledger.fund(account, "GBP", 10**9)
        emulator.ledger.create_pot(account, "GBP", "POT1", None)
        emulator.faults.add(Fault("latency", endpoint="move_funds", seconds=0.2, times=None))
        moves = [(f"row-{n}", MoveFunds("GBP", "POT1-GBP", n)) for n in range(1, 160 * stops)]
        async with place.open() as journal, client(emulator) as caxton:
            options = PlanOptions(allow_duplicates=True)
            batch = (await plan_batch(journal, MOVE_FUNDS, moves, binding=binding_of(caxton), options=options)).id
        sending = [PROCESSES.Process(target=send_rows, args=(place, dict(emulator.environ), batch)) for _ in range(2)]
        for process in sending:
            process.start()
        for stop in range(stops):
            enough, sleeper = len(emulator.ledger.moves) + 8, sending[stop % 2]
            await until(lambda: len(emulator.ledger.moves) >= enough)  # noqa: B023
            os.kill(sleeper.pid, signal.SIGSTOP)
            try:
                swept = asyncio.create_task(asyncio.to_thread(sweep, place))
                await asyncio.sleep(3.0)  # time itself has to pass: that of the kernel, too
            finally:
                os.kill(sleeper.pid, signal.SIGCONT)
            assert await swept == 0
            assert sleeper.is_alive()
        await ended(*sending)

        paid = Counter(move.amount for move in emulator.ledger.moves)
        assert max(paid.values()) == 1
        with place.open() as journal:
            assert row_claims.GIVEN_UP not in {each.reason for each in journal.reasons(batch)}
            assert journal.counts(batch)[UNKNOWN] <= 4 * stops  # of calls whose deadline passed


def sweep(place: Place) -> int:
    """Sweep as another process would."""
    with place.open() as journal:
        return journal.sweep()


async def test_a_worker_that_was_given_up_takes_nothing_more(file_place: Place) -> None:
    """A worker whose lock was removed is swept by others: it claims nothing more, and its outcomes come late."""
    async with file_place.open() as journal, file_place.open() as other:
        batch = await plan(journal, 3)
        worker = await journal.join()
        first, second = await take(worker, batch.id, 2)
        os.unlink(f"{file_place.where}-locks/worker-{worker.id}")  # noqa: PTH108
        assert other.sweep() == 2

        for claim in (worker.take(batch.id), worker.take_again(first)):
            with pytest.raises(JournalRefused, match="given up"):
                await claim
        assert await worker.record(first, outcome()) is Recorded.LATE
        assert await worker.record(second, outcome(RowState.NOT_SENT)) is Recorded.LATE
        assert states_of(other, batch.id) == ["accepted", "not_sent", "planned"]


def hold_and_fork(place: Place, batch: int, told) -> None:
    """Take a row, fork a child that lives on, and tell its process id."""
    signal.alarm(30)

    async def run() -> None:
        async with place.open() as journal:
            worker = await journal.join()
            await worker.take(batch)
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                try:
                    journal.counts(batch)
                    refused = "not refused"
                except JournalRefused as error:
                    refused = str(error)
                told.put(refused)
                signal.pause()
                os._exit(0)
            told.put(child)
            signal.pause()

    asyncio.run(run())


async def test_a_forked_child_keeps_no_lock_of_its_parent(place: Place) -> None:
    """A child that outlives its parent may not use the journal, and does not hold the parent's rows."""
    batch, told = await planned(place, 2), PROCESSES.Queue()
    parent = PROCESSES.Process(target=hold_and_fork, args=(place, batch, told))
    parent.start()
    said = [await asyncio.to_thread(told.get, timeout=20) for _ in range(2)]
    child = next(one for one in said if isinstance(one, int))
    try:
        with place.open() as journal:
            assert journal.sweep() == 0
            parent.kill()
            await ended(parent)
            await until(lambda: journal.sweep() == 1)  # a server may be told of the end a little later
            assert states_of(journal, batch) == ["unknown", "planned"]
    finally:
        os.kill(child, signal.SIGKILL)
    assert "before this process was forked" in next(one for one in said if isinstance(one, str))


def open_and_close(place: Place, times: int) -> None:
    """Open the journal to write, and close it, again and again."""
    signal.alarm(60)
    for _ in range(times):
        sweep(place)


async def test_processes_open_and_close_at_once(place: Place) -> None:
    """Whoever is first or last, the journal is neither taken for a copy nor for one that was not closed."""
    batch = await planned(place, 1)
    processes = [PROCESSES.Process(target=open_and_close, args=(place, 30)) for _ in range(3)]
    for process in processes:
        process.start()
    await ended(*processes)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    async with place.open() as journal, await journal.join() as worker:
        assert await worker.take(batch)


async def test_what_a_dead_process_had_not_planned_is_removed(place: Place, tmp_path: Path) -> None:
    """A plan that was cut off by a kill leaves no batch behind, and its rows can be planned again."""
    process = PROCESSES.Process(target=plan_for_ever, args=(place,))
    process.start()

    def has_begun() -> bool:
        if not (place.is_database or place.path.exists()):
            return False
        with place.open() as journal:
            # A database shows no row before the plan is whole.
            return any(place.is_database or journal.counts(one.id)[RowState.PLANNED] for one in journal.batches())

    await until(has_begun)
    process.kill()
    await ended(process)

    async with place.open() as journal:
        assert [batch.total for batch in journal.batches()] == [None]
        batch = await plan(journal, 2)
        assert [one.id for one in journal.batches()] == [batch.id]
        assert states_of(journal, batch.id) == ["planned"] * 2


def plan_for_ever(place: Place) -> None:
    """Plan a batch without end."""
    signal.alarm(30)

    def rows_without_end():
        from tests.support.payments import row

        number = 0
        while True:
            number += 1
            yield row(f"row-{number}")

    async def run() -> None:
        async with place.open() as journal:
            await plan(journal, rows_without_end())

    asyncio.run(run())
