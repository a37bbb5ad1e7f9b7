"""What people do to a journal in a file: resolve, prune, adopt and export, each inside a transaction."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from caxton_async.errors import InvalidRequest, JournalRefused, TransitionRefused
from caxton_async.journal.decisions import check_decision, shared_decision
from caxton_async.journal.row_values import changed_batch
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.claims import decide, end, give_up
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.locks import Locks
from caxton_async.journal.sqlite.planning import discard_left_behind
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import (
    LAST,
    Adopted,
    BatchInfo,
    Decision,
    RowState,
    check_transition,
    row_id,
)

_CHUNK: Final = 5_000  # rows of one transaction
_OPEN_STATES: Final = "('planned', 'sending', 'not_sent', 'unknown')"
_PRUNE: Final = "UPDATE rows SET request = NULL, planned_sum = ?, answer = NULL, status_sum = ? WHERE id = ?"
_PRUNABLE: Final = (
    f"{tables.ROWS.partition(' WHERE')[0]} WHERE id > ? AND id <= ? AND (request NOTNULL OR answer NOTNULL) "
    f"AND (? OR (started_at < ? AND state NOT IN {_OPEN_STATES})) ORDER BY id LIMIT ?"
)
_UNSENT: Final = f"{tables.ROWS.partition(' WHERE')[0]} WHERE state IN ('planned', 'not_sent', 'sending')"
_ADOPTED: Final = "the journal is a copy that was adopted, so it may have been sent since the copy was made"


def resolve(tx: Transaction, batch: BatchInfo, decisions: Iterable[Decision], who: str) -> int:
    """Record decisions about rows that are unknown or were resolved, and return how many rows changed."""
    changed = 0
    for decision in _together(tx, batch, decisions) if batch.kind == "payroll" else decisions:
        check_decision(who, decision)
        found = tx.ask(tables.BY_REFERENCE, batch.id, decision.reference)
        if not found:
            raise JournalRefused(f"batch {batch.id} has no reference {decision.reference!r}")
        row = tables.to_row(found[0], None)
        check_transition(row.state, RowState.RESOLVED)
        if tx.ask("SELECT 1 FROM follow_ups WHERE source = ?", row.id):
            raise TransitionRefused(f"{decision.reference!r} was tried again already, so it can be decided no more")
        decide(tx, row.id, decision.paid, decision.note, who)
        status = evolve(row.status, state=RowState.RESOLVED, paid=decision.paid)
        values = tables.status_values(row.id, status, worker=row.worker, attempt=row.attempt, answer=row.answer)
        changed += tx.move(values, tables.where_it_stands(found[0]))
    return changed


def _together(tx: Transaction, batch: BatchInfo, decisions: Iterable[Decision]) -> Iterator[Decision]:
    """Yield one decision for every row of a payroll, which was one money step."""
    decision = shared_decision(decisions)
    for (reference,) in tx.ask(
        "SELECT reference FROM rows WHERE id > ? AND id <= ? AND state IN ('unknown', 'resolved')",
        *(row_id(batch.id, 0), row_id(batch.id, LAST)),
    ):
        yield evolve(decision, reference=reference)


def prune(database: Database, before: float) -> int:
    """Remove the requests and answers of finished batches that were created before."""
    pruned = 0
    # What is removed is overwritten, in the file and in its rollback journal.
    database.ask("PRAGMA secure_delete=ON")
    for batch in map(tables.to_batch, database.ask(tables.BATCHES)):
        is_single = batch.kind == "once"  # its payments end one by one
        is_open = database.ask(f"SELECT 1 FROM counts WHERE batch = ? AND rows AND state IN {_OPEN_STATES}", batch.id)  # noqa: S608
        if not is_single and (is_open or batch.created_at >= before):
            continue
        first, last = row_id(batch.id, 0), row_id(batch.id, LAST)
        while found := database.ask(_PRUNABLE, first, last, not is_single, before, _CHUNK):
            with database.transaction() as tx:
                tx.run_many(_PRUNE, [_pruned(values) for values in found])
            pruned += len(found)
    if pruned:
        database.cut_rollback_journal()
    return pruned


def _pruned(values: tables.Values) -> tuple[Any, ...]:
    tables.verify(values)
    planned, status = list(values[:8]), list(values[9:-1])
    planned[2] = status[-1] = None
    return (tables.checksum(*planned), tables.checksum(values[0], *status), values[0])


def adopt(tx: Transaction, locks: Locks, who: str, note: str) -> Adopted:
    """Make everything that a copy would send need a decision of a person."""
    if not who.strip() or not note.strip():
        raise InvalidRequest("adopting a journal needs who decided it, and a note that says why")
    for (worker,) in tx.ask("SELECT id FROM workers WHERE ended_at IS NULL"):
        end(tx, locks, worker, "adopted")
    discard_left_behind(tx)
    found = tx.ask(_UNSENT)
    in_flight = tuple((values[0] >> 32, values[1]) for values in found if values[9] == RowState.SENDING.value)
    undecided = give_up(tx, found, _ADOPTED)
    for number in sorted({values[0] >> 32 for values in found}):
        change_batch(tx, number, details={"adopted": f"{who}: {note}"})
    return Adopted(in_flight=in_flight, undecided=undecided)


def change_batch(tx: Transaction, batch: int, *, details: dict[str, str | None], **facts: Any) -> None:  # noqa: ANN401 -- fields of a batch
    """Change facts of a batch; a detail that is None is removed.

    Raises:
        JournalRefused: there is no such batch.
    """
    found = tx.ask(f"{tables.BATCHES} WHERE id = ?", batch)
    if not found:
        raise JournalRefused(f"the journal has no batch {batch}")
    changed = changed_batch(tables.to_batch(found[0]), details, facts)
    tx.run(tables.SET_BATCH, *tables.batch_values(changed, found[0][4]))


def export(database: Database, target: Path) -> None:
    """Write a copy of the journal as it is now into a new file that nobody else can read.

    Raises:
        JournalRefused: the file exists, or cannot be written.
    """
    problem = None
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        copy = sqlite3.connect(target)
        try:
            database.copy_to(copy)
            # No journal has this epoch, so the copy is known as one whatever becomes of the original.
            copy.execute(tables.SET_FACT, ("epoch", "-1", tables.checksum("epoch", "-1")))
            copy.commit()
        finally:
            copy.close()
    except FileExistsError:
        problem = "exists already"
    except (OSError, sqlite3.Error) as error:
        problem = f"cannot be written ({error})"
    if problem:
        raise JournalRefused(f"{target} {problem}: nothing was exported")
