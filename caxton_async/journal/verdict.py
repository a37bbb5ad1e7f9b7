"""What an error means for the row that met it, and for the run: a pure decision."""

import re
from typing import Final

from attrs import frozen

from caxton_async.errors import (
    ApiError,
    CaxtonError,
    InvalidRequest,
    NotAuthorised,
    RateLimited,
    Sent,
    ServerFailed,
)
from caxton_async.journal.states import RowState, RowStatus

_MAX_ERROR: Final = 300  # characters of an error that are kept
# An IBAN, an account number or a sort code, which a server may quote: whole, or in groups.
_LIKE_AN_ACCOUNT: Final = re.compile(
    r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3}\b)?|[0-9](?:[ -]?[0-9]){4,}", re.IGNORECASE
)


@frozen
class Verdict:
    """What becomes of a row: its state, whether this run may try it `again`, and whether the run `pauses` with it."""

    state: RowState
    again: bool = False
    pauses: bool = False


def judge(error: CaxtonError, *, repeatable: bool) -> Verdict:
    """Decide what an error means; what may have been carried out, and must not be repeated, is unknown.

    - An answer that says no, and a request that cannot be sent as it stands, are `rejected`: sending the same again
      brings the same.
    - Where no row would fare better (no login, no permission, a wrong certificate), the run pauses and the row waits.
      A plain 401 or 403 comes before any work; a refused account inside an answer does not say so, hence `rejected`.
    - What is safe to retry waits as `not_sent`, also a repeatable call whose answer was lost.
    """
    if isinstance(error, NotAuthorised):
        came_first = error.http_status in {401, 403}
        return Verdict(RowState.NOT_SENT if came_first else RowState.REJECTED, pauses=True)
    if error.safe_to_retry and (repeatable or error.sent is Sent.NO or isinstance(error, RateLimited)):
        return Verdict(RowState.NOT_SENT, again=True)
    if isinstance(error, ApiError | InvalidRequest) and not isinstance(error, ServerFailed):
        return Verdict(RowState.REJECTED)
    if error.sent is Sent.NO:
        return Verdict(RowState.NOT_SENT, pauses=True)
    return Verdict(RowState.UNKNOWN)


def status_of(verdict: Verdict, error: CaxtonError | None, *, started_at: float, elapsed_s: float) -> RowStatus:
    """Return what the journal keeps of the outcome of a call: no secret, and no account number."""
    if error is None:
        return RowStatus(state=verdict.state, sent=Sent.YES, started_at=started_at, elapsed_s=elapsed_s)
    api_status = getattr(error, "api_status", None)
    return RowStatus(
        state=verdict.state,
        sent=error.sent,
        error=readable(error),
        http_status=_number(error, "http_status"),
        api_status_code=_number(error, "api_status_code"),
        api_status=masked(api_status) if isinstance(api_status, str) else None,
        started_at=started_at,
        elapsed_s=elapsed_s,
    )


def readable(error: CaxtonError) -> str:
    """Return the text of an error, short and without account numbers."""
    return masked(str(error))


def masked(text: str) -> str:
    """Return a text without account numbers, on one line and cut to a bearable length."""
    text = _LIKE_AN_ACCOUNT.sub("***", " ".join(text.split()))
    return text if len(text) <= _MAX_ERROR else text[: _MAX_ERROR - 1] + "…"


def _number(error: CaxtonError, name: str) -> int | None:
    value = getattr(error, name, None)
    # A server may send a number that no column holds.
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
