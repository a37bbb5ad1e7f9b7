"""What calls return: one frozen class for each result; an amount is the exact `Decimal` that the API wrote.

Source: Caxton developer guide, the example of each call.
"""

import datetime as dt
from decimal import Decimal

from attrs import field, frozen

from caxton_async.secret import Secret


@frozen
class GeneratedPassword:
    """A new password and the time from which and to which it works."""

    client_password: Secret
    start_date: dt.datetime | None = None
    end_date: dt.datetime | None = None
    public_key: str | None = None


@frozen
class AccessToken:
    """A bearer token; `expires_in` is in seconds, five minutes where the API does not say."""

    access_token: Secret
    token_type: str
    expires_in: int = 300


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
