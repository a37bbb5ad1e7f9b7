"""A payment in a service or a worker that is intended once and made once, whatever becomes of who asked for it."""

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from attrs import frozen

from caxton_async.bulk import check_line
from caxton_async.endpoints import Endpoint
from caxton_async.errors import AlreadyResolved, ConfigurationError, InProgress, InvalidRequest, OutcomeUnknown
from caxton_async.journal.binding import binding_of
from caxton_async.journal.protocol import Journal, Known, Taken, Worker
from caxton_async.journal.states import JournalRow, NewBatch, PlannedRow, RowState
from caxton_async.journal.step import take_step
from caxton_async.journal.stored import (
    decode_error,
    decode_result,
    encode_request,
    holds_secret,
    money_of,
    request_digest,
)
from caxton_async.protocol.request import check_request

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

Request = TypeVar("Request")
Result = TypeVar("Result")
_FIRST_LOOK_S: Final = 0.05  # after the payment was found in flight in another process; then twice as long each time
_LAST_LOOK_S: Final = 1.0


@frozen
class Once(Generic[Result]):
    """A payment that was made: `replayed` says that an earlier call made it, whose result this is.

    `reference` is the caller's idempotency key.  `result` is None where the call returns nothing, or its result could
    not be kept.
    """

    state: RowState
    result: Result | None
    replayed: bool
    reference: str


async def once(
    caxton: "CaxtonClient",
    endpoint: Endpoint[Request, Result],
    request: Request,
    *,
    reference: str,
    journal: Journal,
) -> Once[Result]:
    """Make a payment once for its reference (the idempotency key), and return the same result at each further call.

    References are unique by origin, credentials, account and endpoint.  The payment belongs to the journal, which is
    open by `async with`: a caller that is cancelled does not cut it off, and its outcome is recorded.

    Raises:
        ReferenceConflict: the reference stands for another request.
        OutcomeUnknown: it may have been made; it is not made again until a person resolves it.
        AlreadyResolved: a person decided that it was made.
        InProgress: another process is making it, and was not done within the deadline.
        ConfigurationError: its result holds a secret, and the journal is not encrypted.
        CaxtonError: what the call raised; a refusal is raised again at each further call.
    """
    planned = _planned(endpoint, request, reference, journal)
    new = NewBatch(name=f"once {endpoint.name}", endpoint=endpoint.name, binding=binding_of(caxton), kind="once")
    worker = await journal.payments.worker()
    found = await _take(worker, journal, new, planned, caxton.settings.deadline_s)
    result: Result | None
    if isinstance(found, Known):
        result = _replay(found.row, endpoint, journal)
    else:
        paying = _pay(caxton, endpoint, request, worker=worker, taken=found)
        # From here on the payment is the journal's: cancelling the caller leaves it alone.
        result = await asyncio.shield(journal.payments.run(found.id, paying))
    return Once(RowState.ACCEPTED, result, isinstance(found, Known), reference)


def _planned(endpoint: Endpoint[Request, Any], request: Request, reference: str, journal: Journal) -> PlannedRow:
    """Return the row of a payment, when its request and result may be kept."""
    if not check_line(reference, "the reference").strip():
        raise InvalidRequest("a payment that is made once needs a reference of its own")
    check_request(endpoint, request)
    returns: Any = endpoint.returns  # to mypy a class is not Hashable
    if not journal.is_encrypted and holds_secret(returns):
        raise ConfigurationError(
            f"what {endpoint.name} returns holds a secret, which only an encrypted journal keeps: set "
            "CAXTON_JOURNAL_KEY_FILE"
        )
    money = money_of(request)
    return PlannedRow(
        reference=reference,
        request=encode_request(request, is_encrypted=journal.is_encrypted),
        digest=request_digest(request, journal.salt, leave_out=reference),
        amount=f"{money.amount:f}" if money else None,
        currency=money.currency if money else None,
    )


async def _take(worker: Worker, journal: Journal, new: NewBatch, planned: PlannedRow, wait_s: float) -> Taken | Known:
    """Take the payment, or wait for whoever is making it."""
    clock = asyncio.get_running_loop().time
    deadline, pause_s = clock() + wait_s, _FIRST_LOOK_S
    while True:
        found = await worker.take_one(new, planned)
        if isinstance(found, Taken) or not found.is_in_flight:
            return found
        left_s = deadline - clock()
        if left_s <= 0:
            raise InProgress(
                f"{planned.reference!r} is being sent by another process, whose outcome did not come in time: ask again"
            )
        if not await journal.payments.wait_for(found.row.id, left_s):
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, _LAST_LOOK_S)
            # Its process may have ended, and then nobody but us may say so.
            await asyncio.to_thread(journal.sweep)


async def _pay(
    caxton: "CaxtonClient", endpoint: Endpoint[Request, Result], request: Request, *, worker: Worker, taken: Taken
) -> Result | None:
    step = await take_step(caxton, endpoint, request, worker=worker, rows=(taken,), keeps_answer=True)
    if step.error is not None:
        raise step.error
    return step.result


def _replay(row: JournalRow, endpoint: Endpoint[Any, Result], journal: Journal) -> Result | None:
    """Return or raise what the first call did."""
    match row.state:
        case RowState.ACCEPTED:
            return decode_result(row.answer, endpoint.returns) if row.answer else None
        case RowState.REJECTED:
            raise decode_error(row, endpoint.name)
        case RowState.RESOLVED:
            last = [decision for decision in journal.decisions(row.batch) if decision.reference == row.reference][-1]
            raise AlreadyResolved(
                f"{row.reference!r} was resolved as paid by {last.who}, so it is not made again",
                who=last.who,
                note=last.note,
                at=last.at,
            )
    raise OutcomeUnknown(
        f"{row.reference!r} may or may not have been carried out ({row.status.error or 'no outcome is known'}): find "
        "out, then resolve it; it is not sent again until then",
        endpoint=endpoint.name,
        http_status=row.status.http_status,
        api_status_code=row.status.api_status_code,
        api_status=row.status.api_status,
    )
