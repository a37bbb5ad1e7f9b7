"""Planning a batch in a file: rows in chunks, then duplicates, then the commit that lets it be sent."""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import evolve

from caxton_async.errors import DuplicateReference, JournalRefused
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.claims import LAST
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import BatchInfo, Duplicates, PlannedRow, RowState, SameRequest, row_id

_LISTED: Final = 100  # duplicates that are listed; the rest are counted
# What was not paid, and will not be, may be asked for again.
_MAY_BE_PAID: Final = (
    "SELECT id, digest FROM rows WHERE id > ? AND id <= ? AND state <> 'rejected' "
    "AND NOT (state = 'resolved' AND paid = 0) AND (? OR started_at >= ?) ORDER BY id LIMIT ?"
)
_OWN: Final = "SELECT id, digest, reference, line FROM rows WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
_WRONG_SOURCES: Final = (
    "SELECT count(*) FROM follow_ups JOIN rows ON rows.id = follow_ups.source "
    "WHERE follow_ups.row > ? AND follow_ups.row <= ? AND NOT (state = 'rejected' OR (state = 'resolved' AND paid = 0))"
)


def find_duplicate(
    database: Database, batch: int, rows: Iterable[PlannedRow], first: int
) -> DuplicateReference | JournalRefused:
    """Say which of the rows that are planned from a position on could not be written, and why."""
    for position, row in enumerate(rows, first):
        found = database.ask(tables.BY_REFERENCE, batch, row.reference)
        if found and found[0][0] != row_id(batch, position):
            line = found[0][4] or found[0][0] & LAST
            return DuplicateReference(
                f"the reference {row.reference!r} stands in line {line} and again in line {row.line or position}: give "
                "each row its own; nothing was sent"
            )
    return JournalRefused("some of these rows were followed up already, by another batch: nothing was sent")


def complete(tx: Transaction, batch: BatchInfo, total: int) -> BatchInfo:
    """Let a batch be sent, all of whose rows are written.

    Raises:
        JournalRefused: a row that it follows may have been paid.
    """
    if tx.ask(_WRONG_SOURCES, row_id(batch.id, 0), row_id(batch.id, LAST)) != [(0,)]:
        raise JournalRefused("some of the rows to be tried again may have been paid: nothing was sent")
    batch = evolve(batch, total=total)
    tx.run(tables.SET_BATCH, *tables.batch_values(batch, None))
    return batch


def discard(tx: Transaction, batch: int) -> None:
    """Remove a batch that was not planned whole; nothing of it was sent."""
    first, last = row_id(batch, 0), row_id(batch, LAST)
    tx.run("DELETE FROM follow_ups WHERE row > ? AND row <= ?", first, last)
    tx.run("DELETE FROM rows WHERE id > ? AND id <= ?", first, last)
    tx.run("DELETE FROM counts WHERE batch = ?", batch)
    tx.run("DELETE FROM batches WHERE id = ?", batch)


def discard_left_behind(tx: Transaction) -> None:
    """Remove what processes that ended had not finished planning."""
    for (batch,) in tx.ask(
        "SELECT id FROM batches WHERE total IS NULL AND planner IN (SELECT id FROM workers WHERE ended_at IS NOT NULL)"
    ):
        discard(tx, batch)


Own = tuple[int, bytes, str, int | None]  # position, digest, reference, line


def planned_rows(database: Database, batch: int) -> Iterator[Own]:
    """Yield what a batch that was just written asks for."""
    for number, digest, reference, line in database.rows(_OWN, row_id(batch, 0), row_id(batch, LAST)):
        yield number & LAST, digest, reference, line


class DuplicateSearch:
    """Looks for equal digests in a database of its own on disk, so that no memory is needed and nobody waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = sqlite3.connect("", isolation_level=None)
        # Rows of the journal have a batch in their number; those that are asked about have none.
        self._seen.execute("CREATE TABLE seen (digest BLOB, id INTEGER, reference TEXT, line INTEGER)")
        self._seen.execute("BEGIN")

    def run(self, own: Iterable[Own], *, since: float, leave_out: int | None = None) -> Duplicates:
        """Find the rows of `own` that equal another: of batches that were made or sent since, or of their own."""
        worked_at = dict(self._database.ask("SELECT id, worked_at FROM batches"))
        for batch in map(tables.to_batch, self._database.ask(tables.BATCHES)):
            is_new = batch.created_at >= since and batch.kind != "once"
            if batch.id == leave_out or batch.total is None:
                continue
            if is_new or batch.kind == "once" or (worked_at.get(batch.id) or 0.0) >= since:
                first, last = row_id(batch.id, 0), row_id(batch.id, LAST)
                found = self._database.rows(_MAY_BE_PAID, first, last, is_new, since)
                self._seen.executemany("INSERT INTO seen VALUES (?, ?, NULL, NULL)", ((d, n) for n, d in found))
        self._seen.executemany("INSERT INTO seen (id, digest, reference, line) VALUES (?, ?, ?, ?)", own)
        counted = 0

        def pairs() -> Iterator[tuple[Any, ...]]:
            nonlocal counted
            for counted, pair in enumerate(self._pairs(), 1):  # noqa: B007 -- the count outlives the loop
                yield pair

        listed = heapq.nsmallest(_LISTED, pairs(), key=lambda pair: pair[0])
        self._seen.close()
        return Duplicates(tuple(self._describe(*pair) for pair in listed), counted)

    def _pairs(self) -> Iterator[tuple[Any, ...]]:
        """Yield number, reference and line of each duplicate with those of the first that asks for the same."""
        digest: bytes | None = None
        first: list[Any] | None = None
        question = f"SELECT digest, id, reference, line FROM seen ORDER BY digest, id <= {LAST}, id"  # noqa: S608 -- a constant
        for values in self._seen.execute(question):
            found, row = values[0], list(values[1:])
            if found != digest:
                digest, first = found, row
            elif row[0] <= LAST and first is not None:
                yield (*row, *first)

    def _describe(self, _position: int, reference: str, line: int | None, number: int, *of: Any) -> SameRequest:  # noqa: ANN401 -- columns
        if number <= LAST:
            return SameRequest(
                reference=reference, line=line, of_batch=None, of_reference=of[0], of_line=of[1], of_state=None
            )
        other = self._database.ask(tables.BY_ID, number)[0]
        tables.verify(other)
        return SameRequest(
            reference=reference,
            line=line,
            of_batch=number >> 32,
            of_reference=other[1],
            of_line=other[4],
            of_state=RowState(other[9]),
        )
