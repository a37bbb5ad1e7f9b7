"""How many calls go at a time, and how fast one after another.

What belongs here: places and pace.  What does not: what is done with a place (`session`).  A primitive of anyio would
do the same for eight to ten microseconds a call, a tenth of what a whole call costs.
"""

import asyncio
from collections import deque


class Limiter:
    """Lets a number of calls through at a time, first come, first served, and paces them where that is wanted."""

    def __init__(self, places: int, per_second: float | None) -> None:
        self._free = places
        self._interval_s = 1 / per_second if per_second else 0.0
        self._next_start = 0.0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def enter_at_once(self) -> bool:
        """Take a place if one is free and nobody has to wait."""
        if self._free and not self._interval_s and not self._waiters:
            self._free -= 1
            return True
        return False

    async def enter(self) -> None:
        """Wait for the pace, then for a place, and take it."""
        if self._interval_s:
            loop = asyncio.get_running_loop()
            start = max(loop.time(), self._next_start)
            self._next_start = start + self._interval_s
            await asyncio.sleep(start - loop.time())
        if self._free and not self._waiters:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the place came in the same moment as the cancellation: the next in line gets it
            raise

    def leave(self) -> None:
        """Give the place to the next in line, or back."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
