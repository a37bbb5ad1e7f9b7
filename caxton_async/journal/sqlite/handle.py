"""The file itself: making it, connecting to it, and who may read it."""

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalRefused
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.copies import Register

_BUSY_S: Final = 5.0  # a foreign program that reads or copies the file holds it; after that long a warning is due


# A rollback journal, and not a write-ahead log: 0.4 ms more for a commit of 64 claims and outcomes, and none of the
# log's own dangers (a lost -wal or -shm, frames that SQLite drops silently).  EXTRA syncs the folder as well.
_SETTINGS: Final = (
    "journal_mode=PERSIST",
    "synchronous=EXTRA",
    "fullfsync=ON",
    "cell_size_check=ON",
    "trusted_schema=OFF",
)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose commits are on the disk when they return."""
    # The writing thread and the callers use the connection by turns, so none of them owns it.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the file system into the one that says that the journal cannot be used."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError) as error:  # SQLite quotes bytes of a damaged file
        problem = str(error)
    else:
        return
    raise JournalRefused(f"the journal {path} cannot be used ({problem}); nothing was sent")


def identity_of(path: Path) -> str:
    """Return what tells a file from another of its name: device and inode; empty when it is gone."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_dev} {found.st_ino}"


def is_another_of_number(other: Path, path: Path, number: str) -> bool:
    """Tell whether a path holds another file than `path`, which is a journal of the same number."""
    # Opening and closing the same file again would drop the locks that SQLite holds on it.
    with suppress(OSError, sqlite3.Error):
        if not other.samefile(path):
            connection = connect(other)
            try:
                return connection.execute("SELECT value FROM facts WHERE name = 'id'").fetchall() == [(number,)]
            finally:
                connection.close()
    return False


def check_private(path: Path) -> None:
    """Check that the journal is a plain file of ours that nobody else can read.

    Raises:
        JournalRefused: it is not.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        raise JournalRefused(f"there is no journal {path}") from None
    if not stat.S_ISREG(found.st_mode):
        raise JournalRefused(f"{path} is not a plain file: a journal is never reached through a link")
    if found.st_uid != os.geteuid():
        raise JournalRefused(f"{path} belongs to another user")
    if found.st_mode & 0o077:
        raise JournalRefused(f"{path} can be read by others: make it private with chmod 600")


def migrate(connection: sqlite3.Connection) -> None:
    """Carry out the scripts that a journal has not had yet."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(tables.MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN EXCLUSIVE; {script}; PRAGMA user_version={number}; COMMIT")


def create(path: Path, state_folder: Path, cipher: Cipher | None) -> None:
    """Make a new journal that nobody else can read; it takes its name once it is whole.

    Raises:
        JournalRefused: something of that name exists, or it cannot be made.
    """
    draft = path.with_name(f"{path.name}-new-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        Register(state_folder).confirm(path, _fill(draft, cipher), 0)
        os.link(draft, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except FileExistsError:
        problem = "exists already"
    except OSError as error:
        problem = f"cannot be made ({os.strerror(error.errno or 0)})"
    else:
        return
    finally:
        for suffix in ("", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    raise JournalRefused(f"the journal {path} {problem}")


def _fill(draft: Path, cipher: Cipher | None) -> str:
    """Make the tables of a new journal, and return its number."""
    facts = {
        "id": secrets.token_hex(8),
        "salt": secrets.token_hex(8),
        "epoch": "0",
        "is_open": "0",
        "key": cipher.key_id if cipher else "",
    }
    with refusing(draft):
        connection = connect(draft)
        try:
            connection.execute(f"PRAGMA application_id={tables.APPLICATION_ID}")
            migrate(connection)
            values = [(name, value, tables.checksum(name, value)) for name, value in facts.items()]
            connection.executemany(tables.SET_FACT, values)
        finally:
            connection.close()
    return facts["id"]
