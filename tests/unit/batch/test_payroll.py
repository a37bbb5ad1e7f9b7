"""A payroll: one upload, one step that pays, and rows that share its outcome."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
import pytest_asyncio
import time_machine

from caxton_async import CaxtonClient
from caxton_async.batch import BULK_PAYMENTS, BatchSummary, RowOutcome, resume_batch, run_batch
from caxton_async.batch.payroll import upload_id_of
from caxton_async.bulk import BulkPaymentRow
from caxton_async.emulator import Emulator, Fault
from caxton_async.errors import JournalRefused, OutcomeUnknown
from caxton_async.journal import Journal, RowState
from tests.support.batches import journal_in
from tests.support.payments import outcome

REFERENCES = ["pay-1", "pay-2", "pay-3"]


def payments(**extra: object) -> list[tuple[str, BulkPaymentRow]]:
    """Make the rows of a payroll."""
    return [
        (
            reference,
            BulkPaymentRow(
                recipient_name="Ann", account_number="12345678", sort_code="200000", currency="GBP",
                amount=Decimal("10.10"), client_recipient_reference=reference, **extra,
            ),
        )
        for reference in REFERENCES
    ]  # fmt: skip


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An API with money."""
    async with Emulator() as emulator:
        emulator.ledger.fund(emulator.ledger.accounts.main, "GBP", Decimal("1000.00"))
        yield emulator


@pytest_asyncio.fixture
async def caxton(emulator: Emulator) -> AsyncIterator[CaxtonClient]:
    """A client of it."""
    async with CaxtonClient(emulator.credentials, emulator.settings) as client:
        yield client


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Give an open journal."""
    async with journal_in(tmp_path) as opened:
        yield opened


async def pay(caxton: CaxtonClient, journal: Journal, rows: object = None, **extra: object) -> BatchSummary:
    """Begin the payroll, or go on with it."""
    if journal.batches():
        return await resume_batch(caxton, 1, journal=journal, **extra)
    return await run_batch(
        caxton, BULK_PAYMENTS, rows or payments(), journal=journal, name="May", allow_duplicates=True, **extra
    )


def paid(emulator: Emulator) -> list[int]:
    """Count what the ledger holds of each row."""
    return [emulator.ledger.paid(reference) for reference in REFERENCES]


async def test_a_payroll_is_paid_by_one_upload(emulator: Emulator, caxton: CaxtonClient, journal: Journal) -> None:
    """Every row is paid once and accepted, and running it again pays nothing."""
    outcomes: list[RowOutcome[None]] = []

    summary = await pay(caxton, journal, on_progress=outcomes.append)
    again = await pay(caxton, journal)

    assert (summary.counts[RowState.ACCEPTED], summary.paused, again) == (3, None, summary)
    assert upload_id_of(journal.batch(1)) == 1234
    assert [(outcome.reference, outcome.state) for outcome in outcomes] == [(r, RowState.ACCEPTED) for r in REFERENCES]
    assert paid(emulator) == [1, 1, 1]
    assert (emulator.count("create_bulk_upload"), emulator.count("submit_bulk_payload")) == (1, 1)


async def test_rows_are_sending_on_disk_before_the_step_that_pays(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal
) -> None:
    """While the payload is on its way the journal says so of every row."""
    held = emulator.faults.add(Fault("latency", endpoint="submit_bulk_payload"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pay, caxton, journal)
        await held.hit()
        sending = journal.counts(1)[RowState.SENDING]
        held.release()

    assert sending == 3


@pytest.mark.parametrize("kind", ["reset_after_read", "reset_after_work"])
async def test_a_lost_answer_to_the_step_that_pays_is_unknown_and_final(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal, kind: str
) -> None:
    """Whether it was carried out or not, the step is not taken again."""
    emulator.faults.add(Fault(kind, endpoint="submit_bulk_payload", times=1))

    first = await pay(caxton, journal)
    second = await pay(caxton, journal)

    assert first.counts[RowState.UNKNOWN] == second.counts[RowState.UNKNOWN] == 3
    assert emulator.count("submit_bulk_payload") == 1
    assert set(paid(emulator)) <= {0, 1}


async def test_an_upload_that_was_not_submitted_is_found_again(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal
) -> None:
    """A run that is stopped between the two calls leaves an upload, which the next run pays with."""
    stop, held = anyio.Event(), emulator.faults.add(Fault("latency", endpoint="create_bulk_upload"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: pay(caxton, journal, stop=stop))
        await held.hit()
        stop.set()
        held.release()
    between = paid(emulator), emulator.count("submit_bulk_payload")
    summary = await pay(caxton, journal)

    assert between == ([0, 0, 0], 0)
    assert summary.counts[RowState.ACCEPTED] == 3
    assert (paid(emulator), emulator.count("create_bulk_upload")) == ([1, 1, 1], 1)


async def test_a_lost_answer_to_the_opening_costs_nothing(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal
) -> None:
    """The run pauses with nothing paid, and the next opens another upload."""
    emulator.faults.add(Fault("reset_after_work", endpoint="create_bulk_upload", times=1))

    first = await pay(caxton, journal)
    between = paid(emulator)
    second = await pay(caxton, journal)

    assert first.left == 3
    assert first.paused.startswith("no upload could be opened, so nothing was paid: create_bulk_upload may or may not")
    assert between == [0, 0, 0]
    assert (second.counts[RowState.ACCEPTED], paid(emulator)) == (3, [1, 1, 1])
    assert emulator.count("create_bulk_upload") == 2


async def test_a_refused_payload_rejects_every_row(emulator: Emulator, caxton: CaxtonClient, journal: Journal) -> None:
    """The API's no holds for all, with its reason."""
    rows = [(reference, row) for reference, row in payments()]
    main = emulator.ledger.accounts.main
    main.balances["GBP"] = Decimal("1.00")

    summary = await pay(caxton, journal, rows)

    assert summary.counts[RowState.REJECTED] == 3
    assert "does not hold the sum" in journal.row(1, "pay-2").status.error


