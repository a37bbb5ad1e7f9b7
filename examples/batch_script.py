"""Payments of a file as a batch: `python -m examples.batch_script may.csv`; started again, it pays what is left."""

import asyncio
import csv
import os
import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import anyio

from caxton_async import BatchSummary, CaxtonClient, open_journal, resume_batch, run_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState
from caxton_async.models import MoveFunds


def read_payments(path: Path) -> Iterator[tuple[str, MoveFunds]]:
    """Yield pairs of a reference (the idempotency key) and a request; in your own code, take them from a database."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield row["invoice"], MoveFunds("GBP", "POTBC-GBP", Decimal(row["amount"]))


async def pay(path: Path) -> BatchSummary:
    """Pay what is left of the batch that is named after the file; SIGTERM lets what is in flight end."""
    stop = anyio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with CaxtonClient.from_env() as caxton, open_journal(os.environ["PAYMENTS_JOURNAL"]) as journal:
        if any(batch.name == path.name for batch in journal.batches()):
            return await resume_batch(caxton, path.name, journal=journal, stop=stop)
        return await run_batch(caxton, MOVE_FUNDS, read_payments(path), journal=journal, name=path.name, stop=stop)


def tell(summary: BatchSummary) -> int:
    """Print how the batch stands, and return the exit code of the program."""
    print(", ".join(f"{count} {state.value}" for state, count in summary.counts.items() if count))
    for reason in summary.reasons:
        print(f"{reason.rows} {reason.state.value}: {reason.reason}")
    if summary.unknown:
        return 4  # a person finds out what became of them: `caxton resolve`
    if summary.left:
        print(summary.paused or "stopped")
        return 5  # start it again
    return 1 if summary.counts[RowState.REJECTED] else 0


if __name__ == "__main__":
    sys.exit(tell(asyncio.run(pay(Path(sys.argv[1])))))
