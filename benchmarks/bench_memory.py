"""Memory of calls that wait: `python benchmarks/bench_memory.py`."""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable

import method
import server

from caxton_async import CaxtonClient, Credentials, Settings

IN_FLIGHT = 400
QUEUED = 10_000
SETTLING_S = 2.0  # until every request has been written


async def bytes_each(start: Callable[[], Awaitable[object]], calls: int) -> float:
    """Return the memory that each of so many calls takes while it waits, its task included."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    tasks = [asyncio.ensure_future(start()) for _ in range(calls)]
    await asyncio.sleep(SETTLING_S)
    assert not any(task.done() for task in tasks)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return (after - before) / calls


def client(port: int, max_connections: int) -> CaxtonClient:
    paths = {"get_access_token": "token", "create_wallet": server.SILENT}
    settings = Settings(base_url=f"http://127.0.0.1:{port}/api/", paths=paths, max_connections=max_connections)
    return CaxtonClient(Credentials("user", "client", "password"), settings)


async def measure(port: int) -> dict[str, float]:
    figures = {}

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    async with client(port, IN_FLIGHT) as caxton:
        await caxton.balances.move_funds(from_currency="GBP", to_currency="P-GBP", amount=1)
        figures["in flight"] = await bytes_each(lambda: caxton.wallets.create("w"), IN_FLIGHT)
    async with client(port, 1) as caxton:
        await caxton.balances.move_funds(from_currency="GBP", to_currency="P-GBP", amount=1)
        first = asyncio.ensure_future(caxton.wallets.create("w"))
        await asyncio.sleep(SETTLING_S)
        figures["queued"] = await bytes_each(lambda: caxton.wallets.create("w"), QUEUED)
        first.cancel()
    figures["task"] = await bytes_each(wait, QUEUED)
    return figures


def main() -> None:
    """Print the table."""
    tracemalloc.start()
    with server.running() as port:
        figures = asyncio.run(measure(port))
    queued, in_flight = (figures[name] - figures["task"] for name in ("queued", "in flight"))
    print(
        "## Memory of calls that wait\n\n"
        "What Python has allocated for each call, its connection included, less the task of its caller.\n\n"
        "| a call | bytes | goal |\n|---|---|---|\n"
        f"| queued for a place, of {QUEUED:,} | {queued:,.0f} | {method.verdict(queued, 2_000)} |\n"
        f"| in flight, of {IN_FLIGHT} | {in_flight:,.0f} | {method.verdict(in_flight, 14_000)} |\n"
        f"| a task that waits for a future | {figures['task']:,.0f} | |"
    )


if __name__ == "__main__":
    main()
