"""The faults in use: which request each of them takes, and what is held until it is released.

How a fault is applied belongs to `responses` and `connection`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterator
from itertools import count
from pathlib import Path

from caxton_async.emulator.fault import Fault, read_faults
from caxton_async.emulator.kinds import KINDS, LISTEN, UNTIL_RELEASED


class Armed:
    """A fault in use: how many requests it was offered (`offered`), has taken (`hits`) and has done with (`bites`)."""

    def __init__(self, fault: Fault, number: int) -> None:
        self.fault = fault
        self.number = number
        self.kind = KINDS[fault.kind]
        self.offered = 0
        self.hits = 0
        self.applied_count = 0
        self._on_release: list[Callable[[], None]] = []
        self._is_open = bool(fault.seconds) or not (fault.held or fault.kind in UNTIL_RELEASED)
        self._waiting: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()

    def take(self, endpoint: str | None, acting_for: Container[str | None] = ()) -> bool:
        """Count a request that is offered, and say whether the fault takes it."""
        fault = self.fault
        if (fault.endpoint or self.kind.only) not in (None, endpoint):
            return False
        if fault.acting_for is not None and fault.acting_for not in acting_for:
            return False
        self.offered += 1
        late = self.offered - fault.after
        if late <= 0 or late % fault.every or self.hits == fault.times:
            return False
        self.hits += 1
        self._pulse()
        return True

    def mark_applied(self) -> None:
        """Count a request on which the fault has been applied."""
        self.applied_count += 1
        self._pulse()

    @property
    def is_holding(self) -> bool:
        """Whether something is held, or will be, until it is released."""
        return not self._is_open

    async def hit(self, times: int = 1) -> None:
        """Wait until the fault has taken so many requests."""
        while self.hits < times:
            await self._changed.wait()

    async def applied(self, times: int = 1) -> None:
        """Wait until the fault has been applied so many times: what it sends was handed to the socket."""
        while self.applied_count < times:
            await self._changed.wait()

    def release(self) -> None:
        """Let go of all that is held, now and from now on."""
        self._is_open = True
        for waiter in self._waiting:
            _finish(waiter)
        for let_go in self._on_release:
            let_go()

    def when_released(self, let_go: Callable[[], None]) -> None:
        """Have something called at each release."""
        self._on_release.append(let_go)

    async def wait(self, lost: asyncio.Future[None]) -> None:
        """Wait as the fault says, at most until the connection is lost."""
        if self._is_open and not self.fault.seconds:
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.add(waiter)
        timer = loop.call_later(self.fault.seconds, _finish, waiter) if self._is_open else None
        try:
            await asyncio.wait((waiter, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(waiter)
            if timer is not None:
                timer.cancel()

    def _pulse(self) -> None:
        # All who wait now are woken by set(); the event is ready for the next wait at once.
        self._changed.set()
        self._changed.clear()


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Faults:
    """The faults in use, in the order in which they were added."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []
        self._numbers = count(1)
        self.refuse: Callable[[Armed], None] | None = None  # what the server does about a `refuse`, while it runs

    def add(self, fault: Fault) -> Armed:
        """Put a fault to use; what is returned can be waited for and released."""
        armed = Armed(fault, next(self._numbers))
        self._armed.append(armed)
        # To be added is the first offer to a fault of the listening socket.
        if armed.kind.stage == LISTEN and armed.take(fault.endpoint) and self.refuse is not None:
            self.refuse(armed)
        return armed

    def load(self, path: str | Path) -> None:
        """Put the faults of a JSON file to use.

        **Raises** ValueError, naming the entry and the field, when the file is wrong; nothing is added then.
        """
        for fault in read_faults(path):
            self.add(fault)

    def __bool__(self) -> bool:
        return bool(self._armed)

    def __iter__(self) -> Iterator[Armed]:
        return iter(tuple(self._armed))

    def clear(self) -> None:
        """Forget all faults, and let go of all that they hold."""
        armed, self._armed = self._armed, []
        for each in armed:
            each.release()

    def remove(self, armed: Armed) -> None:
        """Forget one fault, and let go of all that it holds; nothing happens if it is not in use."""
        if armed in self._armed:
            self._armed.remove(armed)
            armed.release()

    def take(self, stage: str, endpoint: str | None = None, acting_for: Container[str | None] = ()) -> Armed | None:
        """Return the fault that takes this request (or connection), None if it is served as it should be."""
        at_stage = (each for each in self._armed if each.kind.stage == stage)
        return next((each for each in at_stage if each.take(endpoint, acting_for)), None)

    def start(self, refuse: Callable[[Armed], None]) -> None:
        """Let the server carry out what refuses connections, also what was added before it ran."""
        self.refuse = refuse
        for armed in self._armed:
            if armed.kind.stage == LISTEN and armed.hits:
                refuse(armed)
