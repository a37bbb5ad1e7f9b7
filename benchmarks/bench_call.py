"""One call beside aiohttp itself: `python benchmarks/bench_call.py [--count | --short | --instructions]`.

`--count` prints Python calls and `--instructions` machine instructions, each as JSON; too many instructions are an
error.  `--short` prints the lines of one Python and event loop.
"""

import argparse
import asyncio
import gc
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from decimal import Decimal

import method
import peers
import server
from attrs import frozen

from caxton_async import ApiError, CaxtonClient, Credentials, Settings

BARE, OURS = "bare aiohttp", "caxton-async"
INSTRUCTIONS_GOAL = 0.95
FEATURE_GOAL = 1.03
LISTS = {"50-items", "50-items-with-unknown-members", "500-items-with-unknown-members"}


@frozen
class Load:
    """One body, by so many callers at a time: how many calls a burst has, and what ours should cost at most."""

    body: str
    in_flight: int
    calls: int
    goal: float


LOADS = (
    Load("leanest", 1, 160, 1.0),
    Load("leanest", 32, 320, 1.0),
    Load("leanest", 1_000, 2_000, 0.85),
    Load("leanest", 10_000, 10_000, 0.75),
    Load("full", 32, 320, 1.0),
    Load("one-unknown-member", 32, 320, 1.0),
    Load("refusal", 32, 320, 1.35),
    Load("50-items", 32, 160, 1.35),
    Load("50-items-with-unknown-members", 32, 160, 1.35),
    Load("500-items-with-unknown-members", 32, 64, 1.35),
)
SHORT = [load for load in LOADS if load.in_flight == 32 and load.goal == 1.0]


async def ours(base: str, body: str, stack: AsyncExitStack, **options: object) -> method.Call:
    """Open the public client, and return one call of it, as a user would make it."""
    settings = Settings(
        base_url=f"{base}/{body}/api/", paths={"get_access_token": "token", "list_banks": "b"}, **options
    )
    caxton = await stack.enter_async_context(CaxtonClient(Credentials("user", "client", "password"), settings))
    if body in LISTS:
        return caxton.banks.list

    def move() -> object:
        return caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10))

    async def refused() -> None:
        try:
            await move()
        except ApiError:
            return
        raise AssertionError("accepted")

    return refused if body == "refusal" else move


async def bare(base: str, body: str, stack: AsyncExitStack) -> method.Call:
    """Make the same call by aiohttp alone, with no promise but that of HTTP, read by `json.loads`."""
    if body not in LISTS:
        return await peers.bare_aiohttp(f"{base}/{body}", stack)
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession(headers=peers.HEADERS))

    async def call() -> object:
        async with session.get(f"{base}/{body}/api/b") as response:
            return json.loads(await response.read())

    return call


async def compare(port: int, load: Load, *, also: bool = False) -> Mapping[str, method.Ratio]:
    """Return the CPU of each variant of a load."""
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        variants = {BARE: await bare(base, load.body, stack), OURS: await ours(base, load.body, stack)}
        if also:
            variants["tuned aiohttp"] = await peers.tuned_aiohttp(base, stack)
            variants["idiomatic aiohttp"] = await peers.idiomatic_aiohttp(base, stack)
        gc.collect()
        gc.freeze()  # else whoever happens to trigger a collection pays for all modules
        rounds = method.ROUNDS if load.calls < 5_000 else 11
        return await method.compare(variants, calls=load.calls, in_flight=load.in_flight, rounds=rounds)


async def features(port: int) -> Mapping[str, method.Ratio]:
    """Return what each thing that can be switched on costs, as ratios to a call of ours without it."""
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        plain = await ours(base, "leanest", stack)
        settings = Settings(base_url=f"{base}/leanest/api/", paths={"get_access_token": "token"})
        caxton = await stack.enter_async_context(CaxtonClient(Credentials("user", "client", "password"), settings))
        view = caxton.for_account("12345").for_user("user-token")

        def moving(client: CaxtonClient) -> object:
            return client.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10))

        variants = {
            "a call": plain,
            "with on_event": await ours(base, "leanest", stack, on_event=lambda _: None),
            "paced": await ours(base, "leanest", stack, max_calls_per_second=1_000_000),
            "for an account and a user": lambda: moving(view),
            "a new view for each call": lambda: moving(caxton.for_account("12345")),
        }
        gc.collect()
        gc.freeze()
        return await method.compare(variants, calls=320, in_flight=32)


async def count(port: int) -> dict[str, float]:
    """Return the Python calls of one call by each."""
    base = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        variants = {BARE: await bare(base, "leanest", stack), OURS: await ours(base, "leanest", stack)}
        return {name: await method.python_calls(call) for name, call in variants.items()}


