"""What a user's type checker sees: checked by `nox -s types`, and not run.

`assert_type` fails the check when a type is not exactly the one named.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_type

from attrs import frozen

from caxton_async import (
    CATALOGUE,
    ApiError,
    BulkSource,
    CaxtonClient,
    CaxtonError,
    Credentials,
    Endpoint,
    Envelope,
    Environment,
    Event,
    OutcomeUnknown,
    Secret,
    Sent,
    Settings,
    WebhookEvent,
)
from caxton_async.endpoints import BANKS_FOR_CURRENCY, CREATE_WALLET, LIST_BANKS, MOVE_FUNDS, RESET_CREDENTIALS
from caxton_async.models import (
    AccessToken,
    Balance,
    BankDetails,
    BankRequirements,
    BanksForCurrency,
    BulkUpload,
    Card,
    CardRate,
    Country,
    CreatedUser,
    CreateWallet,
    GeneratedPassword,
    MoveFunds,
    NewCard,
    NewUser,
    ResetCredentials,
    SubAccount,
    Wallet,
)


@frozen
class PayBill:
    """A request of the user's own."""

    payee_id: int
    amount: Decimal


@frozen
class Receipt:
    """An answer of the user's own."""

    receipt_id: int


PAY_BILL = Endpoint("pay_bill", "POST", "payees/{payee_id}/bills", PayBill, Receipt)
LIST_BILLS: Endpoint[None, tuple[Receipt, ...]] = Endpoint(
    "list_bills", "GET", "bills", None, tuple[Receipt, ...], at="Bills", repeatable=True
)


async def password() -> str:
    """Fetch the password from wherever it is kept."""
    return "from a vault"


def note(event: Event) -> None:
    """Take note of what the client does."""
    assert_type(event.sent, Sent)
    assert_type(event.elapsed_s, float)


async def calls_of_the_groups(caxton: CaxtonClient, person: NewUser, rows: list[Mapping[str, str]]) -> None:
    """Every method returns what the guide shows."""
    assert_type(await caxton.auth.generate_password(), GeneratedPassword)
    assert_type(await caxton.auth.access_token(), AccessToken)
    assert_type(await caxton.sub_accounts.create("Acme", "a@example.com"), SubAccount)
    assert_type(await caxton.users.create(person, iv_key="k"), CreatedUser)
    assert_type(await caxton.banks.list(), tuple[BankDetails, ...])
    assert_type(await caxton.banks.for_currency("EUR"), tuple[BankDetails, ...])
    assert_type(await caxton.countries.list(), tuple[Country, ...])
    assert_type(await caxton.countries.get("GB"), Country)
    assert_type(await caxton.countries.bank_requirements("CA", "CAD"), BankRequirements)
    balances = await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=10)
    assert_type(balances, tuple[Balance, ...])
    assert_type(balances[0].balance, Decimal)
    assert_type(await caxton.balances.create_pot("GBP", "BC", friendly_name="Bills"), tuple[Balance, ...])
    upload = await caxton.bulk_payments.create_upload(description="May", source=BulkSource.CAXTON)
    assert_type(upload, BulkUpload)
    assert_type(upload.column_format, tuple[str, ...] | None)
    await caxton.bulk_payments.submit(upload, rows)
    assert_type(await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=Decimal(100)), CardRate)
    assert_type(await caxton.wallets.create("Marketing"), Wallet)
    assert_type(await caxton.cards.create(NewCard(1, "A", "B", "Male", "1990-05-20")), Card)
    await caxton.webhooks.create_endpoint(WebhookEvent.PAYMENT, "https://hooks.example/")
    await caxton.sandbox.fund(currency="GBP", amount=10, user_id="u")


async def calls_of_endpoints(caxton: CaxtonClient) -> None:
    """The type of a result follows from the endpoint, the vendor's and one's own alike."""
    assert_type(await caxton.call(CREATE_WALLET, CreateWallet("Marketing")), Wallet)
    assert_type(await caxton.call(MOVE_FUNDS, MoveFunds("GBP", "POTBC-GBP", Decimal(10))), tuple[Balance, ...])
    assert_type(await caxton.call(BANKS_FOR_CURRENCY, BanksForCurrency("EUR")), tuple[BankDetails, ...])
    assert_type(await caxton.call(LIST_BANKS), tuple[BankDetails, ...])
    assert_type(await caxton.call_envelope(RESET_CREDENTIALS, ResetCredentials()), Envelope[None])
    assert_type(await caxton.call(PAY_BILL, PayBill(7, Decimal(10))), Receipt)
    assert_type(await caxton.call(LIST_BILLS), tuple[Receipt, ...])
    envelope = await caxton.call_envelope(PAY_BILL, PayBill(7, Decimal(10)))
    assert_type(envelope, Envelope[Receipt])
    assert_type(envelope.content.expected_responses, tuple[str, ...])


async def use_of_a_client() -> None:
    """A client and its views are of one type, and every error answers the one question."""
    credentials = Credentials("u", "c", password)
    Credentials("u", "c", Secret("p"))
    settings = Settings(environment=Environment.STAGING, paths={"get_access_token": "/token"}, on_event=note)
    async with CaxtonClient(credentials, settings) as caxton:
        view = caxton.for_account("ID-1").for_user("tok").with_options(deadline_s=2)
        assert_type(view, CaxtonClient)
        try:
            await view.wallets.create("Marketing")
        except ApiError as error:
            assert_type(error.http_status, int | None)
            assert_type(error.api_status, str | None)
        except OutcomeUnknown as error:
            assert_type(error.path, str | None)
        except CaxtonError as error:
            assert_type(error.sent, Sent)
            assert_type(error.safe_to_retry, bool)
    assert_type(CATALOGUE, Mapping[str, Endpoint[object, object]])
    assert_type(Secret("x").reveal(), str)
