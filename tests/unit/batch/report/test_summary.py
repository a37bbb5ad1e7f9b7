"""A batch in figures: how many rows and how much money in each state, and how fast the calls were answered."""

from decimal import Decimal
from pathlib import Path

import pytest

from caxton_async.batch.report.summary import LATENCY_BOUNDS, figures_of
from caxton_async.journal import RowState
from tests.support.batches import RowHistory, journal_in, write_batch

MIXED = (
    RowHistory(reference="A", amount="0.10"),
    RowHistory(reference="B", amount="0.20"),
    RowHistory(reference="C", amount="7", currency="JPY"),
    RowHistory(reference="D", state=RowState.UNKNOWN, error="no answer"),
    RowHistory(reference="E", state=RowState.RESOLVED, paid=True),
    RowHistory(reference="F", state=RowState.RESOLVED, paid=False),
    RowHistory(reference="G", state=RowState.PLANNED, amount=None, currency=None),
)


@pytest.fixture
def figures(tmp_path: Path):
    """Write a batch of the given rows and return its figures."""

    async def run(*rows: RowHistory) -> object:
        batch = await write_batch(tmp_path, *rows)
        with journal_in(tmp_path) as journal:
            return figures_of(journal, batch)

    return run


async def test_rows_are_counted_and_added_up_by_how_they_stand(figures) -> None:
    """Sums are exact by currency, and resolved rows are told apart by the decision."""
    summary = await figures(*MIXED)

    assert [(group.name, group.count, dict(group.amounts)) for group in summary.groups] == [
        ("planned", 1, {}),
        ("accepted", 3, {"GBP": Decimal("0.30"), "JPY": Decimal(7)}),
        ("unknown", 1, {"GBP": Decimal("10.00")}),
        ("resolved as not paid", 1, {"GBP": Decimal("10.00")}),
        ("resolved as paid", 1, {"GBP": Decimal("10.00")}),
    ]
    assert (summary.info.total, summary.info.endpoint) == (7, "move_funds")
    assert (summary.count(RowState.RESOLVED), summary.count(RowState.UNKNOWN, RowState.PLANNED)) == (2, 2)


async def test_a_pause_is_no_slow_second(figures) -> None:
    """Calls are counted by the second in which they were answered; an hour without any splits the run."""
    times = [100.0, 100.5, 102.0, 5000.0]
    rows = [RowHistory(reference=f"{at}", started_at=at, elapsed_s=0.25) for at in times]

    summary = await figures(*rows)

    assert [(period.start, period.calls) for period in summary.periods] == [(100, (2, 0, 1)), (5000, (1,))]
    assert summary.calls_per_second == 4 / 3.25


async def test_latencies_are_counted_in_classes(figures) -> None:
    """Each call falls into one class; the shares are those of the calls themselves."""
    rows = [RowHistory(reference=f"{number}", elapsed_s=number / 1000) for number in range(1, 101)]
    rows.append(RowHistory(reference="slow", elapsed_s=1000.0))

    latencies = (await figures(*rows)).latencies

    assert (latencies.count, sum(latencies.classes), latencies.classes[-1]) == (101, 101, 1)
    assert (latencies.median_s, latencies.p95_s, latencies.p99_s, latencies.longest_s) == (0.051, 0.096, 0.1, 1000.0)
    assert len(latencies.classes) == len(LATENCY_BOUNDS) + 1


async def test_a_batch_without_calls_has_figures_too(figures) -> None:
    """What was planned and never sent has no pace and no length."""
    summary = await figures(RowHistory(reference="A", state=RowState.PLANNED))

    assert (summary.calls_per_second, summary.periods, summary.latencies.count) == (None, (), 0)


async def test_calls_of_a_moment_tell_no_rate(figures) -> None:
    """One call that took 50 ms is not twenty a second."""
    summary = await figures(RowHistory(reference="A", elapsed_s=0.05))

    assert (summary.latencies.count, summary.calls_per_second) == (1, None)
