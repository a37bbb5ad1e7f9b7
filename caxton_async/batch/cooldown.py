"""How long a run leaves an API alone that says "later"."""

import asyncio
from typing import Final

import anyio
from attrs import define

LONGEST_S: Final = 300.0  # beyond it the run pauses, and a person decides
MAX_IN_A_ROW: Final = 10
_MAX_BACKOFF_S: Final = 60.0


@define
class Cooldown:
    """The time until which no call is made; it counts what was turned away since the last accepted row."""

    is_on: bool = False
    in_a_row: int = 0
    _until: float = 0.0

    def begin(self, retry_after_s: float | None) -> float | None:
        """Begin or lengthen it, and return for how many seconds; None for a call that was sent before it was known."""
        now = asyncio.get_running_loop().time()
        if now < self._until:
            return None
        self.in_a_row += 1
        delay_s = retry_after_s if retry_after_s is not None else min(2.0 ** (self.in_a_row - 1), _MAX_BACKOFF_S)
        self._until, self.is_on = now + delay_s, True
        return delay_s

    async def wait(self, halted: anyio.Event) -> None:
        """Wait until calls may be made again, or the run halts."""
        clock = asyncio.get_running_loop().time
        while (left_s := self._until - clock()) > 0 and not halted.is_set():
            with anyio.move_on_after(left_s):
                await halted.wait()
        self.is_on = self._until > clock()
