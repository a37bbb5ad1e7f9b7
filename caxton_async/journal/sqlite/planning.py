"""Planning a batch in a file: rows in chunks, then duplicates, then the commit that lets it be sent."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from typing import Final

from attrs import evolve

from caxton_async.errors import DuplicateReference, JournalRefused
from caxton_async.journal.group_writer import GroupWriter
from caxton_async.journal.protocol import Check
from caxton_async.journal.sqlite import claims, tables
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.duplicates import find_duplicates, planned_rows
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import LAST, BatchInfo, NewBatch, PlannedRow, row_id

_CHUNK: Final = 1_000  # rows of one commit
_WRONG_SOURCES: Final = (
    "SELECT count(*) FROM follow_ups JOIN rows ON rows.id = follow_ups.source "
    "WHERE follow_ups.row > ? AND follow_ups.row <= ? AND NOT (state = 'rejected' OR (state = 'resolved' AND paid = 0))"
)


def find_clash(
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


class Planner:
    """The writing of one batch by a planner, a worker whose end has what is unfinished removed."""

    def __init__(self, database: Database, writer: GroupWriter[Transaction], planner: int) -> None:
        self._database = database
        self._writer = writer
        self._planner = planner

    async def write(
        self, new: NewBatch, rows: Iterable[PlannedRow], *, since: float, check: Check, comparing: asyncio.Lock
    ) -> BatchInfo:
        """Write a batch whole, or not at all; `comparing` is held by one plan of this process at a time."""
        batch = await self._writer.submit(lambda tx: claims.new_batch(tx, new, planner=self._planner, total=None))
        try:
            total = await self._write_rows(batch.id, rows)
            # From the comparison to the commit no other plan is compared, so of two one finds the other.
            async with comparing, self._held():
                own = planned_rows(self._database, batch.id)
                check(await asyncio.to_thread(find_duplicates, self._database, own, since=since, leave_out=batch.id))
                return await self._writer.submit(lambda tx: complete(tx, batch, total))
        except BaseException:
            _ = self._writer.submit(lambda tx: discard(tx, batch.id))
            raise

    async def _write_rows(self, batch: int, rows: Iterable[PlannedRow]) -> int:
        total, left = 0, iter(rows)
        while chunk := list(islice(left, _CHUNK)):
            write = partial(claims.write_planned, batch=batch, first=total + 1, rows=chunk)
            if not await self._writer.submit(write):
                raise find_clash(self._database, batch, chunk, total + 1)
            total += len(chunk)
        return total

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        lock = ExitStack()
        acquiring = asyncio.ensure_future(asyncio.to_thread(lock.enter_context, self._database.locks.held("plan")))
        try:
            await asyncio.shield(acquiring)
            yield
        finally:
            if acquiring.done():
                lock.close()
            else:  # the thread cannot be cancelled with us: it gives back what it gets
                acquiring.add_done_callback(lambda _: lock.close())
