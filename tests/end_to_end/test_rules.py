"""The rules of the token, counted at the server: who logs in, who waits, and who is harmed when it goes wrong."""

import asyncio
import gc
import sys
import time
from typing import Any

import pytest
import time_machine
from attrs import evolve

from caxton_async import (
    AuthenticationFailed,
    CaxtonClient,
    ConfigurationError,
    DeadlineExceeded,
    LoginRefused,
    NotAuthorised,
    Sent,
)
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import assert_clean, client, failure, hold, outcomes, virtual
from tests.support.replies import FAILED, as_json

PATIENT = {"deadline_s": 3600.0, "attempt_timeout_s": 3600.0}
LIFE_S = 2_591_999  # of the emulator's tokens


def wallets(caxton: CaxtonClient, number: int) -> list[asyncio.Task[Any]]:
    """Start so many calls that may not be repeated."""
    return [asyncio.create_task(caxton.wallets.create(f"wallet {n}")) for n in range(number)]


def bearers(emulator: Emulator, endpoint: str = "create_wallet") -> list[str]:
    """Return the tokens with which the calls came, in order."""
    return [request.headers["Authorization"] for request in emulator.requests if request.endpoint == endpoint]


# --- A: one login for all ---


@pytest.mark.parametrize("number", [100, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("expired", [False, True], ids=["no-token", "expired-token"])
async def test_callers_without_a_token_share_one_login(number: int, expired: bool) -> None:
    """However many calls need a token at once, there is one login, and all are served."""
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator() as emulator, client(emulator, **PATIENT) as caxton:
            if expired:
                await caxton.auth.access_token()
                clock.shift(LIFE_S - 20)
            logins = emulator.logins

            results = await outcomes(wallets(caxton, number))

            assert emulator.logins == logins + 1
            assert len({wallet.wallet_id for wallet in results}) == number
            assert emulator.count("create_wallet") == number


# --- B: a failing login ---


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("server_error_before", AuthenticationFailed),
        ("html", AuthenticationFailed),
        ("reset_after_read", AuthenticationFailed),
        ("unauthorised", AuthenticationFailed),
        ("login_error", LoginRefused),
    ],
)
async def test_a_failing_login_fails_each_caller_with_an_error_of_its_own(fault: str, kind: type[Exception]) -> None:
    """A login that fails is tried once for all who wait, and each of them gets a fresh error that holds no secret."""
    variant = {"variant": "invalid_client"} if kind is LoginRefused else {}
    faults = [Fault(fault, endpoint="get_access_token", times=None, **variant)]
    async with Emulator(faults=faults) as emulator, client(emulator) as caxton:
        errors = await outcomes(wallets(caxton, 100))

        assert emulator.logins == 1
        assert emulator.count("create_wallet") == 0
        assert {type(error) for error in errors} == {kind}
        assert len({id(error) for error in errors}) == len({error.correlation_id for error in errors}) == 100
        assert {(error.sent, error.endpoint) for error in errors} == {(Sent.NO, "create_wallet")}
        for error in errors:
            assert_clean(error, [emulator.credentials.password.reveal()])


async def test_a_refused_password_is_not_sent_again() -> None:
    """A password that the API has refused is refused here from then on, however often a call is made."""
    async with Emulator() as emulator:
        wrong = evolve(emulator.credentials, password="not the password")
        async with client(emulator, credentials=wrong) as caxton:
            errors = [await failure(caxton.wallets.create("w")) for _ in range(5)]

            assert {type(error) for error in errors} == {LoginRefused}
            assert {error.retry_after_s for error in errors} == {None}
            assert emulator.logins == 1


async def test_a_password_that_has_changed_is_tried_at_once() -> None:
    """A provider that gives another password than the refused one is listened to with the next call."""
    async with Emulator() as emulator:
        given = ["wrong", "wrong", emulator.credentials.password]

        async def password():
            return given.pop(0)

        async with client(emulator, credentials=evolve(emulator.credentials, password=password)) as caxton:
            first, second = [await failure(caxton.wallets.create("w")) for _ in range(2)]
            await caxton.wallets.create("w")

            assert type(first) is type(second) is LoginRefused
            assert emulator.logins == 2
            assert given == []


# --- C: cancelled callers ---


