"""The single-flight holder of the access token: when it is used, refreshed and invalidated."""

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from caxton_async.auth.fetch import NoToken, TokenFetcher, outcome_of
from caxton_async.auth.guard import StoreGuard
from caxton_async.auth.hold import FailedLogin, Hold
from caxton_async.auth.stores.protocol import TokenStore
from caxton_async.auth.suspects import Suspects
from caxton_async.auth.token import Clocks, RefreshWindow, Token
from caxton_async.auth.waiters import Waiters
from caxton_async.errors import ConfigurationError
from caxton_async.events import CallProgress
from caxton_async.protocol.request import Caller
from caxton_async.secret import Secret

# Rejected tokens cause no more than one login in so many seconds: where a new token voids the old one, each login
# makes other calls fail.
_LOGIN_AFTER_REJECTION_S: Final = 5.0
_ROTATION: Final = "caxton rotation"


class TokenHolder:
    """Holds the one token of a credential at an origin, and refreshes it for all callers at once.

    However many calls need a token, one task fetches it; the task belongs to the holder and not to a caller, so no
    caller's cancellation or deadline harms another.  A holder belongs to the event loop in which it was made.
    """

    def __init__(
        self,
        login: Callable[[Hold | None], Awaitable[Token | FailedLogin]],
        store: TokenStore,
        key: str,
        *,
        timeout_s: float,
        clocks: Clocks | None = None,
    ) -> None:
        self._clocks = clocks or Clocks()
        guard = StoreGuard(store, key, self._clocks.wall)
        self._fetcher = TokenFetcher(login, guard, self._clocks, timeout_s=timeout_s)
        self.suspects = Suspects(self._clocks.monotonic)
        self._token: Token | None = None
        self._window: RefreshWindow | None = None  # of the token
        self._rejected: Secret | None = None  # the last token that is not to be taken from the store again
        self._is_rejected = False  # no login was made for it yet
        self._tasks: set[asyncio.Task[Any]] = set()  # a login, and a rotation that waits for its end
        self._waiters = Waiters()
        self._failure: NoToken | None = None
        self._not_before = -math.inf  # monotonic: no login for a rejected token before
        self._pause: asyncio.TimerHandle | None = None
        self._is_outdated = False
        self._closed = False

    def ready(self) -> Token | None:
        """Return a token that works now, without waiting; inside its refresh window it is refreshed meanwhile."""
        token, window = self._token, self._window
        if token is None or window is None:
            return None
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        if now >= window.opens_at or wall >= window.opens_at_wall:
            if now >= window.closes_at or wall >= window.closes_at_wall:
                return None
            if self._failure is None or not self._failure.wait_s(self._clocks):
                self._start()
        return token

    async def get(self, call: CallProgress) -> Token:
        """Return a token, waiting for the login if there is one to wait for.

        **Raises** AuthenticationFailed or ConfigurationError, a fresh one for each caller, when there is none;
        DeadlineExceeded.
        """
        if (token := self.ready()) is not None:
            return token
        failure = CLOSED if self._closed else self._failure
        outcome: Token | NoToken | None = failure
        if failure is None or not failure.holds_back(self._clocks):
            self._start()
            waiter = self._waiters.join(call.deadline)
            try:
                outcome = await waiter
            finally:
                self._waiters.leave(waiter)
        if outcome is None:
            raise call.overdue(call.sent)
        if isinstance(outcome, NoToken):
            raise outcome.error(call, self._clocks)
        return outcome

    def reject(self, token: Token, caller: Caller) -> bool:
        """Note that the API rejected `token` in a call of `caller`; tell whether the caller's view is to blame.

        A token that is to blame is used no more.
        """
        if self.suspects.is_to_blame(caller, token):
            return True
        self._is_rejected = self._is_rejected or self._token is token
        self.invalidate(token)
        return False

    def invalidate(self, token: Token) -> None:
        """Use `token` no more; nothing happens when it is no longer the one in use."""
        if self._token is token:
            self._token = None
            self._rejected = token.access_token

    def reset(self) -> None:
        """Invalidate the token and forget what is known of failed logins: the password has changed."""
        if self._token is not None:
            self.invalidate(self._token)
        self._is_outdated = bool(self._tasks)
        self._is_rejected = False
        self.lift_hold()

    def lift_hold(self) -> None:
        """Forget failed logins: the next call logs in at once."""
        self._failure = None
        self._fetcher.lift_hold()

    def replace(self, work: Callable[[], Coroutine[Any, Any, Token | FailedLogin]]) -> asyncio.Task[Any]:
        """Return what runs `work` in place of a login, under the same locks; calls wait for the token of it."""
        return launch(self._fetcher.exclusively(work), _ROTATION, self._tasks, self._end)

    async def current(self) -> Token:
        """Return a token for `work` of `replace`, and give it to no other call.

        **Raises** AuthenticationFailed or ConfigurationError when there is none.
        """
        token = self.ready()
        self._token = None
        outcome = token or await self._fetcher.fetch_locked(self._rejected)
        if isinstance(outcome, NoToken):
            raise outcome.kind(outcome.message)
        self._rejected = outcome.access_token
        return outcome

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Stop a login that is under way; whoever waits for it gets a ConfigurationError at once.

        Work that stands in place of a login may go on for `drain_s`.
        """
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        self._waiters.wake(CLOSED)
        rotations = {task for task in self._tasks if task.get_name() == _ROTATION}
        if rotations and drain_s:
            await asyncio.wait(rotations, timeout=drain_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self) -> None:
        if self._tasks or self._closed:
            return
        if self._is_rejected:
            now = self._clocks.monotonic()
            if now < self._not_before:
                if self._pause is None:
                    self._pause = asyncio.get_running_loop().call_later(self._not_before - now, self._resume)
                return
            self._is_rejected, self._not_before = False, now + _LOGIN_AFTER_REJECTION_S
        used = self._rejected if self._token is None else self._token.access_token
        _ = launch(self._fetcher.fetch(used), "caxton token", self._tasks, self._end)  # `_tasks` keeps it

    def _resume(self) -> None:
        self._pause = None
        if self._waiters:
            self._start()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        outcome = outcome_of(task)  # in any case: asyncio reports an error that nobody looks at
        if self._closed:
            self._waiters.wake(CLOSED)
        elif self._is_outdated:
            # The password changed under way: whoever waits gets what the new one is worth.
            self._is_outdated = False
            if isinstance(outcome, Token):
                self._rejected = outcome.access_token
            if self._waiters:
                self._start()
        else:
            found = self._fetcher.hold(outcome) if isinstance(outcome, FailedLogin) else outcome
            if isinstance(found, Token):
                self._token, self._window, self._failure = found, RefreshWindow.from_stored(found, self._clocks), None
            else:
                self._failure = found
            self._waiters.wake(found)


def launch(
    work: Coroutine[Any, Any, Token | NoToken | FailedLogin],
    name: str,
    tasks: set[asyncio.Task[Any]],
    end: Callable[[asyncio.Task[Any]], None],
) -> asyncio.Task[Any]:
    """Start the one kind of task that the client has; `end` is called with it when it is over."""
    # In an empty context, so that what one caller has set (a span, a request id) does not cling to the login.
    task = asyncio.create_task(work, name=name, context=contextvars.Context())
    tasks.add(task)
    # Not a `finally` in the task, which does not run when the task is cancelled before its first step.
    task.add_done_callback(end)
    return task


CLOSED: Final = NoToken(
    ConfigurationError,
    "the client was closed while the call waited for a token: keep it open until its calls are done",
    retry_at=math.inf,
    retry_at_wall=math.inf,
)
