"""The file of a journal: who may read it, what takes its place, what damages it, and what is a copy of it."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from caxton_async.errors import ConfigurationError, InvalidRequest, JournalError, JournalFailed, JournalRefused
from caxton_async.journal import RowState
from caxton_async.journal.opening import adopt_journal, export_journal, open_journal, state_folder
from tests.support.payers import until
from tests.support.payments import Place, outcome, plan, planned_with, rows, states_of, take
from tests.unit.journal.conftest import sqlite_place

ACCEPTED, SENDING, PLANNED, UNKNOWN = RowState.ACCEPTED, RowState.SENDING, RowState.PLANNED, RowState.UNKNOWN


def at(place: Place, path: Path) -> Place:
    """Return another path with the same state folder."""
    return evolve(place, where=str(path))


def change(place: Place, *statements: str) -> None:
    """Change a journal as another program would."""
    with closing(sqlite3.connect(place.where)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def send(place: Place, batch: int) -> int:
    """Send what is left of a batch, and return how many rows that were."""
    async with place.open() as journal, await journal.join() as worker:
        taken = await take(worker, batch, 10)
        for one in taken:
            await worker.record(one, outcome())
        return len(taken)


# --- who may read it ---


async def test_its_files_are_private(file_place: Place) -> None:
    """Neither the journal, nor anything beside it, nor what the state folder knows of it can be read by others."""
    async with file_place.open() as journal, await journal.join():
        await plan(journal)
        found = [path for path in file_place.path.parent.rglob("*") if path.name != "state"]

        assert len(found) >= 8
        assert [path.name for path in found if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.chmod(0o640), "chmod 600"),
        (lambda path: path.rename(path.with_name("real")).__class__(path).symlink_to(path.with_name("real")), "a link"),
        (lambda path: (path.unlink(), path.mkdir()), "not a plain file"),
        (lambda path: os.chown(path, 12345, -1), "another user"),
        (lambda path: path.write_bytes(b"nothing of the kind" * 1000), "not a database"),
        (lambda path: path.write_bytes(b""), "not a journal of this program"),
        (lambda path: shutil.rmtree(f"{path}-locks") or Path(f"{path}-locks").write_bytes(b""), "locks"),
    ],
    ids=["readable by others", "link", "folder", "owner", "no database", "empty", "locks"],
)
async def test_a_file_that_is_not_its_own_is_refused(file_place: Place, spoil, problem: str) -> None:
    """A journal that others can read or write, a link and any other file are refused in one sentence."""
    await planned_with(file_place, PLANNED)
    spoil(file_place.path)

    with pytest.raises(JournalRefused, match=problem) as caught, file_place.open() as journal:
        journal.sweep()
    assert "\n" not in str(caught.value)


async def test_newer_and_foreign_files_are_refused(file_place: Place) -> None:
    """A journal of a newer version, and another program's database, are left alone."""
    await planned_with(file_place, PLANNED)
    change(file_place, "PRAGMA user_version=99")
    with pytest.raises(JournalRefused, match="newer version"), file_place.open():
        pass
    change(file_place, "PRAGMA user_version=1", "PRAGMA application_id=7")
    with pytest.raises(JournalRefused, match="not a journal of this program"), file_place.open():
        pass


async def test_a_key_that_is_not_its_own_is_refused(tmp_path: Path, file_place: Place) -> None:
    """An encrypted journal is refused without its key, and one in clear with a key; requests are not in the file."""
    encrypted = at(file_place, tmp_path / "encrypted.db")
    keyed = evolve(encrypted, environ=sqlite_place(tmp_path, is_encrypted=True).environ)
    await planned_with(keyed, ACCEPTED)
    assert rows(1)[0].request not in keyed.path.read_bytes()

    with pytest.raises(JournalRefused, match="is encrypted"), encrypted.open():
        pass
    (tmp_path / "key").write_bytes(b"B" * 43 + b"=")
    with pytest.raises(JournalRefused, match="another key"), keyed.open():
        pass
    await planned_with(file_place, ACCEPTED)
    with (
        pytest.raises(JournalRefused, match="is not encrypted: unset"),
        evolve(file_place, environ=keyed.environ).open(),
    ):
        pass


def test_other_kinds_and_places_are_named(tmp_path: Path) -> None:
    """A DSN of no known kind, a journal that is not open, and a missing one are refused in one sentence."""
    with pytest.raises(ConfigurationError, match="not mysql"):
        open_journal("mysql://ada:secret@host/db")
    with pytest.raises(JournalRefused, match="not open"):
        open_journal(tmp_path / "j").batches()
    for ask in (export_journal, lambda where, _: adopt_journal(where, who="ada", note="n")):
        with pytest.raises(JournalRefused, match="no journal"):
            ask(tmp_path / "none", tmp_path / "target")
    assert state_folder({"XDG_STATE_HOME": "/x"}) in {Path("/x/caxton"), Path("~/Library").expanduser()}
    assert state_folder({}).is_absolute()


