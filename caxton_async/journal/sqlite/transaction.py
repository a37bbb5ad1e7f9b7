"""What happens in one commit."""

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from caxton_async.encryption import Cipher
from caxton_async.journal.sqlite import tables


class Transaction:
    """What happens in one commit: statements, and the counts that they move."""

    def __init__(self, connection: sqlite3.Connection, cipher: Cipher | None) -> None:
        self._connection = connection
        self.cipher = cipher
        self.now = time.time()
        self._moved: Counter[tuple[int, str]] = Counter()

    def ask(self, question: str, *parameters: object) -> list[Any]:
        """Return all rows that a statement finds."""
        return self._connection.execute(question, parameters).fetchall()

    def run(self, statement: str, *parameters: object) -> int:
        """Carry out a statement and return how many rows it changed."""
        return self._connection.execute(statement, parameters).rowcount

    def run_many(self, statement: str, parameters: Sequence[tuple[Any, ...]]) -> int:
        """Carry out a statement for each set of parameters and return how many rows they changed in all."""
        return self._connection.executemany(statement, parameters).rowcount

    def insert(self, statement: str, *parameters: object) -> int:
        """Carry out an INSERT and return the id of its row."""
        return self._connection.execute(statement, parameters).lastrowid or 0

    def move(self, values: tuple[Any, ...], stands: tuple[Any, ...]) -> bool:
        """Set the status of a row, and tell whether it stood where it was believed to."""
        if self.run(tables.MOVE, *values, *stands) != 1:
            return False
        self.count(stands[0] >> 32, stands[1], -1)
        self.count(stands[0] >> 32, values[0], 1)
        return True

    def count(self, batch: int, state: str, rows: int) -> None:
        """Note that a batch has more or fewer rows in a state."""
        self._moved[batch, state] += rows

    def finish(self) -> None:
        """Write the counts, the last before the commit."""
        moved = [(*key, rows) for key, rows in self._moved.items() if rows]
        if moved:
            self.run_many(tables.COUNT, moved)
