"""What workers do to rows, each inside a transaction: join, take, record, end, and sweep."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import evolve

from caxton_async.errors import JournalRefused, ReferenceConflict, Sent
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.locks import Locks
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import (
    LAST,
    SENDABLE,
    STATES,
    BatchInfo,
    JournalRow,
    NewBatch,
    PlannedRow,
    RowState,
    RowStatus,
    row_id,
    to_storable,
)

_log = logging.getLogger("caxton_async")
GIVEN_UP: Final = "its process ended while it was being sent"


def join(tx: Transaction, locks: Locks, name: str) -> int:
    """Make a worker, whose lock is held before anybody can see it."""
    worker = tx.insert("INSERT INTO workers (name, started_at) VALUES (?, ?)", to_storable(name), tx.now)
    locks.own_worker(worker)
    return worker


def check_alive(tx: Transaction, worker: int) -> None:
    """Check that a worker has not ended: nobody may claim for one that was swept.

    Raises:
        JournalRefused: it has.
    """
    if tx.ask("SELECT ended_at FROM workers WHERE id = ?", worker) != [(None,)]:
        raise JournalRefused(
            "this worker was given up, since its lock was removed or belongs to another process: nothing more is sent; "
            "start it anew"
        )


def begin(tx: Transaction, batch: int) -> None:
    """Note that work on a batch begins.

    Raises:
        JournalRefused: there is no such batch, or it holds single payments.
    """
    found = tx.ask(f"{tables.BATCHES} WHERE id = ?", batch)
    if not found or tables.to_batch(found[0]).kind == "once":
        raise JournalRefused(f"there is no batch {batch} whose rows could be taken in their order")
    tx.run("UPDATE batches SET worked_at = ? WHERE id = ?", tx.now, batch)


def take(tx: Transaction, worker: int, batch: int, after: int, wanted: int) -> list[Taken]:
    """Take the next rows past a position: `sending` with this commit."""
    check_alive(tx, worker)
    if tx.ask("SELECT total FROM batches WHERE id = ?", batch) in ([], [(None,)]):
        raise JournalRefused(f"batch {batch} is not planned whole: nothing of it is sent")
    found = tx.ask(tables.NEXT, batch, row_id(batch, after), wanted)
    # All are checked before the first moves: others share the transaction, which no error of one may undo.
    rows = [_checked(tx, values) for values in found]
    return [_claim(tx, worker, row, values) for row, values in zip(rows, found, strict=True)]


def take_all(tx: Transaction, worker: int, batch: int) -> list[Taken]:
    """Take all rows of a batch, or none."""
    waiting = tx.ask("SELECT sum(rows) FROM counts WHERE batch = ? AND state IN ('planned', 'not_sent')", batch)
    if waiting != tx.ask("SELECT total FROM batches WHERE id = ?", batch):
        return []
    return take(tx, worker, batch, 0, LAST)


def take_again(tx: Transaction, worker: int, taken: Taken) -> Taken | None:
    """Take a row once more if it still waits where this worker left it."""
    check_alive(tx, worker)
    values = tx.ask(tables.BY_ID, taken.id)[0]
    row = tables.to_row(values, tx.cipher)
    if row.state is not RowState.NOT_SENT or (row.worker, row.attempt) != (worker, taken.attempt):
        return None
    return _claim(tx, worker, _checked(tx, values), values)


def _checked(tx: Transaction, values: Sequence[Any]) -> JournalRow:
    row = tables.to_row(values, tx.cipher)
    is_free = row.state in SENDABLE or (row.state is RowState.RESOLVED and row.status.paid is False)
    if not is_free or row.request is None:  # an index that is damaged may lead to any row
        raise tables.damaged(f"the place of row {row.position} of batch {row.batch}")
    return row


def _claim(tx: Transaction, worker: int, row: JournalRow, values: Sequence[Any]) -> Taken:
    attempt = row.attempt + 1
    status = RowStatus(state=RowState.SENDING, started_at=tx.now)
    tx.move(
        tables.status_values(row.id, status, worker=worker, attempt=attempt, answer=None),
        tables.where_it_stands(values),
    )
    return Taken(
        id=row.id,
        worker=worker,
        attempt=attempt,
        reference=row.reference,
        request=row.request or b"",
        started_at=tx.now,
    )


def take_one(tx: Transaction, worker: int, batch: int, planned: PlannedRow) -> Taken | Known:
    """Take a single payment by its reference, or return the row that the reference stands for."""
    check_alive(tx, worker)
    found = tx.ask(tables.BY_REFERENCE, batch, planned.reference)
    if not found:
        last = tx.ask("SELECT max(id) FROM rows WHERE id > ? AND id <= ?", row_id(batch, 0), row_id(batch, LAST))[0][0]
        position = (last or 0) % (LAST + 1) + 1
        write_planned(tx, batch, position, [planned])
        found = tx.ask(tables.BY_ID, row_id(batch, position))
        return _claim(tx, worker, _checked(tx, found[0]), found[0])
    row = tables.to_row(found[0], tx.cipher)
    if row.digest != planned.digest:
        raise ReferenceConflict(
            f"the reference {planned.reference!r} stands for another request already: give each payment a reference of "
            "its own; nothing was sent"
        )
    if row.state in SENDABLE or (row.state is RowState.RESOLVED and row.status.paid is False):
        if row.request is None:  # it was pruned
            found = _with_request(tx, row, planned)
        return _claim(tx, worker, _checked(tx, found[0]), found[0])
    return Known(row=row, is_in_flight=row.state is RowState.SENDING)


def _with_request(tx: Transaction, row: JournalRow, planned: PlannedRow) -> list[Any]:
    request = tables.sealed(tx.cipher, planned.request, row.id, b"request")
    values = (row.id, row.reference, request, row.digest, row.line, row.amount, row.currency, row.beneficiary)
    tx.run("UPDATE rows SET request = ?, planned_sum = ? WHERE id = ?", request, tables.checksum(*values), row.id)
    return tx.ask(tables.BY_ID, row.id)


def batch_of_singles(tx: Transaction, new: NewBatch) -> int:
    """Return the batch that holds the single payments of an endpoint and binding; make it with the first."""
    for values in tx.ask(tables.BATCHES):
        batch = tables.to_batch(values)
        if (batch.kind, batch.endpoint, batch.binding) == ("once", new.endpoint, new.binding):
            return batch.id
    return new_batch(tx, evolve(new, kind="once"), planner=None, total=0).id


def new_batch(tx: Transaction, new: NewBatch, *, planner: int | None, total: int | None) -> BatchInfo:
    """Make a batch without rows."""
    number = tx.ask("SELECT coalesce(max(id), 0) + 1 FROM batches")[0][0]
    facts = {name: getattr(new, name) for name in NewBatch.__annotations__}
    batch = BatchInfo(**facts, id=number, created_at=tx.now, total=total)
    tx.run(tables.SET_BATCH, *tables.batch_values(batch, planner))
    return batch


def write_planned(tx: Transaction, batch: int, first: int, rows: Sequence[PlannedRow]) -> bool:
    """Write rows from a position on, and tell whether every reference was new."""
    values, follows = [], []
    for position, row in enumerate(rows, first):
        number = row_id(batch, position)
        request = tables.sealed(tx.cipher, row.request, number, b"request")
        planned = (number, row.reference, request, row.digest, row.line, row.amount, row.currency, row.beneficiary)
        values.append(tables.planned_values(planned))
        if row.follows is not None:
            follows.append((row.follows, number))
    written = tx.run_many(tables.PLAN, values)
    tx.count(batch, RowState.PLANNED.value, written)
    return written == len(values) and (
        not follows or tx.run_many("INSERT OR IGNORE INTO follow_ups VALUES (?, ?)", follows) == len(follows)
    )


def record(tx: Transaction, taken: Taken, status: RowStatus, answer: bytes | None) -> Recorded:
    """Record an outcome of a row that this worker took."""
    stored = tables.sealed(tx.cipher, answer, taken.id, b"answer")
    values = tables.status_values(taken.id, status, worker=taken.worker, attempt=taken.attempt, answer=stored)
    if tx.move(values, (taken.id, RowState.SENDING.value, taken.attempt, taken.worker)):
        return Recorded.TAKEN
    return _record_late(tx, taken, status, values)


def _record_late(tx: Transaction, taken: Taken, status: RowStatus, values: tuple[Any, ...]) -> Recorded:
    """Record an outcome of a row that is not this worker's any more, and never lose that something was paid."""
    stands = tx.ask(tables.BY_ID, taken.id)[0]
    row = tables.to_row(stands, tx.cipher)
    is_same = (row.worker, row.attempt) == (taken.worker, taken.attempt)
    if is_same and status.state in STATES[row.state].late:
        tx.move(values, tables.where_it_stands(stands))
        return Recorded.LATE
    is_paid = status.state is RowState.ACCEPTED
    if status.state is not RowState.UNKNOWN and (is_paid or is_same) and row.state is not status.state:
        _contradict(tx, row, stands, is_paid=is_paid)
    return Recorded.LATE if is_same else Recorded.NOT_MINE


