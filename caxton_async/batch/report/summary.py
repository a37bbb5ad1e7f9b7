"""A batch in figures: how many rows and how much money in each state, and how fast the calls were answered."""

import datetime as dt
import itertools
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import define, field, frozen

from caxton_async.batch.plan import add_exactly
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import BatchInfo, JournalRow, RowState

# Seconds without an answer that count as a pause of the batch, not as a slow second.
_PAUSE_S: Final = 60
_SHORTEST_S: Final = 1.0  # calls over less time than this tell no rate
# Upper bounds of the classes of the histogram, in seconds: 1, 2, 5 in each decade from a millisecond on.
LATENCY_BOUNDS: Final = tuple(digit * 10.0**power for power in range(-3, 2) for digit in (1, 2, 5))


@frozen
class Group:
    """Rows that stand alike: how many, and the money that they move, by currency."""

    name: str
    state: RowState
    count: int
    amounts: Mapping[str, Decimal]


@frozen
class ActivePeriod:
    """A time without pause: calls answered in each second from `start`, in seconds since the epoch."""

    start: int
    calls: tuple[int, ...]


@frozen
class Latencies:
    """How long calls took, in seconds; `classes` counts them by `LATENCY_BOUNDS`, the last being all above."""

    count: int
    classes: tuple[int, ...]
    median_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    longest_s: float = 0.0


@frozen
class BatchFigures:
    """A batch in figures; `calls_per_second` is None where the calls took too little time to tell."""

    info: BatchInfo
    groups: tuple[Group, ...]
    periods: tuple[ActivePeriod, ...]
    latencies: Latencies
    calls_per_second: float | None

    def count(self, *states: RowState) -> int:
        """Return how many rows are in any of the states."""
        return sum(group.count for group in self.groups if group.state in states)


def group_name(row: JournalRow) -> str:
    """Return what a row is counted as: its state, and for a resolved one the decision."""
    if row.state is not RowState.RESOLVED:
        return str(row.state.value).replace("_", " ")
    return "resolved as paid" if row.status.paid else "resolved as not paid"


def figures_of(journal: JournalReader, batch: int) -> BatchFigures:
    """Return the figures of a batch, in one pass over its rows."""
    tally = _Figures()
    for row in journal.rows(batch):
        tally.add(row)
    periods = _periods(tally.answered)
    return BatchFigures(
        info=journal.batch(batch),
        groups=tally.groups(),
        periods=periods,
        latencies=_latencies(tally.elapsed),
        calls_per_second=tally.rate(periods),
    )


@define
class _Figures:
    counts: Counter[tuple[RowState, str]] = field(factory=Counter)
    amounts: dict[str, dict[str, Decimal]] = field(factory=dict)
    answered: Counter[int] = field(factory=Counter)
    elapsed: "array[float]" = field(factory=lambda: array("d"))
    first_s: float = float("inf")
    last_s: float = 0.0

    def add(self, row: JournalRow) -> None:
        name, status = group_name(row), row.status
        self.counts[row.state, name] += 1
        if row.amount is not None and row.currency is not None:
            sums = self.amounts.setdefault(name, {})
            sums[row.currency] = add_exactly(sums.get(row.currency, Decimal(0)), Decimal(row.amount))
        if status.started_at is not None and status.elapsed_s is not None:
            answered_at = status.started_at + status.elapsed_s
            self.answered[int(answered_at)] += 1
            self.elapsed.append(status.elapsed_s)
            self.first_s, self.last_s = min(self.first_s, status.started_at), max(self.last_s, answered_at)

    def groups(self) -> tuple[Group, ...]:
        order = list(RowState)
        found = sorted(self.counts, key=lambda key: (order.index(key[0]), key[1]))
        return tuple(
            Group(name, state, self.counts[state, name], dict(sorted(self.amounts.get(name, {}).items())))
            for state, name in found
        )

    def rate(self, periods: Sequence[ActivePeriod]) -> float | None:
        """Return the calls of a second over the time from the first call to the last answer, pauses left out."""
        paused = sum(
            later.start - (earlier.start + len(earlier.calls)) for earlier, later in itertools.pairwise(periods)
        )
        active_s = self.last_s - self.first_s - paused
        return len(self.elapsed) / active_s if active_s >= _SHORTEST_S else None


def _periods(answered: Mapping[int, int]) -> tuple[ActivePeriod, ...]:
    found: list[tuple[int, int]] = []
    for second in sorted(answered):
        if found and second - found[-1][1] <= _PAUSE_S:
            found[-1] = (found[-1][0], second)
        else:
            found.append((second, second))
    return tuple(
        ActivePeriod(start, tuple(answered.get(second, 0) for second in range(start, end + 1))) for start, end in found
    )


def _latencies(elapsed: Sequence[float]) -> Latencies:
    classes = [0] * (len(LATENCY_BOUNDS) + 1)
    if not elapsed:
        return Latencies(0, tuple(classes))
    for seconds in elapsed:
        classes[bisect_right(LATENCY_BOUNDS, seconds)] += 1
    ordered = sorted(elapsed)
    median, p95, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99))
    return Latencies(len(ordered), tuple(classes), median, p95, p99, ordered[-1])


def as_utc(seconds: float | None) -> str | None:
    """Return a time, given in seconds since the epoch, as text like 2026-05-31T12:00:00.000Z."""
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