# --- what takes its place, and what fails ---


async def test_every_commit_is_synced(file_place: Place) -> None:
    """A commit is on the disk when it returns, with its folder, and another program sees it then."""
    async with file_place.open() as journal, await journal.join() as worker:
        batch = await plan(journal)
        await worker.take(batch.id)

        assert journal._database.ask("PRAGMA synchronous") == [(3,)]
        with closing(sqlite3.connect(file_place.where)) as other:
            assert other.execute("SELECT state FROM rows").fetchall() == [("sending",)]


async def test_a_file_that_takes_its_place_stops_it(file_place: Place, tmp_path: Path) -> None:
    """A copy that is put in place of an open journal is noticed by its process, and refused by every other."""
    batch = await planned_with(file_place, PLANNED, PLANNED)
    async with file_place.open() as journal:
        worker = await journal.join()
        taken = await worker.take(batch)
        shutil.copy(file_place.path, tmp_path / "copy")
        os.replace(tmp_path / "copy", file_place.path)  # noqa: PTH105

        for _ in range(2):
            with pytest.raises(JournalFailed, match="another file took its place"):
                await worker.record(taken, outcome())
        with pytest.raises(JournalFailed):
            await worker.take(batch)
        with pytest.raises(JournalRefused, match="took the place"):
            await send(file_place, batch)


@pytest.mark.parametrize("name", ["write", "open"])
async def test_a_lock_that_is_removed_stops_it(file_place: Place, name: str) -> None:
    """Without its locks a process writes nothing more; the next one gives up what it had in flight."""
    batch = await planned_with(file_place, PLANNED, PLANNED)
    with pytest.raises(JournalError):  # noqa: PT012 -- leaving the journal fails as well
        async with file_place.open() as journal:
            worker = await journal.join()
            taken = await worker.take(batch)
            shutil.rmtree(f"{file_place.where}-locks")

            with pytest.raises(JournalFailed, match="was removed"):
                await worker.record(taken, outcome())
            assert await send(file_place, batch) == 1
            await worker.take(batch)
    with file_place.open() as journal:
        assert states_of(journal, batch) == ["unknown", "accepted"]


@pytest.mark.parametrize("spoil", ["max_page_count", "query_only"], ids=["disk full", "read only"])
async def test_a_failed_write_is_the_last(file_place: Place, spoil: str) -> None:
    """When a commit fails nothing more is written, nothing more is taken, and what was committed is there."""
    batch = await planned_with(file_place, PLANNED, PLANNED)
    with pytest.raises(JournalFailed):  # noqa: PT012 -- the last write of the block
        async with file_place.open() as journal:
            worker = await journal.join()
            taken = await worker.take(batch)
            connection = journal._database._file.connection
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA {spoil}={pages if spoil == 'max_page_count' else 1}")
            too_long = outcome(error="x" * 1_000_000)

            with pytest.raises(JournalFailed, match="put the cause right"):
                await worker.record(taken, too_long)
            connection.execute("PRAGMA query_only=0")
            with pytest.raises(JournalFailed):
                await worker.record(taken, outcome())
            await worker.take(batch)

    async with file_place.open() as journal:
        journal.sweep()
        assert states_of(journal, batch) == ["unknown", "planned"]


async def test_a_disk_that_is_full_at_the_end_undoes_nothing(file_place: Place, caplog) -> None:
    """What was recorded counts when the side file cannot be written any more, and the journal goes on later."""
    folder = state_folder(file_place.environ) / "journals"
    batch = await planned_with(file_place, PLANNED, PLANNED)
    async with file_place.open() as journal, await journal.join() as worker:
        await worker.record(await worker.take(batch), outcome())
        folder.rename(folder.with_name("aside"))
        folder.touch()

    folder.unlink()
    folder.with_name("aside").rename(folder)
    assert "was not closed properly" in caplog.text
    assert await send(file_place, batch) == 1


