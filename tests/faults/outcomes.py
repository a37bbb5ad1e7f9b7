"""What may come of a call, and what has to come of each kind of call in one case.

What belongs here: outcomes as values.  What does not: which fault leads to which (`matrix`).
"""

import asyncio

from attrs import evolve, field, frozen

from caxton_async.errors import (
    ApiError,
    AuthenticationFailed,
    CertificateRejected,
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from tests.faults.kinds import Kind

CALLERS = 20  # in a case about many calls at once


@frozen
class Outcome:
    """What has to come of a call.

    `letter` is N (not sent), A (ambiguous), R (a definite answer) or L (refused before sending); `requests` is how many
    the server sees for this call, `attempts` how often the client tries.  A login is judged by what its caller is told.
    """

    letter: str
    error: type[BaseException] | None
    sent: Sent | None
    safe: bool | None
    requests: int
    attempts: int


@frozen
class Expected:
    """What has to come of each kind of call; a text in place of an outcome says why a case means nothing to it."""

    money: Outcome | str
    look_up: Outcome | str
    login: Outcome | str
    password: Outcome | str = field()

    @password.default
    def _like_money(self) -> Outcome | str:
        return self.money

    def of(self, kind: Kind) -> Outcome | str:
        """Return what holds for a kind of call."""
        return self.password if kind.name == "password" else getattr(self, kind.column)


# The client of the bench tries at most twice.
UNKNOWN = Outcome("A", OutcomeUnknown, Sent.UNKNOWN, safe=False, requests=1, attempts=1)
_LOST_LOGIN = Outcome("A", AuthenticationFailed, Sent.NO, safe=False, requests=1, attempts=1)
_UNREADABLE = Outcome("A", UnreadableReply, Sent.YES, safe=True, requests=2, attempts=2)
_RIGHT = Outcome("R", None, None, None, requests=1, attempts=1)
_REFUSED = Outcome("R", ApiError, Sent.YES, safe=False, requests=1, attempts=1)
_DENIED = evolve(_REFUSED, error=NotAuthorised)
_NO_LOGIN = Outcome("N", AuthenticationFailed, Sent.NO, safe=False, requests=0, attempts=2)
_BAD_LOGIN = Outcome("R", AuthenticationFailed, Sent.NO, safe=False, requests=1, attempts=1)
_NOT_SENT = Outcome("N", NotSent, Sent.NO, safe=True, requests=0, attempts=2)
_UNTRUSTED = Outcome("N", CertificateRejected, Sent.NO, safe=False, requests=0, attempts=1)
_LATE = Outcome("N", DeadlineExceeded, Sent.NO, safe=True, requests=0, attempts=0)
_LIMITED = Outcome("R", RateLimited, Sent.YES, safe=True, requests=2, attempts=2)
_FAILED = Outcome("R", ServerFailed, Sent.YES, safe=True, requests=2, attempts=2)
_CANCELLED = Outcome("A", asyncio.CancelledError, None, None, requests=1, attempts=1)
_ARGUMENT = Outcome("L", InvalidRequest, Sent.NO, safe=False, requests=0, attempts=0)
_SETTING = Outcome("L", ConfigurationError, Sent.NO, safe=False, requests=0, attempts=0)
_OUTSIDE = evolve(_LATE, error=LoginRefused, safe=False)

NO_TOKEN = "carries neither token nor account"
NO_VALUE = "takes no text into its path"
NO_BODY = "has no body"
NO_LIST = "has nothing below its Model"

NEVER_SENT = Expected(_NOT_SENT, _NOT_SENT, _NO_LOGIN)
QUEUED = Expected(_LATE, _LATE, _RIGHT)
CUT = Expected(UNKNOWN, evolve(_UNREADABLE, sent=Sent.UNKNOWN), _LOST_LOGIN)
GARBLED = Expected(UNKNOWN, _UNREADABLE, _LOST_LOGIN)
UNSEEN = Expected(*(evolve(one, requests=0) for one in (UNKNOWN, CUT.look_up, _LOST_LOGIN)))
RIGHT = Expected(_RIGHT, _RIGHT, _RIGHT)
MENDED = Expected(UNKNOWN, evolve(_RIGHT, requests=2, attempts=2), _LOST_LOGIN)
CANCELLED = Expected(_CANCELLED, _CANCELLED, _CANCELLED)
OVERDUE = Expected(
    UNKNOWN,
    Outcome("A", DeadlineExceeded, Sent.UNKNOWN, safe=True, requests=1, attempts=1),
    evolve(_LATE, requests=1, attempts=1),
)
REPLAYED = Expected(evolve(_RIGHT, requests=2, attempts=2), evolve(_RIGHT, requests=2, attempts=2), _BAD_LOGIN, _DENIED)
STORM = Expected(
    *[evolve(_RIGHT, requests=2 * CALLERS, attempts=2 * CALLERS)] * 2, "is what the storm leads to", NO_TOKEN
)
OUTSIDE = Expected(_OUTSIDE, _OUTSIDE, evolve(_OUTSIDE, letter="R", requests=1, attempts=1), NO_TOKEN)
REFUSED = Expected(_REFUSED, _REFUSED, _BAD_LOGIN)
DENIED = Expected(_DENIED, _DENIED, "has no such member in its answer")
LIMITED = Expected(_LIMITED, _LIMITED, evolve(_LOST_LOGIN, letter="R"))
LIMITED_FOR_LONG = Expected(*[evolve(_LIMITED, requests=1, attempts=1)] * 2, LIMITED.login)
FAILED = Expected(UNKNOWN, _FAILED, _LOST_LOGIN)
CONTRADICTORY = Expected(UNKNOWN, _UNREADABLE, _LOST_LOGIN)
UNTRUSTED = Expected(_UNTRUSTED, _UNTRUSTED, evolve(_NO_LOGIN, attempts=1))
BAD_ARGUMENT = Expected(_ARGUMENT, _ARGUMENT, NO_TOKEN, NO_TOKEN)
BAD_SETTING = Expected(_SETTING, _SETTING, _SETTING)
TOO_LARGE = REFUSED
BAD_PATH = Expected(_SETTING, _ARGUMENT, _SETTING)