async def test_a_step_that_was_surely_not_taken_waits(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal
) -> None:
    """A 429 to the payload pauses the payroll, and the next run pays."""
    emulator.faults.add(Fault("rate_limited", endpoint="submit_bulk_payload", times=1))

    first = await pay(caxton.with_options(max_attempts=1), journal)
    second = await pay(caxton, journal)

    assert (first.left, first.counts[RowState.NOT_SENT]) == (3, 3)
    assert "submit_bulk_payload" in first.paused
    assert (second.counts[RowState.ACCEPTED], paid(emulator)) == (3, [1, 1, 1])


async def test_a_payment_date_that_has_passed_pauses_the_payroll(
    emulator: Emulator, caxton: CaxtonClient, journal: Journal
) -> None:
    """A payroll that is resumed too late pays nothing and says which row is late."""
    rows = payments(payment_date=dt.date(2030, 5, 31))

    with time_machine.travel(dt.datetime(2030, 6, 1, 12, tzinfo=dt.UTC), tick=True):
        summary = await pay(caxton, journal, rows)

    assert summary.paused.startswith("payment_date is 2030-05-31, before today")
    assert (summary.left, emulator.count("create_bulk_upload")) == (3, 0)


async def test_a_cancelled_payroll_is_unknown(emulator: Emulator, caxton: CaxtonClient, journal: Journal) -> None:
    """A payload that was on its way when the run was cancelled is not sent again."""
    held = emulator.faults.add(Fault("latency", endpoint="submit_bulk_payload"))
    task = asyncio.create_task(pay(caxton, journal))
    await held.hit()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.release()
    summary = await pay(caxton, journal)

    assert summary.counts[RowState.UNKNOWN] == 3
    assert emulator.count("submit_bulk_payload") == 1


async def test_rows_of_different_states_are_refused(caxton: CaxtonClient, journal: Journal) -> None:
    """A batch of which only some rows are left is not a payroll, and nothing is paid."""
    stop = anyio.Event()
    stop.set()
    await pay(caxton, journal, stop=stop)
    async with await journal.join() as worker:
        await worker.record(await worker.take(1), outcome())

    with pytest.raises(JournalRefused, match="do not share one outcome"):
        await pay(caxton, journal)


async def test_an_unknown_step_says_so_in_its_error(emulator: Emulator, caxton: CaxtonClient, journal: Journal) -> None:
    """The report of each row carries the error of the step."""
    outcomes: list[RowOutcome[None]] = []
    emulator.faults.add(Fault("reset_after_work", endpoint="submit_bulk_payload"))

    await pay(caxton, journal, on_progress=outcomes.append)

    assert all(isinstance(outcome.error, OutcomeUnknown) for outcome in outcomes)
    assert len(outcomes) == 3
