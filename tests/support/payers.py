"""Processes that send the rows of a journal: a payment is a line in a file, which the tests count."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections import Counter
from pathlib import Path

from caxton_async.journal import RowState
from tests.support.payments import Place, outcome

# Forked from a server that has everything imported, a process begins within some ten milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.support.payers"])
_LIFE_S = 60  # the alarm ends a process that hangs


def pay_rows(place: Place, batch: int, ledger: Path, concurrency: int, seed: int) -> None:
    """Send the rows of a batch until none is left: the whole life of a process."""
    signal.alarm(_LIFE_S)
    asyncio.run(_pay_rows(place, batch, ledger, concurrency, random.Random(seed)))


async def _pay_rows(place: Place, batch: int, ledger: Path, concurrency: int, chance: random.Random) -> None:
    paid = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def work(worker) -> None:
        while taken := await worker.take(batch):
            os.write(paid, f"{taken.reference}\n".encode())
            await asyncio.sleep(chance.random() * 0.002)
            await worker.record(taken, outcome(chance.choice([RowState.ACCEPTED, RowState.REJECTED])))

    async with place.open() as journal, await journal.join(concurrency=concurrency) as worker:
        await asyncio.gather(*(work(worker) for _ in range(concurrency)))


def start(place: Place, batch: int, ledger: Path, *, concurrency: int = 8, seed: int = 0):
    """Start such a process."""
    process = PROCESSES.Process(target=pay_rows, args=(place, batch, ledger, concurrency, seed))
    process.start()
    return process


def payments(ledger: Path) -> Counter[str]:
    """Count how often each reference was paid."""
    return Counter(ledger.read_text().split()) if ledger.exists() else Counter()


async def until(condition, timeout_s: float = 30.0) -> None:
    """Look every few milliseconds whether another process has come so far."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 -- another process cannot set an event of ours
            await asyncio.sleep(0.005)
