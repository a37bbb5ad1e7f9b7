"""The journal: durable, private, in one hand, and refused when anything was taken from it."""

import asyncio
import fcntl
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caxton_async.batch import database, schema
from caxton_async.batch.journal import Journal
from caxton_async.batch.reader import check_not_run_before, default_path
from caxton_async.batch.states import (
    SENDABLE,
    STATES,
    DuplicateReference,
    JournalError,
    JournalFailed,
    JournalRefused,
    PlannedRow,
    RowState,
    RowStatus,
    TransitionRefused,
    check_transition,
)
from caxton_async.errors import InvalidRequest, Sent
from tests.support.scale import scaled

S = RowState
MOVES = [(before, to) for before in RowState for to in RowState]


def planned(count: int) -> list[PlannedRow]:
    """Make rows to be planned."""
    return [PlannedRow(f"ref-{n}", bytes([n % 256]) * 16, n + 1, f"{n}.50", "GBP") for n in range(1, count + 1)]


def create(path: Path, **extra: object) -> Journal:
    """Make a journal of one endpoint."""
    return Journal.create(path, endpoint="move_funds", origin="http://127.0.0.1:1", **extra)


async def begun(path: Path, count: int = 5) -> Journal:
    """Make a journal whose rows are planned and which may send."""
    journal = create(path)
    await journal.plan(planned(count))
    journal.start()
    return journal


async def step(journal: Journal, position: int, *states: RowState) -> None:
    """Take a row through states, from the one that it is in."""
    before = journal.row(f"ref-{position}").state
    for state in states:
        await journal.submit([position], before, RowStatus(state=state, started_at=1))
        before = state


def copied(path: Path, folder: Path) -> Path:
    """Copy a journal in use, as the disk holds it: what a kill at this instant would leave."""
    folder.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        (folder / (path.name + suffix)).unlink(missing_ok=True)
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy(source, folder)
    return folder / path.name


def states(path: Path) -> dict[str, RowState]:
    """Open a journal as a resuming run does, and say where its rows stand."""
    with Journal.open(path) as journal:
        return {row.reference: row.state for row in journal.rows()}


def files(path: Path) -> list[str]:
    """List what stands in the journal's folder."""
    return sorted(file.name for file in path.parent.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal of a test stands."""
    return tmp_path / "pay.csv.move_funds.caxton-journal"


def in_another_process(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code beside this process, with the journal's path as its argument."""
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)


# --- states ---


@pytest.mark.parametrize(("before", "to"), MOVES, ids=[f"{b.value}-{t.value}" for b, t in MOVES])
def test_only_the_table_of_states_says_what_may_follow(before: RowState, to: RowState) -> None:
    """A move that the table does not name is an error before it reaches the disk."""
    if to in STATES[before].then:
        check_transition(before, to)
        assert to is not before
    else:
        with pytest.raises(TransitionRefused, match=f"{before.value} cannot become {to.value}"):
            check_transition(before, to)


def test_nothing_unknown_accepted_rejected_or_sending_is_sent() -> None:
    """A run sends from two states alone."""
    assert SENDABLE == (S.PLANNED, S.NOT_SENT)


async def test_a_row_goes_through_its_states_and_keeps_what_is_said_of_it(path: Path) -> None:
    """The latest status of a row is read back whole."""
    status = RowStatus(
        state=S.REJECTED, sent=Sent.YES, error="no funds", http_status=400, api_status_code=7, started_at=5, elapsed_s=1
    )
    with await begun(path) as journal:
        await step(journal, 2, S.SENDING)
        await journal.submit([2], S.SENDING, status)
        row = journal.row("ref-2")

    assert (row.position, row.line, row.amount, row.currency, row.status) == (2, 3, "2.50", "GBP", status)


async def test_a_row_that_is_not_where_it_was_believed_to_be_stops_the_journal(path: Path) -> None:
    """Two parties that both move a row cannot both be right, so nothing more is written."""
    with await begun(path) as journal:
        await step(journal, 1, S.SENDING)

        with pytest.raises(JournalFailed, match="not in the state"):
            await journal.submit([1], S.PLANNED, RowStatus(state=S.SENDING))
        with pytest.raises(JournalFailed, match="nothing more is sent"):
            await journal.submit([2], S.PLANNED, RowStatus(state=S.SENDING))


