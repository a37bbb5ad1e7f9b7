"""What the API talks about, as frozen attrs classes, and the rules of money.

What belongs here: a class for each request and each answer, with attributes named like the API's members in
snake_case, and the checks of what a user passes.  What does not: how a member is spelled on the wire (`codec`) and
where it is sent (`endpoints`).  Source: Caxton developer guide, the example of each call.

Amounts of requests are `Decimal` or `int`, finite, above zero, with at most the minor units of their currency; an
amount of an answer is the exact `Decimal` that the API wrote.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Generic, TypeVar

from attrs import Attribute, converters, field, frozen

from caxton_async.errors import InvalidRequest
from caxton_async.secret import Secret, to_secret

T = TypeVar("T")

# Minor units of the currencies that do not have two.  Source: ISO 4217.
_MINOR_UNITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CURRENCY_AT_END = re.compile(r"(?:^|[^A-Za-z])([A-Za-z]{3})$")
# The largest amount that is taken for one: 15 digits before the point is above any payment and within every ledger.
_MAX_AMOUNT = Decimal(10) ** 15


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


@lru_cache(maxsize=1024)
def minor_units(currency: str) -> int:
    """Return how many decimals `currency` has; the code of a pot (`POTBC-GBP`) counts as the currency at its end."""
    match = _CURRENCY_AT_END.search(currency)
    return _MINOR_UNITS.get(match[1].upper(), 2) if match else 2


def check_amount(amount: object, currency: str, name: str = "amount") -> Decimal:
    """Return `amount` as a `Decimal` in plain notation.

    **Raises** InvalidRequest when it is not a Decimal or int, not finite, not above zero, or finer than the minor unit.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
        raise InvalidRequest(f"{name} must be a Decimal or an int, not {type(amount).__name__}: write Decimal('10.50')")
    exact = Decimal(amount)
    if not exact.is_finite():
        raise InvalidRequest(f"{name} must be finite")
    if exact <= 0:
        raise InvalidRequest(f"{name} must be above zero")
    if exact >= _MAX_AMOUNT:
        raise InvalidRequest(f"{name} has more than 15 digits before its point")
    places, allowed = -int(exact.as_tuple().exponent), minor_units(currency)
    if places > allowed:
        raise InvalidRequest(f"{name} has {places} decimals, {currency} has {allowed}: round it first")
    return Decimal(f"{exact:f}")


def _amount(currency_attribute: str) -> Callable[[object, "Attribute[Decimal]", object], None]:
    def validate(instance: object, attribute: "Attribute[Decimal]", value: object) -> None:
        exact = check_amount(value, getattr(instance, currency_attribute), attribute.name)
        object.__setattr__(instance, attribute.name, exact)

    return validate


def _to_decimal(value: Decimal | int) -> Decimal:
    """Return an int as a Decimal, and leave all else to the validator, which names the attribute."""
    return Decimal(value) if type(value) is int else value  # type: ignore[return-value]  # checked by the validator


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


# --- requests ---


@frozen
class GeneratePassword:
    """Ask for a new password of the client, or of a sub-account with what its creation returned."""

    username: str = field(validator=_text)
    clientname: str = field(validator=_text)


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

    country: str = field(validator=_text)
    currency: str = field(validator=_text)


@frozen
class MoveFunds:
    """Move money between the main balance (a currency) and pots (a code such as `POTBC-GBP`)."""

    from_currency: str = field(validator=_text)
    to_currency: str = field(validator=_text)
    amount: Decimal = field(converter=_to_decimal, validator=_amount("from_currency"))


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
    amount: Decimal = field(converter=_to_decimal, validator=_amount("sell_ccy_code"))


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
    amount: Decimal = field(converter=_to_decimal, validator=_amount("currency"))
    user_id: str = field(validator=_text)


@frozen
class DecideTransfer:
    """Approve or reject a transfer of the sandbox."""

    transfer_id: int = field(validator=_whole)
    transfer_status: str = field(validator=_choice("Approved", "Rejected"))


# --- answers ---


@frozen
class ApiStatus:
    """The triplet that says how the API took a call: code, status and description, as they came."""

    api_status_code: int | None = None
    api_status: str | None = None
    api_status_description: str | None = None


