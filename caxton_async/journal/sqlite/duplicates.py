"""Rows that ask for the same as another, found by sorting digests on disk: no memory is needed, and nobody waits."""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.states import LAST, Duplicates, RowState, SameRequest, row_id

_LISTED: Final = 100  # duplicates that are listed; the rest are counted
# What was not paid, and will not be, may be asked for again.
_MAY_BE_PAID: Final = (
    "SELECT id, digest FROM rows WHERE id > ? AND id <= ? AND state <> 'rejected' "
    "AND NOT (state = 'resolved' AND paid = 0) AND (? OR started_at >= ?) ORDER BY id LIMIT ?"
)
_OWN: Final = "SELECT id, digest, reference, line FROM rows WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
Own = tuple[int, bytes, str, int | None]  # position, digest, reference, line


def planned_rows(database: Database, batch: int) -> Iterator[Own]:
    """Yield what a batch that was just written asks for."""
    for number, digest, reference, line in database.rows(_OWN, row_id(batch, 0), row_id(batch, LAST)):
        yield number & LAST, digest, reference, line


_Pair = tuple[Any, ...]  # number, reference and line of a row, and those of the one that it equals


def find_duplicates(
    database: Database, own: Iterable[Own], *, since: float, leave_out: int | None = None
) -> Duplicates:
    """Find the rows of `own` that equal another: of batches that were made or sent since, or of their own."""
    seen = sqlite3.connect("", isolation_level=None)
    try:
        # Rows of the journal have a batch in their number; those that are asked about have none.
        seen.execute("CREATE TABLE seen (digest BLOB, id INTEGER, reference TEXT, line INTEGER)")
        seen.execute("BEGIN")
        for found in _may_be_paid(database, since, leave_out):
            seen.executemany("INSERT INTO seen (id, digest) VALUES (?, ?)", found)
        seen.executemany("INSERT INTO seen (id, digest, reference, line) VALUES (?, ?, ?, ?)", own)
        counted = 0

        def pairs() -> Iterator[_Pair]:
            nonlocal counted
            for counted, pair in enumerate(_pairs(seen), 1):  # noqa: B007 -- the count outlives the loop
                yield pair

        listed = heapq.nsmallest(_LISTED, pairs())
    finally:
        seen.close()
    return Duplicates(tuple(_describe(database, pair) for pair in listed), counted)


def _may_be_paid(database: Database, since: float, leave_out: int | None) -> Iterator[Iterator[Any]]:
    worked_at = dict(database.ask("SELECT id, worked_at FROM batches"))
    for batch in map(tables.to_batch, database.ask(tables.BATCHES)):
        if batch.id == leave_out or batch.total is None:
            continue
        is_new = batch.created_at >= since and batch.kind != "once"
        if is_new or batch.kind == "once" or (worked_at.get(batch.id) or 0.0) >= since:
            yield database.rows(_MAY_BE_PAID, row_id(batch.id, 0), row_id(batch.id, LAST), is_new, since)


def _pairs(seen: sqlite3.Connection) -> Iterator[_Pair]:
    """Yield each duplicate with the newest row of the journal that asks for the same, else with the first of its own.

    The newest, so that the list of duplicates, and with it the digest of a plan, is another one after each payment.
    """
    digest: bytes | None = None
    first: list[Any] | None = None
    order = f"digest, id <= {LAST}, iif(id <= {LAST}, id, -id)"
    question = f"SELECT digest, id, reference, line FROM seen ORDER BY {order}"  # noqa: S608 -- constants alone
    for found, *row in map(list, seen.execute(question)):
        if found != digest:
            digest, first = found, row
        elif row[0] <= LAST and first is not None:
            yield (*row, *first)


def _describe(database: Database, pair: _Pair) -> SameRequest:
    _, reference, line, number, of_reference, of_line = pair
    if number <= LAST:
        return SameRequest(
            reference=reference, line=line, of_batch=None, of_reference=of_reference, of_line=of_line, of_state=None
        )
    other = database.ask(tables.BY_ID, number)[0]
    tables.verify(other)
    return SameRequest(
        reference=reference,
        line=line,
        of_batch=number >> 32,
        of_reference=other[1],
        of_line=other[4],
        of_state=RowState(other[9]),
    )
