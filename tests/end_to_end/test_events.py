"""What the hook and the log are told, in which order, and what they are never told."""

import asyncio
import logging

import pytest
from attrs import asdict

from caxton_async import Event, LoginRefused, OutcomeUnknown, Sent
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import client, failure, hold, kinds, virtual

LOGIN = "get_access_token"
WALLET = "create_wallet"
RATE = "get_card_rate"


async def test_a_call_tells_of_its_login_its_attempt_and_its_answer() -> None:
    """A first call is an attempt to log in, the login, and then its own attempt and answer, by its own id."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        await caxton.wallets.create("w")
        await caxton.wallets.create("w")

    assert kinds(events) == [
        (LOGIN, "attempt"),
        (LOGIN, "answered"),
        (LOGIN, "login"),
        *[(WALLET, "attempt"), (WALLET, "answered")] * 2,
    ]
    assert len({event.correlation_id for event in events}) == 3
    assert [(event.attempt, event.sent, event.http_status) for event in events[-2:]] == [
        (1, Sent.NO, None),
        (1, Sent.YES, 200),
    ]
    assert all(event.elapsed_s >= 0 for event in events)


@virtual
async def test_a_retry_tells_what_it_is_for() -> None:
    """Between two attempts stands the answer that made the second one worth while."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("server_error_before"))
        events.clear()

        await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1)

    assert [(event.kind, event.attempt, event.http_status, event.sent) for event in events] == [
        ("attempt", 1, None, Sent.NO),
        ("answered", 1, 503, Sent.YES),
        ("retry", 1, 503, Sent.YES),
        ("attempt", 2, None, Sent.NO),
        ("answered", 2, 200, Sent.YES),
    ]
    assert [event.elapsed_s for event in events] == sorted(event.elapsed_s for event in events)
    assert len({event.correlation_id for event in events}) == 1


async def test_a_refusal_tells_its_codes() -> None:
    """An answer that says no is told with its HTTP status and the API's code."""
    events: list[Event] = []
    fault = Fault("failing_envelope", endpoint=WALLET, status=400)
    async with Emulator(faults=[fault]) as emulator, client(emulator, on_event=events.append) as caxton:
        error = await failure(caxton.wallets.create("w"))

    assert (events[-1].kind, events[-1].http_status, events[-1].api_status_code) == ("answered", 400, 4999)
    assert error.correlation_id == events[-1].correlation_id


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("unauthorised", ["attempt", "answered", "login_failed"]),
        ("server_error_before", ["attempt", "outcome_unknown", "login_failed"]),
        ("reset_after_read", ["attempt", "outcome_unknown", "login_failed"]),
    ],
)
async def test_a_failing_login_is_told(fault: str, told: list[str]) -> None:
    """A login that fails ends with `login_failed`, and no attempt of the call that needed it."""
    events: list[Event] = []
    async with (
        Emulator(faults=[Fault(fault, endpoint=LOGIN)]) as emulator,
        client(emulator, on_event=events.append) as caxton,
    ):
        await failure(caxton.wallets.create("w"))

    assert kinds(events) == [(LOGIN, kind) for kind in told]


@pytest.mark.parametrize("call", [WALLET, RATE])
async def test_a_cancellation_in_flight_is_told_as_unknown(call: str) -> None:
    """A cancelled call stays cancelled; in flight, and if it must not be repeated, it is told as unknown as well."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        await caxton.auth.access_token()
        held = hold(emulator, call)
        events.clear()
        is_rate = call == RATE
        task = asyncio.create_task(
            caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1) if is_rate else caxton.wallets.create("w")
        )
        await held.hit()

        task.cancel()
        await asyncio.wait({task})

        assert task.cancelled()
        unknown = [] if is_rate else [("outcome_unknown", Sent.UNKNOWN)]
        assert [(event.kind, event.sent) for event in events] == [("attempt", Sent.NO), *unknown]


@pytest.mark.parametrize("when", ["waiting-for-the-token", "waiting-for-a-place"])
async def test_a_cancellation_before_sending_is_not_told_as_unknown(when: str) -> None:
    """A call that is cancelled before it was sent leaves nothing unknown."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, max_connections=1, on_event=events.append) as caxton:
        held = hold(emulator, LOGIN if when == "waiting-for-the-token" else WALLET)
        first = asyncio.create_task(caxton.wallets.create("first"))
        await held.hit()
        task = asyncio.create_task(caxton.wallets.create("second"))
        await asyncio.sleep(0)

        task.cancel()
        await asyncio.wait({task})
        held.release()
        await first

        assert task.cancelled()
        assert "outcome_unknown" not in [event.kind for event in events]
        assert emulator.count(WALLET) == 1


