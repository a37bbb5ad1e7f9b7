"""The SQLite file behind a journal: opening it, checking all of it, and writing to it durably.

What belongs here: connections and transactions, and turning SQLite's errors into ours.  What does not: what is in the
tables (`schema`) and what it means (`journal`).
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caxton_async.batch import custody, schema
from caxton_async.batch.states import JournalFailed, JournalRefused
from caxton_async.batch.writer import Write

PLANNING, RUNNING, CLOSED = "planning", "running", "closed"

_BUSY_TIMEOUT_S = 30.0  # a report on a million rows holds the log's folding-in up for some seconds


def _connect(path: Path, query: str) -> sqlite3.Connection:
    """Open the file; the writing thread and the event loop use a connection by turns, so neither owns it."""
    uri = f"{path.absolute().as_uri()}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.create_function("checksum", -1, schema.checksum, deterministic=True)
    return connection


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        problem = str(error)
    else:
        return
    raise JournalRefused(f"the journal {path} cannot be used ({problem}); nothing was sent")


class Reading:
    """A connection that only reads.

    With `folded`, everything is taken to be in the main file: SQLite then neither looks for a log nor makes one.

    **Raises** JournalRefused when the file cannot be read.
    """

    def __init__(self, path: Path, *, folded: bool = False) -> None:
        self._path = path
        with _refusing(path):
            self._connection = _connect(path, "immutable=1" if folded else "mode=ro")

    def ask(self, question: str, *parameters: object) -> list[Any]:
        """Return all rows that a statement finds."""
        with _refusing(self._path):
            return self._connection.execute(question, parameters).fetchall()

    def verified_facts(self) -> dict[str, str]:
        """Check the whole of the file and return its facts.

        **Raises** JournalRefused when anything in it is not as it was written.
        """
        problem = self._find_problem()
        facts = {} if problem else dict(self.ask(schema.FACTS))
        whole = {"endpoint", "origin", "mark", "salt"} <= facts.keys()
        if whole and "total" in facts:
            whole = self.ask(schema.SIZE) == [(int(facts["total"]),) * 2]
        if problem or not whole:
            raise JournalRefused(
                f"the journal {self._path} {problem or 'is damaged: something is missing'}; restore it, or compare the "
                "batch with the bank's statement; nothing was sent"
            )
        return facts

    def _find_problem(self) -> str | None:
        if self.ask("PRAGMA application_id") != [(schema.APPLICATION_ID,)]:
            return "is not a journal of this program"
        if self.ask("PRAGMA user_version") != [(len(schema.MIGRATIONS),)]:
            return "was written by another version of this program"
        if self.ask("PRAGMA quick_check(1)") != [("ok",)]:
            return "is damaged: SQLite finds its structure broken"
        if self.ask(schema.WRONG_FACTS) + self.ask(schema.WRONG_ROWS) != [(0,), (0,)]:
            return "is damaged: a checksum is wrong"
        return None

    def close(self) -> None:
        """Close the connection; one that only reads never folds the log in."""
        self._connection.close()


class Writing:
    """The one connection that writes; after a failure it writes nothing more, for no later commit can be trusted.

    **Raises** JournalRefused when the file cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._broken: str | None = None
        with _refusing(path):
            self._connection = _connect(path, "mode=rw")
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        """Make every commit durable, and bring a journal of an older version up to date."""
        if self._connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            raise JournalRefused(f"the journal {self._path} is damaged: it denies its log; nothing was sent")
        for pragma in ("synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        _migrate(self._connection)

    @property
    def is_broken(self) -> bool:
        """Whether a write has failed."""
        return self._broken is not None

    def commit(self, writes: Sequence[Write]) -> list[int]:
        """Carry out `writes` in one transaction, durably, and return how many rows each changed.

        **Raises** JournalFailed when that failed, or something failed before.
        """
        with self._mutex:
            if not self.is_broken:
                # Until the commit has returned nobody knows, whatever cuts it short.
                self._broken = "interrupted"
                changed = self._carry_out(writes)
                if not self.is_broken:
                    return changed
        raise JournalFailed(
            f"the journal {self._path} could not be written ({self._broken}): nothing more is sent; put the cause "
            "right, then resume"
        )

    def _carry_out(self, writes: Sequence[Write]) -> list[int]:
        changed = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                changed.append(self._connection.executemany(write.sql, write.rows).rowcount)
                if write.exact and changed[-1] != len(write.rows):
                    raise sqlite3.IntegrityError("a row was not in the state in which it was believed to be")
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._broken = str(error)
        else:
            self._broken = None
        return changed

    def fold(self, *, cut: bool = False) -> None:
        """Copy the whole log into the main file, durably; with `cut` the log is emptied as well.

        **Raises** JournalFailed when that failed.
        """
        try:
            how = "TRUNCATE" if cut else "FULL"
            busy = self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0]
            problem = "another program holds it" if busy else ""
        except sqlite3.Error as error:
            problem = self._broken = str(error)
        if problem:
            raise JournalFailed(f"the log of {self._path} could not be folded in ({problem}): nothing more is sent")

    def close(self) -> None:
        """Close the connection; if it is the last, SQLite folds the log in and removes it."""
        self._connection.close()


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(schema.MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; COMMIT")


def write_new(path: Path, facts: Mapping[str, str]) -> None:
    """Fill an empty file with the tables and facts of a new journal, all of it in the main file.

    **Raises** JournalRefused when that fails.
    """
    with _refusing(path):
        connection = _connect(path, "mode=rw")
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
            _migrate(connection)
            connection.executemany(schema.SET_FACT, facts.items())
        finally:
            connection.close()


def check_log(path: Path) -> None:
    """Check a journal that nobody runs for a log that is missing or damaged, before SQLite makes or drops one.

    **Raises** JournalRefused.
    """
    if not custody.wal_holds_a_commit(path):
        alone = Reading(path, folded=True)
        try:
            mark = alone.ask("SELECT value FROM facts WHERE name = 'mark'")
        finally:
            alone.close()
        # Asked again: whoever closes a journal marks it first and removes the log after that.
        if mark == [(RUNNING,)] and not custody.wal_holds_a_commit(path):
            raise JournalRefused(
                f"the journal {path} was running when it was left, and its log {path.name}-wal, which holds what was "
                "sent, is missing or empty: put both files side by side; nothing was sent"
            )
    custody.check_wal(path)