@frozen
class AuthorisedClientModel:
    """The client that an answer names as authorised."""

    client_id: str | None = None
    client_ref: str | None = None
    user_id: str | None = None
    token_start_date: dt.datetime | None = None
    token_end_date: dt.datetime | None = None


@frozen
class AuthorisedUserModel:
    """The user that an answer names as authorised."""

    user_id: str | None = None
    app_version: str | None = None
    token_start_date: dt.datetime | None = None
    token_end_date: dt.datetime | None = None
    login_timestamp: dt.datetime | None = None
    api_login_type: int | None = None


@frozen
class Envelope(Generic[T]):
    """A whole answer: the model, and what stands around it."""

    model: T
    expected_responses: tuple[str, ...] = ()
    client: AuthorisedClientModel | None = None
    user: AuthorisedUserModel | None = None
    main_account_holder_name: str | None = None


@frozen
class GeneratedPassword:
    """A new password and the time from which and to which it works."""

    client_password: Secret
    start_date: dt.datetime | None = None
    end_date: dt.datetime | None = None
    public_key: str | None = None


@frozen
class AccessToken:
    """A bearer token; `expires_in` is in seconds."""

    access_token: Secret
    token_type: str
    expires_in: int


@frozen
class SubAccount:
    """A sub-account; `name` serves as the client name when its password is generated."""

    username: str
    name: str


@frozen
class CreatedUser:
    """A registered person; `api_token` is what `for_user` takes."""

    applicant_id: int
    user_id: str
    api_token: Secret


@frozen
class BankDetails:
    """An account that takes payments in: `type` 0 is shared and needs the pay-in reference, 1 is one's own."""

    account_name: str | None = None
    currency: str | None = None
    bank_name: str | None = None
    account_number: str | None = field(default=None, repr=False)
    iban_number: str | None = field(default=None, repr=False)
    swift_code: str | None = None
    sort_code: str | None = None
    bank_address: str | None = None
    bank_address1: str | None = None
    bank_address2: str | None = None
    country: str | None = None
    type: int | None = None
    pay_in_reference: str | None = None


@frozen
class Country:
    """A country; payments reach it only where `for_beneficiaries` is true."""

    alpha2_code: str
    short_name: str | None = None
    full_name: str | None = None
    alpha3_code: str | None = None
    numeric_code: str | None = None
    for_applications: bool | None = None
    for_beneficiaries: bool | None = None
    for_others: bool | None = None
    for_monitor: bool | None = None
    for_place_of_birth: bool | None = None
    default_currency_code: str | None = None
    isd_code: str | None = None


@frozen
class BankRequirements:
    """What a payment to a country in its currency needs."""

    country_code: str
    local_currency: str
    uses_iban: bool
    uses_bank_code: bool
    uses_sepa: bool
    requires_ben_address: bool
    uses_sort_code: bool
    uses_swift: bool
    uses_account_number: bool
    bank_code_description: str | None = None


@frozen
class Balance:
    """The main balance of a currency, or a pot (which alone has a friendly name), after a call."""

    balance: Decimal
    ccy_code: str
    base_ccy_code: str | None = None
    friendly_name: str | None = None
    alphabetic_code: str | None = None
    description: str | None = None
    numeric_code: str | None = None
    symbol: str | None = None


@frozen
class BulkUpload:
    """An open bulk upload; `column_format` is the order of its payload's columns, None for BACS."""

    upload_record_id: int
    column_format: tuple[str, ...] | None = None


@frozen
class CardRate:
    """The rate of loading a card: `buy_amount` is `sell_amount` times `exchange_rate`."""

    buy_amount: Decimal
    buy_currency: str
    sell_amount: Decimal
    sell_currency: str
    exchange_rate: Decimal
    is_enhanced_rate: bool | None = None
    buy_desc: str | None = None
    buy_symbol: str | None = None
    sell_desc: str | None = None
    sell_symbol: str | None = None
    channel_type: int | None = None


@frozen
class Wallet:
    """A wallet."""

    wallet_id: int
    name: str


@frozen
class Card:
    """A card."""

    card_id: str
