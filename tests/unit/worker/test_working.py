"""What a worker does with a batch that is paused, another's, or in a journal that cannot be shared."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psycopg
import pytest
import pytest_asyncio

from caxton_async import ConfigurationError, JournalRefused
from caxton_async.batch.plan import PlanOptions, plan_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState
from caxton_async.journal.binding import binding_of
from caxton_async.models import MoveFunds
from caxton_async.worker import launcher, work_on
from tests.support.database_server import Databases, OwnServer
from tests.support.harness import client
from tests.support.payers import until
from tests.support.payments import Place


@pytest.fixture
def place(databases: Databases) -> Place:
    """Return an empty journal in a database."""
    return databases.place()


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Run an emulator with money in it."""
    async with Emulator() as running:
        account = running.ledger.accounts.main
        running.ledger.fund(account, "GBP", 1_000)
        running.ledger.create_pot(account, "GBP", "POT1", None)
        yield running


async def planned(journal, caxton, rows: int = 20) -> int:
    """Plan a batch of moves, and return its id."""
    pairs = [(f"row-{n}", MoveFunds("GBP", "POT1-GBP", n)) for n in range(1, rows + 1)]
    info = await plan_batch(journal, MOVE_FUNDS, pairs, binding=binding_of(caxton), options=PlanOptions())
    return info.id


async def test_a_batch_that_needs_a_person_is_paused_for_all(place: Place, emulator: Emulator) -> None:
    """Unknown outcomes pause the batch with their reason, and no worker goes on with it until a person does."""
    emulator.faults.add(Fault("close_after_work", endpoint="move_funds", times=None))
    async with place.open() as journal, client(emulator) as caxton:
        batch = await planned(journal, caxton)
        summary = await work_on(batch, caxton=caxton, journal=journal)
        assert summary.paused is not None
        assert summary.counts[RowState.UNKNOWN] <= 9
        emulator.faults.clear()
        before = len(emulator.ledger.moves)

        again = await work_on(batch, caxton=caxton, journal=journal)
        assert (again.paused, len(emulator.ledger.moves)) == (summary.paused, before)
        journal.pause(batch, None)
        done = await work_on(batch, caxton=caxton, journal=journal)
        assert done.left == 0
        assert len({move.amount for move in emulator.ledger.moves}) == len(emulator.ledger.moves) == 20


async def test_a_batch_of_another_company_is_left_alone(place: Place, emulator: Emulator) -> None:
    """The binding is checked before anything is sent."""
    async with place.open() as journal, client(emulator) as caxton:
        batch = await planned(journal, caxton)
        with pytest.raises(JournalRefused, match="belongs to"):
            await work_on(batch, caxton=caxton.for_account("7"), journal=journal)

        assert emulator.requests == []


async def test_a_journal_in_a_file_has_no_workers(emulator: Emulator, tmp_path: Path) -> None:
    """It is said which command goes on with such a batch."""
    async with client(emulator) as caxton:
        with pytest.raises(ConfigurationError, match="caxton resume"):
            await work_on(1, caxton=caxton, journal=str(tmp_path / "journal.db"))


@pytest.mark.long
async def test_an_idle_worker_outlives_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the server is away it is waited for; when it is back, the next batch invites."""
    monkeypatch.setattr(launcher, "_LOOK_S", 0.1)
    server, stop = OwnServer(), anyio.Event()
    came: asyncio.Queue[int] = asyncio.Queue()
    waiting = [1]

    def look() -> list[int]:
        with place.open():
            return waiting

    async def work(batch: int) -> None:
        waiting.remove(batch)
        await came.put(batch)

    try:
        place = Databases(server.dsn, tmp_path).place()
        await launcher.migrate_jobs(place.where)
        taking = asyncio.create_task(launcher.take_invitations(place.where, work, open_batches=look, stop=stop))
        assert await came.get() == 1
        with psycopg.connect(place.where, autocommit=True) as connection:
            await until(lambda: not connection.execute("SELECT 1 FROM caxton_jobs.procrastinate_jobs").fetchone())
        await asyncio.to_thread(server.kill)
        await until(lambda: "invitations wait for the server" in caplog.text)
        await asyncio.to_thread(server.start)
        waiting.append(2)
        assert await came.get() == 2
        stop.set()
        await taking
    finally:
        server.stop()
