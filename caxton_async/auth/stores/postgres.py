"""The token shared by machines, in a PostgreSQL database, encrypted (extra `postgres`).

The lock under which one process logs in for all is an advisory lock of a transaction: it dies with its holder.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from caxton_async.auth.hold import Hold
from caxton_async.auth.stores import sealed
from caxton_async.auth.token import Token
from caxton_async.encryption import load_keyring
from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret, to_secret

_Connection = AsyncConnection[tuple[Any, ...]]
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_TABLE: Final = (
    "CREATE SCHEMA IF NOT EXISTS caxton; CREATE TABLE IF NOT EXISTS caxton.tokens "
    "(key text, kind text, value bytea NOT NULL, PRIMARY KEY (key, kind))"
)
_LOAD: Final = "SELECT value FROM caxton.tokens WHERE key = %s AND kind = %s"
_SAVE: Final = (
    "INSERT INTO caxton.tokens VALUES (%s, %s, %s) ON CONFLICT (key, kind) DO UPDATE SET value = excluded.value"
)
_DROP: Final = "DELETE FROM caxton.tokens WHERE key = %s AND kind = %s"
_TIMEOUTS: Final[dict[str, Any]] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}


class PostgresTokenStore:
    """Keeps tokens and holds in the database of `dsn`; `key_file` holds 32 bytes in base64, on every machine the same.

    **Raises** ConfigurationError: at once when the key file is wrong; in each method when the database cannot be used.
    """

    def __init__(self, dsn: str | Secret, key_file: str | os.PathLike[str]) -> None:
        self._dsn = to_secret(dsn)
        del dsn  # a crash reporter shows the variables of frames
        self._keyring = load_keyring(os.fspath(key_file))
        self._held: _Connection | None = None
        self._mutex = asyncio.Lock()
        self._is_made = False

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return what is held while a token is fetched, by one process of all machines."""
        return self._lock(key)

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        # One connection at a time holds the lock, whoever of this process asks.
        async with self._mutex, self._transaction() as connection:
            await connection.execute(_LOCK, (f"caxton {key}",))
            self._held = connection
            try:
                yield
            finally:
                self._held = None

    async def load(self, key: str) -> Token | None:
        """Return the token of `key`, None when there is none."""
        stored = await self._load(key, sealed.TOKEN)
        return None if stored is None else sealed.open_token(self._keyring, key, stored)

    async def save(self, key: str, token: Token) -> None:
        """Store `token` under `key` in place of an older one."""
        await self._run(_SAVE, key, sealed.TOKEN, sealed.seal_token(self._keyring, key, token))

    async def load_hold(self, key: str) -> Hold | None:
        """Return the hold of `key`, None when there is none."""
        stored = await self._load(key, sealed.HOLD)
        return None if stored is None else sealed.open_hold(self._keyring, key, stored)

    async def save_hold(self, key: str, hold: Hold | None) -> None:
        """Store `hold` under `key`; None lifts it."""
        if hold is None:
            await self._run(_DROP, key, sealed.HOLD)
        else:
            await self._run(_SAVE, key, sealed.HOLD, sealed.seal_hold(self._keyring, key, hold))

    async def _load(self, key: str, kind: str) -> bytes | None:
        found = await self._run(_LOAD, key, kind)
        return bytes(found[0][0]) if found else None

    async def _run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Carry out a statement in the transaction that holds the lock, or in one of its own."""
        if self._held is not None:
            return await _fetch(self._held, statement, parameters)
        async with self._transaction() as connection:
            return await _fetch(connection, statement, parameters)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[_Connection]:
        try:
            async with await AsyncConnection.connect(self._dsn.reveal(), **_TIMEOUTS) as connection:
                if not self._is_made:
                    await _make(connection)
                    self._is_made = True
                yield connection
                return
        except psycopg.Error as error:
            first = (error.diag.message_primary or str(error)).strip().partition("\n")[0]
        # Raised here, so that no value of the database is in its context.
        raise ConfigurationError(f"the token store in PostgreSQL cannot be used ({first})")


async def _make(connection: _Connection) -> None:
    if (await _fetch(connection, "SELECT to_regclass('caxton.tokens')", ()))[0][0] is None:
        await connection.execute(_LOCK, ("caxton tokens",))
        await connection.execute(_TABLE)
    await connection.commit()


async def _fetch(connection: _Connection, statement: Any, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- the driver wants literals
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchall() if cursor.description else []
