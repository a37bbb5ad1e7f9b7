"""A journal in a file as its processes share it: opening, reading, writing, adopting and closing under its locks."""

import logging
import secrets
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalError, JournalRefused
from caxton_async.journal.sqlite import checks
from caxton_async.journal.sqlite.copies import Register
from caxton_async.journal.sqlite.handle import is_another_of_number, refusing
from caxton_async.journal.sqlite.locks import Locks, shared_with_writers
from caxton_async.journal.sqlite.open_file import OpenFile
from caxton_async.journal.sqlite.transaction import Transaction

T = TypeVar("T")
_log: Final = logging.getLogger("caxton_async")
_CHUNK: Final = 2_000  # rows of one read: about 5 ms, for which a writer waits


class Database:
    """A journal in a file; it takes part in the journal as a writer with the first thing that it writes.

    Raises:
        JournalRefused: it is no journal, damaged, of a newer version, or not private.
    """

    def __init__(self, path: Path, state_folder: Path, cipher: Cipher | None) -> None:
        self.path = path
        self._register = Register(state_folder)
        self._locks: Locks | None = None
        self._copy_problem: str | None = None
        with shared_with_writers(path):
            self._file = OpenFile(path, cipher)

    @property
    def facts(self) -> dict[str, str]:
        """What the journal says of itself."""
        return self._file.facts

    # --- reading ---

    def ask(self, question: str, *parameters: object) -> list[Any]:
        """Return all rows that a statement finds; it is to find few enough for one short read."""
        with self._file.mutex:
            self._file.check_process()
            locked = self._locks.held("write", shared=True) if self._locks else shared_with_writers(self.path)
            with locked:
                return self._file.ask(question, *parameters)

    def rows(self, question: str, after: int, last: int, *parameters: object) -> Iterator[Any]:
        """Yield the rows whose ids lie past `after`, up to `last`, in chunks that keep no writer waiting."""
        while found := self.ask(question, after, last, *parameters, _CHUNK):
            yield from found
            after = found[-1][0]

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy the whole journal, as of one moment."""
        with self._file.mutex, self.locks.held("write", shared=True):
            self._file.connection.backup(other)

    # --- writing ---

    @property
    def locks(self) -> Locks:
        """The locks, held as one of those who write."""
        with self._file.mutex:
            self._file.check_process()
            if self._locks is None:
                self._locks = self._join_writers()
            return self._locks

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction that is durable when the block ends; an error of ours in the block undoes it all.

        Raises:
            JournalFailed: it failed, or an earlier one did: no later commit can be trusted then.
            JournalRefused: the journal may be a copy.
        """
        with self._file.mutex, self.locks.held("write"):
            if self._copy_problem:
                this = shlex.quote(str(self.path))
                raise JournalRefused(
                    f"the journal {self.path} may be a copy, so nothing is sent ({self._copy_problem}): use the one "
                    f"that was used last, or take this one with: caxton journal adopt --journal {this} --note WHY"
                )
            with self._file.transaction() as tx:
                yield tx

    def cut_rollback_journal(self) -> None:
        """Empty the file that keeps what the last commits overwrote."""
        with self._file.mutex, self.locks.held("write"):
            self._file.cut_rollback_journal()

    def adopt(self, change: Callable[[Transaction], T]) -> T:
        """Make a copy a journal of its own, with a number of its own, and change it in the same commit.

        Raises:
            JournalRefused: another process has it open.
        """
        file, locks = self._file, self.locks
        with file.mutex, locks.held("write"):
            is_alone = locks.try_alone()
            locks.share()
            if not is_alone:
                raise JournalRefused(f"another process has the journal {self.path} open: stop it, then adopt")
            number = secrets.token_hex(8)
            self._register.announce(self.path, number, 1, 1)
            with file.transaction() as tx:
                result = change(tx)
                file.set_facts(tx, id=number, epoch="1", is_open="1")
            self._register.confirm(self.path, number, 1)
            self._copy_problem = None
            return result

    # --- coming and going ---

    def _join_writers(self) -> Locks:
        locks = Locks(self.path)
        try:
            with locks.held("write"), refusing(self.path):
                self._enter(locks, is_first=locks.try_alone())
                locks.share()
        except BaseException:
            locks.close()
            raise
        return locks

    def _enter(self, locks: Locks, *, is_first: bool) -> None:
        file = self._file
        file.facts = checks.read_facts(file.connection, self.path, file.cipher)
        if is_first:
            checks.check_structure(file.connection, file.facts)
        elif locks.opened_file != file.identity:
            raise JournalRefused(
                f"another file took the place of the journal {self.path}, which is in use: nothing is sent"
            )
        epoch = int(file.facts["epoch"])
        self._copy_problem = self._register.find_problem(self.path, file.facts["id"], epoch, is_another_of_number)
        if is_first:
            locks.opened_file = file.identity
            if not self._copy_problem:
                self._raise_epoch(is_open=True)

    def _raise_epoch(self, *, is_open: bool) -> None:
        number, epoch = self.facts["id"], int(self.facts["epoch"])
        self._register.announce(self.path, number, epoch, epoch + 1)
        with self._file.transaction() as tx:
            self._file.set_facts(tx, epoch=str(epoch + 1), is_open=str(int(is_open)))
        self._register.confirm(self.path, number, epoch + 1)

    def close(self) -> None:
        """Close the file; the last who wrote marks it as closed properly."""
        with self._file.mutex:
            try:
                if self._locks is not None and self._file.is_sound:
                    with self._locks.held("write"):
                        if self._locks.try_alone() and not self._copy_problem:
                            with _warning_at_most(self.path):
                                self._raise_epoch(is_open=False)
                        self._file.connection.close()
            finally:
                self._file.connection.close()
                if self._locks is not None:
                    self._locks.close()


@contextmanager
def _warning_at_most(path: Path) -> Iterator[None]:
    # What was sent is recorded, whether or not the disk has room for the mark of a proper end.
    try:
        yield
    except JournalError as error:
        _log.warning("the journal %s was not closed properly, and is checked when it is opened: %s", path, error)
