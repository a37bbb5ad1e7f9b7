"""The statements on the tables of a journal in PostgreSQL, and values on their way in and out."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from caxton_async.encryption import Keyring
from caxton_async.journal.row_values import batch_of, outcome_values, row_of
from caxton_async.journal.states import BatchInfo, JournalRow, RowStatus

NOW: Final = "extract(epoch FROM clock_timestamp())::float8"

# ruff: noqa: S608 -- the statements are put together from constants alone; every value is a parameter
_COLUMNS: Final = (
    "r.id, r.reference, r.request, r.digest, r.line, r.amount, r.currency, r.beneficiary, r.state, r.worker, "
    "r.attempt, r.sent, r.error, r.http_status, r.api_status_code, r.api_status, r.started_at, r.elapsed_s, r.paid, "
    "r.answer"
)
_SELECT: Final = f"SELECT {_COLUMNS}, f.row FROM rows r LEFT JOIN follow_ups f ON f.source = r.id"
ROWS: Final = f"{_SELECT} WHERE r.id > %s AND r.id <= %s AND r.state = ANY (%s) ORDER BY r.id LIMIT %s"
BY_REFERENCE: Final = f"{_SELECT} WHERE r.id >> 32 = %s AND r.reference = %s"
BY_ID: Final = f"{_SELECT} WHERE r.id = %s"
# Only the row: what it is followed by may be missing, which no lock can hold.
LOCKED: Final = " FOR UPDATE OF r"

COPY: Final = (
    "COPY rows (id, reference, request, digest, line, amount, currency, beneficiary) FROM STDIN (FORMAT BINARY)"
)
COPIED: Final = ("int8", "text", "bytea", "bytea", "int4", "text", "text", "text")

# The row of the worker is locked beside: a sweep that finds it gone waits for this commit, and then sees what it took.
# A claim is made by the very session that holds the worker's lock, or by none.
ME: Final = "SELECT id FROM workers WHERE id = %(worker)s AND ended_at IS NULL AND backend = pg_backend_pid() FOR SHARE"
_TAKE: Final = (
    "UPDATE rows SET state = 'sending', worker = %(worker)s, attempt = rows.attempt + 1, "
    f"started_at = {NOW}, sent = NULL, error = NULL, http_status = NULL, api_status_code = NULL, api_status = NULL, "
    "elapsed_s = NULL, paid = NULL, answer = NULL FROM next WHERE rows.id = next.id "
    "RETURNING rows.id, rows.reference, rows.request, rows.attempt, rows.started_at, next.state"
)
NEXT: Final = (
    f"WITH me AS MATERIALIZED ({ME}), next AS MATERIALIZED (SELECT r.id, r.state FROM rows r "
    "WHERE r.state IN ('planned', 'not_sent') AND r.id > %(after)s AND r.id <= %(last)s AND EXISTS (SELECT FROM me) "
    f"ORDER BY r.id LIMIT %(wanted)s FOR UPDATE OF r SKIP LOCKED) {_TAKE}"
)
# A row that this very worker left as not sent, or a single payment that may be made.
AGAIN: Final = (
    f"WITH me AS MATERIALIZED ({ME}), next AS MATERIALIZED (SELECT r.id, r.state FROM rows r "
    "WHERE r.id = %(id)s AND r.state = 'not_sent' AND r.worker = %(last_worker)s AND r.attempt = %(attempt)s "
    f"AND EXISTS (SELECT FROM me) FOR UPDATE OF r SKIP LOCKED) {_TAKE}"
)
ONE: Final = (
    f"WITH me AS MATERIALIZED ({ME}), next AS MATERIALIZED (SELECT r.id, r.state FROM rows r WHERE r.id = %(id)s "
    "AND (r.state IN ('planned', 'not_sent') OR r.state = 'resolved' AND NOT r.paid) AND EXISTS (SELECT FROM me) "
    f"FOR UPDATE OF r SKIP LOCKED) {_TAKE}"
)
# One statement for all outcomes of a commit; a row moves only if it is still that attempt of that worker.  The state is
# compared so that no index on it is used: `in_flight` keeps what a worker had before for as long as a report is open,
# and an outcome at row 100,000 would cost five times as much as at row 1.
RECORD: Final = (
    "UPDATE rows SET state = g.state, sent = g.sent, error = g.error, http_status = g.http_status, "
    "api_status_code = g.api_status_code, api_status = g.api_status, started_at = g.started_at, "
    "elapsed_s = g.elapsed_s, paid = g.paid, answer = g.answer FROM unnest(%s::bigint[], %s::integer[], %s::integer[], "
    "%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::float8[], %s::float8[], "
    "%s::boolean[], %s::bytea[]) AS g (id, worker, attempt, state, sent, error, http_status, api_status_code, "
    "api_status, started_at, elapsed_s, paid, answer) "
    "WHERE rows.id = g.id AND rows.state IS NOT DISTINCT FROM 'sending' AND rows.worker = g.worker "
    "AND rows.attempt = g.attempt "
    "RETURNING rows.id, rows.attempt, rows.state"
)
# Of a row that is locked, whatever its state is by now.
MOVE: Final = (
    "UPDATE rows SET state = %s, sent = %s, error = %s, http_status = %s, api_status_code = %s, api_status = %s, "
    "started_at = %s, elapsed_s = %s, paid = %s, answer = coalesce(%s, answer) WHERE id = %s"
)

# Who holds no lock is gone: the server releases it with the session, however that ends.
# What another sweep, a claim or an outcome holds is left to it: nobody waits, and none of them for each other.
GONE: Final = (
    f"UPDATE workers SET ended_at = {NOW}, ended_how = 'gone' WHERE id IN (SELECT w.id FROM workers w "
    "WHERE w.ended_at IS NULL AND NOT EXISTS ("
    "SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid::bigint = w.id "
    "AND l.objsubid = 2 AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) FOR UPDATE SKIP LOCKED)"
)
# A second statement, which sees what was claimed until the locks were released.  Of every worker that ended, not only
# of those that did just now: another sweep may have come between.  The grace is for calls that are still under way.
LEFT_BEHIND: Final = (
    "UPDATE rows SET state = 'unknown', sent = 'unknown', error = %s WHERE id IN (SELECT r.id FROM rows r "
    "JOIN workers w ON w.id = r.worker WHERE r.state = 'sending' AND w.ended_at IS NOT NULL "
    f"AND (w.ended_how = 'left' OR r.started_at + w.grace_s < {NOW}) FOR UPDATE OF r SKIP LOCKED) "
    "RETURNING (id >> 32)::integer"
)
# What they had not finished planning.
HALF_PLANNED: Final = (
    "DELETE FROM batches WHERE id IN (SELECT b.id FROM batches b JOIN workers w ON w.id = b.planner "
    "WHERE b.total IS NULL AND w.ended_at IS NOT NULL FOR UPDATE OF b SKIP LOCKED)"
)

COUNT: Final = "INSERT INTO counts (batch, worker, state, rows) VALUES (%s, %s, %s, %s)"
COMPACT: Final = (
    "WITH old AS (DELETE FROM counts WHERE worker = %s RETURNING *) INSERT INTO counts "
    "SELECT batch, worker, state, sum(rows) FROM old GROUP BY batch, worker, state HAVING sum(rows) <> 0"
)
COUNTS: Final = "SELECT state, sum(rows)::bigint FROM counts WHERE batch = %s GROUP BY state"
# In one statement, so that no move comes between.
MISCOUNTED: Final = (
    "SELECT batch FROM (SELECT (id >> 32)::integer AS batch, state, count(*) AS n FROM rows GROUP BY 1, 2 "
    "UNION ALL SELECT batch, state, -rows FROM counts) moved "
    "GROUP BY batch, state HAVING sum(n) <> 0 ORDER BY batch LIMIT 1"
)
BATCHES: Final = "SELECT id, facts, created_at, total FROM batches"
NEW_BATCH: Final = (
    f"INSERT INTO batches (name, endpoint, facts, created_at, total, planner, singles) VALUES (%s, %s, %s, {NOW}, %s, "
    "%s, %s) ON CONFLICT (singles) DO NOTHING RETURNING id, facts, created_at, total"
)
DECIDE: Final = f"INSERT INTO decisions (row, paid, note, who, at, alarm) VALUES (%s, %s, %s, %s, {NOW}, %s)"

Values = Sequence[Any]


def sql(statement: str) -> LiteralString:
    """Return a statement as the driver's types want it: all of ours are constants."""
    unchecked: Any = statement
    constant: LiteralString = unchecked
    return constant


def status_values(status: RowStatus) -> tuple[Any, ...]:
    """Return the columns of an outcome, from `state` to `paid`."""
    return (status.state.value, *outcome_values(status))


def to_row(values: Values, keyring: Keyring) -> JournalRow:
    """Return the row that a statement on every column found.

    Raises:
        JournalRefused: no key can read the row, or it was changed.
    """
    return row_of(values[:-1], keyring.decrypt, values[-1])


def to_batch(values: Values) -> BatchInfo:
    """Return the batch that `BATCHES` found."""
    number, facts, created_at, total = values
    return batch_of(number, facts, created_at, total)
