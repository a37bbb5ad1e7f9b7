"""What every store of tokens keeps to."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from caxton_async.auth.hold import Hold
from caxton_async.auth.token import Token


class TokenStore(Protocol):
    """Where processes share a token; `key` names the origin and the credential that it belongs to.

    A store that is an `SharedHolds` as well lets processes share what a failed login has taught one of them.
    """

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return what is held while a token is fetched, so that one process logs in for all."""
        ...

    async def load(self, key: str) -> Token | None:
        """Return the token stored under `key`, None when there is none."""
        ...

    async def save(self, key: str, token: Token) -> None:
        """Store `token` under `key` in place of an older one."""
        ...


class SharedHolds(Protocol):
    """What a store has besides when it shares holds."""

    async def load_hold(self, key: str) -> Hold | None:
        """Return the hold stored under `key`, None when there is none."""
        ...

    async def save_hold(self, key: str, hold: Hold | None) -> None:
        """Store `hold` under `key`; None lifts it."""
        ...