async def make(name: str, port: int, calls: int) -> None:
    """Make so many calls, one after the other: what valgrind counts the instructions of."""
    async with AsyncExitStack() as stack:
        call = await (bare if name == BARE else ours)(f"http://127.0.0.1:{port}", "leanest", stack)
        await method.burst(call, calls, 1)


def instructions(port: int) -> dict[str, float]:
    """Return the machine instructions of one call by each: two runs of different length, less what they share."""
    counted = {}
    for name in (BARE, OURS):
        runs = []
        for calls in (50, 250):
            command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__]
            done = subprocess.run(
                [*command, "--make", name, str(port), str(calls)], capture_output=True, text=True, check=True
            )
            runs.append(int(re.search(r"Collected : (\d+)", done.stderr)[1]))
        counted[name] = (runs[1] - runs[0]) / 200
    return counted


def line(load: Load, name: str, ratio: method.Ratio) -> str:
    goal = method.verdict(ratio.median, load.goal) if name == OURS else ""
    spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
    return f"| {load.body} | {name} | {load.in_flight:,} | {ratio.median:.2f}x | {spread} | {goal} |"


def main() -> None:
    """Print the tables."""
    print(
        "## One call, beside aiohttp itself\n\n"
        "One call with its answer, by so many callers at a time, with up to 100 connections.\n"
        "Bare aiohttp reads the answer with `json.loads`; tuned aiohttp has no cookies and no five-minute timer.\n"
        f"CPU is the client's own: the median of {method.ROUNDS} paired ratios to bare aiohttp and the middle half.\n\n"
        "| body | client | callers | CPU | middle half | goal |\n|---|---|---|---|---|---|"
    )
    with server.running() as port:
        for load in LOADS:
            try:
                ratios = asyncio.run(compare(port, load, also=load is LOADS[1]))
            except method.TooNoisy as noise:
                print(f"| {load.body} | {OURS} | {load.in_flight:,} | {noise} | | |", flush=True)
                continue
            for name in ratios.keys() - {BARE}:
                print(line(load, name, ratios[name]), flush=True)
        print("\n| what is switched on | CPU | middle half | goal |\n|---|---|---|---|")
        try:
            for name, ratio in asyncio.run(features(port)).items():
                goal = "" if name == "a call" else method.verdict(ratio.median, FEATURE_GOAL)
                print(f"| {name} | {ratio.median:.2f}x | {ratio.low:.2f} to {ratio.high:.2f} | {goal} |", flush=True)
        except method.TooNoisy as noise:
            print(f"| what can be switched on | {noise} | | |")
        counts = asyncio.run(count(port))
        counted = instructions(port) if shutil.which("valgrind") else {}
    print("\n| client | Python calls | ratio | instructions | ratio | goal |\n|---|---|---|---|---|---|")
    for name, calls in counts.items():
        told, goal = "no valgrind here | ", ""
        if counted:
            ratio = counted[name] / counted[BARE]
            told, goal = f"{counted[name]:,.0f} | {ratio:.2f}x", method.verdict(ratio, INSTRUCTIONS_GOAL)
        print(f"| {name} | {calls:.0f} | {calls / counts[BARE]:.2f}x | {told} | {goal if name == OURS else ''} |")


def short(runner: asyncio.Runner, about: str) -> None:
    """Print one line for each body, at 32 callers."""
    with server.running() as port:
        for load in SHORT:
            try:
                ratio = runner.run(compare(port, load))[OURS]
            except method.TooNoisy as noise:
                print(f"| {about} | {load.body} | {noise} | | |")
                continue
            goal = method.verdict(ratio.median, load.goal)
            print(f"| {about} | {load.body} | {ratio.median:.2f}x | {ratio.low:.2f} to {ratio.high:.2f} | {goal} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="print the Python calls alone, as JSON")
    parser.add_argument("--instructions", action="store_true", help="print the instructions alone, as JSON")
    parser.add_argument("--short", metavar="LOOP", choices=["asyncio", "uvloop"], help="print the lines of one loop")
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        asyncio.run(make(given.make[0], int(given.make[1]), int(given.make[2])))
    elif given.short:
        factory = None
        if given.short == "uvloop":
            from uvloop import new_event_loop as factory
        version = ".".join(map(str, sys.version_info[:2]))
        with asyncio.Runner(loop_factory=factory) as runner:
            short(runner, f"{version}, {given.short}")
    elif given.count or given.instructions:
        with server.running() as port:
            counted = instructions(port) if given.instructions else asyncio.run(count(port))
        print(json.dumps(counted))
        if given.instructions and counted[OURS] > INSTRUCTIONS_GOAL * counted[BARE]:
            sys.exit(f"a call takes more than {INSTRUCTIONS_GOAL} of the instructions of bare aiohttp")
    else:
        main()
