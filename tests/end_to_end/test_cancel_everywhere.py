"""Each public call is cancelled at each point at which it waits, and leaves nothing behind but the truth."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from attrs import evolve

from caxton_async import BulkSource, CaxtonClient, Event, Sent, WebhookEvent
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import CATALOGUE
from caxton_async.models import BulkUpload, NewCard, NewUser
from tests.support.harness import client, hold, outcomes, virtual

PERSON = NewUser(
    email="a@example.com",
    first_name="A",
    last_name="B",
    gender="Male",
    title="Mr",
    password="p",
    memorable_word="m",
    date_of_birth="1980-01-01",
    house_name_number="1",
    address1="Street",
    city="London",
    postcode="N1",
    country="GB",
    product="1",
    primary_contact_no="1",
    mobile_number="1",
    device_id="1",
    device="d",
    operating_system="o",
    app_version="1",
    iv_key="key",
)
CARD = NewCard(wallet_id=1, first_name="A", last_name="B", gender="Female", date_of_birth=dt.date(1990, 1, 1))
UPLOAD = BulkUpload(upload_record_id=1, column_format=("Action", "Amount"))

CALLS: dict[str, Callable[[CaxtonClient], Awaitable[Any]]] = {
    "generate_password": lambda c: c.auth.generate_password(),
    "get_access_token": lambda c: c.auth.access_token(),
    "reset_credentials": lambda c: c.auth.reset_credentials("ID-1"),
    "create_sub_account": lambda c: c.sub_accounts.create("Company", "a@example.com"),
    "create_user": lambda c: c.users.create(PERSON),
    "list_banks": lambda c: c.banks.list(),
    "banks_for_currency": lambda c: c.banks.for_currency("EUR"),
    "list_countries": lambda c: c.countries.list(),
    "get_country": lambda c: c.countries.get("GB"),
    "get_bank_requirements": lambda c: c.countries.bank_requirements("CA", "CAD"),
    "move_funds": lambda c: c.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=1),
    "create_pot": lambda c: c.balances.create_pot("USD", "POT11"),
    "create_bulk_upload": lambda c: c.bulk_payments.create_upload(description="d", source=BulkSource.CAXTON),
    "submit_bulk_payload": lambda c: c.bulk_payments.submit(UPLOAD, [{"Action": "Create", "Amount": "1"}]),
    "get_card_rate": lambda c: c.fx.card_rate(buy="CHF", sell="GBP", amount=1),
    "create_wallet": lambda c: c.wallets.create("w"),
    "create_card": lambda c: c.cards.create(CARD),
    "enable_webhooks": lambda c: c.webhooks.enable(),
    "create_webhook_endpoint": lambda c: c.webhooks.create_endpoint(WebhookEvent.PAYMENT, "https://example.com/"),
    "fund_sandbox": lambda c: c.sandbox.fund(currency="GBP", amount=1, user_id="user-1"),
    "decide_transfer": lambda c: c.sandbox.decide_transfer(1, approve=True),
}


class CancelledAt:
    """Awaits something, and cancels the task that does so when it has waited for the `number`-th time.

    It does so as the wait begins, or, if `late`, in the moment in which what was waited for has come.
    """

    def __init__(self, work: Awaitable[Any], number: int, *, late: bool) -> None:
        self._work = work
        self._number = number
        self._late = late
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        """Hand each wait on to the loop, and the n-th with a cancellation."""
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waited = steps.send(None) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self._number:
                self._cancel(waited)
            error = None
            try:
                yield waited
            except BaseException as thrown:  # noqa: BLE001 -- it is thrown into what is awaited
                error = thrown

    def _cancel(self, waited: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._late and waited is not None:
            # Before the task itself asks to be woken, so that the cancellation is there first.
            waited.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()


async def run(work: CancelledAt) -> str:
    """Await `work` in a task of its own, and say how it ended."""

    async def await_it() -> Any:
        return await work

    task = asyncio.create_task(await_it())
    await asyncio.wait({task})
    if task.cancelled():
        return "cancelled"
    return "done" if task.exception() is None else type(task.exception()).__name__


def test_every_call_of_the_catalogue_is_cancelled() -> None:
    """No documented call is left out of what follows."""
    assert set(CALLS) == set(CATALOGUE)


def other_than(name: str) -> str:
    """Name the call that is made around the one that is cancelled: another one."""
    return "create_sub_account" if name == "create_wallet" else "create_wallet"


@pytest.mark.parametrize("late", [False, True], ids=["as-it-begins-to-wait", "as-it-goes-on"])
@pytest.mark.parametrize("way", ["cold", "warm", "hard", "queued"])
@pytest.mark.parametrize("name", CALLS)
@virtual
async def test_a_call_cancelled_anywhere_leaves_nothing_but_the_truth(name: str, way: str, late: bool) -> None:
    """Wherever a call is cancelled, its place and connection come back, and it is told as unknown if it was sent."""
    for number in itertools.count(1):
        async with AsyncExitStack() as stack:
            emulator = await stack.enter_async_context(Emulator())
            events: list[Event] = []
            caxton = await stack.enter_async_context(client(emulator, max_connections=1, on_event=events.append))
            release = await prepare(way, name, emulator, caxton)
            events.clear()
            seen = emulator.count(name)
            work = CancelledAt(CALLS[name](caxton), number, late=late)

            task = asyncio.create_task(run(work))
            await release()
            ending = await task
            told = [event.kind for event in events if event.endpoint == name]
            emulator.faults.clear()
            again = await outcomes(CALLS[other_than(name)](caxton) for _ in range(3))

            assert not [error for error in again if isinstance(error, Exception)]
            if ending != "cancelled":
                assert work.waits < number
                break
            seen = emulator.count(name) - seen
            assert told.count("outcome_unknown") <= 1
            if not CATALOGUE[name].repeatable and name != "get_access_token":  # a login belongs to no caller
                assert told.count("answered") + told.count("outcome_unknown") <= told.count("attempt")
                assert seen <= told.count("answered") + told.count("outcome_unknown")
                assert {event.sent for event in events if event.kind == "failed"} <= {Sent.NO}
    assert number > 1 or (name == "get_access_token" and way != "cold")  # it has the token, and waits for nothing
    assert emulator.connections == 0


async def prepare(way: str, name: str, emulator: Emulator, caxton: CaxtonClient) -> Callable[[], Awaitable[None]]:
    """Bring the client into the situation, and return what ends it once the call is under way."""
    emulator.ledger.accounts.add_sub_account("Sub")

    async def nothing() -> None:
        pass

    if way == "cold":
        return nothing
    await caxton.auth.access_token()
    if way == "hard":  # the token is rejected, then the API is too busy, then the answer comes
        for kind in ("unauthorised", "rate_limited"):
            emulator.faults.add(Fault(kind, endpoint=name))
    if way != "queued":
        return nothing
    held = hold(emulator, other_than(name))
    first = asyncio.create_task(run(CancelledAt(CALLS[other_than(name)](caxton), 0, late=False)))
    await held.hit()

    async def release() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        held.release()
        assert await first == "done"

    return release


@pytest.mark.parametrize("fault", ["slow_head", "slow_body"])
@virtual
async def test_a_call_cancelled_while_it_reads_gives_its_connection_back(fault: str) -> None:
    """An answer that is not read to its end costs its connection, and not the place in the pool."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        await caxton.auth.access_token()
        for number in range(5):
            slow = emulator.faults.add(Fault(fault, endpoint="create_wallet", seconds=0.1))
            task = asyncio.create_task(caxton.wallets.create("cancelled"))
            await slow.hit()
            await asyncio.sleep(3)

            task.cancel()
            await asyncio.wait({task})
            wallet = await caxton.wallets.create(f"served {number}")

            assert task.cancelled()
            assert wallet.name == f"served {number}"


