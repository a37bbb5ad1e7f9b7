"""Batches killed with SIGKILL, in a process of their own, while the emulator in this one keeps the books."""

import asyncio
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from caxton_async import CaxtonClient
from caxton_async.batch import BULK_PAYMENTS
from caxton_async.batch.plan import PlanOptions, plan_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState
from caxton_async.journal.binding import binding_of
from tests.end_to_end.batch_process import Orders, carry_out, journal_of, reference, rows_of
from tests.support.scale import scaled

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

# Forked from a server that has everything imported, a process begins its batch within some ten milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["caxton_async.batch", "caxton_async.client"])

UNKNOWN = {RowState.UNKNOWN}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An API with money, a pot, and answers that get lost or come when nobody asked."""
    async with Emulator(history=None) as emulator:
        main = emulator.ledger.accounts.main
        emulator.ledger.fund(main, "GBP", Decimal("10_000_000.00"))
        emulator.ledger.create_pot(main, "GBP", "POT1", None)
        yield emulator


def orders_for(emulator: Emulator, folder: Path, **extra: object) -> Orders:
    """Tell a process what to do."""
    settings, credentials = emulator.settings, emulator.credentials
    return Orders(
        base_url=emulator.base_url,
        paths=dict(settings.paths),
        username=credentials.username,
        client_name=credentials.client_name,
        password=credentials.password.reveal(),
        folder=str(folder),
        **extra,
    )


async def live(orders: Orders, *, kill_after_s: float | None = None) -> bool:
    """Let a process work until it is done or killed, and say whether it was killed."""
    process = PROCESSES.Process(target=carry_out, args=(orders,))
    process.start()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    timer = loop.call_later(kill_after_s, process.kill) if kill_after_s is not None else None
    await ended.wait()
    loop.remove_reader(process.sentinel)
    if timer is not None:
        timer.cancel()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def check(folder: Path, rows: int, done: Counter[str]) -> Counter[RowState]:
    """Check a finished batch against the books: nothing done twice, nothing lost, each row in one final state."""
    with journal_of(folder) as opened:
        opened.sweep()
        states = {row.reference: row.state for row in opened.rows(1)}
    assert states.keys() == {reference(n) for n in range(1, rows + 1)}
    assert set(states.values()) <= {RowState.ACCEPTED, RowState.UNKNOWN}
    assert done.keys() <= states.keys()
    assert set(done.values()) <= {1}
    for name, state in states.items():
        assert done[name] == 1 or state is RowState.UNKNOWN, name
    return Counter(states.values())


async def plan_alone(emulator: Emulator, orders: Orders) -> None:
    """Plan a batch of which nothing is sent, so that those who come share it."""
    caxton = CaxtonClient(emulator.credentials, emulator.settings)
    endpoint = BULK_PAYMENTS if orders.payroll else MOVE_FUNDS
    async with journal_of(orders.folder) as journal:
        await plan_batch(journal, endpoint, rows_of(orders), binding=binding_of(caxton), options=PlanOptions())


def has_left(folder: Path) -> bool:
    """Tell whether rows wait to be sent."""
    with journal_of(folder) as opened:
        opened.sweep()
        counts = opened.counts(1)
    return bool(counts[RowState.PLANNED] + counts[RowState.NOT_SENT])


def moved(emulator: Emulator) -> Counter[str]:
    """Count by row what the ledger moved."""
    return Counter(reference(int(move.amount * 100)) for move in emulator.ledger.moves)


def paid(emulator: Emulator, rows: int) -> Counter[str]:
    """Count by row what the ledger paid."""
    return Counter({name: n for i in range(1, rows + 1) if (n := emulator.ledger.paid(name := reference(i)))})


async def test_a_batch_killed_at_random_instants_does_nothing_twice_and_loses_nothing(
    emulator: Emulator, tmp_path: Path
) -> None:
    """However often and whenever a run is killed, under lost and stale answers, the books agree with the journal."""
    for fault in (
        Fault("reset_after_work", endpoint="move_funds", every=29),
        Fault("reset_after_read", endpoint="move_funds", every=31),
        Fault("stale_bytes", endpoint="move_funds", every=13),
        Fault("latency", endpoint="move_funds", every=7, seconds=0.02),
    ):
        emulator.faults.add(fault)
    rng, rows, kills, batch = random.Random(), 60, 0, 0  # instants are no less random for having a seed
    total: Counter[RowState] = Counter()
    began = time.monotonic()
    await live(orders_for(emulator, tmp_path, rows=rows))
    length_s = time.monotonic() - began  # of a life that is not cut short, on this machine as busy as it is

    while kills < scaled(50, 1000):
        batch += 1
        folder = tmp_path / str(batch)
        folder.mkdir()
        emulator.ledger.moves.clear()
        # Five unknown outcomes in a row pause a batch; the next life goes on with it.
        orders = orders_for(emulator, folder, rows=rows)
        while await live(orders, kill_after_s=rng.uniform(0, length_s)) or has_left(folder):
            kills += 1
        total += check(folder, rows, moved(emulator))

    assert total[RowState.ACCEPTED] > total[RowState.UNKNOWN]


async def test_processes_that_share_a_batch_are_killed_and_do_nothing_twice(emulator: Emulator, tmp_path: Path) -> None:
    """Three at a time on one journal, of which one is killed at a random instant, again and again."""
    emulator.faults.add(Fault("latency", endpoint="move_funds", every=3, seconds=0.01, times=None))
    rng, rows, kills, batch = random.Random(), 120, 0, 0
    total: Counter[RowState] = Counter()

    while kills < scaled(20, 500):
        batch += 1
        folder = tmp_path / str(batch)
        folder.mkdir()
        emulator.ledger.moves.clear()
        orders = orders_for(emulator, folder, rows=rows)
        await plan_alone(emulator, orders)
        while has_left(folder):
            lives = [live(orders, kill_after_s=rng.uniform(0.05, 0.3) if n == 0 else None) for n in range(3)]
            kills += sum(await asyncio.gather(*lives))
        total += check(folder, rows, moved(emulator))

    assert total[RowState.ACCEPTED] > 5 * total[RowState.UNKNOWN]


async def test_processes_that_race_for_a_payroll_pay_it_once(emulator: Emulator, tmp_path: Path) -> None:
    """Of three that begin together one submits its upload; what the others opened is left alone, and costs nothing."""
    rows = 5
    for round_ in range(scaled(5, 200)):
        folder = tmp_path / str(round_)
        folder.mkdir()
        emulator.ledger.payments.clear()
        orders = orders_for(emulator, folder, rows=rows, payroll=True)
        await plan_alone(emulator, orders)

        assert not any(await asyncio.gather(*(live(orders) for _ in range(3))))

        assert check(folder, rows, paid(emulator, rows)) == {RowState.ACCEPTED: rows}
        assert emulator.count("submit_bulk_payload") == round_ + 1


@pytest.mark.parametrize("payroll", [False, True], ids=["rows", "payroll"])
async def test_a_batch_killed_at_any_step_does_nothing_twice_and_loses_nothing(
    emulator: Emulator, tmp_path: Path, payroll: bool
) -> None:
    """A run killed before each of its steps, on disk or on the wire, is finished by the next run.

    Each run takes every eighth step, from a first that changes; the nightly run takes all.
    """
    stride = scaled(8, 1)
    rows, step, was_killed = 3, -random.randrange(stride), True
    emulator.ledger.accounts.main.balances["GBP"] = Decimal("10_000_000.00")

    while was_killed:
        step += stride
        folder = tmp_path / str(step)
        folder.mkdir()
        emulator.ledger.moves.clear()
        emulator.ledger.payments.clear()
        orders = orders_for(emulator, folder, rows=rows, concurrency=2, payroll=payroll, crash_at=step)
        was_killed = await live(orders)
        assert not await live(evolve(orders, crash_at=0))
        found = check(folder, rows, paid(emulator, rows) if payroll else moved(emulator))
        if payroll:
            assert len(found) == 1, "the rows of a payroll share one outcome"
        elif not was_killed:
            assert found == {RowState.ACCEPTED: rows}

    assert step > 40
