"""What is tried again, when, and how often: at the server, with the loop's own clock and no chance in the jitter."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from caxton_async import (
    ApiError,
    AuthenticationFailed,
    CaxtonClient,
    Event,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import client, failure, hold, kinds, outcomes, virtual

RATE = "get_card_rate"
WALLET = "create_wallet"


def now() -> float:
    """Return the time of the loop's own clock."""
    return round(asyncio.get_running_loop().time(), 6)


async def rate(caxton: CaxtonClient) -> object:
    """Make a call that may be repeated."""
    return await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=100)


async def wallet(caxton: CaxtonClient) -> object:
    """Make a call that must not be repeated."""
    return await caxton.wallets.create("w")


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a half wherever chance is asked for."""
    monkeypatch.setattr("random.random", lambda: 0.5)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("reset_after_read", endpoint=RATE, times=2), id="reset"),
        pytest.param(Fault("reset_after_work", endpoint=RATE, times=2), id="reset-after-the-work"),
        pytest.param(Fault("black_hole", endpoint=RATE, times=2), id="silence"),
        pytest.param(Fault("truncated_body", endpoint=RATE, times=2), id="cut-off"),
        pytest.param(Fault("garbage", endpoint=RATE, times=2), id="garbage"),
        pytest.param(Fault("html", endpoint=RATE, times=2), id="html"),
        pytest.param(Fault("html", endpoint=RATE, times=2, status=502), id="html-502"),
        pytest.param(Fault("failing_envelope", endpoint=RATE, times=2, status=408), id="408"),
        pytest.param(Fault("failing_envelope", endpoint=RATE, times=2, status=429), id="429"),
        pytest.param(Fault("rate_limited", endpoint=RATE, times=2, retry_after="0"), id="429-of-the-framework"),
        pytest.param(Fault("failing_envelope", endpoint=RATE, times=2, status=500), id="500"),
        pytest.param(Fault("server_error_before", endpoint=RATE, times=2), id="503"),
        pytest.param(Fault("server_error_after", endpoint=RATE, times=2), id="500-after-the-work"),
    ],
)
@virtual
async def test_a_repeatable_call_is_tried_until_it_is_answered(fault: Fault) -> None:
    """A look-up that fails twice in a way that may pass is answered by its third attempt."""
    async with Emulator(faults=[fault]) as emulator, client(emulator, attempt_timeout_s=5.0) as caxton:
        answer = await rate(caxton)

        assert answer.sell_currency == "GBP"
        assert emulator.count(RATE) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("reset_after_read", endpoint=RATE, times=None), UnreadableReply),
        (Fault("server_error_before", endpoint=RATE, times=None), ServerFailed),
        (Fault("rate_limited", endpoint=RATE, times=None), RateLimited),
    ],
    ids=["reset", "503", "429"],
)
@pytest.mark.parametrize("attempts", [1, 2, 4])
@virtual
async def test_attempts_are_counted(fault: Fault, kind: type[Exception], attempts: int) -> None:
    """A repeatable call is tried as often as the settings say, and its last error is given."""
    async with Emulator(faults=[fault]) as emulator, client(emulator, max_attempts=attempts) as caxton:
        await failure(rate(caxton), kind)

        assert emulator.count(RATE) == attempts
        await failure(rate(caxton.with_options(max_attempts=3)), kind)
        assert emulator.count(RATE) == attempts + 3


@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        pytest.param(Fault("failing_envelope", status=408), OutcomeUnknown, Sent.UNKNOWN, id="408"),
        pytest.param(Fault("failing_envelope", status=400), ApiError, Sent.YES, id="400"),
        pytest.param(Fault("failing_envelope"), ApiError, Sent.YES, id="failing"),
        pytest.param(Fault("failing_envelope", status=503), OutcomeUnknown, Sent.UNKNOWN, id="503-in-the-envelope"),
        pytest.param(Fault("server_error_before"), OutcomeUnknown, Sent.UNKNOWN, id="503"),
        pytest.param(Fault("html", status=429), OutcomeUnknown, Sent.UNKNOWN, id="html-429"),
    ],
)
@virtual
async def test_a_call_that_may_have_been_carried_out_is_not_tried_again(fault: Fault, kind, sent: Sent) -> None:
    """Apart from 401 and 429, no answer to a call that moves money makes it go out a second time."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(fault)

        error = await failure(wallet(caxton), kind)

        assert error.sent is sent
        assert emulator.count(WALLET) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault("rate_limited", endpoint=WALLET, times=2), Fault("failing_envelope", endpoint=WALLET, times=2, status=429)],
    ids=["of-the-framework", "in-the-envelope"],
)
@virtual
async def test_a_429_that_is_an_answer_is_tried_again(fault: Fault) -> None:
    """Too many calls: the API has not carried it out, so that a call that moves money waits and goes out again."""
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        await wallet(caxton)

        assert emulator.count(WALLET) == 3
        assert len(emulator.ledger.wallets) == 1


