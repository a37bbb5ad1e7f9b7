"""How many calls go at a time, and how fast one after another.

A primitive of anyio would do the same for eight to ten microseconds a call, a tenth of what a whole call costs.
"""

import asyncio
import math
from collections import deque


class Limiter:
    """Lets a number of calls through at a time, first come, first served, and paces them where that is wanted."""

    def __init__(self, places: float, per_second: float | None = None) -> None:
        self._places = self._free = places
        self._interval_s = 1 / per_second if per_second else 0.0
        self._loop = asyncio.get_running_loop()
        self._next_start = 0.0  # in the loop's time
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._idle: asyncio.Future[bool] | None = None

    def try_acquire(self) -> bool:
        """Take a place if one is free, nobody waits for it, and the pace allows it."""
        # Without a pace nobody waits while there is a place: one that becomes free is given on at once.
        if not self._free or (self._interval_s and (self._waiters or self._is_early())):
            return False
        self._free -= 1
        return True

    async def acquire(self, deadline: float = math.inf) -> bool:
        """Wait for a place and for the pace, and take it.

        False when `deadline`, in the loop's time, came first, or nobody is let in any more.
        """
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters.append(waiter)
        self._let_in()
        timer = self._loop.call_at(deadline, _give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result():
                self.release()  # the place came in the same moment as the cancellation: the next in line gets it
            raise
        finally:
            timer.cancel()

    def release(self) -> None:
        """Give the place back, or to the next in line."""
        self._free += 1
        if self._waiters:
            self._let_in()
        if self._idle is not None and self._free == self._places:
            _give_up(self._idle)

    def close(self) -> None:
        """Send away all who wait: they are let in no more."""
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiters:
            _give_up(waiter)
        self._waiters.clear()

    async def drain(self, deadline: float) -> None:
        """Wait until no place is taken, no longer than `deadline`, in the loop's time."""
        if self._free == self._places or self._loop.time() >= deadline:
            return
        self._idle = self._loop.create_future()
        timer = self._loop.call_at(deadline, _give_up, self._idle)
        try:
            await self._idle
        finally:
            timer.cancel()

    def _let_in(self) -> None:
        """Give the free places to those who have waited longest, as fast as the pace allows."""
        while self._free and self._waiters:
            waiter = self._waiters[0]
            if not waiter.done():  # a waiter that was cancelled or gave up takes neither place nor time
                if self._interval_s and self._is_early():
                    if self._timer is None:
                        self._timer = self._loop.call_at(self._next_start, self._on_time)
                    break
                self._free -= 1
                waiter.set_result(True)
            del self._waiters[0]

    def _is_early(self) -> bool:
        """Tell whether the next start has to wait; one that has not counts as made."""
        now = self._loop.time()
        if now < self._next_start:
            return True
        self._next_start = now + self._interval_s
        return False

    def _on_time(self) -> None:
        self._timer = None
        self._let_in()


def _give_up(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
