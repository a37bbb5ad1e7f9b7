"""The rows of a bulk upload: their columns, their checks, and the CSV in the order that the server gave.

What belongs here: what a row must be before it is sent, and its text.  What does not: reading rows from a file
(`batch.rows`) and sending them (`resources`).  Source: Caxton developer guide, Create Bulk Upload, for the columns.

The guide does not show a payload, so these are assumed: a first line with the names of the columns, as the server
spells them; lines that end in CRLF (RFC 4180); dates like 2026-05-31; an empty cell for what is not given.  Rows given
as mappings of column to text are sent as they are, whatever the upload's source.
"""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import Attribute, field, fields, frozen

from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.models import check_amount

# Length of an IBAN by country.  Source: ISO 13616, SWIFT IBAN registry.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
# ISO 3166-1 alpha-2, and XK, which ISO leaves to its users and banks use for Kosovo.
_COUNTRIES = frozenset(
    first + second
    for first, seconds in {
        "A": "DEFGILMOQRSTUWXZ", "B": "ABDEFGHIJLMNOQRSTVWYZ", "C": "ACDFGHIKLMNORUVWXYZ", "D": "EJKMOZ",
        "E": "CEGHRST", "F": "IJKMOR", "G": "ABDEFGHILMNPQRSTUWY", "H": "KMNRTU", "I": "DELMNOQRST", "J": "EMOP",
        "K": "EGHIMNPRWYZ", "L": "ABCIKRSTUVY", "M": "ACDEFGHKLMNOPQRSTUVWXYZ", "N": "ACEFGILOPRUZ", "O": "M",
        "P": "AEFGHKLMNRSTWY", "Q": "A", "R": "EOSUW", "S": "ABCDEGHIJKLMNORSTVXYZ", "T": "CDFGHJKLMNORTVWZ",
        "U": "AGMSYZ", "V": "ACEGINU", "W": "FS", "X": "K", "Y": "ET", "Z": "AMW",
    }.items()
    for second in seconds
)  # fmt: skip
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SWIFT = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SORT_CODE = re.compile(r"[0-9]{6}")
_CURRENCY = re.compile(r"[A-Z]{3}")
# What a spreadsheet makes of a long account number: 1.23457E+11.
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+?[0-9]+")
# What cannot stand in a cell of one line: control characters, lone surrogates, separators of lines and paragraphs; and
# the bidirectional controls, which show a person another order of letters than is sent.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def check_line(text: object, name: str) -> str:
    """Return `text`, which is then safe in one cell of one line.

    **Raises** InvalidRequest when it is not a string, or holds a control, bidirectional or broken character.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a string, not {type(text).__name__}")
    if unseen := _UNSEEN.search(text):
        code, position = ord(unseen[0]), unseen.start() + 1
        raise InvalidRequest(f"{name} holds the control character U+{code:04X} at position {position}: remove it")
    return text


def is_iban(text: str) -> bool:
    """Tell whether `text` is an IBAN in its electronic form: the length of its country, and right check digits."""
    if not _IBAN.fullmatch(text) or _IBAN_LENGTHS.get(text[:2], len(text)) != len(text):
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1  # ISO 7064, MOD 97-10


def _to_code(value: str) -> str:
    """Bring a code from its printed form (`GB33 BUKB ...`, `20-00-00`) to the one for machines."""
    return re.sub(r"[ \u00a0-]", "", check_line(value, "a code (swift_code, sort_code or iban)")).upper()


def _line(_row: object, attribute: "Attribute[str]", value: object) -> None:
    check_line(value, attribute.name)


def _filled(_row: object, attribute: "Attribute[str]", value: object) -> None:
    if not check_line(value, attribute.name).strip():
        raise InvalidRequest(f"{attribute.name} must not be empty")


def _must(fits: Callable[[str], object], meaning: str) -> Callable[[object, "Attribute[str]", object], None]:
    def validate(_row: object, attribute: "Attribute[str]", value: object) -> None:
        if check_line(value, attribute.name) and not fits(str(value)):
            raise InvalidRequest(f"{attribute.name} {meaning}")

    return validate


def _amount(row: "BulkPaymentRow", attribute: "Attribute[Decimal]", value: object) -> None:
    object.__setattr__(row, attribute.name, check_amount(value, row.currency))


def _date(_row: object, attribute: "Attribute[dt.date | None]", value: object) -> None:
    if isinstance(value, dt.datetime) or not isinstance(value, (dt.date, type(None))):
        raise InvalidRequest(f"{attribute.name} must be a date or None, not {type(value).__name__}")


_must_be_iban = _must(is_iban, "has a wrong length or wrong check digits: ask the recipient for it again")
_must_be_swift = _must(_SWIFT.fullmatch, "must be a SWIFT code of 8 or 11 letters and digits, such as BUKBGB22")
_must_be_sort_code = _must(_SORT_CODE.fullmatch, "must be six digits, such as 200000")
_must_be_country = _must(_COUNTRIES.__contains__, "must be an ISO 3166-1 code of two capitals, such as GB (not UK)")
_must_be_currency = _must(_CURRENCY.fullmatch, "must be an ISO 4217 code of three capitals, such as GBP")
_must_be_written_out = _must(
    lambda text: not _SCIENTIFIC.fullmatch(text), "was turned into a number by a spreadsheet: format its column as text"
)


@frozen(kw_only=True)
class BulkPaymentRow:
    """One payment of a bulk upload: the columns of source 1 (Caxton), in the order of the guide.

    Which of them the API insists on is not documented.  Required here is what no payment can do without: name,
    currency, amount, and an IBAN or account number.  What is left out is sent as an empty cell.

    **Raises** InvalidRequest when a value cannot be right; the message never shows it.
    """

    action: str = field(default="", validator=_line)
    recipient_reference: str = field(default="", validator=_line)
    client_recipient_reference: str = field(default="", validator=_line)
    recipient_name: str = field(validator=_filled)
    swift_code: str = field(default="", converter=_to_code, validator=_must_be_swift)
    sort_code: str = field(default="", converter=_to_code, validator=_must_be_sort_code, repr=False)
    account_number: str = field(default="", validator=_must_be_written_out, repr=False)
    iban: str = field(default="", converter=_to_code, validator=_must_be_iban, repr=False)
    recipient_address: str = field(default="", validator=_line, repr=False)
    recipient_country: str = field(default="", validator=_must_be_country)
    payment_reference: str = field(default="", validator=_line)
    currency: str = field(validator=[_filled, _must_be_currency])
    amount: Decimal = field(validator=_amount)
    payment_date: dt.date | None = field(default=None, validator=_date)

    def __attrs_post_init__(self) -> None:
        if not self.iban and not self.account_number.strip():
            raise InvalidRequest("iban and account_number are both empty: a payment needs one of them")


def london_date(now: dt.datetime) -> dt.date:
    """Return the date in London at the moment `now`, which must have a zone.

    **Raises** ConfigurationError when this machine has no data of time zones.
    """
    if now.tzinfo is None:
        raise ConfigurationError("the current time needs a zone: datetime.now(UTC)")
    try:
        return now.astimezone(ZoneInfo("Europe/London")).date()
    except ZoneInfoNotFoundError:  # Windows and bare containers have none of their own
        pass
    raise ConfigurationError("this machine has no time zone data: python -m pip install tzdata")


def check_payment_date(row: BulkPaymentRow, now: dt.datetime) -> None:
    """Check that the payment is not due before today in London.

    **Raises** InvalidRequest when it is.
    """
    today = london_date(now)
    if row.payment_date is not None and row.payment_date < today:
        raise InvalidRequest(f"payment_date is {row.payment_date}, before today in London ({today}): give a later one")


# --- the payload ---


def fold(name: str) -> str:
    """Return a column's name as it is compared: `SWIFTCode`, `swift_code` and `Swift Code` are one."""
    return re.sub(r"[\s_]", "", name).lower()


