"""Memory of calls that wait, and what a reply of 8 MiB takes: `python benchmarks/bench_memory.py`."""

import asyncio
import gc
import itertools
import json
import logging
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable

import method
import server
from bodies import BALANCES, NEW, VALID, envelope

from caxton_async import CaxtonClient, CaxtonError, Credentials, Settings
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.protocol.reply import HttpReply, read_reply

IN_FLIGHT = 400
QUEUED = 10_000
SETTLING_S = 2.0  # until every request has been written
LARGE = 8 * 2**20  # bytes
ROUNDS = 5
HONEST = {"balances", "balances with an unknown member"}


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
        await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=1)
        figures["in flight"] = await bytes_each(lambda: caxton.wallets.create("w"), IN_FLIGHT)
    async with client(port, 1) as caxton:
        await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=1)
        first = asyncio.ensure_future(caxton.wallets.create("w"))
        await asyncio.sleep(SETTLING_S)
        figures["queued"] = await bytes_each(lambda: caxton.wallets.create("w"), QUEUED)
        first.cancel()
    figures["task"] = await bytes_each(wait, QUEUED)
    return figures


def filled(item: Callable[[int], str]) -> bytes:
    """Return an answer of 8 MiB whose balances are such items."""
    around = envelope({"Balances": ["here"]})
    room, items = LARGE - len(around), []
    for number in itertools.count():
        items.append(item(number))
        room -= len(items[-1]) + 1
        if room <= 0:
            return around.replace(b'"here"', ",".join(items).encode())
    raise AssertionError


def honest(number: int) -> str:
    return json.dumps({**BALANCES[0], **VALID, "Balance": number / 100})


# Each is what an answer of 8 MiB is made of, and how long it may take to read, to `json.loads` of it.
SHAPES: dict[str, tuple[Callable[[int], str], float]] = {
    "balances": (honest, 5),
    "balances with an unknown member": (lambda n: json.dumps({**json.loads(honest(n)), **NEW}), 5),
    "empty objects": (lambda _: "{}", 3),
    "lists in lists": (lambda _: "[[[]]]", 3),
    "zeros": (lambda _: "0", 3),
    "objects of one letter": (lambda _: '{"a":0}', 3),
    "keys that never come again": (lambda n: f'{{"k{n}":0}}', 3),
    "statuses": (lambda _: '{"ApiStatus":"IsValid","ApiStatusCode":100}', 3),
}


def read(body: bytes) -> bool:
    """Read an answer as a call does, and tell whether it was accepted."""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    try:
        read_reply(MOVE_FUNDS, HttpReply(200, headers, body))
    except CaxtonError:
        return False
    return True


def large(name: str) -> str:
    """Return a line of the table about an answer of 8 MiB."""
    item, goal = SHAPES[name]
    body = filled(item)
    ratios = []
    for _ in range(ROUNDS):
        start = time.process_time()
        json.loads(body)
        parsed = time.process_time()
        read(body)
        ratios.append((time.process_time() - parsed) / (parsed - start))
    tracemalloc.start()
    accepted = read(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    taken, memory = statistics.median(ratios), peak / len(body)
    assert accepted or name not in HONEST
    return (
        f"| an answer of {name}: time to `json.loads` | {taken:.2f}x | {method.verdict(taken, goal)} |\n"
        f"| an answer of {name}: memory to its size | {memory:.2f}x | {method.verdict(memory, 12)} |"
    )


def main() -> None:
    """Print the tables."""
    logging.getLogger("caxton_async").disabled = True  # it warns of every call that is cancelled in flight
    tracemalloc.start()
    with server.running() as port:
        figures = asyncio.run(measure(port))
    tracemalloc.stop()
    queued, in_flight = (figures[name] - figures["task"] for name in ("queued", "in flight"))
    print(
        "## Memory of calls that wait\n\n"
        "What Python has allocated for each call, its connection included, less the task of its caller.\n\n"
        "| a call | bytes | goal |\n|---|---|---|\n"
        f"| queued for a place, of {QUEUED:,} | {queued:,.0f} | {method.verdict(queued, 2_000)} |\n"
        f"| in flight, of {IN_FLIGHT} | {in_flight:,.0f} | {method.verdict(in_flight, 14_000)} |\n"
        f"| a task that waits for a future | {figures['task']:,.0f} | |\n\n"
        "Answers of 8 MiB, read as a call reads them, their bytes not counted; hostile ones hold next to nothing.\n\n"
        "| what | measured | goal |\n|---|---|---|"
    )
    for name in SHAPES:
        print(large(name), flush=True)


if __name__ == "__main__":
    main()
