"""One deadline covers a whole call: queue, token, attempts and the waits between them.  The loop's clock is our own."""

import asyncio

import pytest

from caxton_async import CaxtonClient, DeadlineExceeded, Event, OutcomeUnknown, RateLimited, Sent
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import VirtualLoop, assert_clean, client, failure, hold, virtual


def now() -> float:
    """Return the time of the loop's own clock, in whole microseconds: timers are sums of fractions."""
    return round(asyncio.get_running_loop().time(), 6)


async def rate(caxton: CaxtonClient) -> object:
    """Make a call that may be repeated."""
    return await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=100)


@pytest.mark.parametrize("deadline_s", [0.5, 3, 6.5, 59.25])
@virtual
async def test_a_call_in_the_queue_ends_at_its_deadline(deadline_s: float) -> None:
    """A call for which no place becomes free in time was not sent, and says so at its deadline."""
    async with Emulator() as emulator, client(emulator, max_connections=1, attempt_timeout_s=60.0) as caxton:
        await caxton.auth.access_token()
        held = hold(emulator, "create_wallet")
        first = asyncio.create_task(caxton.wallets.create("first"))
        await held.hit()
        start = now()

        error = await failure(caxton.with_options(deadline_s=deadline_s).wallets.create("second"), DeadlineExceeded)

        assert now() - start == deadline_s
        assert (error.sent, error.safe_to_retry) == (Sent.NO, True)
        assert_clean(error, emulator.ledger.accounts.tokens)
        held.release()
        await first
        assert emulator.count("create_wallet") == 1


@virtual
async def test_a_call_that_waits_for_the_pace_ends_at_its_deadline() -> None:
    """A call whose turn does not come in time was not sent, and delays no later one."""
    async with Emulator() as emulator, client(emulator, max_calls_per_second=0.1) as caxton:
        await caxton.wallets.create("first")

        error = await failure(caxton.with_options(deadline_s=4).wallets.create("second"), DeadlineExceeded)
        await caxton.wallets.create("third")

        assert error.sent is Sent.NO
        assert now() == 10
        assert emulator.count("create_wallet") == 2


@pytest.mark.parametrize("deadline_s", [0.5, 3, 6.5, 59.25])
@virtual
async def test_a_silent_server_is_waited_for_until_the_deadline(deadline_s: float) -> None:
    """In flight at its deadline, a look-up may be made again, and of anything else the outcome is unknown."""
    fault = Fault("black_hole_after_work", times=None, after=1)
    async with Emulator(faults=[fault]) as emulator, client(emulator, attempt_timeout_s=3600.0) as caxton:
        await caxton.auth.access_token()
        hasty = caxton.with_options(deadline_s=deadline_s)
        start = now()

        look_up = await failure(rate(hasty), DeadlineExceeded)
        middle = now()
        money = await failure(hasty.wallets.create("w"), OutcomeUnknown)

        assert (middle - start, now() - middle) == pytest.approx((deadline_s, deadline_s))
        assert (look_up.sent, look_up.safe_to_retry) == (Sent.UNKNOWN, True)
        assert (money.sent, money.safe_to_retry) == (Sent.UNKNOWN, False)
        assert (emulator.count("get_card_rate"), emulator.count("create_wallet")) == (1, 1)


@pytest.mark.parametrize("fault", ["slow_head", "slow_body"])
@virtual
async def test_an_answer_that_trickles_is_not_waited_for_beyond_the_deadline(fault: str) -> None:
    """A server that sends a byte now and then keeps nobody for longer than the deadline."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault(fault, seconds=1.0))

        await failure(caxton.with_options(deadline_s=5.5).wallets.create("w"), OutcomeUnknown)

        assert now() == 5.5


@virtual
async def test_each_attempt_has_its_own_time_within_the_deadline() -> None:
    """Attempts that get no answer end after their own time, the last of them at the deadline."""
    fault = Fault("black_hole", endpoint="get_card_rate", times=None)
    times: list[float] = []

    def note(event: Event) -> None:
        if event.endpoint == "get_card_rate" and event.kind == "attempt":
            times.append(now())

    async with (
        Emulator(faults=[fault]) as emulator,
        client(emulator, attempt_timeout_s=4.0, deadline_s=10.0, max_attempts=9, on_event=note) as caxton,
    ):
        error = await failure(rate(caxton), DeadlineExceeded)

        assert now() == 10
        assert error.sent is Sent.UNKNOWN
        assert len(times) == 3
        assert times[0] == 0
        assert 4 <= times[1] <= 4.2
        assert times[1] + 4 <= times[2] <= times[1] + 4.4


@virtual
async def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    """When the API asks for a longer wait than is left, the call gives its answer at once."""
    fault = Fault("rate_limited", endpoint="create_wallet", times=None, retry_after="30")
    async with Emulator(faults=[fault]) as emulator, client(emulator, deadline_s=20.0) as caxton:
        error = await failure(caxton.wallets.create("w"), RateLimited)

        assert now() == 0
        assert error.retry_after_s == 30
        assert emulator.count("create_wallet") == 1


@virtual
async def test_a_deadline_that_passed_while_the_loop_was_blocked_sends_nothing() -> None:
    """A call that comes back to the loop after its deadline is not sent any more; what was sent before counts."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    def block(event: Event) -> None:
        loop.now += 1000 if event.kind == "retry" else 0

    async with Emulator() as emulator, client(emulator, on_event=block) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("rate_limited", endpoint="create_wallet", retry_after="0"))
        emulator.faults.add(Fault("reset_after_read", endpoint="get_card_rate"))

        money = await failure(caxton.wallets.create("w"), DeadlineExceeded)
        look_up = await failure(rate(caxton), DeadlineExceeded)

        assert (money.sent, money.safe_to_retry) == (Sent.NO, True)
        assert (look_up.sent, look_up.safe_to_retry) == (Sent.UNKNOWN, True)
        assert (emulator.count("create_wallet"), emulator.count("get_card_rate")) == (1, 1)


@virtual
async def test_what_was_sent_before_is_not_forgotten_in_the_queue() -> None:
    """A look-up that was sent, and whose second attempt finds no place in time, may have reached the API."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("reset_after_read", endpoint="get_card_rate"))
        held = hold(emulator, "create_wallet")
        first = asyncio.create_task(rate(caxton.with_options(deadline_s=5)))
        second = asyncio.create_task(caxton.wallets.create("w"))
        await held.hit()

        error = await failure(first, DeadlineExceeded)
        held.release()
        await second

        assert (error.sent, error.safe_to_retry) == (Sent.UNKNOWN, True)
        assert emulator.count("get_card_rate") == 1


@virtual
async def test_a_login_has_a_deadline_of_its_own() -> None:
    """A login that gets no answer ends after its own time, for all who wait, and is reported as failed."""
    events: list[Event] = []
    fault = Fault("black_hole", endpoint="get_access_token", times=None)
    async with (
        Emulator(faults=[fault]) as emulator,
        client(emulator, token_timeout_s=6.5, on_event=events.append) as caxton,
    ):
        error = await failure(caxton.wallets.create("w"))

        assert now() == 6.5
        assert error.sent is Sent.NO
        assert [event.kind for event in events][-2:] == ["login_failed", "failed"]
        assert emulator.logins == 1
