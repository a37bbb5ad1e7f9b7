"""The store of a process that shares its tokens with no other."""

import asyncio
from contextlib import AbstractAsyncContextManager
from weakref import WeakKeyDictionary

from caxton_async.auth.hold import Hold
from caxton_async.auth.token import Token


class MemoryStore:
    """Keeps tokens in this process: for one client, or for several that share an instance.

    Clients in one event loop log in once for all; clients in another loop find the tokens of the first.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._holds: dict[str, Hold] = {}
        # A lock belongs to the first loop in which somebody waited for it: `asyncio.run` for each job makes many.
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return the lock of `key` in the running event loop."""
        return self._locks.setdefault(asyncio.get_running_loop(), {}).setdefault(key, asyncio.Lock())

    async def load(self, key: str) -> Token | None:
        """Return the token of `key`, if any."""
        return self._tokens.get(key)

    async def save(self, key: str, token: Token) -> None:
        """Keep `token` under `key`."""
        self._tokens[key] = token

    async def load_hold(self, key: str) -> Hold | None:
        """Return the hold of `key`, if any."""
        return self._holds.get(key)

    async def save_hold(self, key: str, hold: Hold | None) -> None:
        """Keep `hold` under `key`; None lifts it."""
        if hold is None:
            self._holds.pop(key, None)
        else:
            self._holds[key] = hold
