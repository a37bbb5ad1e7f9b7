"""How the CPU of calls is measured: in one process, the variants in random order, the client's own processor time.

What is given is the median of paired ratios.  A second copy of the baseline is the control: its median must come out
equal and its middle half narrow, else the run is thrown away and made again.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen

Call = Callable[[], Awaitable[object]]

ROUNDS = 31
CONTROL_RANGE = (0.97, 1.03)
CONTROL_SPREAD = 0.10  # of the middle half; a wider one hides what is to be seen
RUNS = 5  # after so many that were thrown away, the machine is too noisy


class TooNoisy(Exception):
    """The control came out too far from the baseline, whenever it was tried."""


@frozen
class Ratio:
    """The median of the paired ratios to the baseline, and the range that holds the middle half of them."""

    median: float
    low: float
    high: float
    microseconds: float

    def __str__(self) -> str:
        return f"{self.median:5.2f}x  ({self.low:.2f} to {self.high:.2f}, {self.microseconds:.0f} us)"


def verdict(measured: float, goal: float, *, at_least: bool = False) -> str:
    """Return the last cell of a line that has a goal; `results.py` gathers such lines in one table."""
    is_reached = measured >= goal if at_least else measured <= goal
    return f"{'>=' if at_least else '<='} {goal:g}: {'reached' if is_reached else 'missed'}"


async def burst(call: Call, calls: int, in_flight: int) -> None:
    """Make `calls` calls, `in_flight` at a time."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def compare(
    variants: Mapping[str, Call], *, calls: int, in_flight: int, rounds: int = ROUNDS
) -> dict[str, Ratio]:
    """Return the CPU of each variant as a ratio to the first; the first is measured twice, as its own control."""
    for call in variants.values():
        await burst(call, calls, in_flight)
    low, high = CONTROL_RANGE
    for _ in range(RUNS):
        ratios = await _run(variants, calls=calls, in_flight=in_flight, rounds=rounds)
        control = ratios.pop("control")
        if low <= control.median <= high and control.high - control.low <= CONTROL_SPREAD:
            return ratios
    raise TooNoisy(f"the control came out at {control}: the machine is too noisy, run it again")


async def _run(variants: Mapping[str, Call], *, calls: int, in_flight: int, rounds: int) -> dict[str, Ratio]:
    baseline = next(iter(variants))
    runs = {**variants, "control": variants[baseline]}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name in random.sample(list(runs), len(runs)):
            start = time.process_time()
            await burst(runs[name], calls, in_flight)
            seconds[name].append(time.process_time() - start)
    ratios = {}
    for name, taken in seconds.items():
        paired = sorted(mine / base for mine, base in zip(taken, seconds[baseline], strict=True))
        quarter = len(paired) // 4
        middle = statistics.median(taken) / calls * 1e6
        ratios[name] = Ratio(statistics.median(paired), paired[quarter], paired[-1 - quarter], middle)
    return ratios


async def python_calls(call: Call, calls: int = 50) -> float:
    """Return how many Python functions one call runs, once it has run often enough for all that is made at first."""
    await burst(call, calls, 1)
    count = 0

    def count_call(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(count_call)
    try:
        for _ in range(calls):
            await call()
    finally:
        sys.setprofile(None)
    return count / calls
