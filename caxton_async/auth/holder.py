"""The single-flight holder of the access token, the protocol of token stores, and the store in memory.

What belongs here: when a token is used, renewed and dropped, and who waits for whom.  What does not: what a login sends
(`session`).  However many calls need a token, one task fetches it, guarded by a lock; the task belongs to the holder
and not to a caller, so no caller's cancellation or deadline harms another.  Each waiter waits on a future of its own,
since a thousand shields around one task cost the square of their number when they are cancelled together.
"""

import asyncio
import contextvars
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from attrs import evolve, frozen

from caxton_async.errors import AuthenticationFailed, CaxtonError, ConfigurationError
from caxton_async.secret import Secret

# Ageing begins with a tenth of the life left, at most an hour before the end.
_AGEING_SHARE: Final = 0.1
_AGEING_S: Final = 3600.0
# Expired counts what has less left than a slow call takes, or a twentieth of a short life.
_EXPIRED_SHARE: Final = 0.05
_EXPIRED_S: Final = 30.0
# No life is trusted for longer: a server that says "for ever" is asked again after ten years.
_LONGEST_LIFE_S: Final = 10 * 365 * 86400
# How long no further login is tried after the first, second, third and every later failure.
_HOLDS_S: Final = (1.0, 5.0, 30.0, 300.0)


@frozen
class StoredToken:
    """A token as stores keep it: its life in seconds and when it was issued, in seconds of the wall clock."""

    access_token: Secret
    token_type: str
    expires_in: int
    issued_at: float


class TokenStore(Protocol):
    """Where processes share tokens; `key` names the origin and the credential that a token belongs to."""

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return what is held while a token is fetched, so that one process logs in for all."""
        ...

    async def load(self, key: str) -> StoredToken | None:
        """Return the token stored under `key`, None when there is none."""
        ...

    async def save(self, key: str, token: StoredToken) -> None:
        """Store `token` under `key` in place of an older one."""
        ...


class MemoryStore:
    """Keeps tokens in this process: for one client, or for several that share an instance in one event loop."""

    def __init__(self) -> None:
        self._tokens: dict[str, StoredToken] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Return the lock of `key`."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def load(self, key: str) -> StoredToken | None:
        """Return the token of `key`, if any."""
        return self._tokens.get(key)

    async def save(self, key: str, token: StoredToken) -> None:
        """Keep `token` under `key`."""
        self._tokens[key] = token


@frozen(eq=False)
class Token:
    """A token in use, with its marks on both clocks: whichever comes first counts."""

    stored: StoredToken
    bearer: Secret
    ages_at: float  # monotonic
    expires_at: float  # monotonic
    ages_at_wall: float
    expires_at_wall: float


@frozen
class Clocks:
    """The two clocks that a token is measured by: one stops while the machine sleeps, the other can be set."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


@frozen
class _Failure:
    """Why there is no token: what makes a fresh error for each caller."""

    kind: type[AuthenticationFailed | ConfigurationError]
    message: str
    retry_at: float | None = None  # monotonic; None where waiting does not help

    def error(self, endpoint: str, correlation_id: str, now: float) -> CaxtonError:
        if self.retry_at is None:
            return self.kind(self.message, endpoint=endpoint, correlation_id=correlation_id)
        wait = max(0.0, self.retry_at - now)
        message = f"{self.message}; no login is tried for {wait:.0f} s"
        return AuthenticationFailed(message, endpoint=endpoint, correlation_id=correlation_id, retry_after_s=wait)


def adopt(stored: StoredToken, clocks: Clocks) -> Token | None:
    """Return `stored` with its marks from now on, None when too little of its life is left."""
    life = float(min(stored.expires_in, _LONGEST_LIFE_S))  # an int may be too large for a float
    now, wall = clocks.monotonic(), clocks.wall()
    left = min(life, stored.issued_at + life - wall)  # a clock that was set back lengthens no life
    expired_before = min(_EXPIRED_S, life * _EXPIRED_SHARE)
    if left <= expired_before:
        return None
    ageing_before = min(_AGEING_S, life * _AGEING_SHARE)
    return Token(
        stored,
        Secret(f"Bearer {stored.access_token.reveal()}"),
        ages_at=now + left - ageing_before,
        expires_at=now + left - expired_before,
        ages_at_wall=wall + left - ageing_before,
        expires_at_wall=wall + left - expired_before,
    )