@pytest.mark.parametrize("number", [100, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("which", [0, 1, -1], ids=["first", "second", "last"])
async def test_a_cancelled_caller_harms_nobody(number: int, which: int) -> None:
    """One caller's cancellation while all wait for the login, also the first one's, ends its own call alone."""
    async with Emulator() as emulator, client(emulator, **PATIENT) as caxton:
        login = hold(emulator)
        tasks = wallets(caxton, number)
        await login.hit()

        tasks[which].cancel()
        await asyncio.wait({tasks[which]})
        login.release()
        results = await outcomes(tasks)

        assert tasks[which].cancelled()
        assert sum(isinstance(result, BaseException) for result in results) == 1
        assert emulator.logins == 1
        assert emulator.count("create_wallet") == number - 1


# --- D: short deadlines ---


@virtual
async def test_a_login_outlives_callers_with_short_deadlines() -> None:
    """Callers who cannot wait for a slow login go, one after the other, and the login serves the next who can."""
    slow = Fault("latency", endpoint="get_access_token", seconds=5)
    async with Emulator(faults=[slow]) as emulator, client(emulator) as caxton:
        hasty = caxton.with_options(deadline_s=2)

        errors = [await failure(hasty.wallets.create("w"), DeadlineExceeded) for _ in range(2)]
        wallet = await hasty.wallets.create("w")

        assert {(error.sent, error.safe_to_retry) for error in errors} == {(Sent.NO, True)}
        assert wallet.name == "w"
        assert emulator.logins == 1
        assert emulator.count("create_wallet") == 1


# --- E, F: an ageing token ---


async def test_nobody_waits_while_an_ageing_token_is_renewed() -> None:
    """With little of its life left the token is used on while one login runs, and the new one is used after that."""
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator() as emulator, client(emulator) as caxton:
            await caxton.wallets.create("w")
            clock.shift(LIFE_S - 1800)
            login = hold(emulator)

            await asyncio.gather(*wallets(caxton, 20))
            await login.hit()
            await asyncio.gather(*wallets(caxton, 20))
            login.release()
            await login.applied()
            new = list(emulator.ledger.accounts.tokens)[-1]
            while f"Bearer {new}" not in bearers(emulator):
                await caxton.wallets.create("w")

            assert emulator.logins == 2
            assert len(set(bearers(emulator)[:41])) == 1
            assert set(bearers(emulator)[41:]) <= {bearers(emulator)[0], f"Bearer {new}"}


async def test_nobody_sees_that_an_ageing_token_could_not_be_renewed() -> None:
    """When the login that would renew an ageing token fails, calls go on with the old token."""
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator() as emulator, client(emulator) as caxton:
            await caxton.wallets.create("w")
            clock.shift(LIFE_S - 1800)
            refusal = emulator.faults.add(Fault("server_error_before", endpoint="get_access_token", times=None))

            results = await outcomes(wallets(caxton, 50))
            await refusal.applied()

            assert emulator.logins == 2
            assert [result.name for result in results] == [f"wallet {n}" for n in range(50)]
            assert len(set(bearers(emulator))) == 1


# --- G: rejected tokens ---


async def test_a_rejected_token_is_replaced_once_and_each_call_replayed_once() -> None:
    """Fifty calls that come back with 401 for the same token make one login, and each is sent once more."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        rejection = emulator.faults.add(Fault("unauthorised", endpoint="create_wallet", times=50, held=True))
        tasks = wallets(caxton, 50)
        await rejection.hit(50)

        rejection.release()
        results = await outcomes(tasks)

        assert emulator.logins == 2
        assert emulator.count("create_wallet") == 100
        assert len({wallet.wallet_id for wallet in results}) == 50
        assert [bearers(emulator).count(token) for token in dict.fromkeys(bearers(emulator))] == [50, 50]


async def test_a_late_rejection_of_an_old_token_drops_nothing() -> None:
    """A 401 for a token that has been replaced meanwhile costs no login: the call is replayed with the new one."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        late = emulator.faults.add(Fault("unauthorised", endpoint="create_wallet", held=True))
        prompt = emulator.faults.add(Fault("unauthorised", endpoint="create_wallet"))
        [waiting] = wallets(caxton, 1)
        await late.hit()
        await caxton.wallets.create("prompt")

        late.release()
        await waiting
        await caxton.wallets.create("after")

        assert (late.hits, prompt.hits) == (1, 1)
        assert emulator.logins == 2
        old, *rest = bearers(emulator)
        assert rest[0] == old
        assert len({*rest[1:]}) == 1
        assert old not in rest[1:]


async def test_an_endless_401_makes_one_login_and_then_fails_at_once() -> None:
    """An API that rejects every token is asked twice by the first call, and once by those that follow it."""
    fault = Fault("unauthorised", endpoint="create_wallet", times=None)
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()

        for number in range(1, 6):
            error = await failure(caxton.wallets.create("w"), NotAuthorised)

            assert (error.http_status, error.sent) == (401, Sent.YES)
            assert emulator.count("create_wallet") == 1 + number
            assert emulator.logins == 2


async def test_a_401_in_the_envelope_is_replayed() -> None:
    """A 401 in the API's own envelope says that nothing was done, as the framework's does."""
    fault = Fault("failing_envelope", endpoint="create_wallet", status=401)
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        wallet = await caxton.wallets.create("w")

        assert wallet.name == "w"
        assert (emulator.logins, emulator.count("create_wallet")) == (2, 2)


async def test_a_refused_client_in_the_envelope_drops_the_token_and_is_not_replayed() -> None:
    """When the answer says that the client is not authorised, the call is not repeated, and the next one logs in."""
    body = as_json({"Content": None, "AuthorisedClientModel": FAILED})
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    fault = Fault("mangled", endpoint="create_wallet", raw=raw)
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        error = await failure(caxton.wallets.create("w"), NotAuthorised)
        requests = emulator.count("create_wallet"), emulator.logins
        await caxton.wallets.create("w")

        assert error.path == "$.AuthorisedClientModel"
        assert requests == (1, 1)
        assert (emulator.count("create_wallet"), emulator.logins) == (2, 2)


# --- H: many cancelled at once ---


async def calls_to_cancel(number: int) -> int:
    """Count the Python calls that it takes to cancel so many callers who wait for a login."""
    async with Emulator() as emulator, client(emulator) as caxton:
        login = hold(emulator)
        tasks = wallets(caxton, number)
        await login.hit()
        count = 0

        def profile(_frame, event: str, _argument) -> None:
            nonlocal count
            count += event == "call"

        gc.disable()
        sys.setprofile(profile)
        try:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        finally:
            sys.setprofile(None)
            gc.enable()
        assert all(task.cancelled() for task in tasks)
        login.release()
        await caxton.auth.access_token()
        assert emulator.logins == 1
    return count


async def test_cancelling_many_callers_costs_each_the_same() -> None:
    """Twice as many callers who are cancelled while they wait take twice as many steps, and no more."""
    thousand, two, four = [await calls_to_cancel(number) for number in (1000, 2000, 4000)]

    assert (two - thousand) * 0.95 < thousand
    assert four - two < (two - thousand) * 2 * 1.05


# --- I: closing, and wrong use ---


async def test_closing_during_a_login_ends_it_and_tells_those_who_wait() -> None:
    """Whoever waits for a login when the client is closed is told so, and the login's connection is gone."""
    async with Emulator() as emulator:
        async with client(emulator) as caxton:
            login = hold(emulator)
            tasks = wallets(caxton, 10)
            await login.hit()
        errors = await outcomes(tasks)
        await login.applied()

        assert {type(error) for error in errors} == {ConfigurationError}
        assert {(error.sent, error.endpoint) for error in errors} == {(Sent.NO, "create_wallet")}
        assert "closed" in str(errors[0])
        assert emulator.count("create_wallet") == 0


async def test_closing_twice_or_unopened_is_harmless() -> None:
    """A client may be closed more than once, and without having been opened."""
    async with Emulator() as emulator:
        unopened = CaxtonClient(emulator.credentials, emulator.settings)
        async with client(emulator) as caxton:
            await caxton.wallets.create("w")
            await caxton.aclose()
        await caxton.aclose()
        await unopened.aclose()

        assert "closed" in str(await failure(caxton.wallets.create("w"), ConfigurationError))
        assert emulator.count("create_wallet") == 1


@pytest.mark.parametrize("call", ["create", "access_token", "generate_password", "rotate_password"])
async def test_a_client_that_is_not_open_says_so(call: str) -> None:
    """A call before `async with`, or after it, is an error that says what to do."""
    async with Emulator() as emulator:
        caxton = CaxtonClient(emulator.credentials, emulator.settings)
        calls = {
            "create": lambda: caxton.wallets.create("w"),
            "access_token": caxton.auth.access_token,
            "generate_password": caxton.auth.generate_password,
            "rotate_password": caxton.auth.rotate_password,
        }

        before = await failure(calls[call](), ConfigurationError)
        async with caxton:
            pass
        after = await failure(calls[call](), ConfigurationError)

        assert "not open" in str(before)
        assert "closed" in str(after)
        assert emulator.requests == []


async def test_a_client_is_opened_once() -> None:
    """A client that is opened while it is open, or again after it, says so and keeps working as it did."""
    async with Emulator() as emulator:
        async with client(emulator) as caxton:
            nested = await failure(caxton.__aenter__(), ConfigurationError)
            await caxton.wallets.create("w")
        again = await failure(caxton.__aenter__(), ConfigurationError)

        assert "opened once" in str(nested)
        assert "opened once" in str(again)
        assert emulator.count("create_wallet") == 1


async def test_a_second_event_loop_is_refused() -> None:
    """A client that is used in another event loop than its own says so, and goes on working in its own."""
    async with Emulator() as emulator, client(emulator) as caxton:

        def elsewhere() -> list[ConfigurationError]:
            async def calls() -> list[ConfigurationError]:
                return [
                    await failure(caxton.wallets.create("w"), ConfigurationError),
                    await failure(caxton.auth.access_token(), ConfigurationError),
                ]

            return asyncio.run(calls())

        errors = await asyncio.to_thread(elsewhere)
        await caxton.wallets.create("w")

        assert all("another event loop" in str(error) for error in errors)
        assert emulator.count("create_wallet") == 1
