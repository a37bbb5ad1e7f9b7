"""The errors: what each of them says of the request, and that none is lost on its way between processes."""

import copy
import inspect
import json
import pickle
import re

import pytest

from caxton_async import errors
from caxton_async.errors import (
    AlreadyResolved,
    ApiError,
    AuthenticationFailed,
    CaxtonError,
    CertificateRejected,
    ConfigurationError,
    DeadlineExceeded,
    DuplicateReference,
    DuplicatesSuspected,
    InProgress,
    InvalidRequest,
    JournalError,
    JournalFailed,
    JournalRefused,
    LoginRefused,
    NotAuthorised,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    ReferenceConflict,
    Sent,
    ServerFailed,
    TransitionRefused,
    UnreadableReply,
)

# What each error says of itself: whether the request was sent, and whether sending it again cannot do it twice.
PROMISES = {
    CaxtonError: (Sent.NO, False),
    ConfigurationError: (Sent.NO, False),
    InvalidRequest: (Sent.NO, False),
    AuthenticationFailed: (Sent.NO, False),
    LoginRefused: (Sent.NO, False),
    NotSent: (Sent.NO, True),
    CertificateRejected: (Sent.NO, False),
    ApiError: (Sent.YES, False),
    NotAuthorised: (Sent.YES, False),
    NotFound: (Sent.YES, False),
    RateLimited: (Sent.YES, True),
    ServerFailed: (Sent.YES, True),
    UnreadableReply: (Sent.UNKNOWN, True),
    OutcomeUnknown: (Sent.UNKNOWN, False),
    DeadlineExceeded: (Sent.NO, True),
    ReferenceConflict: (Sent.NO, False),
    DuplicateReference: (Sent.NO, False),
    DuplicatesSuspected: (Sent.NO, False),
    InProgress: (Sent.UNKNOWN, False),
    AlreadyResolved: (Sent.YES, False),
    JournalError: (Sent.NO, False),
    JournalRefused: (Sent.NO, False),
    JournalFailed: (Sent.NO, False),
    TransitionRefused: (Sent.NO, False),
}
VALUES = {
    "endpoint": "move_funds",
    "correlation_id": "id-7",
    "sent": Sent.UNKNOWN,
    "http_status": 429,
    "api_status_code": 217,
    "api_status": "Failed",
    "description": "No can do",
    "path": "$.Content.Model",
    "retry_after_s": 1.5,
    "duplicates": ("row-1",),
    "count": 1,
    "who": "ann",
    "note": "on the statement",
    "at": 1.5,
}
each_error = pytest.mark.parametrize("kind", PROMISES, ids=lambda kind: kind.__name__)


def filled(kind: type[CaxtonError]) -> CaxtonError:
    """Make an error with everything that its kind can say."""
    names = set(inspect.signature(kind).parameters) & set(VALUES)
    return kind("what happened: do that", **{name: VALUES[name] for name in names})


def test_every_error_of_the_module_is_promised_something() -> None:
    """The table of this test is complete."""
    public = {
        value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CaxtonError) and not name.startswith("_")
    }

    assert set(PROMISES) == public


@each_error
def test_an_error_says_whether_the_request_was_sent(kind: type[CaxtonError]) -> None:
    """Made from its message alone, each error answers the one question, and whether to try again."""
    error = kind("message")

    assert (error.sent, error.safe_to_retry) == PROMISES[kind]
    assert (str(error), error.endpoint, error.correlation_id) == ("message", None, None)


def pickled(error: CaxtonError) -> CaxtonError:
    """Send an error to another process, as it were."""
    return pickle.loads(pickle.dumps(error))


@each_error
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_an_error_survives_its_way_between_processes(kind: type[CaxtonError], again) -> None:
    """A copied or pickled error has its class, message, notes and every attribute."""
    error = filled(kind)
    error.add_note("row 7")

    arrived = again(error)

    assert type(arrived) is kind
    assert arrived is not error
    assert (str(arrived), arrived.args) == (str(error), error.args)
    assert vars(arrived) == vars(error)
    assert (arrived.sent, arrived.safe_to_retry) == (error.sent, error.safe_to_retry)


@each_error
def test_the_data_of_an_error_are_its_attributes(kind: type[CaxtonError]) -> None:
    """Whatever an error takes by name is found under that name, and can be written as JSON."""
    error = filled(kind)

    names = set(inspect.signature(kind).parameters) - {"message"}
    assert {name: getattr(error, name) for name in names} == {name: VALUES[name] for name in names}
    assert json.dumps({name: value for name, value in vars(error).items() if name != "sent"})


def test_the_tree_at_the_top_of_the_module_is_true() -> None:
    """The drawing names every error, below the one that it is derived from."""
    drawn: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"(?P<branch>[ │├└─]+)(?P<name>[A-Z]\w+) +\S", line):
            depth = len(match["branch"])
            above = [(d, name) for d, name in above if d < depth]
            drawn[match["name"]] = above[-1][1] if above else None
            above.append((depth, match["name"]))

    assert drawn == {kind.__name__: None if kind is CaxtonError else _parent(kind) for kind in PROMISES}


def _parent(kind: type[CaxtonError]) -> str:
    return next(base.__name__ for base in kind.__mro__[1:] if not base.__name__.startswith("_"))


def test_one_except_clause_catches_everything() -> None:
    """Every error is a CaxtonError, and none of them hides one of Python's own names."""
    assert all(issubclass(kind, CaxtonError) for kind in PROMISES)
    assert not {kind.__name__ for kind in PROMISES} & set(dir(__builtins__))


@pytest.mark.parametrize("name", ["no", "yes", "unknown"])
def test_sent_is_written_in_small_letters(name: str) -> None:
    """Reports and journals write `sent` by its value."""
    assert Sent(name) is Sent[name.upper()]
