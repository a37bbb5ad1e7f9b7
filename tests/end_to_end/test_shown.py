"""What an error shows: nothing chained, nothing shared, no secret in it nor in the frames that it passed through."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import caxton_async
from caxton_async import CaxtonClient, CaxtonError, InvalidRequest, LoginRefused, OutcomeUnknown
from caxton_async.emulator import Emulator, Fault
from tests.support.canary import texts_of
from tests.support.harness import assert_clean, client, failure, hold, outcomes, virtual

WALLET, RATE, LOGIN = "create_wallet", "get_card_rate", "get_access_token"
USER_TOKEN = "canary-user-token"


async def wallet(caxton: CaxtonClient) -> object:
    """Make a call that must not be repeated."""
    return await caxton.for_user(USER_TOKEN).wallets.create("w")


async def rate(caxton: CaxtonClient) -> object:
    """Make a call that may be repeated."""
    return await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1)


async def password(caxton: CaxtonClient) -> object:
    """Make a call whose answer is a secret."""
    return await caxton.auth.generate_password()


async def bad_token(caxton: CaxtonClient) -> object:
    """Give a user token that no header can carry."""
    return caxton.for_user("canary-user-token\r\n")


CASES: dict[str, tuple[str, Fault | None, Callable[[CaxtonClient], Awaitable[object]]]] = {
    "refused": ("NotAuthorised", None, wallet),  # the emulator knows no such user
    "invalid": ("InvalidRequest", None, bad_token),
    "no-password": (
        "LoginRefused",
        Fault("login_error", endpoint=LOGIN, times=None, variant="invalid_grant"),
        wallet,
    ),
    "no-login": ("AuthenticationFailed", Fault("reset_after_read", endpoint=LOGIN, times=None), wallet),
    "login-cut-off": ("AuthenticationFailed", Fault("truncated_body", endpoint=LOGIN, times=None), wallet),
    "nothing-listens": ("NotSent", Fault("refuse"), rate),
    "reset": ("OutcomeUnknown", Fault("reset_after_read", endpoint=WALLET), wallet),
    "cut-off": ("OutcomeUnknown", Fault("truncated_body", endpoint=WALLET), wallet),
    "silence": ("OutcomeUnknown", Fault("black_hole", endpoint=WALLET), wallet),
    "garbage": ("OutcomeUnknown", Fault("garbage", endpoint=WALLET), wallet),
    "secret-cut-off": ("OutcomeUnknown", Fault("truncated_body", endpoint="generate_password"), password),
    "look-up-reset": ("UnreadableReply", Fault("reset_after_read", endpoint=RATE, times=None), rate),
    "look-up-silence": ("DeadlineExceeded", Fault("black_hole", endpoint=RATE, times=None), rate),
    "look-up-503": ("ServerFailed", Fault("server_error_before", endpoint=RATE, times=None), rate),
    "429": ("RateLimited", Fault("rate_limited", endpoint=RATE, times=None, retry_after="99"), rate),
    "401": ("NotAuthorised", Fault("unauthorised", endpoint=RATE, times=None), rate),
    "failing": ("ApiError", Fault("failing_envelope", endpoint=RATE, times=None), rate),
}


def secrets_of(emulator: Emulator) -> list[str]:
    """Return what no text may show."""
    passwords = list(emulator.ledger.accounts.main.passwords)
    return [*passwords, *emulator.ledger.accounts.tokens, USER_TOKEN]


async def arm(emulator: Emulator, caxton: CaxtonClient, fault: Fault | None) -> None:
    """Log in, unless that is what has to fail, and let the fault be."""
    if fault is None or fault.endpoint != LOGIN:
        await caxton.auth.access_token()
    if fault is not None:
        emulator.faults.add(fault)


@pytest.mark.parametrize(("name", "fault", "call"), [pytest.param(*case, id=name) for name, case in CASES.items()])
@virtual
async def test_no_error_shows_a_secret_or_chains_another(name: str, fault: Fault | None, call) -> None:
    """Every kind of error, with the variables of all frames that it passed through, holds no secret and no other."""
    async with Emulator() as emulator, client(emulator, deadline_s=20.0) as caxton:
        await arm(emulator, caxton, fault)

        error = await failure(call(caxton), getattr(caxton_async, name))

        assert_clean(error, secrets_of(emulator))


@pytest.mark.parametrize(("name", "fault", "call"), [pytest.param(*case, id=name) for name, case in CASES.items()])
@virtual
async def test_errors_travel_between_processes(name: str, fault: Fault | None, call) -> None:
    """An error that was pickled says all that it said before, and is of the same kind."""
    async with Emulator() as emulator, client(emulator, deadline_s=20.0) as caxton:
        await arm(emulator, caxton, fault)
        error = await failure(call(caxton), getattr(caxton_async, name))

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert (copy.sent, copy.safe_to_retry) == (error.sent, error.safe_to_retry)


@pytest.mark.parametrize("call", [wallet, rate, password])
@pytest.mark.parametrize("fault", ["latency", "slow_head", "slow_body"])
async def test_a_cancellation_in_flight_shows_no_secret(call: Callable[..., Any], fault: str) -> None:
    """The frames that a cancellation passed through, which a crash reporter shows, hold no revealed header or body."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        details = {"held": True} if fault == "latency" else {"seconds": 60.0}
        armed = emulator.faults.add(Fault(fault, **details))
        task = asyncio.create_task(call(caxton))
        await armed.hit()
        await asyncio.sleep(0)

        task.cancel()
        cancellation = await failure(task, asyncio.CancelledError)

        assert_clean(cancellation, secrets_of(emulator))


