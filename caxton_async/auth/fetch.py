"""Fetching a token: from the store, or by a login that one process makes for all."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from attrs import frozen

from caxton_async.auth.guard import StoreGuard
from caxton_async.auth.hold import FailedLogin, Hold, next_hold
from caxton_async.auth.token import Clocks, RefreshWindow, Token
from caxton_async.errors import AuthenticationFailed, CaxtonError, ConfigurationError
from caxton_async.events import CallProgress
from caxton_async.secret import Secret


@frozen
class NoToken:
    """Why there is no token, and until when on both clocks: what makes a fresh error for each caller."""

    kind: type[AuthenticationFailed | ConfigurationError]
    message: str
    retry_at: float  # monotonic
    retry_at_wall: float

    def wait_s(self, clocks: Clocks) -> float:
        """Return for how long no login is tried: a clock that stood still while the machine slept does not count."""
        return max(0.0, min(self.retry_at - clocks.monotonic(), self.retry_at_wall - clocks.wall()))

    def holds_back(self, clocks: Clocks) -> bool:
        """Tell whether calls fail without a login.

        What the password decides is not waited out: the next call asks for the password, and only a new one is sent.
        """
        wait = self.wait_s(clocks)
        return wait == math.inf or (wait > 0 and self.kind is AuthenticationFailed)

    def error(self, call: CallProgress, clocks: Clocks) -> CaxtonError:
        """Return the error of one caller."""
        if self.kind is not AuthenticationFailed:
            return self.kind(self.message, endpoint=call.endpoint, correlation_id=call.correlation_id)
        wait = self.wait_s(clocks)
        return AuthenticationFailed(
            f"{self.message}; no login is tried for {wait:.0f} s",
            endpoint=call.endpoint,
            correlation_id=call.correlation_id,
            retry_after_s=wait,
        )


class TokenFetcher:
    """Fetches tokens under a lock of this process and the lock of the store.

    `login` is given the hold that is known of.
    """

    def __init__(
        self,
        login: Callable[[Hold | None], Awaitable[Token | FailedLogin]],
        store: StoreGuard,
        clocks: Clocks,
        *,
        timeout_s: float,
    ) -> None:
        self._login = login
        self._store = store
        self._clocks = clocks
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._hold: Hold | None = None  # after the last failed login of this process
        self._is_lifted = False  # what the store knows of failed logins counts no more

    async def fetch(self, used: Secret | None) -> Token | NoToken:
        """Return a token, other than the `used` one when it comes from the store, or why there is none."""
        async with asyncio.timeout(self._timeout_s), self._lock, self._store.lock():
            return await self.fetch_locked(used)

    async def fetch_locked(self, used: Secret | None) -> Token | NoToken:
        """Do the work of `fetch` for `work` of `exclusively`, which holds the locks."""
        # Another process may have logged in while this one waited for the lock.
        if (token := await self._store.load()) is not None and self._is_young(token) and token.access_token != used:
            return token
        is_lifted, self._is_lifted = self._is_lifted, False
        hold = None if is_lifted else await self._store.load_hold()
        if hold is not None and hold.refused is None and self._clocks.wall() < hold.until:
            return self._no_token(AuthenticationFailed, hold)
        outcome = await self._login(hold)
        if isinstance(outcome, Token):
            if RefreshWindow.from_stored(outcome, self._clocks) is not None:
                await self._store.save(outcome)
                self._hold = None
                if is_lifted or hold is not None:
                    await self._store.save_hold(None)
                return outcome
            expired = "the login gave a token that has expired already: check the clock"
            outcome = FailedLogin(AuthenticationFailed, expired)
        if not outcome.was_reached:
            return self.hold(outcome)
        hold = next_hold(outcome, hold, self._clocks.wall())
        await self._store.save_hold(hold)
        self._hold = hold
        return self._no_token(outcome.kind, hold)

    async def exclusively(self, work: Callable[[], Coroutine[Any, Any, Token | FailedLogin]]) -> Token | FailedLogin:
        """Run `work` under the locks, and store the token that it returns."""
        async with self._lock, self._store.lock():
            outcome = await work()
            if isinstance(outcome, Token):
                await self._store.save(outcome)
                await self._store.save_hold(None)
            return outcome

    def hold(self, failed: FailedLogin) -> NoToken:
        """Return what follows in this process alone from a login that did not reach the endpoint."""
        self._hold = next_hold(failed, self._hold, self._clocks.wall())
        return self._no_token(failed.kind, self._hold)

    def lift_hold(self) -> None:
        """Forget failed logins; the next login is made at once, and when it succeeds that is shared."""
        self._hold, self._is_lifted = None, True

    def _no_token(self, kind: type[AuthenticationFailed | ConfigurationError], hold: Hold) -> NoToken:
        left = hold.until - self._clocks.wall()
        return NoToken(kind, hold.reason, self._clocks.monotonic() + left, hold.until)

    def _is_young(self, token: Token) -> bool:
        window = RefreshWindow.from_stored(token, self._clocks)
        return window is not None and self._clocks.monotonic() < window.opens_at


def outcome_of(task: "asyncio.Task[Any]") -> Token | NoToken | FailedLogin:
    """Return what a task came to that fetched a token; a password provider of the user's may raise anything."""
    if task.cancelled():
        return FailedLogin(AuthenticationFailed, "the login was cancelled")
    match task.exception():
        case None:
            outcome: Token | NoToken | FailedLogin = task.result()
            return outcome
        case TimeoutError():
            return FailedLogin(AuthenticationFailed, "the login could not be done in time")
        case error:
            return FailedLogin(AuthenticationFailed, f"the login could not be done ({type(error).__name__})")
