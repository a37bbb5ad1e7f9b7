"""A payroll: one upload, and its payments sent in one money step, whose outcome all rows share.

What belongs here: the order of the two calls, and finding the upload again.  What does not: columns and their text
(`bulk`).  An upload that was opened and never submitted costs nothing, so where the answer to its opening was lost
another may be opened; the step that pays is sent at most once.
"""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio

from caxton_async.batch.journal import Entry, Journal
from caxton_async.batch.pinned import Rows, check_pinned, pinned_rows, plan_or_compare, restartable
from caxton_async.batch.runner import BatchSummary, RowOutcome
from caxton_async.batch.states import SENDABLE, JournalRefused
from caxton_async.batch.step import take_step
from caxton_async.batch.verdict import readable
from caxton_async.bulk import BulkPaymentRow, check_payment_date, render_payload
from caxton_async.client import CaxtonClient
from caxton_async.endpoints import CREATE_BULK_UPLOAD, SUBMIT_BULK_PAYLOAD, Endpoint
from caxton_async.errors import CaxtonError, InvalidRequest
from caxton_async.models import BulkSource, BulkUpload, CreateBulkUpload, SubmitBulkPayload

# What the rows of a payroll file are; it is not called itself, but names the batch and the class of its rows.
BULK_PAYMENTS: Final[Endpoint[BulkPaymentRow, None]] = Endpoint("bulk_payments", "POST", "payments", BulkPaymentRow)


async def run_bulk_payments(  # noqa: PLR0913 -- as for `run_batch`
    caxton: CaxtonClient,
    rows: Rows,
    *,
    journal: Journal,
    description: str,
    source: BulkSource = BulkSource.CAXTON,
    on_progress: Callable[[RowOutcome[None]], None] | None = None,
    stop: anyio.Event | None = None,
) -> BatchSummary:
    """Open an upload, or find the one that an earlier run opened, pay all rows with it, and return how they stand.

    `rows` are pairs of reference and `BulkPaymentRow`, as for `run_batch`.  The run pauses, with nothing paid, when the
    upload cannot be opened or a payment date has passed.

    **Raises** InvalidRequest for rows that cannot be sent, before anything is paid; JournalRefused when the journal is
    of another batch; JournalFailed when it could not be written.
    """
    check_pinned(journal, BULK_PAYMENTS.name, caxton)
    again = restartable(rows)
    await plan_or_compare(journal, again)
    left = [(entry, request) for entry, request in pinned_rows(journal, again) if entry.state in SENDABLE]
    if not left:
        return BatchSummary(journal.counts())
    if len(left) != journal.total:
        raise JournalRefused(f"the rows of {journal.path} do not share one outcome, as those of a payroll do")
    journal.start()
    paused, stop = _find_passed_date(left), stop or anyio.Event()
    try:
        if paused is None and not stop.is_set():
            upload = _noted_upload(journal) or await _open_upload(caxton, journal, description, source)
            payload = render_payload([request for _, request in left], upload.column_format)
            if not stop.is_set():
                request = SubmitBulkPayload(upload.upload_record_id, payload)
                paused = await _pay(caxton, journal, [entry for entry, _ in left], request, on_progress)
    except _NoUpload as error:
        paused = str(error)
    return BatchSummary(journal.counts(), paused)


class _NoUpload(Exception):
    """No upload could be opened, and nothing was paid."""


def _find_passed_date(rows: Sequence[tuple[Entry, Any]]) -> str | None:
    now = dt.datetime.now(dt.UTC)
    for entry, payment in rows:
        try:
            check_payment_date(payment, now)
        except InvalidRequest as error:
            return f"{entry.reference}: {error}"
    return None


def _noted_upload(journal: Journal) -> BulkUpload | None:
    noted = journal.details.get("upload")
    if noted is None:
        return None
    upload_record_id, columns = json.loads(noted)
    return BulkUpload(upload_record_id, None if columns is None else tuple(columns))


async def _open_upload(caxton: CaxtonClient, journal: Journal, description: str, source: BulkSource) -> BulkUpload:
    try:
        upload = await caxton.call(CREATE_BULK_UPLOAD, CreateBulkUpload(description, source))
    except InvalidRequest:
        raise
    except CaxtonError as error:
        problem = readable(error)
    else:
        journal.note(upload=json.dumps([upload.upload_record_id, upload.column_format]))
        return upload
    raise _NoUpload(f"no upload could be opened: {problem}")


async def _pay(
    caxton: CaxtonClient,
    journal: Journal,
    entries: Sequence[Entry],
    request: SubmitBulkPayload,
    on_progress: Callable[[RowOutcome[None]], None] | None,
) -> str | None:
    """Take the one step that pays, and return why the run pauses, if it does."""
    step = await take_step(caxton, SUBMIT_BULK_PAYLOAD, request, journal=journal, rows=entries)
    if on_progress is not None:
        for entry in entries:
            on_progress(RowOutcome(entry.reference, step.verdict.state, None, step.error))
    if step.error is not None and (step.verdict.again or step.verdict.pauses):
        return readable(step.error)
    return None
