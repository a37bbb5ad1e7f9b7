"""Retry: what may be tried again, after how long, and how often all calls together may."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.errors import (
    ApiError,
    AuthenticationFailed,
    CaxtonError,
    CertificateRejected,
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    NotAuthorised,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.retry import RetryBudget, backoff_s, delay_s, login_delay_s, may_replay, rejects_token

# Each error, and whether it is tried again: for a call that must not be repeated, and for one that may be.
DECISIONS = {
    "configuration": (ConfigurationError("m"), False, False),
    "invalid": (InvalidRequest("m"), False, False),
    "login failed": (AuthenticationFailed("m", retry_after_s=1), False, False),
    "login refused": (LoginRefused("m"), False, False),
    "not sent": (NotSent("m"), True, True),
    "certificate": (CertificateRejected("m"), False, False),
    "refused": (ApiError("m", http_status=200), False, False),
    "refused without a status": (ApiError("m"), False, False),
    "bad request": (ApiError("m", http_status=400), False, False),
    "timeout of the server": (ApiError("m", http_status=408), False, True),
    "conflict": (ApiError("m", http_status=409), False, False),
    "not authorised": (NotAuthorised("m", http_status=401), False, False),
    "forbidden": (NotAuthorised("m", http_status=403), False, False),
    "not found": (NotFound("m", http_status=404), False, False),
    "limited": (RateLimited("m", http_status=429), True, True),
    "server failed": (ServerFailed("m", http_status=500), False, True),
    "unavailable": (ServerFailed("m", http_status=503), False, True),
    "unreadable": (UnreadableReply("m"), False, True),
    "unknown": (OutcomeUnknown("m"), False, False),
    "deadline": (DeadlineExceeded("m"), False, False),
}


@pytest.mark.parametrize(("error", "once_only", "look_up"), DECISIONS.values(), ids=DECISIONS)
def test_an_error_is_tried_again_or_not(error: CaxtonError, once_only: bool, look_up: bool) -> None:
    """What may have been carried out is never repeated, unless repeating is safe."""
    delays = [delay_s(error, repeatable=repeatable, attempt=1, share=0.5) for repeatable in (False, True)]

    assert [delay is not None for delay in delays] == [once_only, look_up]


def test_no_call_is_repeated_whose_outcome_is_unknown() -> None:
    """Of all errors, those that leave a call that must not be repeated in doubt are never tried again."""
    for error, once_only, _ in DECISIONS.values():
        assert not (once_only and error.sent is Sent.UNKNOWN)
        assert not once_only or error.safe_to_retry


@pytest.mark.parametrize(
    ("attempt", "ceiling"),
    [(1, 0.2), (2, 0.4), (3, 0.8), (6, 6.4), (7, 8.0), (100, 8.0), (10**9, 8.0)],
)
def test_the_wait_grows_to_its_ceiling(attempt: int, ceiling: float) -> None:
    """It doubles from 0.2 s to 8 s, and chance takes any share of it."""
    assert backoff_s(attempt, 1.0) == pytest.approx(ceiling)
    assert backoff_s(attempt, 0.25) == pytest.approx(ceiling / 4)
    assert backoff_s(attempt, 0.0) == 0.0


@pytest.mark.parametrize("kind", [RateLimited, ServerFailed])
def test_what_the_server_asks_for_is_waited_for(kind: type[ApiError]) -> None:
    """`Retry-After` is the least of the wait; without one the backoff alone is."""
    asked, unasked = (kind("m", http_status=503, retry_after_s=seconds) for seconds in (30.0, None))

    assert delay_s(asked, repeatable=True, attempt=1, share=0.5) == pytest.approx(30.1)
    assert delay_s(unasked, repeatable=True, attempt=1, share=0.5) == pytest.approx(0.1)


@given(
    st.sampled_from([error for error, *_ in DECISIONS.values()]),
    st.booleans(),
    st.integers(1, 10**6),
    st.floats(0, 1),
)
def test_a_wait_is_always_sensible(error: CaxtonError, repeatable: bool, attempt: int, share: float) -> None:
    """Whatever happened, and however often, the wait is none, or between nothing and the ceiling."""
    delay = delay_s(error, repeatable=repeatable, attempt=attempt, share=share)

    assert delay is None or (math.isfinite(delay) and 0 <= delay <= 8)


@pytest.mark.parametrize(
    ("error", "rejected", "replayable"),
    [
        pytest.param(NotAuthorised("m", http_status=401, path="$"), True, True, id="401"),
        pytest.param(NotAuthorised("m", http_status=401, path="$.Content.Model"), True, True, id="401 in the envelope"),
        pytest.param(NotAuthorised("m", http_status=401), True, True, id="401 without a path"),
        pytest.param(NotAuthorised("m", http_status=403, path="$"), False, False, id="403"),
        pytest.param(NotAuthorised("m", http_status=200, path="$.AuthorisedUserModel"), True, False, id="user"),
        pytest.param(NotAuthorised("m", http_status=401, path="$.AuthorisedClientModel"), True, False, id="client"),
        pytest.param(
            NotAuthorised("m", http_status=200, path="$.authorisedusermodel"), True, False, id="small letters"
        ),
        pytest.param(OutcomeUnknown("m", http_status=401), True, False, id="a page of HTML"),
        pytest.param(UnreadableReply("m", http_status=401), True, False, id="a page of HTML for a look-up"),
        pytest.param(OutcomeUnknown("m", http_status=403), False, False, id="another status"),
        pytest.param(LoginRefused("m"), False, False, id="login"),
    ],
)
def test_a_token_is_dropped_and_a_call_replayed_only_before_any_work(
    error: CaxtonError, rejected: bool, replayable: bool
) -> None:
    """A plain 401 says that nothing was done; a refused client or user in an answer says only that the token is bad."""
    assert (rejects_token(error), may_replay(error, repeatable=False)) == (rejected, replayable)
    assert may_replay(error, repeatable=True) == (getattr(error, "http_status", None) == 401)


def test_a_login_is_tried_again_within_itself_only_if_it_never_left() -> None:
    """After an answer that is no token there is a hold: a login that asked again by itself would not keep to it."""
    errors = [NotSent("m"), RateLimited("m", retry_after_s=1.0), ServerFailed("m"), UnreadableReply("m")]

    delays = [login_delay_s(error, repeatable=True, attempt=1, share=1.0) for error in errors]

    assert delays == [0.2, None, None, None]


def test_the_budget_is_ten_retries_ahead_of_the_answers() -> None:
    """When an outage begins, ten retries are made, and then none."""
    budget = RetryBudget()

    assert [budget.spend() for _ in range(12)] == [True] * 10 + [False] * 2


def test_an_answer_earns_a_tenth_of_a_retry() -> None:
    """While an outage lasts, fewer than one call in ten is a retry; more than ten are never saved up."""
    budget = RetryBudget(left=0)

    spent = 0
    for _ in range(1000):
        budget.earn()
        spent += budget.spend()
    assert 90 <= spent <= 100
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 10