async def test_counts_follow_every_move(path: Path) -> None:
    """The journal knows at any time how many rows are in each state."""
    with await begun(path) as journal:
        await step(journal, 1, S.SENDING, S.ACCEPTED)
        await step(journal, 2, S.SENDING)

        counts = {state: n for state, n in journal.counts().items() if n}

    assert counts == {S.PLANNED: 3, S.SENDING: 1, S.ACCEPTED: 1}


# --- durability ---


async def test_a_move_is_on_disk_when_its_future_is_done(path: Path, tmp_path: Path) -> None:
    """What a kill at that instant leaves says `sending`, which a resumed run takes as unknown."""
    with await begun(path) as journal:
        await step(journal, 3, S.SENDING)

        found = states(copied(path, tmp_path / "copy"))

    assert found["ref-3"] is S.UNKNOWN
    assert found["ref-2"] is S.PLANNED


async def test_every_commit_is_synced(path: Path) -> None:
    """The writing connection syncs the log at each commit, and the log is in use."""
    with create(path) as journal:
        ask = journal._writing._connection.execute
        settings = [ask(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]

    assert settings == [2, "wal"]


async def test_moves_that_come_together_share_a_commit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred moves at once take a few transactions, not a hundred."""
    with await begun(path, 100) as journal:
        groups: list[int] = []
        commit = journal._writing.commit
        monkeypatch.setattr(journal._writing, "commit", lambda writes: (groups.append(len(writes)), commit(writes))[1])

        await asyncio.gather(*(step(journal, n, S.SENDING) for n in range(1, 101)))

    assert sum(groups[:-1]) == 100, "the last commit is that of the closing"
    assert len(groups) <= 20


async def test_a_cancelled_caller_loses_no_move(path: Path) -> None:
    """Moves are written in the order of submission, whoever still waits."""
    with await begun(path) as journal:
        waiting = asyncio.ensure_future(step(journal, 1, S.SENDING))
        await asyncio.sleep(0)
        waiting.cancel()
        journal.submit([1], S.SENDING, RowStatus(state=S.NOT_SENT))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert states(path)["ref-1"] is S.NOT_SENT


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow beyond `size`: the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_stops_the_journal_for_good(path: Path) -> None:
    """After a failed write nothing is written even when there is room again, and what was written is kept."""
    with await begun(path, 400) as journal:
        await step(journal, 1, S.SENDING, S.ACCEPTED)
        await step(journal, 2, S.SENDING)
        done = [1, 2]

        async def go_on() -> None:
            for position in range(3, 400):
                await step(journal, position, S.SENDING)
                done.append(position)

        with file_size_limit(path.with_name(path.name + "-wal").stat().st_size), pytest.raises(JournalFailed):
            await go_on()
        with pytest.raises(JournalFailed, match="nothing more is sent; put the cause right"):
            await step(journal, 400, S.SENDING)

    found = states(path)
    assert (found["ref-1"], found["ref-2"]) == (S.ACCEPTED, S.UNKNOWN)
    assert len(done) < 398
    assert {found[f"ref-{n}"] for n in range(len(done) + 1, 401)} == {S.PLANNED}


async def test_a_database_that_cannot_grow_stops_the_planning(path: Path) -> None:
    """A journal that could not take all of its rows is removed: nothing was sent."""
    with create(path) as journal:
        journal._writing._connection.execute("PRAGMA max_page_count=8")

        with pytest.raises(JournalFailed, match="full"):
            await journal.plan(planned(2_000))

    assert files(path) == []


async def test_a_read_only_file_takes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, nothing can be sent."""
    (await begun(path)).close()
    connect = database._connect
    monkeypatch.setattr(database, "_connect", lambda file, query: connect(file, query.replace("rw", "ro")))
    journal = Journal.open(path)

    with pytest.raises(JournalFailed, match="readonly"):
        journal.start()
    with pytest.raises(JournalFailed):
        await step(journal, 1, S.SENDING)
    journal.close()


# --- one hand, and private ---


async def test_the_files_are_private(path: Path) -> None:
    """Nobody else can read the journal or its log."""
    with await begun(path):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert path.name + "-wal" in modes


def test_a_journal_that_others_can_read_is_refused(path: Path) -> None:
    """Whoever opened the file to others is told how to close it."""
    asyncio.run(begun(path)).close()
    path.chmod(0o640)

    for use in (Journal.open, Journal.read):
        with pytest.raises(JournalRefused, match="chmod 600"):
            use(path)


def test_a_journal_is_not_reached_through_a_link(path: Path) -> None:
    """A link in place of the journal, whole or dangling, is neither followed nor replaced."""
    asyncio.run(begun(path)).close()
    link, dangling = path.with_name("link"), path.with_name("dangling")
    link.symlink_to(path)
    dangling.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(JournalRefused, match="never reached through"):
        Journal.open(link)
    with pytest.raises(JournalRefused, match="exists already"):
        create(dangling)
    assert not path.with_name("elsewhere").exists()


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    """Making a journal where something is says to resume it."""
    path.write_text("mine")

    with pytest.raises(JournalRefused, match="resume"):
        create(path)
    assert path.read_text() == "mine"
    assert files(path) == [path.name]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A journal that cannot be made is refused."""
    with pytest.raises(JournalRefused, match="No such file"):
        create(tmp_path / "missing" / "x.caxton-journal")


def test_a_missing_journal_is_said(path: Path) -> None:
    """Resuming or reading what is not there is refused."""
    for use in (Journal.open, Journal.read):
        with pytest.raises(JournalRefused, match="there is no journal"):
            use(path)


TRY_TO_OPEN = """
import sys
from caxton_async.batch.journal import Journal
try:
    Journal.open(sys.argv[1]).close()
except Exception as error:
    print(type(error).__name__, error)
"""


async def test_a_second_runner_is_refused(path: Path) -> None:
    """While one run has the journal no other gets it, in this process or another; then it is free again."""
    with await begun(path):
        with pytest.raises(JournalRefused, match="in use by another run"):
            Journal.open(path)
        other = in_another_process(TRY_TO_OPEN, path)

    assert other.stdout.startswith("JournalRefused the journal")
    assert in_another_process(TRY_TO_OPEN, path).stdout == ""


def test_a_lock_is_on_the_file_that_bears_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens the lock just before its holder removes it does not end up with one that nobody else sees."""
    asyncio.run(begun(path)).close()
    flock, lock = fcntl.flock, path.with_name(path.name + "-lock")

    def too_late(descriptor: int, how: int) -> None:
        monkeypatch.undo()
        lock.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", too_late)

    with Journal.open(path), pytest.raises(JournalRefused, match="in use"):
        Journal.open(path)


KILLED = """
import asyncio, os, signal, sys
from caxton_async.batch.journal import Journal
from caxton_async.batch.states import *
async def main():
    journal = Journal.create(sys.argv[1], endpoint="move_funds", origin="http://127.0.0.1:1")
    %s
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
PLAN = "await journal.plan([PlannedRow(f'ref-{n}', b'x', n) for n in range(1, 6)])"


def killed_after(path: Path, *lines: str) -> None:
    """Kill a process that has a journal, once it has done `lines`."""
    done = in_another_process(KILLED % "\n    ".join(lines), path)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_the_lock_dies_with_its_process(path: Path) -> None:
    """A killed run keeps nobody out, and what it was sending is unknown."""
    killed_after(
        path,
        PLAN,
        "journal.start()",
        "await journal.submit([2], RowState.PLANNED, RowStatus(state=RowState.SENDING))",
    )

    found = states(path)

    assert found == {"ref-1": S.PLANNED, "ref-2": S.UNKNOWN, "ref-3": S.PLANNED, "ref-4": S.PLANNED, "ref-5": S.PLANNED}


async def test_a_reader_sees_a_run_and_leaves_no_trace(path: Path) -> None:
    """While a row is being sent a reader sees just that, and the files are the same afterwards."""
    with await begun(path) as journal:
        await step(journal, 1, S.SENDING)
        before = files(path)

        with Journal.read(path) as reader:
            seen = reader.row("ref-1").state, reader.counts()[S.SENDING], reader.total, reader.endpoint

        assert seen == (S.SENDING, 1, 5, "move_funds")
        assert files(path) == before
    with Journal.read(path):
        assert files(path) == [path.name]


def test_a_reader_shows_what_a_killed_run_was_sending_as_unknown(path: Path) -> None:
    """Nobody runs the batch, so nobody will learn how that call ended."""
    killed_after(
        path,
        PLAN,
        "journal.start()",
        "await journal.submit([2], RowState.PLANNED, RowStatus(state=RowState.SENDING))",
    )

    with Journal.read(path) as reader:
        unknown = [row.reference for row in reader.rows(S.UNKNOWN)]
        counts = reader.counts()

    assert (unknown, counts[S.UNKNOWN], counts[S.SENDING]) == (["ref-2"], 1, 0)


# --- the log ---


async def test_a_closed_journal_is_one_file(path: Path, tmp_path: Path) -> None:
    """At the end everything is in the main file, which can be moved alone."""
    journal = await begun(path)
    await step(journal, 1, S.SENDING, S.ACCEPTED)
    journal.close()

    assert files(path) == [path.name]
    assert states(copied(path, tmp_path / "copy"))["ref-1"] is S.ACCEPTED


@pytest.mark.parametrize(
    "lines",
    [
        ["journal.start()"],
        ["journal.start()", "await journal.submit([1], RowState.PLANNED, RowStatus(state=RowState.SENDING))"],
    ],
    ids=["started", "sending"],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "header"])
def test_a_running_journal_without_its_log_is_refused(path: Path, lines: list[str], damage: str) -> None:
    """Somebody moved the main file alone: what was sent is not in it, from the very start of the run."""
    killed_after(path, PLAN, *lines)
    log = path.with_name(path.name + "-wal")
    if damage == "missing":
        log.unlink()
    else:
        os.truncate(log, 0 if damage == "empty" else 32)

    for use in (Journal.read, Journal.open):
        with pytest.raises(JournalRefused, match="missing or empty"):
            use(path)


@pytest.mark.parametrize("lines", [[], [PLAN], [PLAN, "journal.start()"]], ids=["made", "planned", "started"])
def test_a_journal_killed_before_its_first_row_goes_on(path: Path, lines: list[str]) -> None:
    """Wherever a run dies before it sends, the journal is good."""
    killed_after(path, *(lines or ["pass"]))

    with Journal.open(path) as journal:
        if journal.total is None:
            asyncio.run(journal.plan(planned(5)))
        counts = journal.counts()

    assert (journal.total, counts[S.PLANNED]) == (5, 5)


def test_a_journal_that_nobody_closed_keeps_its_log(path: Path) -> None:
    """Leaving a journal to the garbage collector is like a kill: it can be resumed."""
    code = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "") % f"{PLAN}\n    journal.start()"

    done = in_another_process(code, path)

    assert done.returncode == 0, done.stderr
    assert set(states(path).values()) == {S.PLANNED}


async def test_a_damaged_file_is_refused_or_says_the_same(path: Path, tmp_path: Path) -> None:
    """Of bits that are flipped anywhere in file or log, none changes what a resumed run believes."""
    rng = random.Random(20)
    with await begun(path, 40) as journal:
        for position in range(1, 21):
            await step(journal, position, S.SENDING, *([S.ACCEPTED] if position % 2 else []))
        sound = copied(path, tmp_path / "sound")
    expected = states(copied(sound, tmp_path / "try"))
    refused = 0

    for suffix in ("", "-wal"):
        size = sound.with_name(sound.name + suffix).stat().st_size
        offsets = {*range(60), *range(size - 4130, size - 4080), *rng.sample(range(size), scaled(120, size))}
        for offset in sorted(offsets):
            damaged = copied(sound, tmp_path / "try")
            with damaged.with_name(damaged.name + suffix).open("r+b") as file:
                file.seek(offset)
                byte = file.read(1)[0]
                file.seek(offset)
                file.write(bytes([byte ^ (1 << rng.randrange(8))]))
            try:
                found = states(damaged)
            except JournalError:
                refused += 1
            else:
                assert found == expected, f"a bit in {suffix or 'the file'} at {offset}"
    assert refused > 50


async def test_a_file_that_was_cut_is_refused_or_sends_nothing_that_was_sending(path: Path, tmp_path: Path) -> None:
    """Wherever file or log end, a row that is still recorded `sending` comes back as unknown."""
    with await begun(path, 8) as journal:
        for position in range(1, 5):
            await step(journal, position, S.SENDING, *([S.ACCEPTED] if position % 2 else []))
        sound = copied(path, tmp_path / "sound")
    main, log = (sound.with_name(sound.name + suffix).stat().st_size for suffix in ("", "-wal"))
    cuts = [("", n) for n in range(0, main, scaled(397, 1))] + [("-wal", n) for n in range(0, log, scaled(301, 1))]

    for suffix, size in cuts:
        cut = copied(sound, tmp_path / "try")
        os.truncate(cut.with_name(cut.name + suffix), size)
        recorded = _recorded(cut)
        try:
            found = states(cut)
        except JournalRefused:
            continue
        assert found.keys() == {f"ref-{n}" for n in range(1, 9)}, (suffix, size)
        for reference, state in recorded.items():
            expected = S.UNKNOWN if state == "sending" else RowState(state)
            assert found[reference] is expected, (suffix, size)


def _recorded(path: Path) -> dict[str, str]:
    """Read the states as SQLite alone sees them, from a copy, so that its clearing up changes nothing."""
    copy = copied(path, path.parent / "look")
    connection = sqlite3.connect(copy)
    try:
        return dict(connection.execute("SELECT reference, state FROM rows"))
    except sqlite3.Error:
        return {}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "content", [b"", b"no database", b"SQLite format 3\0" + bytes(4080)], ids=["empty", "text", "header"]
)
def test_a_file_that_is_no_journal_is_refused(path: Path, content: bytes) -> None:
    """Whatever else the file is, it is said and left alone."""
    path.write_bytes(content)
    path.chmod(0o600)

    for use in (Journal.open, Journal.read):
        with pytest.raises(JournalRefused):
            use(path)
    assert path.read_bytes() == content


async def test_a_row_changed_by_another_program_is_refused(path: Path) -> None:
    """A row whose state was edited no longer bears its checksum."""
    (await begun(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET state = 'accepted' WHERE position = 2")
    connection.close()

    with pytest.raises(JournalRefused, match="checksum"):
        Journal.open(path)


async def test_a_fact_changed_by_another_program_is_refused(path: Path) -> None:
    """A journal cannot be made that of another origin."""
    (await begun(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE facts SET value = 'https://elsewhere' WHERE name = 'origin'")
    connection.close()

    with pytest.raises(JournalRefused, match="checksum"):
        Journal.open(path)


@pytest.mark.parametrize(
    ("offset", "content", "says"),
    [(39, b"\x05", "structure"), (18, b"\x01\x01", "denies its log")],
    ids=["list of free pages", "mode"],
)
async def test_damage_that_no_row_shows_is_refused(path: Path, offset: int, content: bytes, says: str) -> None:
    """The structure of the file counts too: what is written next would be written wrongly."""
    (await begun(path)).close()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)

    with pytest.raises(JournalRefused, match=says):
        Journal.open(path)


async def test_a_row_that_was_removed_is_missed(path: Path) -> None:
    """The number of rows is pinned."""
    (await begun(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM rows WHERE position = 5")
    connection.close()

    with pytest.raises(JournalRefused, match="something is missing"):
        Journal.open(path)


# --- versions ---


async def test_an_older_journal_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a journal of an older version adds what is new and keeps what is there."""
    (await begun(path)).close()
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (a); CREATE TABLE still_more (b)")
    )

    found = states(path)

    assert set(found.values()) == {S.PLANNED}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM still_more").fetchone() == (0,)
    connection.close()


