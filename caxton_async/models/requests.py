"""What callers ask for: one frozen class for each call, with the checks of what a user passes.

Amounts are `Decimal` or `int`, finite, above zero, with at most the minor units of their currency.
Source: Caxton developer guide, the example of each call.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from enum import Enum

from attrs import Attribute, converters, field, frozen

from caxton_async.errors import InvalidRequest
from caxton_async.models.money import amount_of, to_decimal
from caxton_async.secret import Secret, hide, hiding, to_secret


class BulkSource(Enum):
    """Where the rows of a bulk upload come from."""

    CAXTON = "1"
    XERO = "2"
    BACS = "5"
    CXTN_PAYROLL = "8"


class WebhookEvent(Enum):
    """The types of webhook events; the API sends only `PAYMENT` and `ACCOUNT_TRANSACTION` so far."""

    TRADE = "Trade"
    PAYMENT = "Payment"
    ACCOUNT_TRANSACTION = "AccountTransaction"
    WALLET = "Wallet"
    CARD = "Card"
    QUOTE = "Quote"
    BULK_PAYMENTS = "BulkPayments"


def _text(_instance: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str):
        raise InvalidRequest(f"{attribute.name} must be a string, not {type(value).__name__}")
    if not value:
        raise InvalidRequest(f"{attribute.name} must not be empty")


def _text_or_none(_instance: object, attribute: "Attribute[str | None]", value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{attribute.name} must be a string or None, not {type(value).__name__}")


def _whole(_instance: object, attribute: "Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{attribute.name} must be an int, not {type(value).__name__}")


def _choice(*allowed: str) -> Callable[[object, "Attribute[str]", object], None]:
    def validate(_instance: object, attribute: "Attribute[str]", value: object) -> None:
        if value not in allowed:
            raise InvalidRequest(f"{attribute.name} must be {' or '.join(allowed)}")

    return validate


def _iso_date(_instance: object, attribute: "Attribute[str]", value: object) -> None:
    try:
        valid = isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        valid = False
    if not valid:
        raise InvalidRequest(f"{attribute.name} must be a date like 1990-05-20")


def _to_iso(value: dt.date | str) -> str:
    return value.isoformat() if isinstance(value, dt.date) else value


def _to_event_name(value: WebhookEvent | str) -> str:
    return value.value if isinstance(value, WebhookEvent) else value


def _to_bulk_source(value: object) -> BulkSource:
    for source in BulkSource:
        if value in (source, source.value):
            return source
    choices = ", ".join(f"{source.value!r} ({source.name})" for source in BulkSource)
    raise InvalidRequest(f"external_source must be one of {choices}")


def _secret_argument(value: str | Secret) -> Secret:
    given: object = value
    if isinstance(given, (str, Secret)) and given:
        return to_secret(value)
    raise InvalidRequest(f"a secret must be a non-empty string or a Secret, not {type(value).__name__}")


@frozen
class GeneratePassword:
    """Ask for a new password of the client, or of a sub-account with what its creation returned."""

    username: str = field(validator=_text)
    clientname: str = field(validator=_text)


@hiding(password=hide)
@frozen
class GetAccessToken:
    """Log in."""

    username: str = field(validator=_text)
    password: Secret = field(converter=_secret_argument)


@frozen
class ResetCredentials:
    """Make the password and the tokens of the account in force void."""


@frozen
class CreateSubAccount:
    """Open a sub-account."""

    company_name: str = field(validator=_text)
    email: str = field(validator=_text)


@hiding(password=hide, memorable_word=hide, iv_key=hide)
@frozen(kw_only=True)
class NewUser:
    """A person to be registered; `iv_key` is sent as a header, all else in the body, as strings."""

    email: str = field(validator=_text)
    first_name: str = field(validator=_text)
    last_name: str = field(validator=_text)
    gender: str = field(validator=_text)
    title: str = field(validator=_text)
    password: Secret = field(converter=_secret_argument)
    memorable_word: Secret = field(converter=_secret_argument)
    date_of_birth: str = field(converter=_to_iso, validator=_iso_date)
    house_name_number: str = field(validator=_text)
    address1: str = field(validator=_text)
    city: str = field(validator=_text)
    postcode: str = field(validator=_text)
    country: str = field(validator=_text)
    product: str = field(validator=_text)
    primary_contact_no: str = field(validator=_text)
    mobile_number: str = field(validator=_text)
    device_id: str = field(validator=_text)
    device: str = field(validator=_text)
    operating_system: str = field(validator=_text)
    app_version: str = field(validator=_text)
    iv_key: Secret | None = field(default=None, converter=converters.optional(_secret_argument))


@frozen
class BanksForCurrency:
    """Ask for the accounts that take payments in one currency."""

    ccy: str = field(validator=_text)


@frozen
class GetCountry:
    """Ask for one country by its ISO 3166-1 alpha-2 code."""

    code: str = field(validator=_text)


@frozen
class GetBankRequirements:
    """Ask what a payment to a country in a currency needs."""

    ccy_country: str = field(validator=_text)
    ccy_currency: str = field(validator=_text)


@frozen
class MoveFunds:
    """Move money between the main balance (a currency) and pots (a code such as `POTBC-GBP`)."""

    from_currency: str = field(validator=_text)
    to_currency: str = field(validator=_text)
    amount: Decimal = field(converter=to_decimal, validator=amount_of("from_currency"))


@frozen
class CreatePot:
    """Open a pot: a named sub-balance in one currency."""

    ccy: str = field(validator=_text)
    pot_prefix: str = field(validator=_text)
    friendly_name: str | None = field(default=None, validator=_text_or_none)


@frozen
class CreateBulkUpload:
    """Open a bulk upload; nothing is paid until its payload is submitted."""

    description: str = field(validator=_text)
    external_source: BulkSource = field(converter=_to_bulk_source)


@frozen
class SubmitBulkPayload:
    """Send the rows of a bulk upload, as CSV text in the upload's column order: the step that pays."""

    upload_record_id: int = field(validator=_whole)
    payload: str = field(validator=_text, repr=False)


@frozen
class GetCardRate:
    """Ask for the rate of loading a card: `amount` of `sell_ccy_code` is paid for `ccy_code`."""

    ccy_code: str = field(validator=_text)
    sell_ccy_code: str = field(validator=_text)
    amount: Decimal = field(converter=to_decimal, validator=amount_of("sell_ccy_code"))


@frozen
class CreateWallet:
    """Open a wallet, which holds cards."""

    name: str = field(validator=_text)


@frozen
class NewCard:
    """A card to be made in a wallet; with an e-mail address the holder is mailed a sign-up."""

    wallet_id: int = field(validator=_whole)
    first_name: str = field(validator=_text)
    last_name: str = field(validator=_text)
    gender: str = field(validator=_choice("Male", "Female"))
    date_of_birth: str = field(converter=_to_iso, validator=_iso_date)
    email: str | None = field(default=None, validator=_text_or_none)


@frozen
class CreateWebhookEndpoint:
    """Have notifications of one type sent to a URL."""

    webhook_event_type: str = field(converter=_to_event_name, validator=_text)
    endpoint_url: str = field(validator=_text)


@frozen
class FundSandbox:
    """Credit an account of the sandbox."""

    currency: str = field(validator=_text)
    amount: Decimal = field(converter=to_decimal, validator=amount_of("currency"))
    user_id: str = field(validator=_text)


@frozen
class DecideTransfer:
    """Approve or reject a transfer of the sandbox."""

    transfer_id: int = field(validator=_whole)
    transfer_status: str = field(validator=_choice("Approved", "Rejected"))