class TokenHolder:
    """Holds the one token of a credential at an origin, and renews it for all callers at once.

    `login` fetches a new token.  A holder belongs to the event loop in which it was made.
    """

    def __init__(
        self,
        login: Callable[[], Awaitable[StoredToken]],
        store: TokenStore,
        key: str,
        *,
        timeout_s: float,
        clocks: Clocks | None = None,
    ) -> None:
        self._login = login
        self._store = store
        self._key = key
        self._timeout_s = timeout_s
        self._clocks = clocks or Clocks()
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._dropped: Secret | None = None
        self._task: asyncio.Task[Token] | None = None
        self._waiters: set[asyncio.Future[Token | _Failure]] = set()
        self._failures = 0
        self._held: _Failure | None = None
        self._retry_at = -math.inf  # monotonic
        self._is_outdated = False
        self._closed = False

    def ready(self) -> Token | None:
        """Return a token that works now, without waiting; one that ages is renewed behind the callers' backs."""
        token = self._token
        if token is None:
            return None
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        if now >= token.expires_at or wall >= token.expires_at_wall:
            return None
        if (now >= token.ages_at or wall >= token.ages_at_wall) and now >= self._retry_at:
            self._start()
        return token

    async def get(self, endpoint: str, correlation_id: str) -> Token:
        """Return a token, waiting for the login if there is one to wait for.

        **Raises** AuthenticationFailed or ConfigurationError, a fresh one for each caller, when there is none.
        """
        if (token := self.ready()) is not None:
            return token
        outcome: Token | _Failure | None = self._known_failure()
        if outcome is None:
            self._start()
            waiter: asyncio.Future[Token | _Failure] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                outcome = await waiter
            finally:
                self._waiters.discard(waiter)
        if isinstance(outcome, Token):
            return outcome
        raise outcome.error(endpoint, correlation_id, self._clocks.monotonic())

    def drop(self, token: Token) -> None:
        """Use `token` no more; nothing happens when it is no longer the one in use."""
        if self._token is token:
            self._token = None
            self._dropped = token.stored.access_token

    def forget(self) -> None:
        """Drop the token and whatever is known of failed logins: the password has changed."""
        if self._token is not None:
            self.drop(self._token)
        self._is_outdated = self._task is not None
        self._failures, self._held = 0, None

    async def aclose(self) -> None:
        """Stop a login that is under way; whoever waits for it gets a ConfigurationError."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _known_failure(self) -> _Failure | None:
        """Return what is known without a login.

        What the password decides is not held: the next call asks for the password again, and only a new one is sent.
        """
        if self._closed:
            return _CLOSED
        held = self._held
        return held if held and held.retry_at is not None and self._clocks.monotonic() < held.retry_at else None

    def _start(self) -> None:
        if self._task is None and not self._closed:
            # In an empty context, so that what one caller has set (a span, a request id) does not cling to the login.
            self._task = asyncio.create_task(self._renew(), name="caxton token", context=contextvars.Context())
            # Not a `finally` in the task, which does not run when the task is cancelled before its first step.
            self._task.add_done_callback(self._end)

    async def _renew(self) -> Token:
        async with asyncio.timeout(self._timeout_s), self._lock:
            return await self._fetch()

    def _end(self, task: asyncio.Task[Token]) -> None:
        self._task = None
        outcome = _read(task)  # in any case: asyncio reports an error that nobody looks at
        if self._closed or not self._is_outdated:
            self._finish(_CLOSED if self._closed else outcome)
            return
        # The password changed under way: whoever waits gets what the new one is worth.
        self._is_outdated = False
        if isinstance(outcome, Token):
            self._dropped = outcome.stored.access_token
        if self._waiters:
            self._start()

    async def _fetch(self) -> Token:
        async with self._store.lock(self._key):
            # Another process may have logged in while this one waited for the lock.
            stored = await self._store.load(self._key)
            used = self._dropped if self._token is None else self._token.stored.access_token
            if stored is not None and stored.access_token != used:
                token = adopt(stored, self._clocks)
                if token is not None and self._clocks.monotonic() < token.ages_at:
                    return token
            stored = await self._login()
            token = adopt(stored, self._clocks)
            if token is None:
                raise AuthenticationFailed("the login gave a token that has expired already: check the clock")
            await self._store.save(self._key, stored)
            return token

    def _finish(self, outcome: Token | _Failure) -> None:
        if isinstance(outcome, Token):
            self._token, self._failures, self._held, self._retry_at = outcome, 0, None, -math.inf
        elif outcome is not _CLOSED:
            self._retry_at = self._clocks.monotonic() + _HOLDS_S[min(self._failures, len(_HOLDS_S) - 1)]
            self._failures += 1
            if outcome.kind is AuthenticationFailed:
                outcome = evolve(outcome, retry_at=self._retry_at)
            self._held = outcome
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(outcome)


def _read(task: asyncio.Task[Token]) -> Token | _Failure:
    """Return what a login came to; a store or a password provider of the user's may raise anything."""
    if task.cancelled():
        return _Failure(AuthenticationFailed, "the login was cancelled")
    match task.exception():
        case None:
            return task.result()
        case AuthenticationFailed() | ConfigurationError() as error:
            return _Failure(type(error), str(error))
        case TimeoutError():
            return _Failure(AuthenticationFailed, "the login could not be done in time")
        case error:
            return _Failure(AuthenticationFailed, f"the login could not be done ({type(error).__name__})")


_CLOSED: Final = _Failure(
    ConfigurationError, "the client was closed while the call waited for a token: keep it open until its calls are done"
)
