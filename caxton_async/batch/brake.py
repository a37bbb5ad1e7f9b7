"""When a run pauses by itself: too many outcomes that say nothing, or the same refusal again and again."""

from typing import Final

from attrs import define

from caxton_async.errors import ApiError, CaxtonError, RateLimited
from caxton_async.journal.states import RowState

# Outcomes since the last accepted one.  A server that loses one answer in ten gets there once in 100,000 rows.
MAX_UNANSWERED: Final = 5
# Refusals with one status, with no accepted row between them: an empty balance or a blocked account refuses them all.
MAX_REFUSALS_ALIKE: Final = 10


@define
class Brake:
    """Counts outcomes in the order of their completion.

    An outage shows as outcomes that are unknown, or as calls that did not reach the API; a refusal between them says
    nothing about whether payments get through, so only an accepted row starts the count anew.
    """

    _unanswered: int = 0
    _alike: int = 0
    _refusal: tuple[object, ...] | None = None

    def observe(self, state: RowState, error: CaxtonError | None) -> str | None:
        """Count an outcome and return why the run has to pause, None while it may go on."""
        if state is RowState.ACCEPTED:
            self._unanswered = self._alike = 0
        elif state is RowState.REJECTED and isinstance(error, ApiError):
            refusal = (error.api_status, error.api_status_code, error.http_status)
            self._alike = self._alike + 1 if refusal == self._refusal else 1
            self._refusal = refusal
        elif state in {RowState.UNKNOWN, RowState.NOT_SENT} and not isinstance(error, RateLimited):
            self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            return f"{self._unanswered} calls did not reach the API, or got no answer to trust, and none was accepted"
        if self._alike >= MAX_REFUSALS_ALIKE:
            return f"{self._alike} rows in a row were refused alike"
        return None
