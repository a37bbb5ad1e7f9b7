"""What the emulator knows of the world: currencies, countries, banks, columns and rates.

Data alone belongs here.  Sources: Caxton developer guide (tables and examples), ISO 4217, ISO 3166-1.
"""

from __future__ import annotations

from decimal import Decimal

import attrs


@attrs.frozen
class Currency:
    """A currency as the balances describe it; the rate is in units for one British pound."""

    code: str
    numeric: str
    description: str
    symbol: str
    rate: Decimal
    minor_units: int = 2
    step: Decimal = attrs.field(init=False)  # the smallest amount, such as `Decimal("0.01")`
    zero: Decimal = attrs.field(init=False)  # nothing, with all its digits

    def __attrs_post_init__(self) -> None:
        step = Decimal(1).scaleb(-self.minor_units)
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "zero", Decimal(0).quantize(step))


def _currency(code: str, numeric: int, description: str, symbol: str, rate: str, minor_units: int = 2) -> Currency:
    return Currency(code, f"{numeric:03}", description, symbol, Decimal(rate), minor_units)


CURRENCIES = {
    currency.code: currency
    for currency in (
        _currency("GBP", 826, "British Pound Sterling", "£", "1"),
        _currency("AUD", 36, "Australian Dollar", "$", "1.9325"),
        _currency("BGN", 975, "Bulgarian Lev", "лв", "2.2514"),
        _currency("CAD", 124, "Canadian Dollar", "$", "1.7115"),
        _currency("CZK", 203, "Czech Koruna", "Kč", "28.1190"),
        _currency("DKK", 208, "Danish Krone", "kr", "8.5840"),
        _currency("EUR", 978, "Euro", "€", "1.1512"),
        _currency("HKD", 344, "Hong Kong Dollar", "$", "9.8770"),
        _currency("HUF", 348, "Hungarian Forint", "Ft", "438.2100"),
        _currency("INR", 356, "Indian Rupee", "₹", "105.3300"),
        _currency("ILS", 376, "Israeli Shekel", "₪", "4.7020"),
        _currency("JPY", 392, "Japanese Yen", "¥", "188.4000", 0),
        _currency("KES", 404, "Kenyan Shilling", "KSh", "193.6000"),
        _currency("KWD", 414, "Kuwaiti Dinar", "KD", "0.3889", 3),
        _currency("MAD", 504, "Moroccan Dirham", "DH", "12.7400"),
        _currency("NZD", 554, "New Zealand Dollar", "$", "2.0830"),
        _currency("NOK", 578, "Norwegian Krone", "kr", "13.4900"),
        _currency("PLN", 985, "Polish Zloty", "zł", "4.9880"),
        _currency("QAR", 634, "Qatari Riyal", "QR", "4.6110"),
        _currency("OMR", 512, "Omani Rial", "RO", "0.4877", 3),
        _currency("SAR", 682, "Saudi Riyal", "SR", "4.7510"),
        _currency("SGD", 702, "Singapore Dollar", "$", "1.7060"),
        _currency("ZAR", 710, "South African Rand", "R", "23.9700"),
        _currency("SEK", 752, "Swedish Krona", "kr", "13.1800"),
        _currency("CHF", 756, "Swiss Franc", "CHF", "1.0731"),
        _currency("THB", 764, "Thai Baht", "฿", "45.0200"),
        _currency("TRY", 949, "Turkish Lira", "₺", "41.2300"),
        _currency("AED", 784, "UAE Dirham", "AED", "4.6530"),
        _currency("USD", 840, "US Dollar", "$", "1.2669"),
    )
}

# fmt: off
CARD_CURRENCIES = {
    "AUD", "CAD", "CHF", "DKK", "EUR", "GBP", "HKD", "HUF", "JPY", "NOK", "NZD", "PLN", "SEK", "USD", "ZAR",
}
# fmt: on


@attrs.frozen
class Country:
    """A country, and what a bank there asks for."""

    short_name: str
    full_name: str
    alpha_2: str
    alpha_3: str
    numeric: str
    currency: str
    isd_code: str
    uses_iban: bool = False
    bank_code: str | None = None
    uses_sort_code: bool = False
    for_beneficiaries: bool = True


COUNTRIES = {
    country.alpha_2: country
    for country in (
        Country("UK", "United Kingdom", "GB", "GBR", "826", "GBP", "+44", uses_iban=True, uses_sort_code=True),
        Country("Australia", "Australia", "AU", "AUS", "036", "AUD", "+61", bank_code="BSB Number"),
        Country("Canada", "Canada", "CA", "CAN", "124", "CAD", "+1", bank_code="SWIFT / Bank Code"),
        Country("Switzerland", "Switzerland", "CH", "CHE", "756", "CHF", "+41", uses_iban=True),
        Country("Germany", "Germany", "DE", "DEU", "276", "EUR", "+49", uses_iban=True),
        Country("France", "France", "FR", "FRA", "250", "EUR", "+33", uses_iban=True),
        Country("Iran", "Iran, Islamic Republic of", "IR", "IRN", "364", "IRR", "+98", for_beneficiaries=False),
        Country("Japan", "Japan", "JP", "JPN", "392", "JPY", "+81"),
        Country("Kuwait", "Kuwait", "KW", "KWT", "414", "KWD", "+965", uses_iban=True),
        Country("USA", "United States of America", "US", "USA", "840", "USD", "+1", bank_code="ABA Number"),
    )
}


@attrs.frozen
class Bank:
    """An account into which money is paid; `own` is False for one shared by many clients."""

    currency: str
    bank_name: str
    account_number: str
    iban: str
    swift: str
    sort_code: str | None = None
    address: str | None = None
    country: str | None = None
    own: bool = False


# The stray line end in the name is the guide's own: a client has to live with it.
BANKS = (
    Bank("GBP", "Royal Bank of Scotland\r\n", "10012834", "GB33RBOS16002810012834", "RBOSGB2L", "160028"),
    Bank("USD", "Royal Bank of Scotland\r\n", "10128820", "GB21RBOS16630010128820", "RBOSGB2L", "166300"),
    Bank(
        "EUR",
        "Simulator Bank",
        "010128820",
        "GB90SIMU00000010128820",
        "SIMUGB2L",
        address="The Bower, 207-211 Old Street, London, England, EC1V 9NR",
        country="GB",
        own=True,
    ),
)

BULK_COLUMNS = (
    "Action,RecipientReference,ClientRecipientReference,RecipientName,SWIFTCode,SortCode,AccountNumber,IBAN,"
    "RecipientAddress,RecipientCountry,PaymentReference,Currency,Amount,PaymentDate"
)

# By ExternalSource; the guide shows the columns of source 1 and null for BACS (5), the others are assumed.
COLUMN_FORMATS = {"1": BULK_COLUMNS, "2": BULK_COLUMNS, "5": None, "8": BULK_COLUMNS}
