"""The file of a journal: how it is made, opened, checked, written durably and closed."""

import logging
import os
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from caxton_async.errors import JournalError, JournalFailed, JournalRefused
from caxton_async.journal.encryption import Cipher
from caxton_async.journal.sqlite import checks, tables
from caxton_async.journal.sqlite.copies import Register
from caxton_async.journal.sqlite.handle import check_private, connect, identity_of, refusing
from caxton_async.journal.sqlite.locks import Locks
from caxton_async.journal.sqlite.transaction import Transaction

T = TypeVar("T")
_log = logging.getLogger("caxton_async")
_CHUNK: Final = 2_000  # rows of one read: about 5 ms, for which a writer waits


class Database:
    """One connection to the file of a journal, for all threads of this process.

    Raises:
        JournalRefused: it is no journal, damaged, of a newer version, or not private.
    """

    def __init__(self, path: Path, state_folder: Path, cipher: Cipher | None) -> None:
        self.path = path
        self.cipher = cipher
        self.copy_problem: str | None = None
        self._register = Register(state_folder)
        self._locks: Locks | None = None
        self._mutex = threading.RLock()
        self._broken: str | None = None
        self._forked = False
        check_private(path)
        self._identity = identity_of(path)
        with refusing(path):
            self._connection = connect(path)
            try:
                checks.check_format(self._connection, path)
                self.facts = checks.read_facts(self._connection, self.path, self.cipher)
            except BaseException:
                self._connection.close()
                raise
        _OPEN.add(self)

    # --- reading ---

    def ask(self, question: str, *parameters: object) -> list[Any]:
        """Return all rows that a statement finds; it is to find few enough for one short read."""
        with self._mutex, refusing(self.path):
            self._check_process()
            if self._locks is None:
                return self._connection.execute(question, parameters).fetchall()
            with self._locks.held("write", shared=True):
                return self._connection.execute(question, parameters).fetchall()

    def rows(self, question: str, after: int, last: int, *parameters: object) -> Iterator[Any]:
        """Yield the rows whose ids lie past `after`, up to `last`, in chunks that keep no writer waiting."""
        while found := self.ask(question, after, last, *parameters, _CHUNK):
            yield from found
            after = found[-1][0]

    @property
    def locks(self) -> Locks:
        """The locks, once the journal is open to write."""
        self.open_to_write()
        assert self._locks is not None  # noqa: S101 -- for the type checker
        return self._locks

    # --- writing ---

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction that is durable when the block ends; an error of ours in the block undoes it all.

        Raises:
            JournalFailed: it failed, or an earlier one did: no later commit can be trusted then.
            JournalRefused: the journal may be a copy.
        """
        with self._mutex:
            self.open_to_write()
            if self.copy_problem:
                raise self._is_copy()
            with self._committing() as transaction:
                yield transaction

    def _is_copy(self) -> JournalRefused:
        return JournalRefused(
            f"the journal {self.path} may be a copy, so nothing is sent ({self.copy_problem}): use the one that was "
            "used last, or take this one with `caxton journal adopt --note WHY`"
        )

    @contextmanager
    def _committing(self) -> Iterator[Transaction]:
        self._check_process()
        if self._broken is not None:
            raise self._failure()
        assert self._locks is not None  # noqa: S101 -- for the type checker
        with self._locks.held("write"):
            problem = None
            try:
                self._check_in_place()
                self._begin()
                transaction = Transaction(self._connection, self.cipher)
                yield transaction
                transaction.finish()
                self._check_in_place()
                # Until the commit has returned nobody knows, whatever cuts it short.
                self._broken = "interrupted"
                self._connection.execute("COMMIT")
                self._broken = None
            except (sqlite3.Error, UnicodeError) as error:
                problem = self._broken = str(error)
            finally:
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
        if problem is not None:
            raise self._failure()

    def _check_in_place(self) -> None:
        # A file that took the place of ours would never hold what we write.
        if identity_of(self.path) != self._identity:
            raise sqlite3.OperationalError("another file took its place")

    def _begin(self) -> None:
        # Exclusive at once: what is busy is so here, where nothing was written, and never at the commit.
        while True:
            try:
                self._connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                _log.warning("waiting for another program that has the journal %s open", self.path)
            else:
                return

    def _failure(self) -> JournalFailed:
        return JournalFailed(
            f"the journal {self.path} could not be written ({self._broken}): nothing more is sent; put the cause "
            "right, then resume"
        )

    def _check_process(self) -> None:
        if self._forked:
            raise JournalRefused(f"the journal {self.path} was opened before this process was forked: open it anew")

    def cut_rollback_journal(self) -> None:
        """Empty the file that keeps what the last commits overwrote."""
        with self._mutex, self.locks.held("write"), refusing(self.path):
            self._connection.execute("PRAGMA journal_mode=TRUNCATE")
            self._connection.execute("PRAGMA journal_mode=PERSIST")

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy the whole journal, as of one moment."""
        with self._mutex, self.locks.held("write", shared=True):
            self._connection.backup(other)

    # --- opening and closing ---

    def open_to_write(self) -> None:
        """Take part in the journal as one of those who write; once is enough.

        Raises:
            JournalRefused: it is damaged, another file took its place, or its locks cannot be used.
        """
        if self._locks is not None:
            return
        self._check_process()
        self._locks = Locks(self.path)
        try:
            with self._locks.held("write"), refusing(self.path):
                is_first = self._locks.try_alone()
                self.facts = checks.read_facts(self._connection, self.path, self.cipher)
                self._enter(is_first=is_first)
                self._locks.share()
        except BaseException:
            self._locks.close()
            self._locks = None
            raise

    def _enter(self, *, is_first: bool) -> None:
        if is_first:
            checks.check_structure(self._connection, self.facts)
        elif self._locks is not None and self._locks.opened_file != self._identity:
            raise JournalRefused(
                f"another file took the place of the journal {self.path}, which is in use: nothing is sent"
            )
        number, epoch = self.facts["id"], int(self.facts["epoch"])
        self.copy_problem = self._register.find_problem(self.path, number, epoch, self._is_same_journal)
        if is_first and self._locks is not None:
            self._locks.opened_file = self._identity
            if not self.copy_problem:
                self._raise_epoch(is_open=True)

    def _raise_epoch(self, *, is_open: bool) -> None:
        number, epoch = self.facts["id"], int(self.facts["epoch"])
        self._register.announce(self.path, number, epoch, epoch + 1)
        self._begin()
        self._set_facts(epoch=str(epoch + 1), is_open=str(int(is_open)))
        self._connection.execute("COMMIT")
        self._register.confirm(self.path, number, epoch + 1)

    def adopt(self, change: Callable[[Transaction], T]) -> T:
        """Make a copy a journal of its own, with a number of its own, and change it in the same commit.

        Raises:
            JournalRefused: another process has it open.
        """
        with self._mutex:
            locks = self.locks
            with locks.held("write"):
                is_alone = locks.try_alone()
                locks.share()
            if not is_alone:
                raise JournalRefused(f"another process has the journal {self.path} open: stop it, then adopt")
            number = secrets.token_hex(8)
            self._register.announce(self.path, number, 1, 1)
            with self._committing() as transaction:
                result = change(transaction)
                self._set_facts(id=number, epoch="1", is_open="1")
            self._register.confirm(self.path, number, 1)
            self.copy_problem = None
            return result

    def _set_facts(self, **facts: str) -> None:
        values = [(name, value, tables.checksum(name, value)) for name, value in facts.items()]
        self._connection.executemany(tables.SET_FACT, values)
        self.facts = {**self.facts, **facts}

    def close(self) -> None:
        """Close the file; the last who wrote marks it as closed properly."""
        with self._mutex:
            if self._forked or self._locks is None:
                self._connection.close()
                return
            try:
                with self._locks.held("write"):
                    is_last = self._locks.try_alone()
                    if (
                        is_last
                        and self._broken is None
                        and not self.copy_problem
                        and identity_of(self.path) == self._identity
                    ):
                        self._raise_epoch(is_open=False)
                    self._connection.close()
            finally:
                self._locks.close()

    def _is_same_journal(self, other: Path) -> bool:
        # Opening and closing our own file again would drop the locks that SQLite holds on it.
        with suppress(OSError, sqlite3.Error, JournalError):
            if not other.samefile(self.path):
                connection = connect(other)
                try:
                    return connection.execute("SELECT value FROM facts WHERE name = 'id'").fetchall() == [
                        (self.facts["id"],)
                    ]
                finally:
                    connection.close()
        return False


_OPEN: "weakref.WeakSet[Database]" = weakref.WeakSet()
_waiting: list[Database] = []


def _wait_for_commits() -> None:
    _waiting.extend(_OPEN)
    for database in _waiting:
        database._mutex.acquire()


def _go_on() -> None:
    while _waiting:
        _waiting.pop()._mutex.release()


def _refuse_in_child() -> None:
    for database in _waiting:
        database._forked = True
    _go_on()


# No transaction is under way when a process is forked, for the child's copy of it would be rolled back as the child
# ends: into the file.
os.register_at_fork(before=_wait_for_commits, after_in_parent=_go_on, after_in_child=_refuse_in_child)
