"""The rows of a bulk upload: their columns, their checks, and the CSV in the order that the server gave.

What belongs here: what a row must be before it is sent, and its text.  What does not: reading rows from a file
(`batch.input`) and sending them (`resources`).  Source: Caxton developer guide, Create Bulk Upload, for the columns.

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

from caxton_async.bank_details import COUNTRIES, canonical_code, check_bank_details
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.models import check_amount

_CURRENCY = re.compile(r"[A-Z]{3}")
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


def _to_code(value: str) -> str:
    return canonical_code(check_line(value, "a code (swift_code, sort_code or iban)"))


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


_must_be_country = _must(COUNTRIES.__contains__, "must be an ISO 3166-1 code of two capitals, such as GB (not UK)")
_must_be_currency = _must(_CURRENCY.fullmatch, "must be an ISO 4217 code of three capitals, such as GBP")


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
    swift_code: str = field(default="", converter=_to_code, metadata={"caxton": "SWIFTCode"})
    sort_code: str = field(default="", converter=_to_code, repr=False)
    account_number: str = field(default="", validator=_line, repr=False)
    iban: str = field(default="", converter=_to_code, repr=False, metadata={"caxton": "IBAN"})
    recipient_address: str = field(default="", validator=_line, repr=False)
    recipient_country: str = field(default="", validator=_must_be_country)
    payment_reference: str = field(default="", validator=_line)
    currency: str = field(validator=[_filled, _must_be_currency])
    amount: Decimal = field(validator=_amount)
    payment_date: dt.date | None = field(default=None, validator=_date)

    def __attrs_post_init__(self) -> None:
        if not self.iban and not self.account_number.strip():
            raise InvalidRequest("iban and account_number are both empty: a payment needs one of them")
        check_bank_details(self)


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
    if row.payment_date is None:  # which needs no time zone data
        return
    today = london_date(now)
    if row.payment_date < today:
        raise InvalidRequest(f"payment_date is {row.payment_date}, before today in London ({today}): give a later one")


# --- the payload ---


def normalise_name(name: str) -> str:
    """Return the name of a column as it is compared: `SWIFTCode`, `swift_code` and `Swift Code` are one."""
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
    by_name = {normalise_name(name): (name, text) for name, text in cells.items()}
    if len(by_name) < len(cells):
        raise InvalidRequest(f"row {number} names a column twice")
    ordered = []
    for column in column_format:
        if normalise_name(column) not in by_name:
            raise InvalidRequest(f"row {number} has no {column}, which the upload asks for: give it, empty if need be")
        name, text = by_name.pop(normalise_name(column))
        ordered.append(check_line(text, f"{name} of row {number}"))
    for name, text in by_name.values():
        if text:
            raise InvalidRequest(f"row {number} gives {name}, which the upload has no column for: it would be lost")
    return ordered
