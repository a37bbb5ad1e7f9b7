"""The session of a person, or of whoever only reads: one statement or transaction at a time, from any thread."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg import Connection

from caxton_async.encryption import Keyring
from caxton_async.errors import JournalError, JournalRefused
from caxton_async.journal.postgres.connecting import Rows, Server, failing
from caxton_async.journal.postgres.migrations import check_form, read_salt
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.statements import sql

_CHUNK: Final = 2_000  # rows of one read
_PAUSE_S: Final = 0.2


class QuerySession:
    """A session that is opened anew when the server was away; `patience_s` is how long it is waited for.

    Raises:
        JournalRefused: there is no journal, or it has another form or key.
    """

    def __init__(self, server: Server, keyring: Keyring, patience_s: float) -> None:
        self.server = server
        self.keyring = keyring
        self._patience_s = patience_s
        self._mutex = threading.RLock()
        self._process = os.getpid()
        self._connection = self._open()
        self.salt = self._check(self._connection)

    def _open(self) -> Connection[Rows]:
        return self.server.connect("journal")

    def _check(self, connection: Connection[Rows]) -> bytes:
        try:
            with failing(self.server.where):
                check_form(connection, self.server.where)
                return read_salt(connection, self.keyring)
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def connected(self) -> Iterator[Connection[Rows]]:
        """Give the session to one thread at a time, opened anew where it was lost."""
        if self._process != os.getpid():
            raise JournalRefused(
                f"the journal {self.server.where} was opened before this process was forked: open it anew"
            )
        with self._mutex:
            ends_at = time.monotonic() + self._patience_s
            while self._connection.closed or self._connection.broken:
                try:
                    self._connection = self._open()
                except JournalRefused:
                    raise
                except JournalError:
                    if time.monotonic() > ends_at:
                        raise
                    time.sleep(_PAUSE_S)
            with failing(self.server.where):
                yield self._connection

    def ask(self, question: str, *parameters: object) -> list[Rows]:
        """Return all rows that a statement finds; one that was cut off is asked again."""
        for _ in range(2):
            with self.connected() as connection, suppress(psycopg.OperationalError):
                return connection.execute(sql(question), parameters).fetchall()
        with self.connected() as connection:
            return connection.execute(sql(question), parameters).fetchall()

    def rows(self, question: str, after: int, last: int, *parameters: object) -> Iterator[Rows]:
        """Yield the rows whose ids lie past `after`, up to `last`, in chunks: no snapshot is held for long."""
        while found := self.ask(question, after, last, *parameters, _CHUNK):
            yield from found
            after = found[-1][0]

    @contextmanager
    def transaction(self) -> Iterator[PgTransaction]:
        """Give a transaction that is durable when the block ends; an error in the block undoes it all."""
        with self.connected() as connection, connection.transaction():
            tx = PgTransaction(connection, self.keyring)
            yield tx
            tx.finish()

    def close(self) -> None:
        """Close the session."""
        self._connection.close()