async def test_a_foreign_reader_is_waited_for(file_place: Place, caplog, monkeypatch) -> None:
    """A snapshot that another program holds makes a commit wait, which is told; then it goes on."""
    monkeypatch.setattr("caxton_async.journal.sqlite.handle._BUSY_S", 0.05)
    batch = await planned_with(file_place, PLANNED)
    async with file_place.open() as journal, await journal.join() as worker:
        taken = await worker.take(batch)
        told = threading.Event()
        monkeypatch.setattr("caxton_async.journal.sqlite.open_file._log.warning", lambda *_: told.set())
        with closing(sqlite3.connect(file_place.where, check_same_thread=False)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM rows").fetchone()
            recording = asyncio.create_task(worker.record(taken, outcome()))
            assert await asyncio.to_thread(told.wait, 10)
            assert not recording.done()
            reader.rollback()
            await recording

        assert states_of(journal, batch) == ["accepted"]


async def test_a_reader_behind_a_frozen_process_says_for_what_it_waits(file_place: Place, monkeypatch) -> None:
    """A process that stands still inside its commit keeps a reader waiting, which is told; then it goes on."""
    batch = await planned_with(file_place, PLANNED)
    told = threading.Event()
    monkeypatch.setattr("caxton_async.journal.sqlite.locks._TELL_AFTER_S", 0.0)
    monkeypatch.setattr("caxton_async.journal.sqlite.locks._log.warning", lambda *_: told.set())
    with file_place.open() as journal, open(f"{file_place.where}-locks/write", "rb") as frozen:  # noqa: ASYNC230, PTH123 -- an instant
        fcntl.flock(frozen, fcntl.LOCK_EX)
        reading = asyncio.create_task(asyncio.to_thread(states_of, journal, batch))
        assert await asyncio.to_thread(told.wait, 10)
        assert not reading.done()
        fcntl.flock(frozen, fcntl.LOCK_UN)

        assert await reading == ["planned"]


async def test_a_plan_that_is_cancelled_while_it_waits_holds_nothing(file_place: Place) -> None:
    """A plan waits while another process compares; cancelled then, it keeps no lock and leaves no batch."""
    async with file_place.open() as journal, file_place.open() as other:
        first = await plan(journal)
        with open(f"{file_place.where}-locks/plan", "rb") as lock:  # noqa: ASYNC230, PTH123 -- an instant
            fcntl.flock(lock, fcntl.LOCK_EX)
            planning = asyncio.create_task(plan(journal, rows(3)))
            await until(lambda: any(journal.counts(one.id)[PLANNED] == 3 for one in journal.batches()))
            await asyncio.to_thread(lambda: None)
            planning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await planning

        second = await plan(other)
        assert [batch.id for batch in journal.batches()] == [second.id, first.id]


# --- damage ---


async def test_a_flipped_bit_is_never_believed(file_place: Place) -> None:
    """Wherever a bit is flipped, reading ends in one sentence or finds what was written, and nothing else."""
    batch = await planned_with(file_place, ACCEPTED, RowState.REJECTED, UNKNOWN, PLANNED)
    whole, found = file_place.path.read_bytes(), set()
    with file_place.open() as journal:
        expected = list(journal.rows(batch)), journal.batches()
    for offset in range(0, len(whole), 61):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << offset % 8
        file_place.path.write_bytes(damaged)
        try:
            with file_place.open() as journal:
                assert (list(journal.rows(batch)), journal.batches()) == expected
                found.add("as it was")
        except JournalError as error:
            assert "\n" not in str(error)  # noqa: PT017 -- which of both it is depends on the place
            found.add("refused")
    assert found == {"as it was", "refused"}


async def test_a_journal_that_was_cut_is_refused(file_place: Place) -> None:
    """A journal whose end is missing is refused, wherever it was cut."""
    await planned_with(file_place, ACCEPTED, UNKNOWN)
    whole = file_place.path.read_bytes()
    for size in range(0, len(whole), 1777):
        file_place.path.write_bytes(whole[:size])
        with pytest.raises(JournalRefused), file_place.open() as journal:
            journal.sweep()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE rows SET amount = '1.00' WHERE id & 4294967295 = 2", "row 2 of batch 1"),
        ("UPDATE rows SET state = 'planned' WHERE state = 'accepted'", "number of rows"),
        ("UPDATE rows SET reference = 'row-9' WHERE id & 4294967295 = 2", "row 2 of batch 1"),
        ("DELETE FROM rows WHERE id & 4294967295 = 2", "number of rows"),
        ("UPDATE batches SET total = 1", "batch 1"),
        ("UPDATE facts SET value = '0' WHERE name = 'epoch'", "its head"),
    ],
    ids=["amount", "state", "reference", "removed", "total", "head"],
)
async def test_a_journal_that_was_edited_is_not_sent(file_place: Place, statement: str, problem: str) -> None:
    """What another program changed is found before a row of the batch is sent."""
    batch = await planned_with(file_place, ACCEPTED, PLANNED)
    change(file_place, "DROP INDEX sendable", "DROP INDEX in_flight", statement)
    change(file_place, "CREATE INDEX sendable ON rows (id >> 32) WHERE state IN ('planned', 'not_sent')")
    change(file_place, "CREATE INDEX in_flight ON rows (worker) WHERE state = 'sending'")

    with pytest.raises(JournalRefused, match=problem):
        await send(file_place, batch)
    with pytest.raises(JournalRefused, match=problem), file_place.open() as journal:
        journal.check()


