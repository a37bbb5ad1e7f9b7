"""A payroll: one upload, and its payments sent in one money step, whose outcome all rows share.

An upload that was opened and never submitted costs nothing, so another may be opened where the answer to the first was
lost; the step that pays is sent at most once.
"""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import define

from caxton_async.batch.outcome import RowOutcome
from caxton_async.bulk import BulkPaymentRow, check_payment_date, render_payload
from caxton_async.endpoints import CREATE_BULK_UPLOAD, SUBMIT_BULK_PAYLOAD
from caxton_async.errors import CaxtonError, InvalidRequest, JournalRefused
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, BatchInfo, JournalRow
from caxton_async.journal.step import take_step
from caxton_async.journal.stored import decode_request
from caxton_async.journal.verdict import readable
from caxton_async.models import BulkSource, BulkUpload, CreateBulkUpload, SubmitBulkPayload

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

_UPLOAD: Final = "upload"  # among the details of a batch: the upload's id and columns, as JSON


def upload_id_of(info: BatchInfo) -> int | None:
    """Return the id of the upload by which a payroll was sent, None while there is none."""
    upload = _noted_upload(info)
    return upload.upload_record_id if upload else None


@define
class PayrollRun:
    """One run of a payroll; `paused` says why it paid nothing, or why its outcome needs a look."""

    caxton: "CaxtonClient"
    journal: Journal
    info: BatchInfo
    on_outcome: Callable[[RowOutcome[Any]], None]
    stop: anyio.Event
    paused: str | None = None
    error: CaxtonError | None = None

    async def carry_out(self) -> None:
        """Open an upload, or find the one that an earlier run opened, and pay all rows with it.

        Raises:
            InvalidRequest: a row has a value for which the upload has no column; nothing was paid.
            JournalError: the journal could not be written.
        """
        counts = self.journal.counts(self.info.id)
        left = sum(counts[state] for state in SENDABLE)
        if not left:
            return
        if left != sum(counts.values()):
            raise JournalRefused(f"the rows of batch {self.info.id} do not share one outcome, as those of a payroll do")
        rows = self.journal.rows(self.info.id)
        payments = [_payment_of(row) for row in rows]
        self.paused = _find_passed_date(payments)
        if self.paused is None and not self.stop.is_set():
            upload = _noted_upload(self.info) or await self._open_upload()
            if upload is not None and not self.stop.is_set():
                await self._pay(upload, render_payload(payments, upload.column_format))

    async def _open_upload(self) -> BulkUpload | None:
        request = CreateBulkUpload(self.info.name, BulkSource.CAXTON)
        try:
            upload = await self.caxton.call(CREATE_BULK_UPLOAD, request)
        except InvalidRequest:
            raise
        except CaxtonError as error:
            self.paused, self.error = f"no upload could be opened, so nothing was paid: {readable(error)}", error
            return None
        self._note(upload)
        return upload

    def _note(self, upload: BulkUpload) -> None:
        noted = [upload.upload_record_id, upload.column_format]
        self.journal.note(self.info.id, **{_UPLOAD: json.dumps(noted)})

    async def _pay(self, upload: BulkUpload, payload: str) -> None:
        """Take the one step that pays."""
        request = SubmitBulkPayload(upload.upload_record_id, payload)
        async with await self.journal.join(concurrency=1) as worker:
            rows = await worker.take_all(self.info.id)
            if not rows:
                self.paused = "another process is paying these rows"
                return
            self._note(upload)  # anew: another process may have noted an upload of its own, and lost the race
            step = await take_step(self.caxton, SUBMIT_BULK_PAYLOAD, request, worker=worker, rows=rows)
        for row in rows:
            self.on_outcome(RowOutcome(row.reference, step.verdict.state, None, step.error))
        if step.error is not None and (step.verdict.again or step.verdict.pauses):
            self.paused, self.error = readable(step.error), step.error


def _payment_of(row: JournalRow) -> BulkPaymentRow:
    payment = decode_request(row.request, BulkPaymentRow) if row.request is not None else None
    if payment is None:
        raise JournalRefused(f"the payment of {row.reference} is not in the journal any more: nothing was sent")
    return payment


def _find_passed_date(payments: Sequence[BulkPaymentRow]) -> str | None:
    now = dt.datetime.now(dt.UTC)
    for payment in payments:
        try:
            check_payment_date(payment, now)
        except InvalidRequest as error:
            return str(error)
    return None


def _noted_upload(info: BatchInfo) -> BulkUpload | None:
    noted = info.details.get(_UPLOAD)
    if noted is None:
        return None
    upload_record_id, columns = json.loads(noted)
    return BulkUpload(upload_record_id, None if columns is None else tuple(columns))
