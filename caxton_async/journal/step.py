"""One money step: rows that are durably `sending`, the call, and its outcome made durable."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from attrs import frozen

from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, JournalError, NotSent, Sent
from caxton_async.journal.protocol import Taken, Worker
from caxton_async.journal.states import RowState, RowStatus
from caxton_async.journal.verdict import Verdict, judge, status_of

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

Request = TypeVar("Request")
Result = TypeVar("Result")
_ACCEPTED: Final = Verdict(RowState.ACCEPTED)
_EXPIRED: Final = Verdict(RowState.NOT_SENT, again=True)


@frozen
class Step(Generic[Result]):
    """What came of a step: the verdict on its rows and what the journal keeps, and what the call returned or raised."""

    verdict: Verdict
    status: RowStatus
    result: Result | None = None
    error: CaxtonError | None = None


async def take_step(
    caxton: "CaxtonClient",
    endpoint: Endpoint[Request, Result],
    request: Request,
    *,
    worker: Worker,
    rows: Sequence[Taken],
    keeps_answer: bool = False,
) -> Step[Result]:
    """Carry out one call for `rows`; when this returns, its outcome is durable, with the answer if it is kept.

    A cancellation is passed on, once what it means for the rows is on its way to the disk.

    Raises:
        JournalError: the outcome could not be written, or the worker was given up; `sent` tells whether it had left.
    """
    step = await make_call(caxton, endpoint, request, worker=worker, rows=rows)
    await _record(worker, rows, step.status, _answer(step) if keeps_answer else None)
    return step


async def make_call(
    caxton: "CaxtonClient",
    endpoint: Endpoint[Request, Result],
    request: Request,
    *,
    worker: Worker,
    rows: Sequence[Taken],
) -> Step[Result]:
    """Carry out one call for `rows`, and leave it to the caller to record `status` before anything else is awaited."""
    began, started_at = time.monotonic(), time.time()
    if began >= min(row.expires_at for row in rows):
        status = RowStatus(state=RowState.NOT_SENT, sent=Sent.NO, error="the claim was too old: nothing was sent")
        expired = NotSent(f"{endpoint.name} was not sent: the claim on its row was too old", endpoint=endpoint.name)
        return Step(_EXPIRED, status, error=expired)
    # Events and warnings tell which row they are of.
    view = caxton.with_options(reference=rows[0].reference) if len(rows) == 1 else caxton
    result, error, verdict = None, None, _ACCEPTED
    try:
        result = await view.call(endpoint, request)
    except CaxtonError as raised:
        error, verdict = raised, judge(raised, repeatable=endpoint.repeatable)
    except BaseException as raised:
        said = f"interrupted by {type(raised).__name__} while it was being sent"
        status = RowStatus(state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=said, started_at=started_at)
        # Under a cancellation the wait ends at once; the journal writes the outcome all the same.
        with suppress(asyncio.CancelledError):
            await _record(worker, rows, status, None)
        raise
    status = status_of(verdict, error, started_at=started_at, elapsed_s=time.monotonic() - began)
    return Step(verdict, status, result, error)


def _answer(step: Step[Result]) -> bytes | None:
    from caxton_async.journal import stored  # noqa: PLC0415 -- only single payments keep their answers

    return stored.encode_result(step.result) if step.error is None else stored.encode_error(step.error)


async def _record(worker: Worker, rows: Sequence[Taken], status: RowStatus, answer: bytes | None) -> None:
    try:
        if len(rows) == 1:
            await worker.record(rows[0], status, answer)
        else:
            await worker.record_all(rows, status)
    except JournalError as error:
        say_what_was_sent(error, status)
        raise


def say_what_was_sent(error: JournalError, status: RowStatus) -> None:
    """Let an error of the journal tell whether the request had left whose outcome it could not take."""
    error.sent = status.sent or Sent.UNKNOWN
