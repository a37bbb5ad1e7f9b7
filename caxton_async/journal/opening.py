"""Opening, exporting, adopting and migrating a journal by its path or DSN."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from caxton_async.encryption import load_cipher, load_keyring
from caxton_async.errors import ConfigurationError, JournalRefused
from caxton_async.journal.protocol import Journal
from caxton_async.journal.sqlite.copies import Register
from caxton_async.journal.sqlite.journal_file import SqliteJournal
from caxton_async.journal.sqlite.tables import MIGRATIONS
from caxton_async.journal.states import Adopted
from caxton_async.secret import ENVIRON, Secret

if TYPE_CHECKING:
    from caxton_async.journal.postgres.journal_server import PostgresJournal

Where = TypeVar("Where")


def open_journal(
    where: str | os.PathLike[str] | Secret, *, drain_s: float = 5.0, environ: Mapping[str, str] = ENVIRON
) -> Journal:
    """Return the journal at a path or a DSN (`postgresql://...`), which `with` and `async with` open.

    A file is made if there is none; a database gets its tables by `migrate_journal`.  With `CAXTON_JOURNAL_KEY_FILE` in
    `environ`, requests and answers are encrypted; a database needs it.  Leaving `async with` waits up to `drain_s`
    seconds for the payments of `once` that are in flight.

    Raises:
        ConfigurationError: the key file is wrong or missing, or `where` names a database that this package cannot open.
    """
    where = hide_dsn(where)
    return _open_database(where, environ, drain_s) if isinstance(where, Secret) else _open_file(where, environ, drain_s)


def hide_dsn(where: Where) -> Where | Secret:
    """Return a DSN, which may hold a password, as a Secret, since a crash reporter shows the variables of frames."""
    return Secret(where) if isinstance(where, str) and is_database(where) else where


def is_database(where: str | os.PathLike[str]) -> bool:
    """Tell whether a journal is named by the DSN of a PostgreSQL database."""
    return os.fspath(where).startswith(("postgresql://", "postgres://"))


def migrate_journal(where: str | os.PathLike[str], *, environ: Mapping[str, str] = ENVIRON) -> int:
    """Bring a journal to the form of this program, making one in a database if there is none; return its version.

    Raises:
        JournalRefused: it has the form of a newer program, or there is no file.
    """
    if is_database(where):
        return _open_database(Secret(os.fspath(where)), environ, 0.0).migrate()
    if not Path(where).exists():
        raise JournalRefused(f"there is no journal {os.fspath(where)}")
    with _open_file(where, environ):  # which brings it up to date
        return len(MIGRATIONS)


def _open_database(dsn: Secret, environ: Mapping[str, str], drain_s: float) -> "PostgresJournal":
    try:
        from caxton_async.journal.postgres.journal_server import PostgresJournal  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(
            "a journal in PostgreSQL needs the extra: pip install caxton-async[postgres]"
        ) from None
    key_file = environ.get("CAXTON_JOURNAL_KEY_FILE")
    if not key_file:
        raise ConfigurationError(
            "a journal in PostgreSQL is encrypted: make a key with `openssl rand -base64 32`, keep it in a file that "
            "only you can read, and set CAXTON_JOURNAL_KEY_FILE to it on every machine"
        )
    return PostgresJournal(dsn, load_keyring(key_file), state_folder(environ), drain_s=drain_s)


def _open_file(where: str | os.PathLike[str], environ: Mapping[str, str], drain_s: float = 0.0) -> SqliteJournal:
    path = Path(where)
    if "://" in os.fspath(where):
        raise ConfigurationError(f"this needs a journal in a file, not {os.fspath(where).partition('://')[0]}://")
    key_file = environ.get("CAXTON_JOURNAL_KEY_FILE")
    cipher = load_cipher(key_file) if key_file else None
    return SqliteJournal(path.absolute(), state_folder(environ), cipher, drain_s=drain_s)


def check_missing(where: str | os.PathLike[str], *, environ: Mapping[str, str] = ENVIRON) -> None:
    """Check that a journal that is not there was never used.

    Raises:
        JournalRefused: it was, so a new one would not know what was paid through it.
    """
    Register(state_folder(environ)).check_new(Path(where).absolute())


def known_journals(environ: Mapping[str, str] = ENVIRON) -> list[Path]:
    """Return the journals in files that programs of this user have used, and that are there still."""
    return Register(state_folder(environ)).paths()


def export_journal(
    where: str | os.PathLike[str], target: str | os.PathLike[str], *, environ: Mapping[str, str] = ENVIRON
) -> None:
    """Write a copy of a journal in a file as it is now: the way to back it up, also while it is in use.

    Raises:
        JournalRefused: there is no journal, or the target exists or cannot be written.
    """
    if not Path(where).exists():
        raise JournalRefused(f"there is no journal {os.fspath(where)}")
    with _open_file(where, environ) as journal:
        journal.export(Path(target))


def adopt_journal(
    where: str | os.PathLike[str], *, who: str, note: str, environ: Mapping[str, str] = ENVIRON
) -> Adopted:
    """Make a copy or a restored backup, of a file or a database, the journal that is used from now on.

    What it would send needs a decision first: it may have been sent since the copy was made.

    Raises:
        JournalRefused: there is no journal, or another process has it open.
        InvalidRequest: `who` or `note` is empty.
    """
    if is_database(where):
        with _open_database(Secret(os.fspath(where)), environ, 0.0) as database:
            return database.adopt(who=who, note=note)
    if not Path(where).exists():
        raise JournalRefused(f"there is no journal {os.fspath(where)}")
    with _open_file(where, environ) as journal:
        return journal.adopt(who=who, note=note)


def state_folder(environ: Mapping[str, str] = ENVIRON) -> Path:
    """Return the folder in which programs of this user keep their state; `CAXTON_STATE_DIR` names another one."""
    if named := environ.get("CAXTON_STATE_DIR"):
        return Path(named)
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/caxton").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "caxton"
