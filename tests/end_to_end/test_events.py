"""What the hook and the log are told, in which order, and what they are never told."""

import asyncio
import logging
from collections.abc import Coroutine

import pytest
from attrs import asdict

from caxton_async import Event, LoginRefused, OutcomeUnknown, Sent
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import client, failure, hold, kinds, outcomes, virtual

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
    assert [event.ends_call for event in events] == [False] * 4 + [True]
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
        ("server_error_before", ["attempt", "answered", "login_failed"]),
        ("reset_after_read", ["attempt", "failed", "login_failed"]),
    ],
)
async def test_a_failing_login_is_told(fault: str, told: list[str]) -> None:
    """A login that fails ends with `login_failed`, and the call that needed it with no attempt of its own."""
    events: list[Event] = []
    async with (
        Emulator(faults=[Fault(fault, endpoint=LOGIN)]) as emulator,
        client(emulator, on_event=events.append) as caxton,
    ):
        await failure(caxton.wallets.create("w"))

    assert kinds(events) == [*((LOGIN, kind) for kind in told), (WALLET, "failed")]
    assert [event.endpoint for event in events if event.ends_call] == [LOGIN, WALLET]


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
        end = "failed" if is_rate else "outcome_unknown"
        assert [(event.kind, event.sent) for event in events] == [("attempt", Sent.NO), (end, Sent.UNKNOWN)]


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


async def test_a_hook_that_returns_a_coroutine_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody awaits it, so that the hook would be told nothing, in silence."""

    async def tell(event: Event) -> None:
        raise AssertionError(event)

    def hook(event: Event) -> Coroutine[object, object, None]:
        return tell(event)

    async with Emulator() as emulator, client(emulator, on_event=hook) as caxton:
        await caxton.wallets.create("w")

    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "on_event is called and not awaited" in str(failed[0].exc_info)


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
        emulator.faults.add(Fault("login_error", endpoint=LOGIN, variant="invalid_grant"))
        async with client(emulator) as other:
            await failure(other.wallets.create("w"), LoginRefused)

    lines = [record.getMessage() for record in caplog.records if record.name == "caxton_async"]
    assert [line for line in lines if any(event.kind in line for event in events)] == lines
    assert len(lines) == len(events) + 4
    shown = [*map(str, events), *(str(asdict(event)) for event in events)]
    shown += [f"{record.getMessage()} {record.args!r} {record.__dict__!r}" for record in caplog.records]
    assert [text for text in shown if any(secret in text for secret in secrets)] == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (None, []),
        ("failing_envelope", [(logging.INFO, "answered")]),
        ("reset_after_read", [(logging.WARNING, "outcome_unknown")]),
    ],
)
async def test_unknown_outcomes_and_refusals_are_logged_by_default(
    caplog: pytest.LogCaptureFixture, fault: str | None, said: list[tuple[int, str]]
) -> None:
    """An unknown outcome is a warning with all that finds it again, a refusal or a login is information."""
    async with Emulator() as emulator, client(emulator) as caxton:
        emulator.ledger.accounts.add_sub_account("Sub")
        view = caxton.for_account("ID-1").with_options(reference="invoice-981")
        await view.wallets.create("w")
        if fault is not None:
            emulator.faults.add(Fault(fault, endpoint=WALLET))
        caplog.clear()
        caplog.set_level(logging.INFO, logger="caxton_async")  # when the client is in use already

        await outcomes([view.wallets.create("w")])

    lines = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "caxton_async"]
    assert [(level, line.partition(":")[0]) for level, line in lines] == said
    assert all("create_wallet (call " in line and "'invoice-981', account ID-1" in line for _, line in lines)


async def test_a_cancelled_payment_says_so_in_the_log_and_on_the_cancellation(caplog: pytest.LogCaptureFixture) -> None:
    """A caller's own time-out around a call in flight leaves a warning, and a note that the time-out leads to."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        hold(emulator, WALLET)
        caplog.clear()

        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.05):
                await caxton.with_options(reference="r-1").wallets.create("w")

    [note] = raised.value.__cause__.__notes__
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "create_wallet was in flight" in note
    assert "may or may not have been carried out" in note
    assert "'r-1'" in note
    assert "'r-1'" in line


async def test_events_tell_the_reference_and_the_account() -> None:
    """A view's events carry its reference and its account, so that a hook can find the row or the invoice."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        emulator.ledger.accounts.add_sub_account("Sub")
        await caxton.for_account("ID-1").with_options(reference="r-1").wallets.create("w")
        await caxton.wallets.create("w")

    told = {(event.reference, event.account) for event in events if event.endpoint == WALLET}
    assert told == {("r-1", "ID-1"), (None, None)}
