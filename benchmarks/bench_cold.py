"""Many callers and no token, through the public client: `python benchmarks/bench_cold.py`."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable

import method
from token_server import TokenServer

from caxton_async import CaxtonClient, Credentials, Settings

CALLERS = 10_000
CANCELLED = 30_000
ROUNDS = 11


def client(server: TokenServer) -> CaxtonClient:
    settings = Settings(base_url=server.url, paths={"get_access_token": "/token"}, deadline_s=600, token_timeout_s=600)
    return CaxtonClient(Credentials("user", "client", "password"), settings)


async def all_served(cancelled: int = 0) -> tuple[float, int]:
    """Return the microseconds of processor time for each caller, its task included, and the logins made.

    The first `cancelled` callers give up while the login is under way.
    """
    async with TokenServer() as server, client(server) as caxton:
        server.gate.clear()
        gc.collect()
        start = time.process_time()
        tasks = [asyncio.create_task(caxton.auth.access_token()) for _ in range(CALLERS)]
        await server.next_login
        for task in tasks[:cancelled]:
            task.cancel()
        server.gate.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        cost = time.process_time() - start
        assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == cancelled
        return cost / CALLERS * 1e6, server.logins


async def plain_futures() -> tuple[float, int]:
    """What it costs to wait at all: a task for each caller, and a future for each task."""
    loop = asyncio.get_running_loop()
    waiters = [loop.create_future() for _ in range(CALLERS)]

    async def wait(future: "asyncio.Future[None]") -> None:
        await future

    start = time.process_time()
    tasks = [asyncio.create_task(wait(waiter)) for waiter in waiters]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.set_result(None)
    await asyncio.gather(*tasks)
    return (time.process_time() - start) / CALLERS * 1e6, 0


async def blocked_s() -> float:
    """Return the processor time for which the event loop is blocked when all who wait are cancelled together."""
    async with TokenServer() as server, client(server) as caxton:
        server.gate.clear()
        tasks = [asyncio.create_task(caxton.wallets.create("w")) for _ in range(CANCELLED)]
        await server.next_login
        start = time.process_time()
        for task in tasks:
            task.cancel()
        while not all(task.done() for task in tasks):  # noqa: ASYNC110  # it is the turns of the loop that are counted
            await asyncio.sleep(0)
        return time.process_time() - start


def middle(measure: Callable[[], Awaitable[tuple[float, int]]]) -> tuple[float, int]:
    runs = [asyncio.run(measure()) for _ in range(ROUNDS)]
    return statistics.median(cost for cost, _ in runs), max(logins for _, logins in runs)


def main() -> None:
    """Print the table."""
    gc.freeze()
    print(
        "## Many callers, no token\n\n"
        f"{CALLERS:,} callers of the public client wait for one login.\n"
        f"The time is the processor's for each of them, its task included, the median of {ROUNDS} runs.\n"
        f"Then {CANCELLED:,} of them are cancelled together, which blocks the event loop for the time shown.\n\n"
        "| what | measured | goal |\n|---|---|---|"
    )
    waiting, _ = middle(plain_futures)
    print(f"| a task that waits for a future, for comparison | {waiting:.1f} µs | |")
    for title, cancelled in (("all served", 0), ("the first caller cancelled", 1)):
        cost, logins = middle(lambda cancelled=cancelled: all_served(cancelled))
        print(f"| {title}: µs for a caller | {cost:.1f} | {method.verdict(cost, 12)} |")
        print(f"| {title}: logins, the most in a run | {logins} | {method.verdict(logins, 1)} |")
    blocked = statistics.median(asyncio.run(blocked_s()) for _ in range(ROUNDS))
    print(f"| {CANCELLED:,} cancelled: seconds | {blocked:.2f} | {method.verdict(blocked, 0.3)} |")


if __name__ == "__main__":
    main()
