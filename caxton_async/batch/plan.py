"""What a batch comes to before anything is sent: totals, control sum, suspected doubles, and digests that pin it.

What belongs here: pure sums over rows.  What does not: reading them (`rows`) and showing them (`cli`).
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

from attrs import fields_dict, frozen, has

from caxton_async.batch.input.rows import REMEMBERED, Row
from caxton_async.journal.stored import money_of
from caxton_async.secret import Secret

# Digits: a million of the largest amounts add up exactly, whatever the program around us set as its own precision.
_EXACT = Context(prec=60)
_MAX_DOUBLES = 100  # that are listed; the rest are counted


@frozen
class Total:
    """How many rows move one currency, and how much of it."""

    currency: str
    count: int
    amount: Decimal


@frozen
class Double:
    """A row that asks for the same as an earlier one, under another reference."""

    line: int
    reference: str
    first_line: int
    first_reference: str


@frozen
class Plan:
    """A batch in figures.

    `control_sum` adds the amounts of all currencies, as payment files do to show that no row is lost.  Doubles are
    looked for among the first `compared` rows; `doubles` lists up to a hundred of the `double_count`.
    """

    count: int
    totals: tuple[Total, ...]
    control_sum: Decimal
    doubles: tuple[Double, ...]
    double_count: int
    compared: int


def add_exactly(first: Decimal, second: Decimal) -> Decimal:
    """Return the sum of two amounts to the last digit."""
    return _EXACT.add(first, second)


def make_plan(rows: Iterable[Row]) -> Plan:
    """Return what `rows` come to, in memory that does not grow with them beyond the first hundred thousand."""
    totals: dict[str, Total] = {}
    seen: dict[bytes, tuple[int, str]] = {}
    doubles: list[Double] = []
    number = double_count = 0
    for number, row in enumerate(rows, 1):
        if money := money_of(row.request):
            so_far = totals.get(money.currency, Total(money.currency, 0, Decimal(0)))
            amount = add_exactly(so_far.amount, money.amount)
            totals[money.currency] = Total(money.currency, so_far.count + 1, amount)
        if number > REMEMBERED:
            continue
        # Kept in memory only, so a key would protect nothing.
        key = row_digest(row.request, b"", leave_out=row.reference)[:12]
        first = seen.setdefault(key, (row.line, row.reference))
        if first != (row.line, row.reference):
            double_count += 1
            doubles += [Double(row.line, row.reference, *first)] * (len(doubles) < _MAX_DOUBLES)
    control_sum = Decimal(0)
    for total in totals.values():
        control_sum = add_exactly(control_sum, total.amount)
    by_currency = tuple(totals[currency] for currency in sorted(totals))
    return Plan(number, by_currency, control_sum, tuple(doubles), double_count, min(number, REMEMBERED))


def plan_digest(plan: Plan, **context: str) -> str:
    """Return what names this plan and no other: for one person to plan, and another to approve.

    `context` is all else that decides what is sent, and to whom: endpoint, path, origin, digest of the input, account.
    """
    totals = [[total.currency, total.count, str(total.amount)] for total in plan.totals]
    text = json.dumps([plan.count, totals, context], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def row_digest(request: object, salt: bytes, *, leave_out: str | None = None) -> bytes:
    """Return the digest of a request, by which it is known again: equal amounts count as equal however written.

    `salt` is the journal's own and random, so that the digests of two journals tell nothing of each other.  It does not
    keep an account number from being guessed by who has the journal too: a journal is as private as its input.
    Attributes that hold `leave_out`, the reference of the row, do not count; of secrets, only that they are there does.
    """
    cls = type(request)
    found = _values_of(cls)(request)  # type: ignore[arg-type]  # to mypy a class is not Hashable
    values = [value if type(value) is str else _plain(value) for value in found]
    if leave_out is not None:
        values = [None if value == leave_out else value for value in values]
    # `ascii` and BLAKE2 take a third of the time of JSON and HMAC; each row of a batch is digested twice.
    return hashlib.blake2b(ascii((cls.__qualname__, values)).encode(), salt=salt, digest_size=16).digest()


@cache
def _values_of(cls: type) -> Callable[[object], tuple[object, ...]]:
    """Return what takes the values of all attributes from an instance."""
    names = sorted(fields_dict(cls)) if has(cls) else []
    if len(names) < 2:  # `attrgetter` of one name returns the bare value
        return lambda instance: tuple(getattr(instance, name) for name in names)
    return attrgetter(*names)


def _plain(value: object) -> Any:  # noqa: ANN401 -- what `ascii` writes alike on every Python
    match value:
        case Decimal():
            return f"{value.normalize(_EXACT):f}"
        case Enum():
            return _plain(value.value)
        case dt.date():
            return value.isoformat()
        case None | bool() | int() | str():
            return value
        case Secret():
            return [bool(value)]
    return repr(value)
