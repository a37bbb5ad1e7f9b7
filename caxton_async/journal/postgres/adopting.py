"""Adopting a restored database, or a copy, as the journal: what it would send needs a decision of a person."""

from collections import defaultdict
from typing import Final

from caxton_async.errors import InvalidRequest, JournalRefused
from caxton_async.journal.postgres import deciding, row_claims, statements
from caxton_async.journal.postgres.connecting import CLASS
from caxton_async.journal.postgres.last_claim import RESTORED
from caxton_async.journal.postgres.migrations import new_id
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.states import Adopted, RowState

_ADOPTED: Final = "the journal was restored and adopted, so it may have been sent since the backup was made"
_IN_FLIGHT: Final = "SELECT (id >> 32)::integer, reference FROM rows WHERE state = 'sending' ORDER BY id"
# What was in flight keeps the reason by which its worker's end is waited for.
_UNDECIDED: Final = """
WITH old AS (SELECT id, state FROM rows WHERE state IN ('planned', 'not_sent', 'sending') FOR UPDATE),
moved AS (
    UPDATE rows SET state = 'unknown', sent = 'unknown', error = CASE old.state WHEN 'sending' THEN %s ELSE %s END
    FROM old WHERE rows.id = old.id RETURNING (rows.id >> 32)::integer AS batch, old.state
)
SELECT batch, state, count(*) FROM moved GROUP BY batch, state ORDER BY batch, state
"""


def adopt(tx: PgTransaction, who: str, note: str) -> Adopted:
    """Make everything that a restored database would send need a decision of a person."""
    if not who.strip() or not note.strip():
        raise InvalidRequest("adopting a journal needs who decided it, and a note that says why")
    tx.run(statements.GONE, CLASS)
    for (host,) in tx.ask("SELECT host FROM workers WHERE ended_at IS NULL LIMIT 1"):
        raise JournalRefused(f"a worker on {host} is at work in the journal: stop all of them, then adopt")
    tx.run(statements.HALF_PLANNED)
    in_flight = tuple((batch, reference) for batch, reference in tx.ask(_IN_FLIGHT))
    undecided: dict[int, int] = defaultdict(int)
    for batch, state, rows in tx.ask(_UNDECIDED, row_claims.GIVEN_UP, _ADOPTED):
        tx.count(batch, state, RowState.UNKNOWN.value, rows)
        undecided[batch] += rows
    for batch in undecided:
        deciding.change_batch(tx, batch, details={"adopted": f"{who}: {note}"})
    # What machines remember is of the journal that it was.
    tx.run("UPDATE facts SET value = %s WHERE name = 'id'", new_id())
    tx.run("DELETE FROM facts WHERE name = %s", RESTORED)
    return Adopted(in_flight=in_flight, undecided=sum(undecided.values()))