# --- copies ---


async def test_a_copy_sends_nothing_until_it_is_adopted(file_place: Place, tmp_path: Path) -> None:
    """A copy beside the journal can be read and not sent; adopted, all that it would send needs a decision."""
    batch = await planned_with(file_place, ACCEPTED, SENDING, RowState.NOT_SENT, PLANNED)
    copy = at(file_place, tmp_path / "copy.db")
    shutil.copy(file_place.path, copy.path)

    with copy.open() as journal:
        assert journal.counts(batch)[ACCEPTED] == 1
        with pytest.raises(JournalRefused, match=r"copy of .*journal\.db.*caxton journal adopt"):
            journal.sweep()
    with pytest.raises(InvalidRequest):
        adopt_journal(copy.where, who="ada", note=" ", environ=copy.environ)
    adopted = adopt_journal(copy.where, who="ada", note="the disk broke", environ=copy.environ)

    assert (adopted.in_flight, adopted.undecided) == ((), 2)
    with copy.open() as journal:
        assert states_of(journal, batch) == ["accepted", "unknown", "unknown", "unknown"]
        assert journal.batch(batch).details["adopted"] == "ada: the disk broke"
    assert await send(copy, batch) == 0
    assert await send(file_place, batch) == 2


@pytest.mark.parametrize("way", ["restored", "another machine", "side file gone", "exported"])
async def test_what_may_be_an_older_copy_sends_nothing(file_place: Place, tmp_path: Path, way: str) -> None:
    """A backup put back, a journal on another machine, and one that the state folder does not know are not sent."""
    batch = await planned_with(file_place, PLANNED)
    place = file_place
    if way == "restored":
        shutil.copy(file_place.path, tmp_path / "backup")
        await send(file_place, batch)
        shutil.copy(tmp_path / "backup", file_place.path)
    elif way == "another machine":
        place = evolve(file_place, environ={"CAXTON_STATE_DIR": str(tmp_path / "other")})
    elif way == "side file gone":
        shutil.rmtree(tmp_path / "state" / "journals")
    else:
        export_journal(file_place.where, tmp_path / "backup", environ=file_place.environ)
        with pytest.raises(JournalRefused, match="exists already"):
            export_journal(file_place.where, tmp_path / "backup", environ=file_place.environ)
        (tmp_path / "backup").replace(file_place.path)

    with pytest.raises(JournalRefused, match="may be a copy"):
        await send(place, batch)
    assert adopt_journal(place.where, who="ada", note="restored", environ=place.environ).undecided == 1
    assert await send(place, batch) == 0


async def test_what_was_in_flight_is_listed_when_a_copy_is_adopted(file_place: Place, tmp_path: Path) -> None:
    """A copy of a running journal lists the rows that were being sent."""
    batch = await planned_with(file_place, PLANNED, PLANNED)
    copy = at(file_place, tmp_path / "copy.db")
    async with file_place.open() as journal, await journal.join() as worker:
        await worker.take(batch)
        export_journal(file_place.where, copy.path, environ=file_place.environ)
        with pytest.raises(JournalRefused, match="another process has"):
            adopt_journal(file_place.where, who="ada", note="n", environ=file_place.environ)

    adopted = adopt_journal(copy.where, who="ada", note="n", environ=copy.environ)
    assert (adopted.in_flight, adopted.undecided) == (((batch, "row-1"),), 2)


async def test_a_journal_may_be_moved(file_place: Place, tmp_path: Path) -> None:
    """A journal that was moved is the only one of its number, and goes on; so does one reached by another path."""
    batch = await planned_with(file_place, PLANNED)
    (tmp_path / "folder").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "folder")
    moved = at(file_place, tmp_path / "folder" / "journal.db")
    file_place.path.rename(moved.path)
    with moved.open() as journal:
        assert journal.sweep() == 0

    assert await send(at(file_place, tmp_path / "alias" / "journal.db"), batch) == 1


async def test_a_journal_that_was_moved_away_is_missed(file_place: Place, tmp_path: Path) -> None:
    """A new one in its place would not know what was paid: it is made only where nothing was."""
    await planned_with(file_place, RowState.ACCEPTED)
    moved = file_place.path.rename(tmp_path / "archive.db")

    with pytest.raises(JournalRefused, match="is not there any more"), file_place.open():
        pass
    moved.rename(file_place.path)

    with file_place.open() as journal:
        assert states_of(journal, 1) == ["accepted"]
