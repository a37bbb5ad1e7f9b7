"""Bulk uploads and the payments that their payloads ask for."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from io import StringIO

import attrs

from caxton_async.emulator.accounts import Account
from caxton_async.emulator.refusals import Refused
from caxton_async.emulator.tables import CURRENCIES, Currency


@attrs.define(eq=False)
class Upload:
    """A bulk upload; `columns` is None where the API names none (BACS), `payload` until it is submitted."""

    upload_record_id: int
    account: Account
    description: str
    columns: str | None
    payload: str | None = attrs.field(default=None, repr=False)


@attrs.define(eq=False)
class Payment:
    """One row of a submitted payload; `status` is `Pending`, `Approved` or `Rejected`."""

    transfer_id: int
    upload: Upload
    currency: str
    amount: Decimal
    row: Mapping[str, str] = attrs.field(repr=False)
    status: str = "Pending"


def find_currency(code: str) -> Currency:
    """Return a currency by its three letters."""
    if code not in CURRENCIES:
        raise Refused("UnknownCurrency", "The currency is not known.")
    return CURRENCIES[code]


def exact_amount(value: Decimal | int | str, currency: Currency) -> Decimal:
    """Return an amount with all its currency's minor units, or refuse it."""
    try:
        amount = Decimal(value)
        exact = amount.quantize(currency.step)
    except InvalidOperation:
        raise Refused("InvalidAmount", "The amount is not a number of reasonable size.") from None
    if exact != amount or amount <= 0:
        raise Refused("InvalidAmount", f"An amount of {currency.code} is above 0 and a multiple of {currency.step}.")
    return exact


def read_payments(upload: Upload, payload: str, first_id: int) -> list[Payment]:
    """Read a payload's CSV, with or without a line of column names; one wrong row refuses the whole."""
    try:
        lines = [cells for cells in csv.reader(StringIO(payload, newline=""), strict=True) if cells]
    except csv.Error:
        raise Refused("InvalidPayload", "The payload is not CSV.") from None
    columns = upload.columns.split(",") if upload.columns else lines[0] if lines else []
    if lines and lines[0] == columns:
        del lines[0]
    if not lines or not {"Currency", "Amount"} <= set(columns):
        raise Refused("InvalidPayload", "The payload has no payments, or no columns Currency and Amount.")
    return list(_payments(upload, columns, lines, first_id))


def _payments(upload: Upload, columns: list[str], lines: list[list[str]], first_id: int) -> Iterator[Payment]:
    for index, cells in enumerate(lines):
        if len(cells) != len(columns):
            raise Refused("InvalidPayload", f"Payment {index + 1} of the payload has a wrong number of columns.")
        row = dict(zip(columns, cells, strict=True))
        currency = find_currency(row["Currency"])
        yield Payment(first_id + index, upload, currency.code, exact_amount(row["Amount"], currency), row)
