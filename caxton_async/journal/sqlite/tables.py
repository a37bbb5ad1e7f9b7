"""The tables of a journal in SQLite, the statements on them, and values on their way in and out."""

import zlib
from collections.abc import Sequence
from typing import Any, Final

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalRefused
from caxton_async.journal.row_values import batch_of, context, facts_of, outcome_values, row_of
from caxton_async.journal.states import BatchInfo, JournalRow, RowState, RowStatus

# "Cxtj": tells a journal from any other SQLite file.
APPLICATION_ID: Final = 0x4378746A

# Each row has two checksums, of what was planned and of what became of it, so that a move need not read the row.
# `sendable` finds the first row to send at once wherever it stands (without it the first claim at row 1,000,000 costs
# as much as 159 others); `in_flight` finds what a worker that ended has left.  Digests have no index: it would cost 1.4
# times the planning, and one scan of the last days costs a third of it.
_VERSION_1 = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, facts TEXT NOT NULL, created_at REAL NOT NULL, total INTEGER, planner INTEGER,
    checksum INTEGER NOT NULL, worked_at REAL
);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL, request BLOB, digest BLOB NOT NULL, line INTEGER, amount TEXT,
    currency TEXT, beneficiary TEXT, planned_sum INTEGER NOT NULL, state TEXT NOT NULL, worker INTEGER,
    attempt INTEGER NOT NULL, sent TEXT, error TEXT, http_status INTEGER, api_status_code INTEGER, api_status TEXT,
    started_at REAL, elapsed_s REAL, paid INTEGER, answer BLOB, status_sum INTEGER NOT NULL
);
CREATE UNIQUE INDEX by_reference ON rows (id >> 32, reference);
CREATE INDEX sendable ON rows (id >> 32) WHERE state IN ('planned', 'not_sent');
CREATE INDEX in_flight ON rows (worker) WHERE state = 'sending';
CREATE TABLE counts (batch INTEGER, state TEXT, rows INTEGER NOT NULL, PRIMARY KEY (batch, state)) WITHOUT ROWID;
CREATE TABLE follow_ups (source INTEGER PRIMARY KEY, row INTEGER NOT NULL UNIQUE);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY, row INTEGER NOT NULL, paid INTEGER NOT NULL, note TEXT NOT NULL, who TEXT NOT NULL,
    at REAL NOT NULL, alarm INTEGER NOT NULL, checksum INTEGER NOT NULL
);
CREATE INDEX decisions_by_row ON decisions (row);
CREATE TABLE workers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, ended_how TEXT
);
"""
# The script at index n takes a journal from version n to n + 1; a new journal takes them all.
MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1,)

_PLANNED: Final = ("id", "reference", "request", "digest", "line", "amount", "currency", "beneficiary")
_STATUS: Final = (
    *("state", "worker", "attempt", "sent", "error", "http_status", "api_status_code", "api_status"),
    *("started_at", "elapsed_s", "paid", "answer"),
)
_COLUMNS: Final = ", ".join((*_PLANNED, "planned_sum", *_STATUS, "status_sum"))
_SUM_AT: Final = len(_PLANNED)
_STATE_AT: Final = _SUM_AT + 1
_ATTEMPT_AT: Final = _STATE_AT + 2

# ruff: noqa: S608 -- the statements are put together from names of columns alone; every value is a parameter
PLAN: Final = (
    f"INSERT OR IGNORE INTO rows ({', '.join(_PLANNED)}, planned_sum, state, attempt, status_sum) "
    f"VALUES ({'?, ' * _SUM_AT}?, 'planned', 0, ?)"
)
# A row moves only from where it was believed to be, so the counts move by the state that it really had.
MOVE: Final = (
    f"UPDATE rows SET ({', '.join(_STATUS)}, status_sum) = ({', '.join('?' * (len(_STATUS) + 1))}) "
    "WHERE id = ? AND state = ? AND attempt = ? AND worker IS ?"
)
NEXT: Final = (
    f"SELECT {_COLUMNS} FROM rows INDEXED BY sendable "
    "WHERE state IN ('planned', 'not_sent') AND id >> 32 = ? AND id > ? ORDER BY id LIMIT ?"
)
ROWS: Final = f"SELECT {_COLUMNS} FROM rows WHERE id > ? AND id <= ? AND instr(?, state) ORDER BY id LIMIT ?"
BY_REFERENCE: Final = f"SELECT {_COLUMNS} FROM rows WHERE id >> 32 = ? AND reference = ?"
BY_ID: Final = f"SELECT {_COLUMNS} FROM rows WHERE id = ?"
# By the index alone where there are indexes; the state of what an ended worker left is `sending`.
LEFT_BEHIND: Final = (
    f"SELECT {_COLUMNS} FROM rows INDEXED BY in_flight WHERE state = 'sending' AND worker IN (SELECT id FROM workers "
    "WHERE ended_at IS NOT NULL)"
)
COUNT: Final = (
    "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (batch, state) DO UPDATE SET rows = counts.rows + excluded.rows"
)
# In one statement, so that no move comes between.
MISCOUNTED: Final = (
    "SELECT state FROM (SELECT state, count(*) AS n FROM rows WHERE id > ? AND id <= ? GROUP BY state "
    "UNION ALL SELECT state, -rows FROM counts WHERE batch = ?) GROUP BY state HAVING sum(n) <> 0"
)
SET_FACT: Final = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)"
SET_BATCH: Final = (
    "INSERT INTO batches (id, facts, created_at, total, planner, checksum) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, total = excluded.total, planner = excluded.planner, "
    "checksum = excluded.checksum"
)
BATCHES: Final = "SELECT id, facts, created_at, total, planner, checksum FROM batches"
DECIDE: Final = "INSERT INTO decisions (row, paid, note, who, at, alarm, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"

ALL_STATES: Final = " ".join(state.value for state in RowState)
Values = Sequence[Any]


def checksum(*values: object) -> int:
    """Return 32 bits that stand for `values`; the same on every version of Python, hence `ascii`."""
    # Against damage, not against people; a CRC finds every flipped bit, and costs a tenth of a digest.
    return zlib.crc32(ascii(values).encode("ascii")) - (1 << 31)


def damaged(what: str) -> JournalRefused:
    """Return the error that says what is not as it was written."""
    return JournalRefused(
        f"the journal is damaged: {what} is not as it was written; restore it from an export, or compare its batches "
        "with the bank's statement, and nothing is sent meanwhile"
    )


def planned_values(row: Values) -> tuple[Any, ...]:
    """Return the parameters of `PLAN` for the columns of what is planned."""
    return (*row, checksum(*row), checksum(row[0], "planned", None, 0, *(None,) * (len(_STATUS) - 3)))


def status_values(
    row: int, status: RowStatus, *, worker: int | None, attempt: int, answer: bytes | None
) -> tuple[Any, ...]:
    """Return what `MOVE` sets."""
    *outcome, paid = outcome_values(status)
    values = (status.state.value, worker, attempt, *outcome, None if paid is None else int(paid), answer)
    return (*values, checksum(row, *values))


def verify(values: Values) -> None:
    """Check the columns of a row against its checksums.

    Raises:
        JournalRefused: one of them is wrong.
    """
    status = values[_STATE_AT:-1]
    if checksum(*values[:_SUM_AT]) != values[_SUM_AT] or checksum(values[0], *status) != values[-1]:
        raise damaged(f"row {values[0] & 0xFFFFFFFF} of batch {values[0] >> 32}")


def where_it_stands(values: Values) -> tuple[Any, ...]:
    """Return the last parameters of `MOVE`: the row, and where it is believed to be."""
    return (values[0], values[_STATE_AT], values[_ATTEMPT_AT], values[_STATE_AT + 1])


def to_row(values: Values, cipher: Cipher | None, followed_by: int | None = None) -> JournalRow:
    """Return the row that a statement on every column found, verified.

    Raises:
        JournalRefused: a checksum is wrong, or the key cannot read the row.
    """
    verify(values)
    columns = (*values[:_SUM_AT], *values[_STATE_AT:-1])
    return row_of(columns, cipher.decrypt if cipher else _as_it_is, followed_by)


def _as_it_is(stored: bytes, _: bytes) -> bytes:
    return stored


def open_sealed(cipher: Cipher | None, stored: bytes | None, row: int, column: bytes) -> bytes | None:
    """Return what was stored in a column that may be encrypted."""
    return stored if cipher is None or stored is None else cipher.decrypt(stored, context(row, column))


def sealed(cipher: Cipher | None, content: bytes | None, row: int, column: bytes) -> bytes | None:
    """Return what is stored in a column that may be encrypted."""
    return content if cipher is None or content is None else cipher.encrypt(content, context(row, column))


def batch_values(batch: BatchInfo, planner: int | None) -> tuple[Any, ...]:
    """Return the parameters of `SET_BATCH`."""
    values = (batch.id, facts_of(batch), float(batch.created_at), batch.total, planner)
    return (*values, checksum(*values))


def to_batch(values: Values) -> BatchInfo:
    """Return the batch that `BATCHES` found, verified.

    Raises:
        JournalRefused: its checksum is wrong.
    """
    number, text, created_at, total, _, found = values
    if checksum(*values[:-1]) != found:
        raise damaged(f"batch {number}")
    return batch_of(number, text, created_at, total)
