"""What happens in one commit in PostgreSQL."""

from collections import Counter
from typing import Any

from psycopg import Connection

from caxton_async.encryption import Keyring
from caxton_async.journal.postgres.connecting import Rows
from caxton_async.journal.postgres.statements import COUNT, sql
from caxton_async.journal.protocol import Taken


class PgTransaction:
    """What happens in one commit: statements, the counts that they move, and the rows that they take.

    `worker` is whose session it is, 0 for that of a person.
    """

    def __init__(self, connection: Connection[Rows], keyring: Keyring, worker: int = 0) -> None:
        self._connection = connection
        self.keyring = keyring
        self.worker = worker
        self.taken: list[Taken] = []
        self._moved: Counter[tuple[int, str]] = Counter()

    def ask(self, question: str, *parameters: object) -> list[Rows]:
        """Return all rows that a statement finds."""
        return self._connection.execute(sql(question), parameters).fetchall()

    def ask_named(self, question: str, parameters: dict[str, Any]) -> list[Rows]:
        """Return all rows that a statement with named parameters finds."""
        return self._connection.execute(sql(question), parameters).fetchall()

    def run(self, statement: str, *parameters: object) -> int:
        """Carry out a statement and return how many rows it changed."""
        return self._connection.execute(sql(statement), parameters).rowcount

    def count(self, batch: int, before: str | None, after: str | None, rows: int = 1) -> None:
        """Note that rows of a batch went from one state to another."""
        if before is not None:
            self._moved[batch, before] -= rows
        if after is not None:
            self._moved[batch, after] += rows

    def finish(self) -> None:
        """Write the counts, the last before the commit."""
        moved = [(batch, self.worker, state, rows) for (batch, state), rows in self._moved.items() if rows]
        if moved:
            with self._connection.cursor() as cursor:
                cursor.executemany(COUNT, moved)
