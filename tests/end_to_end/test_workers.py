"""The command line on a journal that machines share: planned here, sent by workers, decided from anywhere."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from caxton_async.emulator import Fault
from caxton_async.journal import RowState
from caxton_async.journal.opening import open_journal
from tests.support.command import Desk, open_desk
from tests.support.database_server import Databases, write_key
from tests.support.payers import until
from tests.support.scale import scaled

SENDABLE = {RowState.PLANNED, RowState.NOT_SENT, RowState.SENDING}


@pytest_asyncio.fixture
async def desk(databases: Databases, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a command line whose journal is an empty database."""
    dsn = databases.make()
    async with open_desk(tmp_path) as desk:
        desk.environment |= {"CAXTON_JOURNAL": dsn, "CAXTON_JOURNAL_KEY_FILE": write_key(tmp_path)}
        assert (await desk.caxton("journal", "migrate")).code == 0
        yield desk


def counts_of(desk: Desk, batch: int = 1) -> dict[str, int]:
    """Return how many rows of a batch are in each state."""
    with open_journal(desk.environment["CAXTON_JOURNAL"], environ=desk.environment) as journal:
        return {state.value: rows for state, rows in journal.counts(batch).items() if rows}


async def until_done(desk: Desk, batch: int = 1, timeout_s: float = 60.0) -> None:
    """Wait until no row of a batch may be sent."""
    async with asyncio.timeout(timeout_s):
        with open_journal(desk.environment["CAXTON_JOURNAL"], environ=desk.environment) as journal:
            while any(journal.counts(batch)[state] for state in SENDABLE):
                await asyncio.sleep(0.1)
                journal.sweep()


async def test_workers_take_what_was_planned_elsewhere(desk: Desk) -> None:
    """A batch is planned without being sent; two workers that were waiting share it, with one login."""
    workers = [await desk.start("worker") for _ in range(2)]
    planned = await desk.caxton("run", "move_funds", desk.rows(count=40), "--no-work", "--json")
    assert planned.code == 0
    await until_done(desk)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [(await desk.end(worker)).code for worker in workers] == [0, 0]
    assert counts_of(desk) == {"accepted": 40}
    assert len(set(desk.moved)) == len(desk.moved) == 40
    assert desk.emulator.logins == 1


async def test_a_person_decides_from_any_machine(desk: Desk) -> None:
    """Unknown rows are listed, resolved and retried over the network as they are in a file; the same input stops."""
    desk.fault("close_after_work", endpoint="move_funds", times=2)
    ran = await desk.caxton("run", "move_funds", desk.rows(count=6))
    assert ran.code == 4
    unknown = json.loads((await desk.caxton("status", "may", "--state", "unknown", "--json")).out)["rows"]
    assert len(unknown) == 2

    references = [row["reference"] for row in unknown]
    assert (await desk.caxton("resolve", "1", references[0], "--paid", "--note", "on the statement")).code == 4
    assert (await desk.caxton("resolve", "1", references[1], "--not-paid", "--note", "by phone")).code == 0
    assert (await desk.caxton("retry", "1", "--state", "not-paid")).code == 0
    assert (await desk.caxton("status", "--watch", "2")).code == 0
    assert (await desk.caxton("report", "1", "--csv", "report.csv")).code == 0
    again = await desk.caxton("run", "move_funds", desk.rows("june.csv", count=6))
    assert again.code == 2
    assert "--allow-duplicates" in again.err


async def test_who_is_stopped_leaves_the_rest_to_others(desk: Desk) -> None:
    """A signal writes what is in flight, and ends one process alone; what a person pauses, nobody sends."""
    desk.fault("latency", endpoint="move_funds", seconds=0.1)
    run = ("run", "move_funds", desk.rows(count=60))
    for command, number in ((run, signal.SIGINT), (("worker",), signal.SIGTERM)):
        process, enough = await desk.start(*command, "--concurrency", "4"), len(desk.moved) + 8
        await until(lambda: len(desk.moved) >= enough)  # noqa: B023
        process.send_signal(number)
        done = await desk.end(process)
        assert (done.code, set(counts_of(desk))) == (5 if command is run else 0, {"accepted", "planned"})
    assert "to stop them all: caxton pause 1" in "".join(desk.said)
    paused, before = await desk.caxton("pause", "1", "--note", "wrong file", "--by", "ada"), counts_of(desk)
    assert (paused.code, "paused: ada: wrong file" in paused.err) == (5, True)
    assert (await desk.caxton("worker", "--batch", "1")).code == 5
    assert counts_of(desk) == before

    assert (await desk.caxton("resume", "1")).code == 0
    assert counts_of(desk) == {"accepted": 60}
    assert len(set(desk.moved)) == len(desk.moved) == 60
    assert desk.emulator.logins == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("rate_limited", endpoint="move_funds", every=3, times=12, retry_after="1"),
        Fault("refuse"),
    ],
    ids=["429", "refused"],
)
async def test_no_batch_ends_with_a_row_that_may_be_sent(desk: Desk, fault: Fault) -> None:
    """What passes is waited out: workers end when every row has its outcome."""
    await desk.caxton("run", "move_funds", desk.rows(count=30), "--no-work")
    added = desk.emulator.faults.add(fault)
    workers = [await desk.start("worker", "--until-done", "--concurrency", "8") for _ in range(2)]
    if fault.kind == "refuse":
        await asyncio.sleep(1)
        added.release()

    assert [(await desk.end(worker)).code for worker in workers] == [0, 0]
    assert counts_of(desk) == {"accepted": 30}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("rows", "kills"), [(scaled(1_500, 10_000), scaled(4, 20)), (scaled(200, 100_000), scaled(1, 1_000))]
)
async def test_killed_workers_pay_nothing_twice_and_lose_nothing(desk: Desk, rows: int, kills: int) -> None:
    """Four workers, killed one after the other while a twentieth of the answers is lost: 0 twice, 0 lost, one login."""
    emulator, concurrency = desk.emulator, 16
    emulator.ledger.fund(emulator.ledger.accounts.main, "GBP", 10**9)
    lost = emulator.faults.add(Fault("close_after_work", endpoint="move_funds", every=20, times=None))
    desk.environment |= {"CAXTON_DEADLINE_S": "5"}
    assert (await desk.caxton("run", "move_funds", desk.rows(count=rows), "--no-work")).code == 0
    command = ("worker", "--until-done", "--concurrency", str(concurrency))
    workers = [await desk.start(*command) for _ in range(4)]
    for kill in range(kills):
        enough = (kill + 1) * rows * 0.8 / kills
        await until(lambda: len(emulator.ledger.moves) >= enough, 120)  # noqa: B023
        victim = workers.pop(0)
        victim.kill()
        await victim.communicate()
        workers.append(await desk.start(*command))
    for worker in workers:
        await asyncio.wait_for(worker.communicate(), 300)

    paid = Counter(move.amount for move in emulator.ledger.moves)
    with open_journal(desk.environment["CAXTON_JOURNAL"], environ=desk.environment) as journal:
        counts = journal.counts(1)
        journal.check()
        accepted = sum(1 for _ in journal.rows(1, [RowState.ACCEPTED]))
    assert max(paid.values()) == 1
    assert sum(counts.values()) == rows
    assert not any(counts[state] for state in SENDABLE)
    assert accepted <= len(paid) <= rows
    assert counts[RowState.UNKNOWN] <= lost.hits + concurrency * kills
    assert emulator.logins == 1
