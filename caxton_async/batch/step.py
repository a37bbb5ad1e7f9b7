"""One money step: `sending` on disk, the call, its outcome on disk.

What belongs here: the order on which every promise of a batch rests, for the rows that share a call: one row of a plain
batch, all rows of a payroll.  What does not: which rows, and what follows (`runner`, `payroll`).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import frozen

from caxton_async.batch.journal import Entry, Journal
from caxton_async.batch.states import RowState, RowStatus
from caxton_async.batch.verdict import Verdict, judge, status_of
from caxton_async.client import CaxtonClient
from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, Sent

Request = TypeVar("Request")
Result = TypeVar("Result")
_ACCEPTED = Verdict(RowState.ACCEPTED)


@frozen
class Step(Generic[Result]):
    """What came of a step: the verdict on its rows, and what the call returned or raised."""

    verdict: Verdict
    result: Result | None = None
    error: CaxtonError | None = None


async def take_step(
    caxton: CaxtonClient,
    endpoint: Endpoint[Request, Result],
    request: Request,
    *,
    journal: Journal,
    rows: Sequence[Entry],
) -> Step[Result]:
    """Carry out one call for `rows`, which share a state; when this returns, its outcome is durable.

    A cancellation is passed on, once what it means for the rows is on its way to the disk.

    **Raises** JournalFailed when the journal could not be written: before the call, so that nothing was sent, or after.
    """
    positions = [row.position for row in rows]
    began, started_at = time.monotonic(), time.time()
    status = RowStatus(state=RowState.SENDING, started_at=started_at)
    try:
        await journal.submit(positions, rows[0].state, status)
    except asyncio.CancelledError:
        # The rows become `sending` all the same, and this after it: nothing has left.
        _ = journal.submit(
            positions, RowState.SENDING, RowStatus(state=RowState.NOT_SENT, sent=Sent.NO, started_at=started_at)
        )
        raise
    step: Step[Result]
    try:
        result = await caxton.call(endpoint, request)
        step = Step(_ACCEPTED, result)
        status = RowStatus(
            state=RowState.ACCEPTED, sent=Sent.YES, started_at=started_at, elapsed_s=time.monotonic() - began
        )
    except CaxtonError as error:
        step = Step(judge(error, repeatable=endpoint.repeatable), error=error)
        status = status_of(step.verdict, error, started_at=started_at, elapsed_s=time.monotonic() - began)
    except BaseException as error:
        # No waiting under a cancellation: until this is written the rows are `sending`, which counts as unknown.
        said = f"interrupted by {type(error).__name__} while it was being sent"
        unknown = RowStatus(state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=said, started_at=started_at)
        _ = journal.submit(positions, RowState.SENDING, unknown)
        raise
    await journal.submit(positions, RowState.SENDING, status)
    return step
