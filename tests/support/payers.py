"""Processes that send the rows of a journal: a payment is a line in a file, which the tests count."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from caxton_async import CaxtonClient, once
from caxton_async.batch import resume_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.errors import OutcomeUnknown
from caxton_async.journal import RowState
from caxton_async.journal.postgres import connecting, row_claims
from caxton_async.journal.sqlite import open_file
from caxton_async.models import MoveFunds
from caxton_async.worker import work_on
from tests.support.payments import Place, outcome

# Forked from a server that has everything imported, a process begins within some ten milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.support.payers"])
_LIFE_S = 60  # the alarm ends a process that hangs


def pay_rows(place: Place, batch: int, ledger: Path, concurrency: int, seed: int, crash_at: int = 0) -> None:
    """Send the rows of a batch until none is left, or until a chosen statement: the whole life of a process."""
    signal.alarm(_LIFE_S)
    if crash_at:
        crash_before(crash_at)
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


def crash_before(statement: int) -> None:
    """Kill this process before it carries out a statement on a journal in a file, counted from the first."""
    left, connect = statement, open_file.connect

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(path: Path):
        connection = connect(path)
        connection.execute("PRAGMA cache_size=1")  # pages are written before the commit, which is then rolled back
        connection.set_trace_callback(count)
        return connection

    open_file.connect = traced


def start(place: Place, batch: int, ledger: Path, *, concurrency: int = 8, seed: int = 0, crash_at: int = 0):
    """Start such a process."""
    process = PROCESSES.Process(target=pay_rows, args=(place, batch, ledger, concurrency, seed, crash_at))
    process.start()
    return process


def send_rows(place: Place, environ: dict[str, str], batch: int) -> None:
    """Send the rows of a batch to the API, with every time-out far below a second: the whole life of a process."""
    row_claims.CLAIM_LIFE_S = 0.3
    # TCP counts in whole seconds: a peer that answers no probe for two is gone.
    connecting._KEEPALIVE |= {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 1}
    connecting._KEEPALIVE |= {"tcp_user_timeout": 1_000}
    connecting._SETTINGS += ";SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1"
    connecting._SETTINGS += ";SET tcp_keepalives_count = 1; SET tcp_user_timeout = 1000"
    asyncio.run(_send_rows(place, environ, batch))


async def _send_rows(place: Place, environ: dict[str, str], batch: int) -> None:
    async with place.open() as journal, CaxtonClient.from_env(environ, deadline_s=0.5) as caxton:
        send = work_on if place.is_database else resume_batch
        await send(caxton=caxton, batch=batch, journal=journal, concurrency=4)


def pay_once(place: Place, environ: dict[str, str], numbers: list[int], seed: int) -> None:
    """Make a payment for each number, some callers being cancelled: the whole life of a process."""
    signal.alarm(_LIFE_S)
    asyncio.run(_pay_once(place, environ, numbers, random.Random(seed)))


async def _pay_once(place: Place, environ: dict[str, str], numbers: list[int], chance: random.Random) -> None:
    chance.shuffle(numbers)
    async with place.open(drain_s=30.0) as journal, CaxtonClient.from_env(environ) as caxton:

        async def pay(number: int) -> None:
            request = MoveFunds("GBP", "POT1-GBP", Decimal(number) / 100)
            paying = once(caxton, MOVE_FUNDS, request, reference=f"invoice-{number}", journal=journal)
            patience_s = 0.005 if chance.random() < 0.1 else 60.0
            with suppress(TimeoutError, OutcomeUnknown):
                await asyncio.wait_for(paying, patience_s)

        for first in range(0, len(numbers), 16):
            await asyncio.gather(*map(pay, numbers[first : first + 16]))


def payments(ledger: Path) -> Counter[str]:
    """Count how often each reference was paid."""
    return Counter(ledger.read_text().split()) if ledger.exists() else Counter()


async def until(condition, timeout_s: float = 30.0) -> None:
    """Look every few milliseconds whether another process has come so far."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 -- another process cannot set an event of ours
            await asyncio.sleep(0.005)
