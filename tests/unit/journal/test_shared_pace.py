"""The pace that workers on many machines share."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import anyio
import psycopg
import pytest_asyncio

from caxton_async.journal.postgres.shared_pace import SharedPace
from tests.support.database_server import Databases

Make = Callable[[float | None], SharedPace]


@pytest_asyncio.fixture
async def make(databases: Databases) -> AsyncIterator[Make]:
    """Return what makes the pace of a worker; all share one journal and one origin."""
    place = databases.place()
    async with AsyncExitStack() as closing, place.open() as journal:

        def make(per_second: float | None) -> SharedPace:
            pace = journal.shared_pace("https://api", per_second)
            closing.push_async_callback(pace.aclose)
            return pace

        yield make


async def test_eight_workers_together_keep_to_the_rate(make: Make) -> None:
    """In no second do they make more than 1.1 times the calls that are allowed."""
    rate, halted, made = 100, anyio.Event(), []
    clock = asyncio.get_running_loop().time

    async def work(pace: SharedPace) -> None:
        while len(made) < 250 and await pace.wait(halted):
            made.append(clock())

    paces = [make(rate) for _ in range(8)]
    await asyncio.gather(*(work(pace) for pace in paces for _ in range(4)))

    made.sort()
    assert max(bisect_left(made, at + 1.0) - index for index, at in enumerate(made)) <= 1.1 * rate


async def test_what_one_is_told_slows_all(make: Make) -> None:
    """After a 429 on one machine no other makes a call until the quiet is over, also where there is no rate."""
    one, other, halted = make(None), make(None), anyio.Event()
    clock = asyncio.get_running_loop().time
    assert await other.wait(halted)
    began = clock()
    one.keep_quiet(0.8)
    assert await one.wait(halted)

    assert clock() - began >= 0.75
    await asyncio.sleep(0)
    one.keep_quiet(0.8)
    await asyncio.sleep(0.3)  # longer than what the other knew before may be relied on
    began = clock()
    assert await other.wait(halted)
    assert clock() - began >= 0.3


async def test_a_run_that_halts_waits_no_longer(make: Make) -> None:
    """Who waits for a turn hears of the halt at once."""
    pace, halted = make(None), anyio.Event()
    pace.keep_quiet(600)
    waiting = asyncio.create_task(pace.wait(halted))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()
    halted.set()

    assert await waiting is False


async def test_a_session_that_was_cut_is_opened_again(make: Make, databases: Databases) -> None:
    """Turns go on when the server is back."""
    pace, halted = make(50), anyio.Event()
    assert await pace.wait(halted)
    with psycopg.connect(databases.dsn, autocommit=True) as connection:
        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'caxton %'"
        connection.execute(cut)

    for _ in range(20):
        assert await pace.wait(halted)
