"""The open file of a journal: one connection for all threads of a process, and commits that are durable."""

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalFailed, JournalRefused
from caxton_async.journal.sqlite import checks, tables
from caxton_async.journal.sqlite.handle import check_private, connect, identity_of, refusing
from caxton_async.journal.sqlite.transaction import Transaction

_log = logging.getLogger("caxton_async")


class OpenFile:
    """The file of a journal, which its users hold the locks for.

    Raises:
        JournalRefused: it is no journal, damaged, of a newer version, or not private.
    """

    def __init__(self, path: Path, cipher: Cipher | None) -> None:
        self.path = path
        self.cipher = cipher
        self.mutex = threading.RLock()
        self.is_forked = False
        self._broken: str | None = None
        check_private(path)
        self.identity = identity_of(path)
        with refusing(path):
            self.connection = connect(path)
            try:
                checks.check_format(self.connection, path)
                self.facts = checks.read_facts(self.connection, path, cipher)
            except BaseException:
                self.connection.close()
                raise
        _OPEN.add(self)

    @property
    def is_sound(self) -> bool:
        """Whether no write failed, and the file still has its name."""
        return self._broken is None and not self.is_forked and identity_of(self.path) == self.identity

    def ask(self, question: str, *parameters: object) -> list[Any]:
        """Return all rows that a statement finds."""
        with refusing(self.path):
            return self.connection.execute(question, parameters).fetchall()

    def check_process(self) -> None:
        """Check that this process opened the file itself.

        Raises:
            JournalRefused: it was forked since.
        """
        if self.is_forked:
            raise JournalRefused(f"the journal {self.path} was opened before this process was forked: open it anew")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction that is durable when the block ends; an error of ours in the block undoes it all.

        Raises:
            JournalFailed: it failed, or an earlier one did: no later commit can be trusted then.
        """
        self.check_process()
        if self._broken is not None:
            raise self._failure()
        facts, problem = self.facts, None
        try:
            self._check_in_place()
            self._begin()
            transaction = Transaction(self.connection, self.cipher)
            yield transaction
            transaction.finish()
            self._check_in_place()
            # Until the commit has returned nobody knows, whatever cuts it short.
            self._broken = "interrupted"
            self.connection.execute("COMMIT")
            self._broken = None
        except (sqlite3.Error, UnicodeError) as error:
            problem = self._broken = str(error)
        finally:
            if self.connection.in_transaction:
                self.facts = facts
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
        if problem is not None:
            raise self._failure()

    def _check_in_place(self) -> None:
        # A file that took the place of ours would never hold what we write.
        if identity_of(self.path) != self.identity:
            raise sqlite3.OperationalError("another file took its place")

    def _begin(self) -> None:
        # Exclusive at once: what is busy is so here, where nothing was written, and never at the commit.
        while True:
            try:
                self.connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                _log.warning("waiting for another program that has the journal %s open", self.path)
            else:
                return

    def _failure(self) -> JournalFailed:
        return JournalFailed(
            f"the journal {self.path} could not be written ({self._broken}): nothing more is sent; put the cause "
            "right, then go on"
        )

    def set_facts(self, tx: Transaction, **facts: str) -> None:
        """Set what the journal says of itself."""
        tx.run_many(tables.SET_FACT, [(name, value, tables.checksum(name, value)) for name, value in facts.items()])
        self.facts = {**self.facts, **facts}

    def cut_rollback_journal(self) -> None:
        """Empty the file that keeps what the last commits overwrote."""
        with refusing(self.path):
            self.connection.execute("PRAGMA journal_mode=TRUNCATE")
            self.connection.execute("PRAGMA journal_mode=PERSIST")


_OPEN: "weakref.WeakSet[OpenFile]" = weakref.WeakSet()
_waiting: list[OpenFile] = []


def _wait_for_commits() -> None:
    _waiting.extend(_OPEN)
    for file in _waiting:
        file.mutex.acquire()


def _go_on() -> None:
    while _waiting:
        _waiting.pop().mutex.release()


def _refuse_in_child() -> None:
    for file in _waiting:
        file.is_forked = True
    _go_on()


# No transaction is under way when a process is forked, for the child's copy of it would be rolled back as the child
# ends: into the file.
os.register_at_fork(before=_wait_for_commits, after_in_parent=_go_on, after_in_child=_refuse_in_child)
