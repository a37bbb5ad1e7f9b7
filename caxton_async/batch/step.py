"""One money step: `sending` on disk, the call, its outcome on disk.

What belongs here: the order on which every promise of a batch rests, for the rows that share a call: one row of a plain
batch, all rows of a payroll.  What does not: which rows, and what follows (`runner`, `payroll`).
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import evolve, frozen

from caxton_async.batch.journal import Entry, Journal
from caxton_async.batch.states import Move, RowState, RowStatus
from caxton_async.batch.verdict import Verdict, judge, status_of
from caxton_async.client import CaxtonClient
from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, Sent

Request = TypeVar("Request")
Result = TypeVar("Result")


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
    """Carry out one call for `rows`; when this returns, its outcome is durable.

    A cancellation is passed on, once what it means for the rows is on its way to the disk.

    **Raises** JournalFailed when the journal could not be written: before the call, so that nothing was sent, or after.
    """
    clock = asyncio.get_running_loop().time
    began, blank = clock(), RowStatus(state=RowState.SENDING, started_at=time.time())

    def written(before: RowState | None, status: RowStatus) -> "asyncio.Future[int]":
        return journal.submit(*[Move(row.position, before or row.state, status) for row in rows])

    try:
        await written(None, blank)
    except asyncio.CancelledError:
        # The rows become `sending` all the same, and this after it: nothing has left.
        _ = written(RowState.SENDING, evolve(blank, state=RowState.NOT_SENT, sent=Sent.NO))
        raise
    step: Step[Result]
    status = evolve(blank, state=RowState.ACCEPTED, sent=Sent.YES)
    try:
        result = await caxton.call(endpoint, request)
        step = Step(Verdict(RowState.ACCEPTED), result)
    except CaxtonError as error:
        step = Step(judge(error, repeatable=endpoint.repeatable), error=error)
        status = status_of(step.verdict, error, started_at=blank.started_at)
    except BaseException as error:
        # No waiting under a cancellation: until this is written the rows are `sending`, which counts as unknown.
        said = f"interrupted by {type(error).__name__} while it was being sent"
        _ = written(RowState.SENDING, evolve(blank, state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=said))
        raise
    await written(RowState.SENDING, evolve(status, elapsed_s=clock() - began))
    return step
