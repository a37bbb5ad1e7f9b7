"""The token shared by the processes of one host, in an SQLite file that only its user can read.

The lock that one
process holds while it logs in for all is SQLite's own (`BEGIN IMMEDIATE`): it dies with its holder, however that ends.
Passwords are never stored; a token stands under a key that names the origin and the credential it belongs to.
"""

import asyncio
import os
import sqlite3
import stat
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from caxton_async.auth.hold import Hold
from caxton_async.auth.token import Token
from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret

Result = TypeVar("Result")

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS tokens (
        key TEXT PRIMARY KEY, access_token TEXT NOT NULL, token_type TEXT NOT NULL, expires_in INTEGER NOT NULL,
        issued_at REAL NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS holds (
        key TEXT PRIMARY KEY, reason TEXT NOT NULL, until REAL NOT NULL, failures INTEGER NOT NULL, refused TEXT
    )""",
)
# Between two attempts to take the lock: short beside a login.  SQLite's own waiting would keep a thread, and go on
# after its caller was cancelled.
_PAUSE_S: Final = 0.02


class SqliteTokenStore:
    """Keeps tokens in the file at `path`, which is made on first use; its folder has to exist.

    **Raises** (each method) ConfigurationError when the file can be read by others, is a link, or is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._held: _Connection | None = None

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:  # noqa: ARG002  # one lock serves all keys
        """Return what is held while a token is fetched; all keys share one lock, since logins are rare."""
        return self._lock()

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        connection = _Connection(self._path)
        try:
            while not await connection.run(_begin):  # noqa: ASYNC110 -- another process sets no event of ours
                await asyncio.sleep(_PAUSE_S)
            self._held = connection
            try:
                yield
            finally:
                self._held = None
            # A reader that is in the file keeps a commit from it, as it keeps another from beginning.
            while not await connection.run(_commit):  # noqa: ASYNC110 -- another process sets no event of ours
                await asyncio.sleep(_PAUSE_S)
        finally:
            connection.close()

    async def load(self, key: str) -> Token | None:
        """Return the token of `key`, None when there is none."""
        return await self._run(lambda database: _load(database, key))

    async def save(self, key: str, token: Token) -> None:
        """Store `token` under `key` in place of an older one, and forget tokens that have expired."""
        await self._run(lambda database: _save(database, key, token))

    async def load_hold(self, key: str) -> Hold | None:
        """Return the hold of `key`, None when there is none."""
        return await self._run(lambda database: _load_hold(database, key))

    async def save_hold(self, key: str, hold: Hold | None) -> None:
        """Store `hold` under `key`; None lifts it."""
        await self._run(lambda database: _save_hold(database, key, hold))

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` under the lock, in the connection that holds it where that is one of ours."""
        if self._held is not None:
            return await self._held.run(work)
        async with self._lock():
            return await self._run(work)


class _Connection:
    """A connection and the one thread that uses it, so that what a cancelled caller began is still ended in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="caxton-tokens")
        self._database: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def close(self) -> None:
        """Give the lock back once what is under way is done, without waiting for it."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()

    def _guarded(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            if self._database is None:
                self._database = _open(self._path)
            return work(self._database)
        except sqlite3.Error as error:
            problem = f"cannot be used ({error.sqlite_errorname}): remove it, the next call then logs in anew"
        except OSError as error:
            problem = f"cannot be used ({error.strerror})"
        # Raised here, so that no value of the database is in its context.
        raise ConfigurationError(f"the token store {self._path} {problem}")


def _open(path: Path) -> sqlite3.Connection:
    if not os.path.lexists(path):
        _make(path)
    _check_private(path)
    uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=rw"
    database = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA secure_delete = ON")  # a token that was replaced leaves nothing in the file
    return database


def _make(path: Path) -> None:
    """Make an empty file that nobody else can read.

    It takes its name when it is closed: closing a file drops the locks that another connection of this process holds.
    """
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # with O_EXCL, O_NOFOLLOW and the mode 0600
    os.close(descriptor)
    try:
        with suppress(FileExistsError):  # another process was quicker
            os.link(draft, path)
    finally:
        os.unlink(draft)  # noqa: PTH108


def _check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigurationError(f"the token store {path} is not a plain file of yours: remove it, or name another one")
    if found.st_mode & 0o077:
        raise ConfigurationError(f"the token store {path} can be read by others: make it private with chmod 600")


def _begin(database: sqlite3.Connection) -> bool:
    """Take the lock and say so, or say that another has it."""
    if not _is_done(database, "BEGIN IMMEDIATE"):
        return False
    for statement in _SCHEMA:
        database.execute(statement)
    return True


def _commit(database: sqlite3.Connection) -> bool:
    return _is_done(database, "COMMIT")


def _is_done(database: sqlite3.Connection, statement: str) -> bool:
    """Run a statement that another process may keep from being done for now."""
    try:
        database.execute(statement)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _load(database: sqlite3.Connection, key: str) -> Token | None:
    query = "SELECT access_token, token_type, expires_in, issued_at FROM tokens WHERE key = ?"
    for token, token_type, expires_in, issued_at in database.execute(query, (key,)):
        return Token(Secret(token), token_type, expires_in, issued_at)
    return None


def _save(database: sqlite3.Connection, key: str, token: Token) -> None:
    database.execute("DELETE FROM tokens WHERE issued_at + expires_in < ?", (token.issued_at,))
    database.execute(
        "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)",
        (key, token.access_token.reveal(), token.token_type, token.expires_in, token.issued_at),
    )


def _load_hold(database: sqlite3.Connection, key: str) -> Hold | None:
    for row in database.execute("SELECT reason, until, failures, refused FROM holds WHERE key = ?", (key,)):
        return Hold(*row)
    return None


def _save_hold(database: sqlite3.Connection, key: str, hold: Hold | None) -> None:
    if hold is None:
        database.execute("DELETE FROM holds WHERE key = ?", (key,))
    else:
        row = (key, hold.reason, hold.until, hold.failures, hold.refused)
        database.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?)", row)
