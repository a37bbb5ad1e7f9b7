"""The store as the token holder sees it: a store may slow a login, and never stops one."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeVar

from caxton_async.auth.hold import LONGEST_HOLD_S, Hold
from caxton_async.auth.stores.protocol import TokenStore
from caxton_async.auth.token import Token
from caxton_async.errors import CaxtonError
from caxton_async.protocol.request import fits_header

Result = TypeVar("Result")
Default = TypeVar("Default")
logger: Final = logging.getLogger("caxton_async")

# What a store may take for one step.  It is longer than a login of another process that holds the lock should take.
STEP_S: Final = 5.0
# How far the clocks of two machines may be apart before the hold of the one is rubbish to the other.
_CLOCKS_APART_S: Final = 60.0


class StoreGuard:
    """Asks `store` for what stands under `key`; a step that fails or hangs is warned of and passed over."""

    def __init__(self, store: TokenStore, key: str, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._key = key
        self._wall = wall
        self._hold: Hold | None = None  # what this process knows, where the store shares no holds

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the store's lock, or nothing when it cannot be had."""
        lock = await self._attempt("lock", self._enter, None)
        try:
            yield
        finally:
            if lock is not None:
                await self._attempt("unlock", lambda: lock.__aexit__(None, None, None), None)

    async def _enter(self) -> AbstractAsyncContextManager[None]:
        lock = self._store.lock(self._key)
        await lock.__aenter__()
        return lock

    async def load(self) -> Token | None:
        """Return the token that the store has, if it is one that can be used."""
        token = await self._attempt("load", lambda: self._store.load(self._key), None)
        if token is None or _is_sound(token):
            return token
        self._warn("load", "it gave what is no token")
        return None

    async def save(self, token: Token) -> None:
        """Store `token`."""
        await self._attempt("save", lambda: self._store.save(self._key, token), None)

    async def load_hold(self) -> Hold | None:
        """Return the hold that the store shares, or the one of this process."""
        load = getattr(self._store, "load_hold", None)
        if load is not None:
            hold: object = await self._attempt("load_hold", lambda: load(self._key), self._hold)
            if hold is None or isinstance(hold, Hold):
                self._hold = hold
            else:
                self._warn("load_hold", "it gave what is no hold")
        known = self._hold
        # No hold is that long: the clock of the machine that made it is wrong, or ours is.
        is_long = known is not None and known.until - self._wall() > LONGEST_HOLD_S + _CLOCKS_APART_S
        return None if is_long else known

    async def save_hold(self, hold: Hold | None) -> None:
        """Share `hold`; None lifts it."""
        self._hold = hold
        save = getattr(self._store, "save_hold", None)
        if save is not None:
            await self._attempt("save_hold", lambda: save(self._key, hold), None)

    async def _attempt(self, step: str, work: Callable[[], Awaitable[Result]], default: Default) -> Result | Default:
        try:
            async with asyncio.timeout(STEP_S):
                return await work()
        except TimeoutError:
            problem = f"it took longer than {STEP_S:g} s"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            problem = "CancelledError"
        except CaxtonError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001  # a store of the user's may raise anything
            problem = type(error).__name__  # its text may hold what was stored
        self._warn(step, problem)
        return default

    def _warn(self, step: str, problem: str) -> None:
        logger.warning(
            "the token store %s failed at %s (%s): the client goes on without it",
            type(self._store).__name__,
            step,
            problem,
        )


def _is_sound(token: object) -> bool:
    """Tell whether what a store gave is a token; a store of the user's may give anything."""
    if not isinstance(token, Token) or not fits_header(token.access_token):
        return False
    times: tuple[object, object] = token.expires_in, token.issued_at
    return type(times[0]) is int and isinstance(times[1], (int, float)) and math.isfinite(times[1])