def _contradict(tx: Transaction, row: JournalRow, stands: Sequence[Any], *, is_paid: bool) -> None:
    """Set an answer that came late against the decision of a person: it is a later decision, and an alarm."""
    differs = row.state is not RowState.RESOLVED or row.status.paid is not is_paid
    note = f"a late answer says that it was {'paid' if is_paid else 'not paid'}, after it was {row.state.value}"
    decide(tx, row.id, is_paid, note, "the API", alarm=differs)
    if differs:
        _log.warning("row %r of batch %s: %s; look into it at once", row.reference, row.batch, note)
    if row.state is RowState.RESOLVED and differs:
        status = evolve(row.status, paid=is_paid)
        values = tables.status_values(row.id, status, worker=row.worker, attempt=row.attempt, answer=None)
        tx.move(values, tables.where_it_stands(stands))


def decide(tx: Transaction, row: int, paid: bool, note: str, who: str, *, alarm: bool = False) -> None:  # noqa: FBT001 -- a row of the table
    """Append a decision."""
    values = (row, int(paid), to_storable(note), to_storable(who), tx.now, int(alarm))
    tx.run(tables.DECIDE, *values, tables.checksum(*values))


def end(tx: Transaction, locks: Locks, worker: int, how: str) -> None:
    """End a worker: from this commit on it takes nothing."""
    tx.run("UPDATE workers SET ended_at = ?, ended_how = ? WHERE id = ? AND ended_at IS NULL", tx.now, how, worker)
    locks.drop_worker(worker)


def leave(tx: Transaction, locks: Locks, worker: int) -> None:
    """End a worker of this process, and give up what it still has in flight."""
    end(tx, locks, worker, "left")
    sweep(tx, locks)


def sweep(tx: Transaction, locks: Locks) -> int:
    """End the workers whose locks nobody holds, then give up what ended workers have in flight; return how many."""
    for (worker,) in tx.ask("SELECT id FROM workers WHERE ended_at IS NULL"):
        if locks.is_gone(worker):
            end(tx, locks, worker, "gone")
    # Of every ended worker, not only of those that ended just now: another sweep may have come between.
    return give_up(tx, tx.ask(tables.LEFT_BEHIND), GIVEN_UP)


def give_up(tx: Transaction, rows: Iterable[Sequence[Any]], why: str) -> int:
    """Make rows unknown, and return how many."""
    number = 0
    for values in rows:
        row = tables.to_row(values, None)
        status = evolve(row.status, state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=why)
        moved = tables.status_values(row.id, status, worker=row.worker, attempt=row.attempt, answer=None)
        number += tx.move(moved, tables.where_it_stands(values))
    return number