async def test_closing_in_flight_is_told_as_unknown() -> None:
    """A call that is in flight when the client is closed ends as unknown, for its caller and the hook."""
    events: list[Event] = []
    async with Emulator() as emulator:
        async with client(emulator, on_event=events.append) as caxton:
            held = hold(emulator, WALLET)
            task = asyncio.create_task(caxton.wallets.create("w"))
            await held.hit()
        error = await failure(task, OutcomeUnknown)

        assert error.sent is Sent.UNKNOWN
        assert kinds(events)[-1] == (WALLET, "outcome_unknown")


async def test_a_hook_that_fails_harms_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises at every event is logged, and the calls go on as if it were not there."""

    def broken(event: Event) -> None:
        raise RuntimeError(f"broken at {event.kind}")

    async with Emulator() as emulator, client(emulator, on_event=broken) as caxton:
        wallet = await caxton.wallets.create("w")
        emulator.faults.add(Fault("reset_after_read", endpoint=WALLET))
        error = await failure(caxton.wallets.create("w"), OutcomeUnknown)

        assert wallet.name == "w"
        assert (error.__cause__, error.__context__) == (None, None)
        assert emulator.count(WALLET) == 2
    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert {record.name for record in failed} == {"caxton_async"}
    assert len(failed) == 7
    assert f"on_event failed at outcome_unknown of {WALLET}" in failed[-1].getMessage()


async def test_the_log_tells_the_same_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """With the logger at DEBUG each event is a line; no line of anybody's, and no event, shows a secret."""
    events: list[Event] = []
    caplog.set_level(logging.DEBUG)
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        accounts = emulator.ledger.accounts
        user = accounts.add_user()
        await caxton.for_user(user.api_token).wallets.create("a-name-in-the-body")
        for fault in ("unauthorised", "failing_envelope", "garbage", "reset_after_read"):
            emulator.faults.add(Fault(fault, endpoint=WALLET))
            await asyncio.gather(caxton.wallets.create("w"), return_exceptions=True)
        secrets = [emulator.credentials.password.reveal(), user.api_token, *accounts.tokens, "a-name-in-the-body"]
        emulator.faults.add(Fault("unauthorised", endpoint=LOGIN))
        async with client(emulator) as other:
            await failure(other.wallets.create("w"), LoginRefused)

    lines = [record.getMessage() for record in caplog.records if record.name == "caxton_async"]
    assert [line for line in lines if any(event.kind in line for event in events)] == lines
    assert len(lines) == len(events) + 3
    shown = [*map(str, events), *(str(asdict(event)) for event in events)]
    shown += [f"{record.getMessage()} {record.args!r} {record.__dict__!r}" for record in caplog.records]
    assert [text for text in shown if any(secret in text for secret in secrets)] == []


async def test_nothing_is_logged_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """At the levels above DEBUG a client says nothing, whatever happens to its calls."""
    caplog.set_level(logging.INFO, logger="caxton_async")
    fault = Fault("reset_after_read", endpoint=WALLET)
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        await failure(caxton.wallets.create("w"), OutcomeUnknown)
        await caxton.wallets.create("w")

    assert [record for record in caplog.records if record.name == "caxton_async"] == []
