"""Rows in PostgreSQL that ask for the same as another, found by one statement."""

from collections.abc import Iterable
from typing import Final

from psycopg import Connection

from caxton_async.journal.postgres.connecting import Rows
from caxton_async.journal.postgres.statements import sql
from caxton_async.journal.states import LAST, Duplicates, PlannedRow, RowState, SameRequest, row_id

_LISTED: Final = 100  # duplicates that are listed; the rest are counted
_ASKED: Final = "CREATE TEMPORARY TABLE asked (id bigint, digest bytea, reference text, line integer) ON COMMIT DROP"
# ruff: noqa: S608 -- put together from constants alone
_FIND: Final = """
WITH own AS MATERIALIZED (
    SELECT id, digest, reference, line, min(id) OVER (PARTITION BY digest) AS first FROM {own}
), other AS MATERIALIZED (
    -- What was not paid, and will not be, may be asked for again.  The newest, so that the digest of a plan is another
    -- one after each payment.
    SELECT r.digest, max(r.id) AS id FROM batches b JOIN rows r ON r.id > b.id::bigint << 32
        AND r.id <= (b.id::bigint << 32) + 4294967295
    WHERE b.total IS NOT NULL AND b.id <> %(batch)s AND r.state <> 'rejected'
        AND NOT (r.state = 'resolved' AND NOT coalesce(r.paid, false))
        AND (b.created_at >= %(since)s AND b.singles IS NULL
            OR (b.singles IS NOT NULL OR b.worked_at >= %(since)s) AND r.started_at >= %(since)s)
        AND r.digest IN (SELECT digest FROM own)
    GROUP BY r.digest
)
SELECT own.reference, own.line, of.id, of.reference, of.line, of.state, count(*) OVER ()
FROM own LEFT JOIN other USING (digest)
    LEFT JOIN LATERAL (
        SELECT id, reference, line, state FROM rows WHERE id = other.id
        UNION ALL SELECT id, reference, line, NULL FROM {own} o WHERE other.id IS NULL AND o.id = own.first
    ) of ON true
WHERE other.id IS NOT NULL OR own.first <> own.id ORDER BY own.id LIMIT %(listed)s
"""


def find_repeats(connection: Connection[Rows], *, since: float, batch: int) -> Duplicates:
    """Find the rows of a batch that equal another: of batches that were made or sent since, or of their own."""
    first, last = row_id(batch, 0), row_id(batch, LAST)
    own = f"(SELECT id, digest, reference, line FROM rows WHERE id > {first} AND id <= {last})"
    return _find(connection, f"{own} own_rows", own, batch, since)


def find_repeats_of(connection: Connection[Rows], asked: Iterable[PlannedRow], *, since: float) -> Duplicates:
    """Find those of `asked` that equal another; nothing is written."""
    with connection.transaction(force_rollback=True):
        connection.execute(_ASKED)
        with connection.cursor().copy("COPY asked FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("int8", "bytea", "text", "int4"))
            for position, row in enumerate(asked, 1):
                copy.write_row((position, row.digest, row.reference, row.line))
        return _find(connection, "asked", "asked", 0, since)


def _find(connection: Connection[Rows], own: str, again: str, batch: int, since: float) -> Duplicates:
    question = _FIND.replace("FROM {own} o ", f"FROM {again} o ").replace("{own}", own)
    found = connection.execute(sql(question), {"batch": batch, "since": since, "listed": _LISTED}).fetchall()
    count = found[0][-1] if found else 0
    return Duplicates(tuple(_describe(values) for values in found), count)


def _describe(values: Rows) -> SameRequest:
    reference, line, number, of_reference, of_line, state, _ = values
    return SameRequest(
        reference=reference,
        line=line,
        of_batch=None if state is None else number >> 32,
        of_reference=of_reference,
        of_line=of_line,
        of_state=None if state is None else RowState(state),
    )
