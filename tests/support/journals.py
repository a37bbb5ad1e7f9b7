"""Journals with rows in given states, for the tests of what is read from them."""

from pathlib import Path

from attrs import evolve, frozen

from caxton_async.batch.journal import Journal
from caxton_async.batch.states import PlannedRow, RowState, RowStatus
from caxton_async.errors import Sent


@frozen(kw_only=True)
class Past:
    """What became of one row."""

    reference: str
    state: RowState = RowState.ACCEPTED
    amount: str | None = "10.00"
    currency: str | None = "GBP"
    error: str | None = None
    started_at: float = 1_780_000_000.0
    elapsed_s: float = 0.25
    paid: bool = True  # of a settled row
    who: str = "ada"
    note: str = "seen on the statement"


async def write_journal(path: Path, *rows: Past, endpoint: str = "move_funds") -> Path:
    """Write a closed journal in which each row has that past."""
    with Journal.create(path, endpoint=endpoint, origin="https://caxapi-staging.caxton.io", digest="ab") as journal:
        await journal.plan(
            PlannedRow(row.reference, b"digest", line, row.amount, row.currency) for line, row in enumerate(rows, 2)
        )
        journal.start()
        for position, row in enumerate(rows, 1):
            if row.state is RowState.PLANNED:
                continue
            sending = RowStatus(state=RowState.SENDING, started_at=row.started_at)
            await journal.submit([position], RowState.PLANNED, sending)
            outcome = RowState.UNKNOWN if row.state is RowState.SETTLED else row.state
            status = evolve(sending, state=outcome, sent=Sent.YES, error=row.error, elapsed_s=row.elapsed_s)
            await journal.submit([position], RowState.SENDING, status)
            if row.state is RowState.SETTLED:
                journal.settle(row.reference, paid=row.paid, who=row.who, note=row.note)
    return path
