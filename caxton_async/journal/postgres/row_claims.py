"""What workers do to rows in PostgreSQL, each inside a transaction: take, record, leave, and sweep."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from caxton_async.errors import JournalRefused, ReferenceConflict
from caxton_async.journal.postgres import statements
from caxton_async.journal.postgres.connecting import CLASS
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.row_values import context, facts_of
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

# ruff: noqa: S608 -- statements are put together from constants alone; every value is a parameter
_log: Final = logging.getLogger("caxton_async")
GIVEN_UP: Final = "its process ended while it was being sent"
# How long after its claim a call may still begin; one that waits longer for its turn is recorded as not sent.
CLAIM_LIFE_S = 30.0


@frozen(eq=False)
class Outcome:
    """The one outcome of rows that share a step, to be recorded with all others of its commit."""

    taken: Sequence[Taken]
    status: RowStatus
    answer: bytes | None = field(default=None, repr=False)

    def __call__(self, tx: PgTransaction) -> list[Recorded]:
        """Record it alone."""
        return record(tx, [self])[0]


def begin(tx: PgTransaction, batch: int) -> None:
    """Note that work on a batch begins.

    Raises:
        JournalRefused: there is no such batch, it holds single payments, or it is not planned whole.
    """
    found = tx.ask(f"{statements.BATCHES} WHERE id = %s", batch)
    if not found or statements.to_batch(found[0]).kind == "once":
        raise JournalRefused(f"there is no batch {batch} whose rows could be taken in their order")
    if found[0][3] is None:
        raise JournalRefused(f"batch {batch} is not planned whole: nothing of it is sent")
    tx.run(f"UPDATE batches SET worked_at = {statements.NOW} WHERE id = %s", batch)


def take(tx: PgTransaction, batch: int, after: int, wanted: int) -> list[Taken]:
    """Take the next rows past a position: `sending` with this commit."""
    return _taken(tx, statements.NEXT, after=row_id(batch, after), last=row_id(batch, LAST), wanted=wanted)


def take_all(tx: PgTransaction, batch: int) -> list[Taken]:
    """Take all rows of a batch, or none."""
    # The batch is locked first, so that of two takers the second sees what the first has taken.
    total = tx.ask("SELECT total FROM batches WHERE id = %s FOR UPDATE", batch)
    waiting = tx.ask(
        "SELECT count(*) FROM rows WHERE id > %s AND id <= %s AND state IN ('planned', 'not_sent')",
        *(row_id(batch, 0), row_id(batch, LAST)),
    )
    if waiting != total:
        return []
    taken = take(tx, batch, 0, LAST)
    if len(taken) != total[0][0]:
        raise JournalRefused(f"another process works on rows of batch {batch}, which are taken together or not at all")
    return taken


def take_again(tx: PgTransaction, taken: Taken) -> list[Taken]:
    """Take a row once more if it still waits where this worker left it."""
    return _taken(tx, statements.AGAIN, id=taken.id, last_worker=taken.worker, attempt=taken.attempt)


def _taken(tx: PgTransaction, statement: str, **parameters: Any) -> list[Taken]:  # noqa: ANN401 -- of the statement
    # Before the claim: what the server says later cannot make it older than it is.
    expires_at = time.monotonic() + CLAIM_LIFE_S
    found = tx.ask_named(statement, {**parameters, "worker": tx.worker})
    if not found:
        check_alive(tx)
    taken = []
    for row, reference, request, attempt, started_at, before in sorted(found):
        if request is None:
            raise JournalRefused(f"the request of {reference!r} is not in the journal any more: nothing was sent")
        tx.count(row >> 32, before, RowState.SENDING.value)
        taken.append(
            Taken(
                id=row,
                worker=tx.worker,
                attempt=attempt,
                reference=reference,
                request=tx.keyring.decrypt(request, context(row, b"request")),
                started_at=started_at,
                expires_at=expires_at,
            )
        )
    tx.taken += taken
    return taken


def check_alive(tx: PgTransaction) -> None:
    """Check that this worker has not ended, and that this is its session.

    Raises:
        JournalRefused: it was given up, or something between us and the server gave it another session.
    """
    if not tx.ask_named(statements.ME, {"worker": tx.worker}):
        raise JournalRefused(
            "this worker was given up, since the session that holds its lock is not this one any more: nothing more is "
            "sent; start it anew"
        )


def take_one(tx: PgTransaction, batch: int, planned: PlannedRow, known: Callable[[Known], None]) -> list[Taken]:
    """Take a single payment by its reference, or tell of the row that the reference stands for."""
    found = tx.ask(statements.BY_REFERENCE, batch, planned.reference)
    if not found:
        _plan_single(tx, batch, planned)
        found = tx.ask(statements.BY_REFERENCE, batch, planned.reference)
    row = statements.to_row(found[0], tx.keyring)
    if row.digest != planned.digest:
        raise ReferenceConflict(
            f"the reference {planned.reference!r} stands for another request already: give each payment a reference of "
            "its own; nothing was sent"
        )
    if row.state not in SENDABLE and not (row.state is RowState.RESOLVED and row.status.paid is False):
        known(Known(row=row, is_in_flight=row.state is RowState.SENDING))
        return []
    if row.request is None:  # it was pruned meanwhile
        again = tx.keyring.encrypt(planned.request, context(row.id, b"request"))
        tx.run("UPDATE rows SET request = %s WHERE id = %s", again, row.id)
    taken = _taken(tx, statements.ONE, id=row.id)
    if not taken:  # another process is taking it
        known(Known(row=row, is_in_flight=True))
    return taken


def _plan_single(tx: PgTransaction, batch: int, planned: PlannedRow) -> None:
    # This locks the batch until the commit, so positions and references are given out one after the other.
    position = tx.ask("UPDATE batches SET position = position + 1 WHERE id = %s RETURNING position", batch)[0][0]
    row = row_id(batch, position)
    values = (planned.line, planned.amount, planned.currency, planned.beneficiary)
    written = tx.run(
        "INSERT INTO rows (id, reference, request, digest, line, amount, currency, beneficiary) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT ((id >> 32), reference) DO NOTHING",
        *(row, planned.reference, tx.keyring.encrypt(planned.request, context(row, b"request"))),
        *(planned.digest, *values),
    )
    if written:
        tx.count(batch, None, RowState.PLANNED.value)


def batch_of_singles(tx: PgTransaction, new: NewBatch) -> int:
    """Return the batch that holds the single payments of an endpoint and binding; make it with the first."""
    key = json.dumps([new.endpoint, asdict(new.binding)], sort_keys=True)
    found = tx.ask("SELECT id FROM batches WHERE singles = %s", key)
    if not found:
        new_batch(tx, evolve(new, kind="once"), planner=None, total=0, singles=key)
        found = tx.ask("SELECT id FROM batches WHERE singles = %s", key)
    return int(found[0][0])


def new_batch(
    tx: PgTransaction, new: NewBatch, *, planner: int | None, total: int | None, singles: str | None = None
) -> BatchInfo | None:
    """Make a batch without rows; None when there is one for the same single payments."""
    values = (to_storable(new.name), new.endpoint, facts_of(new), total, planner, singles)
    made = tx.ask(statements.NEW_BATCH, *values)
    return statements.to_batch(made[0]) if made else None


def record(tx: PgTransaction, outcomes: Sequence[Outcome]) -> list[list[Recorded]]:
    """Record outcomes of rows that this process took, with one statement for all."""
    each = [(taken, outcome) for outcome in outcomes for taken in outcome.taken]
    moved = set()
    for row, attempt, state in tx.ask(statements.RECORD, *_columns(tx, each)) if each else ():
        moved.add((row, attempt))
        tx.count(row >> 32, RowState.SENDING.value, state)
    return [
        [
            Recorded.TAKEN if (taken.id, taken.attempt) in moved else _record_late(tx, taken, outcome)
            for taken in outcome.taken
        ]
        for outcome in outcomes
    ]


def _columns(tx: PgTransaction, each: Iterable[tuple[Taken, Outcome]]) -> list[list[Any]]:
    rows = [
        (taken.id, taken.worker, taken.attempt, *statements.status_values(outcome.status), _sealed(tx, taken, outcome))
        for taken, outcome in each
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _sealed(tx: PgTransaction, taken: Taken, outcome: Outcome) -> bytes | None:
    if outcome.answer is None:
        return None
    return tx.keyring.encrypt(outcome.answer, context(taken.id, b"answer"))


def _record_late(tx: PgTransaction, taken: Taken, outcome: Outcome) -> Recorded:
    """Record an outcome of a row that is not this worker's any more, and never lose that something was paid."""
    status = outcome.status
    found = tx.ask(statements.BY_ID + statements.LOCKED, taken.id)
    if not found:  # the database was put back to a time before the batch was planned
        _log.warning("ALARM: %r is not in the journal any more, and it was %s", taken.reference, status.state.value)
        return Recorded.NOT_MINE
    row = statements.to_row(found[0], tx.keyring)
    is_same = (row.worker, row.attempt) == (taken.worker, taken.attempt)
    if is_same and replaces(status.state, row.state):
        tx.run(statements.MOVE, *statements.status_values(status), _sealed(tx, taken, outcome), row.id)
        tx.count(row.batch, row.state.value, status.state.value)
        return Recorded.LATE
    is_paid = status.state is RowState.ACCEPTED
    if status.state is not RowState.UNKNOWN and (is_paid or is_same) and row.state is not status.state:
        _contradict(tx, row, is_paid=is_paid)
    return Recorded.LATE if is_same else Recorded.NOT_MINE


