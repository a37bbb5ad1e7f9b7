"""Many callers and no token: `python benchmarks/bench_cold.py`."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from caxton_async.auth.holder import TokenHolder
from caxton_async.auth.stores import MemoryStore
from caxton_async.auth.token import Token
from caxton_async.secret import Secret

CALLERS = 10_000
CANCELLED = 30_000
ROUNDS = 11
LOGIN_S = 0.5  # longer than it takes until all wait


class Login:
    """A login that takes its time, and counts."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self) -> Token:
        self.made += 1
        await asyncio.sleep(LOGIN_S)
        return Token(Secret("token"), "bearer", 3600, time.time())


def holder(login: Login) -> TokenHolder:
    return TokenHolder(login, MemoryStore(), "key", timeout_s=60)


async def all_served() -> tuple[float, int]:
    """Return the microseconds of processor time for each caller, its task included, and the logins made."""
    login = Login()
    tokens, start = holder(login), time.process_time()
    served = await asyncio.gather(*(tokens.get("call", "id") for _ in range(CALLERS)))
    assert len({id(token) for token in served}) == 1
    return (time.process_time() - start) / CALLERS * 1e6, login.made


async def first_cancelled() -> tuple[float, int]:
    """The same when the caller who started the login gives up."""
    login = Login()
    tokens, start = holder(login), time.process_time()
    tasks = [asyncio.create_task(tokens.get("call", "id")) for _ in range(CALLERS)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == 1
    return (time.process_time() - start) / CALLERS * 1e6, login.made


async def plain_futures() -> tuple[float, int]:
    """What it costs to wait at all: a task for each caller, and a future for each task."""
    loop = asyncio.get_running_loop()
    waiters = [loop.create_future() for _ in range(CALLERS)]

    async def wait(future: "asyncio.Future[None]") -> None:
        await future

    start = time.process_time()
    gathered = asyncio.gather(*(wait(waiter) for waiter in waiters))
    await asyncio.sleep(LOGIN_S)
    for waiter in waiters:
        waiter.set_result(None)
    await gathered
    return (time.process_time() - start) / CALLERS * 1e6, 0


async def blocked_s() -> float:
    """Return how long the event loop is blocked when all who wait for a token are cancelled together."""
    tokens = holder(Login())
    tasks = [asyncio.create_task(tokens.get("call", "id")) for _ in range(CANCELLED)]
    await asyncio.sleep(0)
    start = time.perf_counter()
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)  # comes back when every one of them has run
    blocked = time.perf_counter() - start
    assert all(task.done() for task in tasks)
    await tokens.aclose()
    return blocked


def middle(measure: Callable[[], Awaitable[tuple[float, int]]]) -> tuple[float, int]:
    runs = [asyncio.run(measure()) for _ in range(ROUNDS)]
    return statistics.median(cost for cost, _ in runs), max(logins for _, logins in runs)


def main() -> None:
    """Print the table."""
    print(
        "## Many callers, no token\n\n"
        f"{CALLERS:,} callers wait for one login.\n"
        f"The time is the processor's for each of them, its task included, the median of {ROUNDS} runs.\n"
        f"Then {CANCELLED:,} of them are cancelled together, which blocks the event loop for the time shown.\n\n"
        "| what | measured | goal |\n|---|---|---|"
    )
    waiting, _ = middle(plain_futures)
    print(f"| a task that waits for a future, for comparison | {waiting:.1f} µs | |")
    for title, measure in (("all served", all_served), ("the first caller cancelled", first_cancelled)):
        cost, logins = middle(measure)
        print(f"| {title}: a caller | {cost:.1f} µs | 10 µs |")
        print(f"| {title}: logins, the most in a run | {logins} | 1 |")
    blocked = statistics.median(asyncio.run(blocked_s()) for _ in range(ROUNDS))
    print(f"| {CANCELLED:,} cancelled | {blocked:.2f} s | 0.5 s |")


if __name__ == "__main__":
    main()
