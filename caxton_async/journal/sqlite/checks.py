"""Whether a journal is as it was written: its kind and version, its head, its structure, and the rows of a batch."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalRefused
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.handle import migrate

if TYPE_CHECKING:
    from caxton_async.journal.sqlite.database import Database


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Check that the file is a journal that this version knows, and bring an older one up to date.

    Raises:
        JournalRefused: it is anything else, or its end is missing.
    """
    if connection.execute("PRAGMA application_id").fetchone() != (tables.APPLICATION_ID,):
        raise JournalRefused(f"{path} is not a journal of this program")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(tables.MIGRATIONS):
        raise JournalRefused(f"the journal {path} was written by a newer version of this program: update it")
    size = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")]
    if path.stat().st_size < size[0] * size[1]:
        raise tables.damaged("its end, which is missing,")
    if version < len(tables.MIGRATIONS):
        migrate(connection)


def read_facts(connection: sqlite3.Connection, path: Path, cipher: Cipher | None) -> dict[str, str]:
    """Return what the journal says of itself.

    Raises:
        JournalRefused: it is damaged, or has another key.
    """
    found = connection.execute("SELECT name, value, checksum FROM facts").fetchall()
    facts = {name: value for name, value, _ in found}
    is_whole = {"id", "salt", "epoch", "is_open", "key"} <= facts.keys()
    if not is_whole or any(tables.checksum(name, value) != kept for name, value, kept in found):
        raise tables.damaged("its head")
    if facts["key"] == (cipher.key_id if cipher else ""):
        return facts
    if not facts["key"]:
        raise JournalRefused(f"the journal {path} is not encrypted: unset CAXTON_JOURNAL_KEY_FILE, or name another")
    problem = "is encrypted with another key" if cipher else "is encrypted"
    raise JournalRefused(f"the journal {path} {problem}: set CAXTON_JOURNAL_KEY_FILE to the one it was made with")


def check_structure(connection: sqlite3.Connection, facts: dict[str, str]) -> None:
    """Look at every page and every index, after a process that had the journal open did not close it.

    Not `quick_check`, which passes over an index that lacks a row: with its rollback journal lost, a row would stay
    planned for ever.

    Raises:
        JournalRefused: SQLite finds it damaged.
    """
    if facts["is_open"] == "1" and connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise tables.damaged("its structure")


def check_counts(database: "Database", batch: int) -> None:
    """Check the number of rows of a batch in each state, before work on it begins.

    Raises:
        JournalRefused: rows were removed, or moved by another program.
    """
    if database.ask(tables.MISCOUNTED, batch << 32, batch << 32 | 0xFFFFFFFF, batch):
        raise tables.damaged(f"the number of rows of batch {batch}")


def check_all(database: "Database") -> None:
    """Check every page, and the checksums of all rows.

    Raises:
        JournalRefused: something is not as it was written.
    """
    if database.ask("PRAGMA integrity_check(1)") != [("ok",)]:
        raise tables.damaged("its structure")
    for batch in map(tables.to_batch, database.ask(tables.BATCHES)):
        check_counts(database, batch.id)
        for values in database.rows(tables.ROWS, batch.id << 32, batch.id << 32 | 0xFFFFFFFF, tables.ALL_STATES):
            tables.verify(values)
