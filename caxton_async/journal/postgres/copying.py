"""Planning a batch in PostgreSQL: rows by COPY in one transaction, then duplicates, then the commit that lets it go."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import psycopg
from attrs import evolve
from psycopg import Connection

from caxton_async.encryption import Keyring
from caxton_async.errors import CaxtonError, DuplicateReference, JournalFailed, JournalRefused
from caxton_async.journal.postgres import row_claims, statements
from caxton_async.journal.postgres.connecting import CLASS, Rows, Server, failing
from caxton_async.journal.postgres.last_claim import ClaimMemory
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.repeats import find_repeats
from caxton_async.journal.postgres.statements import sql
from caxton_async.journal.postgres.worker_session import join
from caxton_async.journal.protocol import Check
from caxton_async.journal.row_values import context
from caxton_async.journal.states import LAST, BatchInfo, Duplicates, NewBatch, PlannedRow, RowState, row_id

_CHUNK: Final = 1_000  # rows of one COPY
_COMPARING: Final = -1  # the advisory lock of the plan that is compared
_GRACE_S: Final = 0.0  # a planner sends nothing
_WRONG_SOURCES: Final = (
    "SELECT r.id FROM follow_ups f JOIN rows r ON r.id = f.source WHERE f.row > %s AND f.row <= %s "
    "AND NOT (r.state = 'rejected' OR r.state = 'resolved' AND NOT r.paid) LIMIT 1"
)
# Whoever decides about a source meanwhile is waited for, and then finds that it is followed.
_HOLD_SOURCES: Final = (
    "SELECT count(*) FROM (SELECT r.id FROM follow_ups f JOIN rows r ON r.id = f.source "
    "WHERE f.row > %s AND f.row <= %s FOR SHARE OF r) held"
)
# What is told of a batch within the commit that lets it be sent.
Invite = Callable[[Connection[Rows], int], None]


class BatchCopy:
    """The writing of one batch; its session holds the lock of a planner, whose end removes what is unfinished."""

    def __init__(self, server: Server, keyring: Keyring, memory: ClaimMemory, invite: Invite | None) -> None:
        self._server = server
        self._keyring = keyring
        self._memory = memory
        self._invite = invite
        self._connection: Connection[Rows] | None = None
        self._worker = 0

    async def write(self, new: NewBatch, rows: Iterable[PlannedRow], *, since: float, check: Check) -> BatchInfo:
        """Write a batch whole, or not at all."""
        try:
            batch = await asyncio.to_thread(self._begin, new)
            total, left = 0, iter(rows)
            while chunk := list(islice(left, _CHUNK)):
                await asyncio.to_thread(self._copy, batch.id, total + 1, chunk)
                total += len(chunk)
            check(await asyncio.to_thread(self._compare, batch.id, since))
            return await asyncio.to_thread(self._complete, batch, total)
        finally:
            # Also after a cancellation: the session is closed in its own time, and with it whatever was not committed.
            await asyncio.shield(asyncio.to_thread(self._end))

    def _open(self) -> Connection[Rows]:
        if self._connection is None:
            self._connection = self._server.connect("plan")
        return self._connection

    def _begin(self, new: NewBatch) -> BatchInfo:
        with failing(self._server.where):
            connection = self._open()
            self._memory.check(connection, self._server.where)
            self._worker = join(connection, self._keyring, "plan", _GRACE_S).worker
            tx = PgTransaction(connection, self._keyring, self._worker)
            batch = row_claims.new_batch(tx, new, planner=self._worker, total=None)
            connection.execute("BEGIN")
        assert batch is not None  # noqa: S101 -- only single payments share a batch
        return batch

    def _copy(self, batch: int, first: int, rows: Sequence[PlannedRow]) -> None:
        connection = self._open()
        clash: CaxtonError | None = _find_twice(rows, first)
        if clash is None:
            with failing(self._server.where):
                connection.execute("SAVEPOINT chunk")
                try:
                    self._copy_rows(connection, batch, first, rows)
                    connection.execute("RELEASE chunk")
                except psycopg.errors.UniqueViolation:
                    connection.execute("ROLLBACK TO chunk")
                    clash = _find_earlier(connection, batch, first, rows)
        if clash is not None:
            raise clash
        self._follow(batch, first, rows)

    def _copy_rows(self, connection: Connection[Rows], batch: int, first: int, rows: Sequence[PlannedRow]) -> None:
        with connection.cursor().copy(sql(statements.COPY)) as copy:
            copy.set_types(statements.COPIED)
            for position, row in enumerate(rows, first):
                number = row_id(batch, position)
                request = self._keyring.encrypt(row.request, context(number, b"request"))
                copy.write_row(
                    (number, row.reference, request, row.digest, row.line, row.amount, row.currency, row.beneficiary)
                )

    def _follow(self, batch: int, first: int, rows: Sequence[PlannedRow]) -> None:
        pairs = [(row.follows, row_id(batch, n)) for n, row in enumerate(rows, first) if row.follows is not None]
        if not pairs:
            return
        with failing(self._server.where):
            written = self._open().execute(
                "INSERT INTO follow_ups SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT DO NOTHING",
                ([source for source, _ in pairs], [row for _, row in pairs]),
            )
        if written.rowcount != len(pairs):
            raise JournalRefused("some of these rows were followed up already, by another batch: nothing was sent")

    def _compare(self, batch: int, since: float) -> Duplicates:
        # From here to the commit no other plan is compared, so of two that are the same one finds the other.
        with failing(self._server.where):
            connection = self._open()
            connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (CLASS, _COMPARING))
            return find_repeats(connection, since=since, batch=batch)

    def _complete(self, batch: BatchInfo, total: int) -> BatchInfo:
        first, last = row_id(batch.id, 0), row_id(batch.id, LAST)
        with failing(self._server.where):
            connection = self._open()
            connection.execute(sql(_HOLD_SOURCES), (first, last))
            is_wrong = connection.execute(sql(_WRONG_SOURCES), (first, last)).fetchone()
            if not is_wrong:
                tx = PgTransaction(connection, self._keyring)
                if not tx.run("UPDATE batches SET total = %s, planner = NULL WHERE id = %s", total, batch.id):
                    raise JournalFailed("the plan was given up, since its session had ended: plan it again")
                tx.count(batch.id, None, RowState.PLANNED.value, total)
                tx.finish()
                if self._invite is not None:
                    self._invite(connection, batch.id)
                connection.execute("COMMIT")
                connection.execute("ANALYZE rows")
        if is_wrong:
            raise JournalRefused("some of the rows to be tried again may have been paid: nothing was sent")
        return evolve(batch, total=total)

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.execute("ROLLBACK")
            tx = PgTransaction(connection, self._keyring, self._worker)
            tx.run("DELETE FROM batches WHERE total IS NULL AND planner = %s", self._worker)
            row_claims.end_worker(tx)
        except psycopg.Error:
            pass  # whoever sweeps next does it
        finally:
            connection.close()


def _find_twice(rows: Sequence[PlannedRow], first: int) -> DuplicateReference | None:
    """Find the first reference that stands twice in a chunk."""
    seen: dict[str, int] = {}
    for position, row in enumerate(rows, first):
        if row.reference in seen:
            return _twice(row, seen[row.reference], row.line or position)
        seen[row.reference] = row.line or position
    return None


def _find_earlier(
    connection: Connection[Rows], batch: int, first: int, rows: Sequence[PlannedRow]
) -> DuplicateReference | JournalRefused:
    """Find the first reference of a chunk that stands in an earlier one."""
    references = [row.reference for row in rows]
    question = (
        "SELECT reference, coalesce(line, (id & 4294967295)::integer) FROM rows "
        "WHERE id >> 32 = %s AND reference = ANY (%s)"
    )
    found = connection.execute(sql(question), (batch, references)).fetchall()
    earlier: dict[str, int] = dict(found)
    for position, row in enumerate(rows, first):
        if row.reference in earlier:
            return _twice(row, earlier[row.reference], row.line or position)
    return JournalRefused("the rows could not be planned: the journal holds rows in their place")


def _twice(row: PlannedRow, line: int, again: int) -> DuplicateReference:
    return DuplicateReference(
        f"the reference {row.reference!r} stands in line {line} and again in line {again}: give each row its own; "
        "nothing was sent"
    )
