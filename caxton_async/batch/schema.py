"""The tables of a journal and the statements on them, as text.

What belongs here: SQL, the checksum, and values on their way in and out of the tables.  What does not: a connection.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from attrs import fields

from caxton_async.batch.states import JournalRow, RowState, RowStatus
from caxton_async.errors import Sent

# "Cxtn": tells a journal from any other SQLite file.
APPLICATION_ID: Final = 0x4378746E

# The script at index n takes a journal from version n to n + 1; a new journal takes them all.
_VERSION_1 = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE rows (
    position INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, line INTEGER, amount TEXT, currency TEXT,
    digest BLOB NOT NULL, state TEXT NOT NULL, sent TEXT, error TEXT, http_status INTEGER, api_status_code INTEGER,
    started_at REAL, elapsed_s REAL, settled_as_paid INTEGER, settled_by TEXT, settled_note TEXT, settled_at REAL,
    checksum BLOB NOT NULL
)
"""
MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1,)

_FIXED: Final = tuple(field.name for field in fields(JournalRow) if field.name != "status")
_STATUS: Final = tuple(field.name for field in fields(RowStatus))
_COLUMNS: Final = ", ".join((*_FIXED, *_STATUS))
_PLANNED: Final = ", ".join(
    [*(f"? AS {name}" for name in _FIXED), "'planned' AS state", *(f"NULL AS {name}" for name in _STATUS[1:])]
)
_BEFORE_AND_NEW: Final = ", ".join([*(f"rows.{name}" for name in _FIXED), *(f"new.{name}" for name in _STATUS)])

# A parameter stands once in each statement and takes the name of its column: sqlite3 is leaving numbered ones behind.
# ruff: noqa: S608 -- the statements are put together from names of columns alone; every value is a parameter
PLAN: Final = (
    f"INSERT OR IGNORE INTO rows ({_COLUMNS}, checksum) "
    f"SELECT {_COLUMNS}, checksum({_COLUMNS}) FROM (SELECT {_PLANNED})"
)
MOVE: Final = (
    f"UPDATE rows SET ({', '.join(_STATUS)}, checksum) = (SELECT new.*, checksum({_BEFORE_AND_NEW}) FROM "
    f"(SELECT {', '.join(f'? AS {name}' for name in _STATUS)}) AS new) WHERE position = ? AND state = ?"
)
SET_FACT: Final = (
    "INSERT OR REPLACE INTO facts SELECT name, value, checksum(name, value) FROM (SELECT ? AS name, ? AS value)"
)
FACTS: Final = "SELECT name, value FROM facts"
WRONG_FACTS: Final = "SELECT count(*) FROM facts WHERE checksum IS NOT checksum(name, value)"
WRONG_ROWS: Final = f"SELECT count(*) FROM rows WHERE checksum IS NOT checksum({_COLUMNS})"
SIZE: Final = "SELECT count(*), coalesce(max(position), 0) FROM rows"
COUNTS: Final = "SELECT state, count(*) FROM rows GROUP BY state"
ENTRIES: Final = "SELECT position, reference, digest, state FROM rows WHERE position > ? ORDER BY position LIMIT ?"
ROWS: Final = f"SELECT {_COLUMNS} FROM rows WHERE position > ? AND instr(?, state) ORDER BY position LIMIT ?"
ROW: Final = f"SELECT {_COLUMNS} FROM rows WHERE reference = ?"


def checksum(*values: object) -> bytes:
    """Return eight bytes that stand for `values`; the same on every version of Python, hence `ascii`."""
    return hashlib.blake2b(ascii(values).encode("ascii"), digest_size=8).digest()


def move_values(position: int, before: RowState, new: RowStatus) -> tuple[Any, ...]:
    """Return the parameters of `MOVE`."""
    return (
        new.state.value,
        None if new.sent is None else new.sent.value,
        new.error,
        new.http_status,
        new.api_status_code,
        _real(new.started_at),
        _real(new.elapsed_s),
        new.settled_as_paid,
        new.settled_by,
        new.settled_note,
        _real(new.settled_at),
        position,
        before.value,
    )


def _real(number: float | None) -> float | None:
    """Return a number as a column of reals gives it back, for the checksum's sake."""
    return None if number is None else float(number)


def row_of(values: Iterable[Any]) -> JournalRow:
    """Return the row that a statement on every column found."""
    found = dict(zip((*_FIXED, *_STATUS), values, strict=True))
    fixed = {name: found.pop(name) for name in _FIXED}
    found["state"] = RowState(found["state"])
    found["sent"] = None if found["sent"] is None else Sent(found["sent"])
    found["settled_as_paid"] = None if found["settled_as_paid"] is None else bool(found["settled_as_paid"])
    return JournalRow(**fixed, status=RowStatus(**found))
