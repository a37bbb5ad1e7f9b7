"""Those who wait for a token, each with a deadline of its own."""

import asyncio
from typing import Any

from caxton_async.auth.fetch import NoToken
from caxton_async.auth.token import Token


class Waiters:
    """Lets callers wait for one outcome.

    Each waits on a future of its own: a thousand shields around one task cost the square of their number when they are
    cancelled together, and a timer is cheaper than a time-out around a coroutine.
    """

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[Token | NoToken | None]] = set()

    def __bool__(self) -> bool:
        return bool(self._futures)

    async def wait(self, deadline: float) -> Token | NoToken | None:
        """Wait for the outcome; None when `deadline`, in the loop's time, came first."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Token | NoToken | None] = loop.create_future()
        self._futures.add(future)
        timer = loop.call_at(deadline, _on_deadline, future)
        try:
            return await future
        finally:
            timer.cancel()
            self._futures.discard(future)

    def wake(self, outcome: Token | NoToken) -> None:
        """Tell all who wait."""
        futures, self._futures = self._futures, set()
        for future in futures:
            if not future.done():
                future.set_result(outcome)


def _on_deadline(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_result(None)
