"""The token shared by machines, in Redis, encrypted (extra `redis`).

The lock under which one process logs in for all is a lease of some seconds that its holder renews: Redis has no lock
that dies with its holder.  Where it fails, there is a second login, and nothing worse.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from caxton_async.auth.hold import Hold
from caxton_async.auth.stores import sealed
from caxton_async.auth.token import Token
from caxton_async.encryption import load_keyring
from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret, to_secret

# A holder that was killed keeps the others waiting for less than they wait for a store at all.
_LEASE_S: Final = 3.0
_RENEWED_AFTER_S: Final = 1.0
_PAUSE_S: Final = 0.05
_TIMEOUT_S: Final = 5.0
# A hold is forgotten an hour after its end: from then on it says nothing.
_HOLD_KEPT_S: Final = 3600.0


class RedisTokenStore:
    """Keeps tokens and holds in the Redis at `url`; `key_file` holds 32 bytes in base64, on every machine the same.

    **Raises** ConfigurationError: at once when the key file is wrong; in each method when Redis cannot be used.
    """

    def __init__(self, url: str | Secret, key_file: str | os.PathLike[str]) -> None:
        self._url = to_secret(url)
        del url  # a crash reporter shows the variables of frames
        self._keyring = load_keyring(os.fspath(key_file))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return what is held while a token is fetched, by one process of all machines."""
        return self._lock(key)

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator[None]:
        async with self._connected() as redis:
            lease = redis.lock(f"caxton:lock:{key}", timeout=_LEASE_S, sleep=_PAUSE_S)
            await lease.acquire()
            renewing = asyncio.create_task(_renew(lease))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                with suppress(LockError):  # it had run out
                    await lease.release()

    async def load(self, key: str) -> Token | None:
        """Return the token of `key`, None when there is none."""
        stored = await self._get(key, sealed.TOKEN)
        return None if stored is None else sealed.open_token(self._keyring, key, stored)

    async def save(self, key: str, token: Token) -> None:
        """Store `token` under `key` in place of an older one, until it expires."""
        ends_at = token.issued_at + token.expires_in
        await self._set(key, sealed.TOKEN, sealed.seal_token(self._keyring, key, token), ends_at)

    async def load_hold(self, key: str) -> Hold | None:
        """Return the hold of `key`, None when there is none."""
        stored = await self._get(key, sealed.HOLD)
        return None if stored is None else sealed.open_hold(self._keyring, key, stored)

    async def save_hold(self, key: str, hold: Hold | None) -> None:
        """Store `hold` under `key`; None lifts it."""
        if hold is None:
            async with self._connected() as redis:
                await redis.delete(_name(key, sealed.HOLD))
        else:
            ends_at = hold.until + _HOLD_KEPT_S
            await self._set(key, sealed.HOLD, sealed.seal_hold(self._keyring, key, hold), ends_at)

    async def _get(self, key: str, kind: str) -> bytes | None:
        async with self._connected() as redis:
            found = await redis.get(_name(key, kind))
        return found if isinstance(found, bytes) else None

    async def _set(self, key: str, kind: str, value: bytes, ends_at: float) -> None:
        left_s = max(1, int(ends_at - time.time()))
        async with self._connected() as redis:
            await redis.set(_name(key, kind), value, ex=left_s)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Redis]:
        redis = Redis.from_url(self._url.reveal(), socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        try:
            async with redis:
                yield redis
                return
        except RedisError as error:
            problem = type(error).__name__  # its text may hold the address with its password
        raise ConfigurationError(f"the token store in Redis cannot be used ({problem})")


async def _renew(lease: Lock) -> None:
    with suppress(RedisError):
        while True:
            await asyncio.sleep(_RENEWED_AFTER_S)
            await lease.reacquire()


def _name(key: str, kind: str) -> str:
    return f"caxton:{kind}:{key}"
