"""The statement of a bank, from CSV, JSON Lines or xlsx: money that moved, and when.

What belongs here: a file to entries.  What does not: which payment an entry is (`reconcile`).  Banks name their columns
as they like: those of `_GUESSES` are understood, any other is named by the caller.  Amounts may have commas between
the thousands; dates may be like 2026-05-31, or with the day first.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from attrs import evolve, frozen

from caxton_async.batch.columns import Misfit, describe, is_empty
from caxton_async.batch.files import Broken, Record, records
from caxton_async.batch.rows import RowError, raise_for_errors
from caxton_async.bulk import fold
from caxton_async.errors import InvalidRequest

# What each column may be called, the likeliest first, compared without case, spaces and underscores.
_GUESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "bookingdate", "transactiondate", "valuedate", "paymentdate", "completeddate", "posteddate"),
    "reference": (
        *("reference", "paymentreference", "yourreference", "customerreference", "endtoendid"),
        *("description", "transactiondescription", "narrative", "details", "memo"),
    ),
    "amount": ("amount", "transactionamount", "value"),
    "money_out": ("moneyout", "paidout", "debit", "debitamount", "withdrawal", "withdrawals"),
    "money_in": ("moneyin", "paidin", "credit", "creditamount", "deposit", "deposits"),
    "currency": ("currency", "currencycode", "transactioncurrency", "ccy"),
    "beneficiary": (
        *("beneficiary", "beneficiaryname", "payee", "recipient", "recipientname"),
        *("counterparty", "counterpartyname", "name"),
    ),
}
_DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y")
_AMOUNT = re.compile(r"([+-]?)[£€$]?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,6})?)")


@frozen
class Entry:
    """Money that moved: `amount` is above zero, and left the account when `outgoing`."""

    line: int
    date: dt.date
    amount: Decimal
    outgoing: bool
    reference: str = ""
    currency: str | None = None
    beneficiary: str | None = None


@frozen
class Statement:
    """The entries of a statement, in its order."""

    name: str
    entries: tuple[Entry, ...]


def read_statement(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    currency: str | None = None,
    outgoing: Literal["negative", "positive"] | None = None,
    date_format: str | None = None,
) -> Statement:
    """Return the entries of a statement; lines without an amount, such as headings, are passed over.

    `columns` names those that are not guessed: of `date`, `reference`, `amount` or `money_out` and `money_in`,
    `currency` and `beneficiary`.  `currency` is that of an account whose statement does not name it.  `outgoing` says
    which amounts of a single column left the account: the negative ones, if nothing is said and there are any.

    **Raises** RowErrors with every line that cannot be read, InvalidRequest when a column is missing or the direction
    of the money is not clear, ConfigurationError when the file cannot be opened.
    """
    path = Path(path)
    formats = _DATE_FORMATS if date_format is None else (date_format,)
    entries: list[Entry] = []
    errors: list[RowError] = []
    labels: tuple[str, ...] | None = None
    roles: Mapping[str, int] = {}
    try:
        for record in records(path):
            try:
                if record.problem:
                    raise Misfit(record.problem)
                if record.labels != labels:
                    labels, roles = record.labels, _find_columns(record.labels, columns or {})
                if entry := _entry(record, roles, formats, currency):
                    entries.append(entry)
            except Misfit as misfit:
                errors.append(RowError(record.line, None, str(misfit)))
    except Broken as broken:
        errors.append(RowError(broken.line, None, broken.problem))
    raise_for_errors(f"{path} cannot be read as a statement", errors)
    return Statement(path.name, _directed(entries, "negative" if "money_out" in roles else outgoing))


def _find_columns(labels: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    places = {fold(label): place for place, label in reversed(list(enumerate(labels)))}
    if unknown := named.keys() - _GUESSES.keys():
        raise InvalidRequest(f"{', '.join(sorted(unknown))} is no part of a statement: name {', '.join(_GUESSES)}")
    if absent := [label for label in named.values() if fold(label) not in places]:
        raise InvalidRequest(f"the statement has no column {', '.join(absent)}: it has {', '.join(labels)}")
    roles: dict[str, int] = {}
    for role, guesses in _GUESSES.items():
        names = (fold(named[role]),) if role in named else guesses
        if name := next((name for name in names if name in places), None):
            roles[role] = places[name]
    lacking = ["date"] * ("date" not in roles) + ["amount"] * (not roles.keys() & {"amount", "money_out"})
    if lacking:
        raise InvalidRequest(f"the statement has no column for {' and '.join(lacking)}: it has {', '.join(labels)}")
    return roles


def _entry(record: Record, roles: Mapping[str, int], formats: Sequence[str], currency: str | None) -> Entry | None:
    cells = {role: record.cells[place] for role, place in roles.items() if not is_empty(record.cells[place])}
    amount = _signed(cells)
    if not amount:
        return None
    if "date" not in cells:
        raise Misfit("has an amount and no date")
    text = {
        role: " ".join(str(cells[role]).split()) for role in ("reference", "currency", "beneficiary") if role in cells
    }
    return Entry(
        line=record.line,
        date=_date(cells["date"], formats),
        amount=abs(amount),
        outgoing=amount < 0,
        reference=text.get("reference", ""),
        currency=text.get("currency", currency or "").upper() or None,
        beneficiary=text.get("beneficiary"),
    )


def _signed(cells: Mapping[str, object]) -> Decimal:
    """Return what an entry adds to the account: below zero when the money left it."""
    if "amount" in cells and not cells.keys() & {"money_out", "money_in"}:
        return _number(cells["amount"])
    out, into = (abs(_number(cells[role])) if role in cells else Decimal(0) for role in ("money_out", "money_in"))
    return into - out


def _number(cell: object) -> Decimal:
    match = _AMOUNT.fullmatch("".join(str(cell).split())) if isinstance(cell, str) else None
    if not match:
        raise Misfit(f"{describe(cell)} is not an amount: write it like -1,234.50")
    return Decimal(match[1] + match[2].replace(",", ""))


def _date(cell: object, formats: Sequence[str]) -> dt.date:
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    for known in formats:
        try:
            return dt.datetime.strptime(str(cell), known).date()  # noqa: DTZ007 -- a day of the bank's, without a zone
        except ValueError:
            continue
    raise Misfit(f"{describe(cell)} is not a date like 2026-05-31 or 31/05/2026: say how it is written")


def _directed(entries: Sequence[Entry], outgoing: Literal["negative", "positive"] | None) -> tuple[Entry, ...]:
    """Turn the entries round where the positive ones left the account; that is guessed only where the file tells."""
    if outgoing == "positive":
        return tuple(evolve(entry, outgoing=not entry.outgoing) for entry in entries)
    if entries and outgoing is None and not any(entry.outgoing for entry in entries):
        raise InvalidRequest("no amount is negative: if the positive ones left the account, say outgoing='positive'")
    return tuple(entries)
