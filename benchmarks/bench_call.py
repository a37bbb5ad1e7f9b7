"""One call beside aiohttp itself: `python benchmarks/bench_call.py [--count]`."""

import argparse
import asyncio
import gc
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack

import method
import peers
import server

BURSTS = {32: 320, 1_000: 2_000}  # calls in flight, and calls in a burst
VARIANTS = {
    "bare aiohttp": peers.bare_aiohttp,
    "idiomatic aiohttp": peers.idiomatic_aiohttp,
    "caxton-async": peers.caxton_async,
}
GOALS = {32: 1.10, 1_000: 1.15}
PYTHON_CALLS_GOAL = 1.15


async def opened(port: int, stack: AsyncExitStack) -> dict[str, method.Call]:
    return {name: await open_(f"http://127.0.0.1:{port}", stack) for name, open_ in VARIANTS.items()}


async def count(port: int) -> dict[str, float]:
    """Return the Python calls of one call by each variant."""
    async with AsyncExitStack() as stack:
        return {name: await method.python_calls(call) for name, call in (await opened(port, stack)).items()}


async def compare(port: int, in_flight: int) -> Mapping[str, method.Ratio]:
    async with AsyncExitStack() as stack:
        variants = await opened(port, stack)
        gc.collect()
        gc.freeze()  # else whoever happens to trigger a collection pays for all modules
        return await method.compare(variants, calls=BURSTS[in_flight], in_flight=in_flight)


def main() -> None:
    """Print the table."""
    print(
        "## One call, beside aiohttp itself\n\n"
        "One POST with its answer, at 32 and at 1,000 callers, with up to 100 connections.\n"
        "Bare aiohttp reads the answer with `json.loads`.\n"
        f"CPU is the client's own: the median of {method.ROUNDS} paired ratios to bare aiohttp, and the middle half;\n"
        "`control` is a second copy of bare aiohttp.\n\n"
        "| client | callers | CPU | middle half | µs | goal |\n|---|---|---|---|---|---|"
    )
    with server.running() as port:
        for in_flight, goal in GOALS.items():
            for name, ratio in asyncio.run(compare(port, in_flight)).items():
                told = f"{goal:.2f}x" if name == "caxton-async" else ""
                spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
                print(
                    f"| {name} | {in_flight:,} | {ratio.median:.2f}x | {spread} | {ratio.microseconds:.0f} | {told} |"
                )
        counts = asyncio.run(count(port))
    print("\n| client | Python calls | ratio | goal |\n|---|---|---|---|")
    for name, calls in counts.items():
        told = f"{PYTHON_CALLS_GOAL:.2f}x" if name == "caxton-async" else ""
        print(f"| {name} | {calls:.0f} | {calls / counts['bare aiohttp']:.2f}x | {told} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", action="store_true", help="print the Python calls alone, as JSON")
    if parser.parse_args().count:
        with server.running() as port:
            print(json.dumps(asyncio.run(count(port))))
    else:
        main()
