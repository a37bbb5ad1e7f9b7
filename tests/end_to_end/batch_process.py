"""A batch in a process of its own, which can be killed from outside, or kills itself at a chosen step."""

import asyncio
import datetime as dt
import os
import signal
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import frozen

from caxton_async import CaxtonClient, Credentials, Settings
from caxton_async.batch import BULK_PAYMENTS, resume_batch, run_batch
from caxton_async.bulk import BulkPaymentRow
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import Journal, open_journal
from caxton_async.journal.sqlite import open_file
from caxton_async.models import MoveFunds

_LIFE_S = 60  # the alarm ends a process that hangs


@frozen
class Orders:
    """What a process is to do; `crash_at` counts the steps up to the one before which it kills itself."""

    base_url: str
    paths: dict[str, str]
    username: str
    client_name: str
    password: str
    folder: str
    rows: int
    concurrency: int = 4
    payroll: bool = False
    crash_at: int = 0


def journal_of(folder: Path | str) -> Journal:
    """Return the journal in a folder, to be opened."""
    return open_journal(Path(folder) / "journal.sqlite", environ={"CAXTON_STATE_DIR": str(Path(folder) / "state")})


def reference(number: int) -> str:
    """Name a row."""
    return f"ref-{number}"


def amount(number: int) -> Decimal:
    """Give each row an amount of its own, by which the ledger tells it from the others."""
    return Decimal(number) / 100


def carry_out(orders: Orders) -> None:
    """Begin the batch or go on with it: the whole life of one process."""
    signal.alarm(_LIFE_S)
    left = orders.crash_at

    def step(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if orders.crash_at:
        _watch_files(step)
    asyncio.run(_batch(orders, step))


def _watch_files(step: Any) -> None:
    """Count each statement on a journal, and each change to the names of its files, before it is carried out."""
    connect, replace, unlink = open_file.connect, os.replace, Path.unlink

    def traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(step)
        return connection

    def counted(change: Any) -> Any:
        return lambda *args, **kwargs: (step(), change(*args, **kwargs))[1]

    open_file.connect, os.replace, Path.unlink = traced, counted(replace), counted(unlink)


async def _batch(orders: Orders, step: Any) -> None:
    class Stepping(CaxtonClient):
        async def call(self, endpoint: Any, request: Any = None) -> Any:
            step()
            result = await super().call(endpoint, request)
            step()
            return result

    settings = Settings(base_url=orders.base_url, paths=orders.paths, deadline_s=20, attempt_timeout_s=10)
    credentials = Credentials(orders.username, orders.client_name, orders.password)
    async with Stepping(credentials, settings) as caxton, journal_of(orders.folder) as journal:
        options: dict[str, Any] = {"journal": journal, "concurrency": orders.concurrency}
        endpoint, rows = BULK_PAYMENTS if orders.payroll else MOVE_FUNDS, rows_of(orders)
        journal.sweep()
        try:
            batch = max(info.id for info in journal.batches())
        except ValueError:
            await run_batch(caxton, endpoint, rows, **options)
            return
        await resume_batch(caxton, batch, **options)


def rows_of(orders: Orders) -> list[tuple[str, Any]]:
    """Return the rows of the batch."""
    numbers = range(1, orders.rows + 1)
    if not orders.payroll:
        return [(reference(n), MoveFunds("GBP", "POT1-GBP", amount(n))) for n in numbers]
    return [
        (
            reference(n),
            BulkPaymentRow(
                recipient_name="Ann",
                account_number="12345678",
                sort_code="200000",
                currency="GBP",
                amount=amount(n),
                client_recipient_reference=reference(n),
                payment_date=dt.date(2099, 1, 1),
            ),
        )
        for n in numbers
    ]
