"""What a user's type checker refuses: `nox -s types` fails where mypy or pyright lets one of these pass.

Each line is a mistake; the comment beside it would be an error of its own if the checker found nothing to ignore.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator

from caxton_async import CaxtonClient, Credentials, Event, Settings, once, open_journal, run_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import CREATE_WALLET, LIST_BANKS, MOVE_FUNDS
from caxton_async.journal import Journal
from caxton_async.models import CreateWallet, MoveFunds, NewCard


async def calls(caxton: CaxtonClient) -> None:
    """Requests that are missing, foreign or unneeded, and arguments of a wrong type."""
    await caxton.call(MOVE_FUNDS)  # type: ignore[arg-type]  # its request is missing
    await caxton.call(MOVE_FUNDS, CreateWallet("Rent"))  # type: ignore[misc]  # the request of another endpoint
    await caxton.call(LIST_BANKS, CreateWallet("Rent"))  # type: ignore[misc]  # it takes none
    await caxton.call("move_funds", MoveFunds("GBP", "POTBC-GBP", 10))  # type: ignore[call-overload]  # a name, and no endpoint
    await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=10.5)  # type: ignore[arg-type]  # a float
    await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount="10.50")  # type: ignore[arg-type]  # a string
    await caxton.balances.move_funds("GBP", "POTBC-GBP", 10)  # type: ignore[call-arg]  # who pays whom is said by name
    MoveFunds("GBP", "POTBC-GBP", 10.5)  # type: ignore[arg-type]  # a float
    NewCard("1", "Ada", "Lovelace", "Female", "1990-05-20")  # type: ignore[arg-type]  # the wallet's id is a number
    caxton.for_account(7)  # type: ignore[arg-type]  # an identity number is text
    caxton.with_options(deadline=5)  # type: ignore[call-arg]  # deadline_s


async def results(caxton: CaxtonClient) -> None:
    """Results that are taken for another type, or not awaited."""
    name: str = await caxton.call(CREATE_WALLET, CreateWallet("Rent"))  # type: ignore[arg-type]  # a wallet
    caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=10)  # type: ignore[unused-coroutine]  # never awaited
    (await caxton.wallets.create("Rent")).wallet_id = 7  # type: ignore[misc]  # results are frozen
    name.upper()


async def payments(caxton: CaxtonClient, journal: Journal) -> None:
    """Payments without a key or a journal, and results used before they are known."""
    request = MoveFunds("GBP", "POTBC-GBP", 10)
    await once(caxton, MOVE_FUNDS, request, journal=journal)  # type: ignore[call-arg]  # no reference
    await once(caxton, MOVE_FUNDS, request, reference="rent")  # type: ignore[call-arg]  # no journal
    await once(caxton, MOVE_FUNDS, request, reference=7, journal=journal)  # type: ignore[arg-type]  # a number
    await once(caxton, MOVE_FUNDS, CreateWallet("Rent"), reference="rent", journal=journal)  # type: ignore[misc]  # another endpoint's
    paid = await once(caxton, MOVE_FUNDS, request, reference="rent", journal=journal)
    paid.result[0].balance.is_zero()  # type: ignore[index]  # None, where the call returns nothing
    await run_batch(caxton, MOVE_FUNDS, [("rent", request)])  # type: ignore[call-arg]  # no journal
    async with open_journal(7):  # type: ignore[arg-type]  # a path or a DSN
        pass


async def setup() -> AsyncIterator[None]:
    """Settings, credentials and faults that do not exist."""

    async def note(event: Event) -> None:
        event.sent.name.upper()

    Settings(deadline="5 s")  # type: ignore[call-arg]  # seconds are a number, and have their unit in the name
    Settings(deadline_s="5")  # type: ignore[arg-type]  # text
    Settings(on_event=note)  # type: ignore[arg-type]  # a coroutine, which nobody would await
    CaxtonClient(Settings(), Credentials("ada", "ACME", "secret"))  # type: ignore[arg-type]  # in the wrong order
    CaxtonClient("ada", "secret")  # type: ignore[arg-type]  # no credentials
    Fault("reset_after_wrok")  # type: ignore[arg-type]  # a kind of fault that there is not
    Fault("latency", endpoint="move_fund")  # type: ignore[arg-type]  # nor such an endpoint
    with Emulator():  # type: ignore[attr-defined]  # it is opened by `async with`
        yield
