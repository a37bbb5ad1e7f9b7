"""Opening, exporting and adopting a journal by its path."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from caxton_async.errors import ConfigurationError, JournalRefused
from caxton_async.journal.encryption import load_cipher
from caxton_async.journal.protocol import Journal
from caxton_async.journal.sqlite.journal_file import SqliteJournal
from caxton_async.journal.states import Adopted


def open_journal(
    where: str | os.PathLike[str], *, drain_s: float = 5.0, environ: Mapping[str, str] = os.environ
) -> Journal:
    """Return the journal at a path, which `with` and `async with` open, and make if there is none.

    With `CAXTON_JOURNAL_KEY_FILE` in `environ`, requests and answers are encrypted.  Leaving `async with` waits up to
    `drain_s` seconds for the payments of `once` that are in flight.

    Raises:
        ConfigurationError: the key file is wrong, or `where` names a database that this package cannot open.
    """
    return _open_file(where, environ, drain_s)


def _open_file(where: str | os.PathLike[str], environ: Mapping[str, str], drain_s: float = 0.0) -> SqliteJournal:
    path = Path(where)
    if "://" in os.fspath(where):
        raise ConfigurationError(f"this needs a journal in a file, not {os.fspath(where).partition('://')[0]}://")
    key_file = environ.get("CAXTON_JOURNAL_KEY_FILE")
    cipher = load_cipher(key_file) if key_file else None
    return SqliteJournal(path.absolute(), state_folder(environ), cipher, drain_s=drain_s)


def export_journal(
    where: str | os.PathLike[str], target: str | os.PathLike[str], *, environ: Mapping[str, str] = os.environ
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
    where: str | os.PathLike[str], *, who: str, note: str, environ: Mapping[str, str] = os.environ
) -> Adopted:
    """Make a copy, a restored backup or a moved file the journal that is used from now on.

    What it would send needs a decision first: it may have been sent since the copy was made.

    Raises:
        JournalRefused: there is no journal, or another process has it open.
        InvalidRequest: `who` or `note` is empty.
    """
    if not Path(where).exists():
        raise JournalRefused(f"there is no journal {os.fspath(where)}")
    with _open_file(where, environ) as journal:
        return journal.adopt(who=who, note=note)


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in which programs of this user keep their state; `CAXTON_STATE_DIR` names another one."""
    if named := environ.get("CAXTON_STATE_DIR"):
        return Path(named)
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/caxton").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "caxton"