async def test_a_newer_journal_is_refused(path: Path) -> None:
    """What a later version wrote is not guessed at."""
    (await begun(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(JournalRefused, match="another version"):
        Journal.open(path)


# --- planning ---


async def test_the_same_reference_twice_is_refused_and_leaves_no_journal(path: Path) -> None:
    """Both lines are named, and the input can be run again once it is right."""
    rows = [*planned(1_200), PlannedRow("ref-7", b"other", 5_000)]

    with create(path) as journal, pytest.raises(DuplicateReference, match=r"'ref-7' .* line 8 and again in line 5000"):
        await journal.plan(rows)

    assert files(path) == []


async def test_a_reference_twice_in_one_go_is_refused(path: Path) -> None:
    """Neighbours are compared as well."""
    with create(path) as journal, pytest.raises(DuplicateReference, match="line 2 and again in line 3"):
        await journal.plan([PlannedRow("a", b"", 2), PlannedRow("a", b"", 3)])


def test_an_interrupted_planning_is_done_again(path: Path) -> None:
    """What a killed planning left is replaced, also by the rows of a changed input."""
    killed_after(
        path,
        "rows = ([PlannedRow(f'left-{n}', b'', n) for n in range(600)], iter(lambda: os.kill(os.getpid(), 9), 0))",
        "await journal.plan(row for part in rows for row in part)",
    )

    with Journal.open(path, digest="new") as journal:
        asyncio.run(journal.plan(planned(3)))
        found = [row.reference for row in journal.rows()], journal.digest

    assert found == (["ref-1", "ref-2", "ref-3"], "new")


async def test_the_input_is_pinned(path: Path) -> None:
    """Another input does not resume a journal, the same does; without a file the rows themselves are pinned."""
    with create(path, digest="abc", details={"input": "pay.csv"}) as journal:
        await journal.plan(planned(3))

    with pytest.raises(JournalRefused, match="not the one"):
        Journal.open(path, digest="abd")
    with Journal.open(path, digest="abc") as journal:
        assert dict(journal.details) == {"input": "pay.csv"}
    with create(path.with_name("pairs")) as journal:
        await journal.plan(planned(3))
        assert len(journal.digest) == 64


async def test_a_note_is_kept(path: Path) -> None:
    """What a run notes about its batch is there when it is resumed."""
    with await begun(path) as journal:
        journal.note(upload="7")

    with Journal.open(path) as journal:
        assert journal.details["upload"] == "7"


# --- settling ---


async def test_settling_keeps_who_why_and_when(path: Path) -> None:
    """A person's decision about an unknown row is kept beside what was known before."""
    with await begun(path) as journal:
        for position in (1, 2):
            await step(journal, position, S.SENDING, S.UNKNOWN)
        journal.settle("ref-1", paid=True, who="Ann", note="seen on the statement")
        journal.settle("ref-2", paid=False, who="Ann", note="bank says no")

    with Journal.read(path) as reader:
        status = reader.row("ref-1").status
        assert (status.state, status.settled_as_paid, status.settled_by) == (S.SETTLED, True, "Ann")
        assert (status.settled_note, status.started_at) == ("seen on the statement", 1)
        assert status.settled_at > 1
        assert list(reader.references_not_paid()) == ["ref-2"]


@pytest.mark.parametrize(
    "left", [[], [S.SENDING, S.ACCEPTED], [S.SENDING, S.UNKNOWN, "settled"]], ids=["planned", "accepted", "settled"]
)
async def test_only_an_unknown_row_is_settled(path: Path, left: list[RowState]) -> None:
    """What is known, or was decided, is not decided again."""
    with await begun(path) as journal:
        await step(journal, 1, *(state for state in left if state != "settled"))
        if "settled" in left:
            journal.settle("ref-1", paid=True, who="Ann", note="n")

        with pytest.raises(TransitionRefused):
            journal.settle("ref-1", paid=False, who="Ann", note="n")


async def test_settling_needs_a_name_a_reason_and_a_row(path: Path) -> None:
    """A decision without its author or reason is worth nothing."""
    with await begun(path) as journal:
        for who, note in (("", "n"), ("Ann", " ")):
            with pytest.raises(InvalidRequest, match="who decided it, and why"):
                journal.settle("ref-1", paid=True, who=who, note=note)
        with pytest.raises(JournalRefused, match="no row 'ref-9'"):
            journal.settle("ref-9", paid=True, who="Ann", note="n")


# --- the same batch twice ---


async def test_the_same_batch_is_not_begun_twice(tmp_path: Path) -> None:
    """Its own journal, one of the same input under another name, and one that cannot be read, each stop a new run."""
    source = tmp_path / "may.csv"
    batch = {"endpoint": "move_funds", "origin": "o", "digest": "d"}
    check_not_run_before(source, **batch)
    other = tmp_path / "april.csv.move_funds.caxton-journal"
    with Journal.create(other, **batch) as journal:
        await journal.plan(planned(1))

    with pytest.raises(JournalRefused, match=r"april.*holds the same input.*resume"):
        check_not_run_before(source, **batch)
    for change in ({"endpoint": "create_wallet"}, {"origin": "p"}, {"digest": "e"}):
        check_not_run_before(source, **{**batch, **change})
    other.write_bytes(b"torn")
    with pytest.raises(JournalRefused, match="move it away"):
        check_not_run_before(source, **batch)
    other.unlink()
    default_path(source, "move_funds").touch()
    with pytest.raises(JournalRefused, match=r"caxton resume .*may\.csv\.move_funds\.caxton-journal"):
        check_not_run_before(source, **batch)
