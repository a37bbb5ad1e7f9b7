"""A database that was put back to an earlier state: nothing of it is sent until a person adopts it."""

import asyncio
import subprocess
import urllib.parse
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from caxton_async.errors import InvalidRequest, JournalRefused
from caxton_async.journal import Decision, Recorded, RowState, adopt_journal
from tests.support.database_server import Databases
from tests.support.payers import until
from tests.support.payments import Place, outcome, plan, states_of, take

REFUSED = r"was restored, or is a copy.*row 2 of batch 1 was sent.*caxton journal adopt"


@pytest.fixture
def place(databases: Databases) -> Place:
    """Return an empty journal in a database."""
    return databases.place()


async def send(place: Place, batch: int, rows: int) -> list[Recorded]:
    """Send some rows of a batch, as a machine of its own would."""
    async with place.open() as journal, await journal.join() as worker:
        return [await worker.record(taken, outcome()) for taken in await take(worker, batch, rows)]


def restored(place: Place, databases: Databases, way: str, folder: Path) -> Place:
    """Return a backup of a journal, restored in a database of its own."""
    name = urllib.parse.urlsplit(place.where).path[1:]
    if way == "files":
        return evolve(place, where=databases.copy(name))
    backup, dsn = folder / "backup", databases.make()
    subprocess.run([databases.program("pg_dump"), "-Fc", "-f", str(backup), place.where], check=True)
    subprocess.run([databases.program("pg_restore"), "-d", dsn, str(backup)], check=True)
    return evolve(place, where=dsn)


@pytest.mark.parametrize("way", ["pg_dump", "files"])
async def test_a_restored_backup_sends_nothing_until_it_is_adopted(
    place: Place, databases: Databases, tmp_path: Path, way: str
) -> None:
    """It can be read; adopted, all that it would send needs a decision, and the journal goes on."""
    async with place.open() as journal:
        batch = (await plan(journal, 3)).id
    await send(place, batch, 1)
    backup = restored(place, databases, way, tmp_path)
    await send(place, batch, 1)

    async with backup.open() as journal:
        assert states_of(journal, batch) == ["accepted", "planned", "planned"]
        for change in (journal.sweep, lambda: journal.resolve(batch, [], who="ada"), lambda: journal.pause(batch, "x")):
            with pytest.raises(JournalRefused, match=REFUSED):
                change()
        for sending in (send(backup, batch, 1), plan(journal, 1)):
            with pytest.raises(JournalRefused, match=REFUSED):
                await sending
    # A machine that never sent anything hears of it too.
    other = evolve(backup, environ=backup.environ | {"CAXTON_STATE_DIR": str(tmp_path / "other")})
    with pytest.raises(JournalRefused, match=REFUSED):
        await send(other, batch, 1)

    with pytest.raises(InvalidRequest):
        adopt_journal(backup.where, who="ada", note=" ", environ=backup.environ)
    adopted = adopt_journal(backup.where, who="ada", note="the disk broke", environ=backup.environ)
    assert (adopted.in_flight, adopted.undecided) == ((), 2)
    async with backup.open() as journal:
        assert states_of(journal, batch) == ["accepted", "unknown", "unknown"]
        assert journal.batch(batch).details["adopted"] == "ada: the disk broke"
        again = (await plan(journal, 1)).id
    assert await send(backup, again, 1) == await send(other, batch, 1) + [Recorded.TAKEN]
    assert await send(place, batch, 1) == [Recorded.TAKEN]


async def test_a_worker_notices_that_its_database_was_put_back(
    place: Place, databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    """It claims nothing more, has its outcome in memory, and tells of it as an alarm when a person has adopted."""
    async with place.open() as journal:
        batch = (await plan(journal, 3)).id
    name = urllib.parse.urlsplit(place.where).path[1:]
    backup = databases.copy(name)
    async with place.open() as journal, await journal.join() as worker:
        (taken,) = await take(worker, batch, 1)
        databases.replace(name, urllib.parse.urlsplit(backup).path[1:])
        recording, taking = (
            asyncio.ensure_future(worker.record(taken, outcome())),
            asyncio.ensure_future(worker.take(batch)),
        )
        await until(lambda: "was restored" in caplog.text)
        assert adopt_journal(place.where, who="ada", note="the disk broke", environ=place.environ).undecided == 3

        assert await recording is Recorded.NOT_MINE
        assert await taking is None
        assert "ALARM: 'row-1'" in caplog.text
        assert [one.alarm for one in journal.decisions(batch)] == [True]


async def test_a_worker_at_work_is_stopped_before_a_database_is_adopted(place: Place) -> None:
    """Rows in flight are listed, and become unknown; not while they may still be recorded."""
    async with place.open() as journal:
        batch = (await plan(journal, 2)).id
        worker = await journal.join()
        await take(worker, batch, 1)
        with pytest.raises(JournalRefused, match="is at work in the journal"):
            adopt_journal(place.where, who="ada", note="n", environ=place.environ)
        with psycopg.connect(place.where) as connection:
            connection.execute("UPDATE caxton.workers SET ended_at = 0, ended_how = 'gone'")

        adopted = adopt_journal(place.where, who="ada", note="n", environ=place.environ)
        assert (adopted.in_flight, adopted.undecided) == (((batch, "row-1"),), 2)
        journal.resolve(batch, [Decision("row-2", False, "by phone")], who="ada")
        assert journal.counts(batch)[RowState.RESOLVED] == 1


async def test_a_folder_that_cannot_be_written_is_told_once(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows are sent all the same, for a container may have no place of its own."""
    (tmp_path / "file").touch()
    place = evolve(place, environ=place.environ | {"CAXTON_STATE_DIR": str(tmp_path / "file")})
    async with place.open() as journal:
        batch = (await plan(journal, 3)).id

    assert await send(place, batch, 3) == [Recorded.TAKEN] * 3
    assert caplog.text.count("may go unnoticed") == 1
