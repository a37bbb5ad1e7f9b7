"""Opening a journal by its path."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from caxton_async.errors import ConfigurationError
from caxton_async.journal.encryption import load_cipher
from caxton_async.journal.protocol import Journal
from caxton_async.journal.sqlite.journal_file import SqliteJournal


def open_journal(
    where: str | os.PathLike[str], *, drain_s: float = 5.0, environ: Mapping[str, str] = os.environ
) -> Journal:
    """Return the journal at a path, which `with` and `async with` open, and make if there is none.

    With `CAXTON_JOURNAL_KEY_FILE` in `environ`, requests and answers are encrypted.  Leaving `async with` waits up to
    `drain_s` seconds for the payments of `once` that are in flight.

    Raises:
        ConfigurationError: the key file is wrong, or `where` names a database that this package cannot open.
    """
    path = Path(where)
    if "://" in os.fspath(where):
        raise ConfigurationError(f"a journal is a path, not {os.fspath(where).partition('://')[0]}://")
    key_file = environ.get("CAXTON_JOURNAL_KEY_FILE")
    cipher = load_cipher(key_file) if key_file else None
    return SqliteJournal(path.absolute(), state_folder(environ), cipher, drain_s=drain_s)


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder in which programs of this user keep their state; `CAXTON_STATE_DIR` names another one."""
    if named := environ.get("CAXTON_STATE_DIR"):
        return Path(named)
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/caxton").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "caxton"
