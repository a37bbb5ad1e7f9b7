"""The CPU and the Python calls of one call beside the peers: `python benchmarks/bench_peers.py [--rounds N]`."""

import argparse
import asyncio
import gc
import os
from contextlib import AsyncExitStack

import method
import server
from attrs import frozen
from peers import PEERS, Peer

IN_FLIGHT = 32
CALLS = 320


@frozen
class Row:
    """What a call by one client costs; `cpu` is a ratio to ours."""

    peer: Peer
    cpu: method.Ratio
    python_calls: float

    @property
    def verdict(self) -> str:
        goal = self.peer.goal
        return "" if goal is None else method.verdict(self.cpu.median, goal, at_least=True)


async def _measure(port: int, rounds: int) -> list[Row]:
    async with AsyncExitStack() as stack:
        variants = {peer.title: await peer.open(f"http://127.0.0.1:{port}", stack) for peer in PEERS}
        counts = {title: await method.python_calls(call) for title, call in variants.items()}
        # Else each client pays, whenever its garbage is collected, for the modules of all the others.
        gc.collect()
        gc.freeze()
        try:
            ratios = await method.compare(variants, calls=CALLS, in_flight=IN_FLIGHT, rounds=rounds)
        finally:
            gc.unfreeze()
    return [Row(peer, ratios[peer.title], counts[peer.title]) for peer in PEERS]


def measure(rounds: int = method.ROUNDS) -> list[Row]:
    """Measure every peer in one run; the first row is ours, which the others are ratios to."""
    os.environ["no_proxy"] = "*"  # several heed the environment, and would leave loopback for a proxy
    with server.running() as port:
        return asyncio.run(_measure(port, rounds))


def main(rounds: int = method.ROUNDS) -> None:
    """Print the table."""
    print(
        "## One call, beside the peers\n\n"
        f"One POST and its answer, read into whatever the client gives its user, {IN_FLIGHT} in flight.\n"
        f"CPU is the client's own: the median of {rounds} paired ratios to caxton-async, and the middle half of them.\n"
        "The goal is what a peer should need at least.\n\n"
        "| client | CPU | middle half | µs | Python calls | goal |\n|---|---|---|---|---|---|"
    )
    for row in measure(rounds):
        cpu = row.cpu
        print(
            f"| {row.peer} | {cpu.median:.2f}x | {cpu.low:.2f} to {cpu.high:.2f} | {cpu.microseconds:.0f} "
            f"| {row.python_calls:.0f} | {row.verdict} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=method.ROUNDS, help="fewer for a quick look")
    main(parser.parse_args().rounds)
