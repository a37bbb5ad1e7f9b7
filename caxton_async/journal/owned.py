"""The payments that belong to a journal, and not to whoever asked for them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from caxton_async.journal.protocol import Worker

T = TypeVar("T")


class OwnedPayments:
    """Runs payments to their recorded end, whatever becomes of their callers; they share one worker."""

    def __init__(self, join: Callable[[], "Awaitable[Worker]"], drain_s: float) -> None:
        self._join = join
        self._drain_s = drain_s
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._joining: asyncio.Task[Worker] | None = None

    async def worker(self) -> "Worker":
        """Return the worker of these payments; the first who asks makes it."""
        # A failed join is tried again by the next caller.
        if self._joining is None or (self._joining.done() and (self._joining.cancelled() or self._joining.exception())):
            self._joining = asyncio.create_task(self._make())
        return await asyncio.shield(self._joining)

    async def _make(self) -> "Worker":
        return await self._join()

    def run(self, row: int, payment: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start the payment of a row; to wait for it, shield it."""
        task = self._tasks[row] = asyncio.create_task(payment)
        task.add_done_callback(lambda _: self._end(row, task))
        return task

    def _end(self, row: int, task: "asyncio.Task[Any]") -> None:
        if self._tasks.get(row) is task:
            del self._tasks[row]
        if not task.cancelled():
            task.exception()  # its caller may be gone; the journal has it

    async def wait_for(self, row: int, timeout_s: float) -> bool:
        """Wait for the payment of a row, and tell whether this process is making it."""
        task = self._tasks.get(row)
        if task is not None:
            await asyncio.wait([task], timeout=timeout_s)
        return task is not None

    async def drain(self) -> None:
        """Wait for the payments in flight, up to `drain_s`; cut off the rest, which then are unknown."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=self._drain_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._joining is not None:
            joining, self._joining = self._joining, None
            async with await joining:
                pass
