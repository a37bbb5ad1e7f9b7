"""Those who wait for a token, each with a deadline of its own."""

import asyncio
from typing import TypeAlias

from caxton_async.auth.fetch import NoToken
from caxton_async.auth.token import Token

Waiter: TypeAlias = "asyncio.Future[Token | NoToken | None]"


class Waiters:
    """Lets callers wait for one outcome.

    Each waits on a future of its own: a thousand shields around one task cost the square of their number when they are
    cancelled together.  A timer of its own is cheaper than a time-out around a coroutine, and a future that the caller
    awaits itself is cheaper than a coroutine that awaits it.
    """

    def __init__(self) -> None:
        self._timers: dict[Waiter, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def __bool__(self) -> bool:
        return bool(self._timers)

    def join(self, deadline: float) -> Waiter:
        """Return what brings the outcome; None when `deadline`, in the loop's time, came first."""
        waiter: Waiter = self._loop.create_future()
        self._timers[waiter] = self._loop.call_at(deadline, _on_deadline, waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Wait no more, whatever came of it."""
        timer = self._timers.pop(waiter, None)
        if timer is not None:
            timer.cancel()

    def wake(self, outcome: Token | NoToken) -> None:
        """Tell all who wait."""
        timers, self._timers = self._timers, {}
        for waiter, timer in timers.items():
            timer.cancel()
            if not waiter.done():
                waiter.set_result(outcome)


def _on_deadline(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)