@pytest.mark.parametrize(("retry_after", "wait_s"), [("7", 7), ("0", 0), ("soon", 0), ("-3", 0)])
@pytest.mark.parametrize("call", [rate, wallet])
@pytest.mark.usefixtures("steady")
@virtual
async def test_the_wait_that_the_api_asks_for_is_kept(
    call: Callable[[CaxtonClient], Awaitable[object]], retry_after: str, wait_s: float
) -> None:
    """After a 429 a call waits for as long as `Retry-After` says, and the jitter; nonsense counts as nothing."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("rate_limited", times=2, retry_after=retry_after))

        await call(caxton)

        assert now() == pytest.approx(2 * wait_s + 0.1 + 0.2)


@pytest.mark.usefixtures("steady")
@virtual
async def test_waits_between_attempts_double() -> None:
    """The ceiling of the wait doubles with each attempt; where in it a wait ends is left to chance, here a half."""
    async with Emulator() as emulator, client(emulator, max_attempts=8) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("server_error_before", times=7))

        await rate(caxton)

        assert now() == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 4)


@virtual
async def test_waits_are_drawn_from_the_whole_span() -> None:
    """Calls that fail together do not come back together: each draws its own wait between nothing and the ceiling."""
    times: list[float] = []

    def note(event: Event) -> None:
        if event.kind == "attempt" and event.attempt == 2:
            times.append(now())

    async with Emulator() as emulator, client(emulator, on_event=note) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("server_error_before", times=10))

        await outcomes(rate(caxton) for _ in range(10))

        assert len(set(times)) == len(times) == 10
        assert all(0 <= time <= 0.2 for time in times)


@virtual
async def test_an_outage_is_not_multiplied() -> None:
    """While everything fails, all calls of a client, by whatever view, share a few retries; answers earn more."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        outage = emulator.faults.add(Fault("server_error_before", endpoint=RATE, times=None))
        view = caxton.for_account("ID-1").with_options(max_attempts=9)

        errors = await outcomes([*(rate(caxton) for _ in range(20)), *(rate(view) for _ in range(20))])
        during = emulator.count(RATE)
        emulator.faults.clear()
        for _ in range(30):
            await rate(caxton)
        emulator.faults.add(outage.fault)
        errors += await outcomes(rate(caxton) for _ in range(10))

        assert {type(error) for error in errors} == {ServerFailed}
        assert during == 40 + 10
        assert emulator.count(RATE) == during + 30 + 10 + 3


