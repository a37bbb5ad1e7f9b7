"""Pure: may a call be tried again, and after how many seconds.

A call that must not be repeated is tried again only where the error itself says that it was not carried out.
"""

from typing import Final

from attrs import define, field

from caxton_async.errors import ApiError, CaxtonError, NotAuthorised, NotSent, RateLimited, UnreadableReply

_FIRST_BACKOFF_S: Final = 0.2
_MAX_BACKOFF_S: Final = 8.0
_BUDGET: Final = 10.0  # retries that a client may be ahead of its successes
_EARNED_BY_AN_ANSWER: Final = 0.1  # so that at most one call in ten is a retry when an outage lasts


@define
class RetryBudget:
    """What all calls of a client may spend on retries together, so that an outage is not multiplied."""

    left: float = field(default=_BUDGET)

    def earn(self) -> None:
        """Count an answer."""
        self.left = min(_BUDGET, self.left + _EARNED_BY_AN_ANSWER)

    def spend(self) -> bool:
        """Take a retry out of the budget; False when none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


def rejects_token(error: CaxtonError) -> bool:
    """Tell whether the API no longer takes the token: HTTP 401 in any form, or a refused client or user."""
    return getattr(error, "http_status", None) == 401 or _names_the_caller(error)


def may_replay(error: CaxtonError, *, repeatable: bool) -> bool:
    """Tell whether a new token may mend the call: the API answered 401 before any work, or work may be repeated."""
    if getattr(error, "http_status", None) != 401:
        return False
    return repeatable or (isinstance(error, NotAuthorised) and not _names_the_caller(error))


def _names_the_caller(error: CaxtonError) -> bool:
    path = getattr(error, "path", None)
    return isinstance(path, str) and path.casefold().startswith("$.authorised")


def backoff_s(attempt: int, share: float) -> float:
    """Return the wait after attempt number `attempt` (from 1), `share` (0 to 1, random) of its ceiling: full jitter."""
    return share * min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 16))


def delay_s(error: CaxtonError, *, repeatable: bool, attempt: int, share: float) -> float | None:
    """Return the seconds after which the call may be tried again, None when it may not.

    `attempt` counts those made, `share` is a random number between 0 and 1.
    """
    retry_after_s = None
    match error:
        case NotSent() | RateLimited():
            retryable = error.safe_to_retry
        case UnreadableReply():
            retryable = repeatable and error.http_status != 401  # that is replayed with a new token, or not at all
        case ApiError(http_status=int(status)):
            retryable = repeatable and (status == 408 or status >= 500)
        case _:
            retryable = False
    if not retryable:
        return None
    if isinstance(error, ApiError):
        retry_after_s = error.retry_after_s
    return backoff_s(attempt, share) + (retry_after_s or 0.0)


def login_delay_s(error: CaxtonError, *, repeatable: bool, attempt: int, share: float) -> float | None:
    """Return the seconds after which a login may be tried again within itself, None when it may not.

    Only what never left is: after an answer that is no token there is a hold, which all callers and processes keep to.
    """
    if not isinstance(error, NotSent):
        return None
    return delay_s(error, repeatable=repeatable, attempt=attempt, share=share)
