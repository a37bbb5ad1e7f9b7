"""What people do to a journal in PostgreSQL: resolve, note and prune, each inside a transaction."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import evolve

from caxton_async.errors import JournalRefused, TransitionRefused
from caxton_async.journal.decisions import check_decision, shared_decision
from caxton_async.journal.postgres import statements
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.row_claims import GIVEN_UP
from caxton_async.journal.row_values import changed_batch, facts_of
from caxton_async.journal.states import (
    LAST,
    BatchInfo,
    Decision,
    JournalRow,
    RowState,
    check_transition,
    row_id,
    to_storable,
)

# ruff: noqa: S608 -- statements are put together from constants alone; every value is a parameter
_PRUNE: Final = (
    "UPDATE rows SET request = NULL, answer = NULL WHERE id > %s AND id <= %s "
    "AND (request IS NOT NULL OR answer IS NOT NULL)"
)
# Single payments end one by one, and so each is pruned by its own age.
_PRUNE_SINGLES: Final = f"{_PRUNE} AND state NOT IN ('planned', 'sending', 'not_sent', 'unknown') AND started_at < %s"
_SINGLES: Final = "SELECT id FROM batches WHERE singles IS NOT NULL"
_FINISHED: Final = (
    "SELECT id FROM batches b WHERE created_at < %s AND singles IS NULL AND NOT EXISTS (SELECT FROM rows "
    "WHERE id > b.id::bigint << 32 AND id <= (b.id::bigint << 32) + 4294967295 "
    "AND state IN ('planned', 'sending', 'not_sent', 'unknown'))"
)
_UNCERTAIN: Final = (
    f"SELECT host, ended_at + grace_s FROM workers WHERE id = %s AND ended_how IS DISTINCT FROM 'left' "
    f"AND (ended_at IS NULL OR ended_at + grace_s > {statements.NOW})"
)


def resolve(tx: PgTransaction, batch: BatchInfo, decisions: Iterable[Decision], who: str) -> int:
    """Record decisions about rows that are unknown or were resolved, and return how many rows changed."""
    changed = 0
    for decision in _together(tx, batch, decisions) if batch.kind == "payroll" else decisions:
        check_decision(who, decision)
        found = tx.ask(statements.BY_REFERENCE + statements.LOCKED, batch.id, decision.reference)
        if not found:
            raise JournalRefused(f"batch {batch.id} has no reference {decision.reference!r}")
        row = statements.to_row(found[0], tx.keyring)
        check_transition(row.state, RowState.RESOLVED)
        # Asked again, now that the row is locked: a retry that holds it may have come first.
        if tx.ask("SELECT 1 FROM follow_ups WHERE source = %s", row.id):
            raise TransitionRefused(f"{decision.reference!r} was tried again already, so it can be decided no more")
        if not decision.paid:
            check_end(tx, row)
        note, name = to_storable(decision.note), to_storable(who)
        tx.run(statements.DECIDE, row.id, decision.paid, note, name, False)
        tx.run("UPDATE rows SET state = 'resolved', paid = %s WHERE id = %s", decision.paid, row.id)
        tx.count(batch.id, row.state.value, RowState.RESOLVED.value)
        changed += 1
    return changed


def check_end(tx: PgTransaction, row: JournalRow) -> None:
    """Check that whoever had a row in flight when it was given up can send it no more.

    Raises:
        TransitionRefused: its session has ended, but its calls may still be under way.
    """
    found = tx.ask(_UNCERTAIN, row.worker) if row.status.error == GIVEN_UP else []
    if found:
        host, until = found[0]
        when = time.strftime("%H:%M:%S UTC", time.gmtime(until)) if until else "it has ended"
        raise TransitionRefused(
            f"{row.reference!r} cannot be resolved as not paid before {when}: it is not certain until then that its "
            f"worker on {host} has ended"
        )


def _together(tx: PgTransaction, batch: BatchInfo, decisions: Iterable[Decision]) -> Iterator[Decision]:
    """Yield one decision for every row of a payroll, which was one money step."""
    decision = shared_decision(decisions)
    for (reference,) in tx.ask(
        "SELECT reference FROM rows WHERE id > %s AND id <= %s AND state IN ('unknown', 'resolved') ORDER BY id",
        *(row_id(batch.id, 0), row_id(batch.id, LAST)),
    ):
        yield evolve(decision, reference=reference)


def prune(tx: PgTransaction, before: float) -> int:
    """Remove the requests and answers of finished batches that were created before, and return of how many rows."""
    finished = [number for (number,) in tx.ask(_FINISHED, before)]
    pruned = sum(tx.run(_PRUNE, row_id(number, 0), row_id(number, LAST)) for number in finished)
    for (number,) in tx.ask(_SINGLES):
        pruned += tx.run(_PRUNE_SINGLES, row_id(number, 0), row_id(number, LAST), before)
    return pruned


def change_batch(tx: PgTransaction, batch: int, *, details: dict[str, str | None], **facts: Any) -> None:  # noqa: ANN401 -- fields of a batch
    """Change facts of a batch; a detail that is None is removed.

    Raises:
        JournalRefused: there is no such batch.
    """
    found = tx.ask(f"{statements.BATCHES} WHERE id = %s FOR UPDATE", batch)
    if not found:
        raise JournalRefused(f"the journal has no batch {batch}")
    changed = changed_batch(statements.to_batch(found[0]), details, facts)
    tx.run("UPDATE batches SET facts = %s WHERE id = %s", facts_of(changed), batch)