async def test_a_cancellation_during_the_login_shows_no_secret() -> None:
    """Neither does the cancellation of one who waits for the login, nor the login's own."""
    async with Emulator() as emulator, client(emulator) as caxton:
        login = hold(emulator)
        task = asyncio.create_task(wallet(caxton))
        await login.hit()
        [running] = [each for each in asyncio.all_tasks() if each.get_name() == "caxton token"]

        task.cancel()
        running.cancel()
        cancellations = [await failure(each, asyncio.CancelledError) for each in (task, running)]

        for cancellation in cancellations:
            assert_clean(cancellation, secrets_of(emulator))


async def test_each_caller_gets_an_error_of_its_own() -> None:
    """Of many callers who fail for one reason none shares its error, or its traceback, with another."""
    fault = Fault("login_error", endpoint=LOGIN, times=None, variant="invalid_grant")
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        errors = await outcomes([wallet(caxton) for _ in range(50)] + [rate(caxton) for _ in range(50)])
        late = await outcomes(wallet(caxton) for _ in range(50))

    assert {type(error) for error in errors + late} == {LoginRefused}
    assert len({id(error) for error in errors + late}) == 150
    assert {error.endpoint for error in errors} == {WALLET, RATE}
    assert max(len(list(depth(error))) for error in errors + late) < 12


def depth(error: BaseException) -> Iterator[object]:
    """Yield the frames of an error."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


async def test_the_answer_may_quote_a_secret_and_the_error_does_not() -> None:
    """A server that echoes the token or the user's token in its refusal is not quoted with it."""
    async with Emulator() as emulator, client(emulator) as caxton:
        token = (await caxton.auth.access_token()).access_token.reveal()
        text = f"Bearer {token} of {USER_TOKEN} is bad"
        body = f'{{"Content": {{"Model": {{"ApiStatusCode": 1, "ApiStatusDescription": "{text}"}}}}}}'.encode()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        emulator.faults.add(Fault("mangled", endpoint=WALLET, raw=head + body))

        error = await failure(wallet(caxton))

        assert isinstance(error, CaxtonError)
        assert "*** of *** is bad" in str(error)
        assert_clean(error, secrets_of(emulator))


async def test_the_search_finds_a_secret() -> None:
    """The search for secrets is able to find one: in a message, in an attribute, in a chained error."""
    error = OutcomeUnknown("canary-1", endpoint="canary-2")
    error.__cause__ = InvalidRequest("canary-3")

    shown = " ".join(texts_of(error))

    assert all(canary in shown for canary in ("canary-1", "canary-2", "canary-3"))
