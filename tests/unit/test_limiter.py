"""Places and pace, with nobody around them."""

import asyncio

import pytest

from caxton_async.limiter import Limiter
from tests.support.harness import virtual


async def enter(limiter: Limiter, entered: list[int], number: int) -> None:
    """Take a place, note who has it, and keep it."""
    if not limiter.try_acquire():
        await limiter.acquire()
    entered.append(number)


async def queue(limiter: Limiter, number: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    """Let so many come, one after the other, until all of them have a place or wait."""
    entered: list[int] = []
    tasks = [asyncio.create_task(enter(limiter, entered, n)) for n in range(number)]
    await asyncio.sleep(0)
    return entered, tasks


async def turns() -> None:
    """Let the loop go round until what was woken has run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_are_given_in_the_order_of_coming() -> None:
    """As many as there are places enter at once; each who leaves lets in the one who has waited longest."""
    limiter = Limiter(2, None)
    entered, tasks = await queue(limiter, 5)
    first = list(entered)

    for _ in range(3):
        limiter.release()
        await turns()

    assert first == [0, 1]
    assert entered == [0, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_nobody_overtakes_those_who_wait() -> None:
    """A newcomer queues up behind those who wait, also in the moment in which a place becomes free."""
    limiter = Limiter(1, None)
    entered, tasks = await queue(limiter, 2)

    limiter.release()
    at_once = limiter.try_acquire()
    await turns()

    assert not at_once
    assert entered == [0, 1]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("moment", ["while-waiting", "as-the-place-comes"])
async def test_a_cancelled_waiter_passes_its_place_on(moment: str) -> None:
    """Whoever is cancelled in the queue, also in the moment in which a place is given to it, leaves it to the next."""
    limiter = Limiter(1, None)
    entered, tasks = await queue(limiter, 3)

    if moment == "while-waiting":
        tasks[1].cancel()
        await turns()
        limiter.release()
    else:
        limiter.release()
        tasks[1].cancel()
    await turns()
    limiter.release()
    again = limiter.try_acquire()

    assert tasks[1].cancelled()
    assert entered == [0, 2]
    assert again
    await asyncio.gather(tasks[0], tasks[2])


async def test_places_come_back_when_all_who_wait_are_cancelled() -> None:
    """With an empty queue, and with one of cancelled waiters alone, a place that is left is free."""
    limiter = Limiter(1, None)
    _, tasks = await queue(limiter, 4)

    for task in tasks[1:]:
        task.cancel()
    await turns()
    limiter.release()

    assert limiter.try_acquire()
    assert not limiter.try_acquire()
    await tasks[0]


@virtual
async def test_starts_are_spaced_by_the_pace() -> None:
    """With four calls a second each enters a quarter of a second after the one before, places being free."""
    limiter = Limiter(100, 4)
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def start() -> None:
        if not limiter.try_acquire():
            await limiter.acquire()
        times.append(loop.time())

    await asyncio.gather(*(start() for _ in range(6)))
    await asyncio.sleep(10)
    await start()
    await start()

    assert times == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25, 11.25, 11.5])


@virtual
async def test_cancelled_waiters_use_up_no_pace() -> None:
    """Whoever gives up while waiting for the pace delays nobody who comes later."""
    limiter = Limiter(100, 1)
    loop = asyncio.get_running_loop()
    await limiter.acquire()
    hasty = [asyncio.create_task(limiter.acquire()) for _ in range(1000)]
    await asyncio.sleep(0.5)

    for task in hasty:
        task.cancel()
    await limiter.acquire()
    first = loop.time()
    await limiter.acquire()

    assert (first, loop.time()) == (1, 2)


@virtual
async def test_pace_and_places_hold_together() -> None:
    """With a place free but not the time, and with the time come but no place free, a caller waits for both."""
    limiter = Limiter(1, 1)
    loop = asyncio.get_running_loop()
    await limiter.acquire()
    second = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(5)
    limiter.release()
    await second
    first_wait = loop.time()

    limiter.release()
    await limiter.acquire()

    assert (first_wait, loop.time()) == (5, 6)


@virtual
async def test_whoever_gives_up_leaves_the_place_to_the_next() -> None:
    """At the end of its time a waiter goes without a place, and the place that becomes free is the next one's."""
    limiter = Limiter(1, None)
    loop = asyncio.get_running_loop()
    await limiter.acquire()
    hasty = asyncio.create_task(limiter.acquire(loop.time() + 5))
    patient = asyncio.create_task(limiter.acquire(loop.time() + 50))

    entered = await hasty
    at = loop.time()
    limiter.release()

    assert not entered
    assert at == 5
    assert await patient
    assert not limiter.try_acquire()