@virtual
async def test_a_login_that_finds_no_connection_is_tried_again() -> None:
    """A login that was never handed to a connection is tried again, like any call, before it counts as failed."""
    events: list[Event] = []
    released = []

    def note(event: Event) -> None:
        events.append(event)
        if event.kind == "retry" and released:
            released.pop().release()

    async with Emulator() as emulator:
        released.append(emulator.faults.add(Fault("refuse")))
        async with client(emulator, on_event=note) as caxton:
            await wallet(caxton)
        served = kinds(events)
        events.clear()
        emulator.faults.add(Fault("refuse"))
        async with client(emulator, on_event=note) as caxton:
            error = await failure(wallet(caxton), AuthenticationFailed)

        login = "get_access_token"
        once_more = [(login, "attempt"), (login, "retry")]
        assert served[:5] == [*once_more, (login, "attempt"), (login, "answered"), (login, "login")]
        assert kinds(events) == [
            *once_more,
            *once_more,
            (login, "attempt"),
            (login, "failed"),
            (login, "login_failed"),
            (WALLET, "failed"),
        ]
        assert error.sent is Sent.NO
        assert (emulator.logins, emulator.count(WALLET)) == (1, 1)


# --- places ---


@virtual
async def test_no_more_calls_are_in_flight_than_there_are_connections() -> None:
    """Of a hundred calls at once the server has five at a time, over five connections."""
    async with Emulator() as emulator, client(emulator, max_connections=5) as caxton:
        await caxton.auth.access_token()
        in_flight: list[int] = []
        slow = emulator.faults.add(Fault("latency", endpoint=WALLET, times=None, seconds=1.0))
        tasks = [asyncio.create_task(wallet(caxton)) for _ in range(100)]
        while not all(task.done() for task in tasks):
            in_flight.append(slow.hits - slow.applied_count)
            await asyncio.sleep(0.25)

        await asyncio.gather(*tasks)

        assert max(in_flight) == 5
        assert now() == pytest.approx(20, abs=0.5)
        assert emulator.connections <= 6


@virtual
async def test_no_place_is_held_while_a_call_waits_for_its_token() -> None:
    """A call that waits for the login leaves the only place to a call that needs no token."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        login = hold(emulator)
        waiting = asyncio.create_task(wallet(caxton))
        await login.hit()

        await caxton.auth.generate_password()
        login.release()
        await waiting

        assert emulator.count("generate_password") == 1


@virtual
async def test_no_place_is_held_while_a_call_waits_to_be_tried_again() -> None:
    """A call that was told to come back in five seconds leaves the only place to others."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        await caxton.auth.access_token()
        limited = emulator.faults.add(Fault("rate_limited", endpoint=WALLET, retry_after="5"))
        waiting = asyncio.create_task(wallet(caxton))
        await limited.applied()

        await rate(caxton)
        middle = now()
        await waiting

        assert middle == 0
        assert now() >= 5


@virtual
async def test_a_login_needs_no_place() -> None:
    """A login goes out while another call holds the only place."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        held = hold(emulator, "generate_password")
        first = asyncio.create_task(caxton.auth.generate_password())
        await held.hit()

        token = await caxton.auth.access_token()
        held.release()
        await first

        assert token.token_type == "bearer"
        assert emulator.logins == 1


@virtual
async def test_calls_are_paced() -> None:
    """With four calls a second, five calls at once are sent over one second; the login is not counted."""
    times: list[float] = []

    def note(event: Event) -> None:
        if event.kind == "attempt" and event.endpoint == WALLET:
            times.append(now())

    async with Emulator() as emulator, client(emulator, max_calls_per_second=4, on_event=note) as caxton:
        await asyncio.gather(*(wallet(caxton) for _ in range(5)))

        assert times == [0, 0.25, 0.5, 0.75, 1]
        assert emulator.count(WALLET) == 5


async def test_a_not_sent_call_says_so_when_nothing_listens() -> None:
    """A call for which no connection can be made was not sent, and it is safe to make it again."""
    async with Emulator() as emulator, client(emulator, max_attempts=1) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("refuse"))

        error = await failure(wallet(caxton), NotSent)

        assert (error.sent, error.safe_to_retry, error.endpoint) == (Sent.NO, True, WALLET)