def render_payload(rows: Iterable[BulkPaymentRow | Mapping[str, str]], column_format: Sequence[str] | None) -> str:
    """Return the CSV text of `rows`, its columns in the order of `column_format`.

    A row may be a mapping of column name to text, which is sent unchanged.  Nothing given may be lost: a value that
    has no place in `column_format` is an error, as is a column that a row lacks.

    **Raises** InvalidRequest, naming the row and the column.
    """
    if not column_format:
        raise InvalidRequest(
            "the upload names no columns (BACS has none): write its text yourself and call submit_bulk_payload with it"
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(column_format)
    number = 0
    for number, row in enumerate(rows, 1):
        cells = _cells(row) if isinstance(row, BulkPaymentRow) else row
        writer.writerow(_in_order(cells, column_format, number))
    if not number:
        raise InvalidRequest("there is no row to send")
    return text.getvalue()


def _cells(row: BulkPaymentRow) -> dict[str, str]:
    cells = {attribute.name: str(getattr(row, attribute.name)) for attribute in fields(BulkPaymentRow)}
    return cells | {
        "amount": f"{row.amount:f}",
        "payment_date": row.payment_date.isoformat() if row.payment_date else "",
    }


def _in_order(cells: Mapping[str, str], column_format: Sequence[str], number: int) -> list[str]:
    by_name = {fold(name): (name, text) for name, text in cells.items()}
    if len(by_name) < len(cells):
        raise InvalidRequest(f"row {number} names a column twice")
    ordered = []
    for column in column_format:
        if fold(column) not in by_name:
            raise InvalidRequest(f"row {number} has no {column}, which the upload asks for: give it, empty if need be")
        name, text = by_name.pop(fold(column))
        ordered.append(check_line(text, f"{name} of row {number}"))
    for name, text in by_name.values():
        if text:
            raise InvalidRequest(f"row {number} gives {name}, which the upload has no column for: it would be lost")
    return ordered