@pytest.mark.parametrize("late", [False, True], ids=["as-it-begins-to-wait", "as-it-goes-on"])
@pytest.mark.parametrize("moment", ["during-a-login", "in-flight", "idle"])
async def test_closing_cancelled_anywhere_leaves_nothing_open(moment: str, late: bool) -> None:
    """Wherever the closing of a client is cancelled, its connections and its login are gone, and callers are told."""
    for number in itertools.count(1):
        async with Emulator() as emulator:
            caxton = CaxtonClient(emulator.credentials, evolve(emulator.settings, drain_s=0.05))
            await caxton.open()
            calls: list[asyncio.Task[Any]] = []
            if moment != "idle":
                held = hold(emulator, "get_access_token" if moment == "during-a-login" else "create_wallet")
                calls = [asyncio.create_task(caxton.wallets.create("w")) for _ in range(3)]
                await held.hit()
            work = CancelledAt(caxton.aclose(), number, late=late)

            ending = await run(work)
            errors = await outcomes(calls)

            assert {type(error).__name__ for error in errors} <= {"ConfigurationError", "OutcomeUnknown", "Wallet"}
            await drained(emulator)
            assert emulator.connections == 0
            if ending == "done":
                break
            assert ending == "cancelled"
    assert work.waits < number


async def drained(emulator: Emulator) -> None:
    """Let the server notice that connections have ended."""
    for _ in range(100):
        if not emulator.connections:
            return
        await asyncio.sleep(0.001)
