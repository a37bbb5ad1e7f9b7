"""What the statuses of an answer say: success, refusal, or both at once.

What belongs here: finding the triplets (code, status and description) in an answer, and the rules of what they mean.
What does not: which error that makes (`replies`).  Source: Caxton developer guide, envelope.  No failure is shown
there, so whatever does not plainly say success is an objection.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final

from attrs import field, frozen

from caxton_async.models import ApiStatus

MODEL: Final = "$.Content.Model"
_SUCCESS_CODES: Final[tuple[int, ...]] = (100, 314)
_SUCCESS_NAMES: Final = ("isvalid", "success")
_DOCUMENTED: Final[Mapping[str, str]] = {
    name.lower(): name
    for name in (
        *("Content", "Model", "ExpectedResponses", "MainAccountHolderName"),
        *("AuthorisedClientModel", "AuthorisedUserModel"),
        *("ApiStatusCode", "ApiStatus", "ApiStatusDescription"),
    )
}
_MAX_PATH = 300  # characters; a longer one helps nobody


class Objection(Enum):
    """Why an answer is not a plain success."""

    REFUSED = "refused"
    CALLER_REFUSED = "the client or user is refused"
    CONTRADICTS = "contradicts the rest of it"
    UNREADABLE = "has a status that cannot be read"


@frozen
class Finding:
    """An objection, where it stands, and what stands there."""

    objection: Objection
    path: str = MODEL
    status: ApiStatus = field(factory=ApiStatus)


def respell(answer: object) -> None:
    """Bring, in place, every member of the envelope and the triplet into its documented case.

    The guides slip in the case of letters, and a status that is overlooked is a payment reported wrongly.
    """
    waiting = [answer]
    while waiting:  # not by recursion, whose depth the server would decide
        value = waiting.pop()
        if isinstance(value, dict):
            for key in [key for key in value if _DOCUMENTED.get(key.lower(), key) != key]:
                value[_DOCUMENTED[key.lower()]] = value.pop(key)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def find_objection(
    answer: Mapping[str, object], model: object, expected: Iterable[str], http_status: int
) -> Finding | None:
    """Return what speaks against success, None when the Model says success and nothing contradicts it.

    `expected` are the names that mean success for the call.  `http_status` is 2xx or 4xx.
    """
    names = tuple(name.lower() for name in expected)
    path, own = own_status(model)
    found = list(_walk(answer))
    for place, status in found:
        if _is_callers(place) and _refuses_caller(status, names):
            return Finding(Objection.CALLER_REFUSED, place, status)
    if own is not None and own.api_status_code is None and own.api_status is None:
        return Finding(Objection.UNREADABLE, path, own)
    if own is not None and not _is_success(own, names):
        return Finding(Objection.REFUSED, path, own)
    beside = [(place, status) for place, status in found if (place, status) != (path, own) and not _is_callers(place)]
    success = None if own is None else Finding(Objection.CONTRADICTS, path, own)
    return _weigh(beside, names, success, http_refused=http_status >= 400)


def _weigh(
    beside: list[tuple[str, ApiStatus]], names: tuple[str, ...], success: Finding | None, *, http_refused: bool
) -> Finding | None:
    """Weigh the statuses beside the Model's own, which is a `success` or None, against the word of HTTP."""
    # The names expected are the Model's; what stands beside it may keep to the usual ones.
    judged = [(_is_success(status, names and (*names, *_SUCCESS_NAMES)), place, status) for place, status in beside]
    failures = [Finding(Objection.REFUSED, place, status) for good, place, status in judged if not good]
    successes = [Finding(Objection.CONTRADICTS, place, status) for good, place, status in judged if good]
    if http_refused:
        return success or next(iter(successes), None) or next(iter(failures), Finding(Objection.REFUSED))
    return next((Finding(Objection.CONTRADICTS, each.path, each.status) for each in failures), None)


def own_status(model: object) -> tuple[str, ApiStatus | None]:
    """Return the status that speaks for the Model, and its path: the Model's own, else that of an object in it."""
    if not isinstance(model, dict):
        return MODEL, None
    if (own := _status(model)) is not None:
        return MODEL, own
    for key, value in model.items():
        if isinstance(value, dict) and (nested := _status(value)) is not None:
            return f"{MODEL}.{key}"[:_MAX_PATH], nested
    return MODEL, None


def _status(value: Mapping[str, object]) -> ApiStatus | None:
    """Return the triplet of an object, None where it has none; a member of the wrong type counts as unknown."""
    code, name = value.get("ApiStatusCode"), value.get("ApiStatus")
    if code is None and name is None:
        return None
    description = value.get("ApiStatusDescription")
    return ApiStatus(
        code if type(code) is int else None,
        name if isinstance(name, str) else None,
        description if isinstance(description, str) else None,
    )


def _walk(answer: object) -> Iterator[tuple[str, ApiStatus]]:
    """Yield each triplet of the answer and its path, the outer ones first."""
    waiting = deque([("$", answer)])
    while waiting:
        path, value = waiting.popleft()
        if isinstance(value, dict):
            if (status := _status(value)) is not None:
                yield path, status
            waiting.extend((f"{path}.{key}"[:_MAX_PATH], item) for key, item in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]"[:_MAX_PATH], item) for index, item in enumerate(value))


def _is_callers(path: str) -> bool:
    return path.lower().startswith("$.authorised")


def _is_success(status: ApiStatus, names: tuple[str, ...]) -> bool:
    """Tell whether a status means success: the names expected decide; without them the code, if there is one."""
    if status.api_status is not None and (names or status.api_status_code is None):
        return status.api_status.lower() in (names or _SUCCESS_NAMES)
    return status.api_status_code in _SUCCESS_CODES


def _refuses_caller(status: ApiStatus, names: tuple[str, ...]) -> bool:
    """Tell whether the status of a client or user says no; no list of names is about it, so any good sign will do."""
    name = (status.api_status or "").lower()
    return status.api_status_code not in _SUCCESS_CODES and name not in (*names, *_SUCCESS_NAMES)