def replaces(outcome: RowState, stands: RowState) -> bool:
    """Tell whether an outcome that comes late replaces the state of its row."""
    return outcome in STATES[stands].late


def _contradict(tx: PgTransaction, row: JournalRow, *, is_paid: bool) -> None:
    """Set an answer that came late against the decision of a person: it is a later decision, and an alarm."""
    differs = row.state is not RowState.RESOLVED or row.status.paid is not is_paid
    note = f"a late answer says that it was {'paid' if is_paid else 'not paid'}, after it was {row.state.value}"
    tx.run(statements.DECIDE, row.id, is_paid, note, "the API", differs)
    if differs:
        _log.warning("ALARM: %r of batch %s: %s", row.reference, row.batch, note)
    if row.state is RowState.RESOLVED and differs:
        tx.run("UPDATE rows SET paid = %s WHERE id = %s", is_paid, row.id)


def leave(tx: PgTransaction) -> None:
    """End this worker, and give up what it still has in flight: from this commit on it takes nothing."""
    end_worker(tx)
    give_up(tx)
    tx.run(statements.COMPACT, tx.worker)


def end_worker(tx: PgTransaction) -> None:
    """End this worker, which has nothing in flight."""
    tx.run(
        f"UPDATE workers SET ended_at = {statements.NOW}, ended_how = 'left' WHERE id = %s AND ended_at IS NULL",
        tx.worker,
    )


def sweep(tx: PgTransaction) -> int:
    """End the workers whose locks nobody holds, then give up what ended workers have in flight; return how many."""
    tx.run(statements.GONE, CLASS)
    number = give_up(tx)
    tx.run(statements.HALF_PLANNED)
    return number


def give_up(tx: PgTransaction) -> int:
    """Make unknown what ended workers have in flight, and return how many rows."""
    found = tx.ask(statements.LEFT_BEHIND, GIVEN_UP)
    for (batch,) in found:
        tx.count(batch, RowState.SENDING.value, RowState.UNKNOWN.value)
    return len(found)
