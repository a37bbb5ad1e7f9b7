"""The rows of a batch: a file's records as requests of any endpoint, with every error of the file said at once.

What belongs here: rows and their errors.  What does not: formats (`files`), what a cell may hold (`columns`), what a
batch comes to (`plan`).  A file is read whole once to find what is wrong with it, then again to hand out its rows, so
that a million of them take no more memory than ten.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from caxton_async.batch.columns import (
    REFERENCE,
    Columns,
    Misfit,
    Slot,
    is_empty,
    match_columns,
    read_reference,
    slots_of,
)
from caxton_async.batch.files import Broken, Record, records
from caxton_async.endpoints import Endpoint
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.models import minor_units

Check = Callable[[Any], None]

_MAX_ERRORS = 100  # that are shown; the rest are counted
# References kept to name both lines of a double.  In a larger file the journal finds it, in constant memory.
REMEMBERED = 100_000
# An account number may stand wherever somebody put it by mistake, so no message repeats that many digits.
_LIKE_AN_ACCOUNT = re.compile(r"[0-9]{5}")
# Attributes that say in which currency `amount` is, the payer's first.
_CURRENCIES = ("from_currency", "sell_ccy_code", "sell_currency", "currency", "currency_code", "ccy", "ccy_code")


@frozen
class Row:
    """One row: the user's reference, the request to send, and the line of the file on which it begins."""

    reference: str
    request: object
    line: int

    def __iter__(self) -> Iterator[object]:
        """Unpack as the pair that a batch takes: `reference, request = row`."""
        return iter((self.reference, self.request))


@frozen
class RowError:
    """What is wrong with one line: where, and what to do; never the value."""

    line: int
    column: str | None
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}{f', column {self.column}' if self.column else ''}: {self.problem}"


class RowErrors(InvalidRequest):
    """A file has wrong rows, so none of it is sent: `errors` are the first hundred, `count` is how many there are."""

    def __init__(self, message: str, *, errors: Sequence[RowError] = (), count: int = 0) -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        self.count = count


@frozen
class Money:
    """What a request moves: `amount` of `currency`."""

    amount: Decimal
    currency: str


def money_of(request: object) -> Money | None:
    """Return the amount and currency that a request names, the payer's where it names two; None where it names none."""
    amount = getattr(request, "amount", None)
    if not isinstance(amount, (Decimal, int)) or isinstance(amount, bool):
        return None
    named = (getattr(request, name, None) for name in _CURRENCIES)
    return next((Money(Decimal(amount), currency) for currency in named if isinstance(currency, str)), None)


def read_rows(path: str | Path, endpoint: Endpoint[Any, Any], *, check: Check | None = None) -> Iterator[Row]:
    """Check the whole file, then return an iterator over its rows: where one is wrong, none is handed out.

    `check` may raise InvalidRequest for a request that its class accepts, such as one with a payment date in the past.

    **Raises** RowErrors with every error of the file; ConfigurationError when it cannot be read at all.
    """
    for _ in stream_rows(path, endpoint, check=check):
        pass
    return stream_rows(path, endpoint, check=check)


def stream_rows(path: str | Path, endpoint: Endpoint[Any, Any], *, check: Check | None = None) -> Iterator[Row]:
    """Yield the right rows of a file in one pass, then raise for the wrong ones: for what sends nothing, like a plan.

    **Raises** as `read_rows` does, at the end.
    """
    reading = _Reading(Path(path), endpoint.sends, check, slots_of(endpoint.sends))
    yield from reading.rows()
    counted = f"{reading.count} error{'s' if reading.count > 1 else ''}"
    raise_for_errors(f"{path} has {counted}, so none of it is sent", reading.errors, reading.count)


def raise_for_errors(first: str, errors: Sequence[RowError], count: int | None = None) -> None:
    """Raise RowErrors, its message beginning with `first`, when there are errors; `count` is more than are kept."""
    if not errors:
        return
    count, shown = count or len(errors), errors[:_MAX_ERRORS]
    more = [f"and {count - len(shown)} more"] if count > len(shown) else []
    raise RowErrors("\n  ".join([f"{first}:", *map(str, shown), *more]), errors=shown, count=count)


def input_digest(path: str | Path) -> str:
    """Return the SHA-256 of the file in hexadecimal: what a journal pins, so that an edited file does not resume.

    **Raises** ConfigurationError when the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        problem = error.strerror
    raise ConfigurationError(f"{path} cannot be read: {problem}")


@define
class _Reading:
    """One pass over one file: the errors that it found, and the references that it remembers."""

    path: Path
    cls: type | None
    check: Check | None
    slots: tuple[Slot, ...]
    errors: list[RowError] = field(init=False, factory=list)
    count: int = field(init=False, default=0)
    seen: dict[str, int] = field(init=False, factory=dict)

    def complain(self, line: int, problem: str, column: str | None = None) -> None:
        self.count += 1
        if len(self.errors) < _MAX_ERRORS:
            self.errors.append(RowError(line, column, problem))

    def rows(self) -> Iterator[Row]:
        """Yield the rows that are right, and remember what is wrong with the others."""
        header, labels, columns, line = 0, None, Columns(()), 0
        try:
            for record in records(self.path):
                line = record.line
                if record.problem:
                    self.complain(line, record.problem)
                    continue
                # JSON has a header on each line, so a wrong one is said each time; of a table, once.
                if record.labels != labels or (columns.problems and record.header != header):
                    header, labels = record.header, record.labels
                    columns = self._match(record)
                if not columns.problems and (row := self._row(record, columns)):
                    yield row
        except Broken as broken:
            self.complain(broken.line, broken.problem)
        if not line and not self.count:
            self.complain(1, "is not followed by any row")

    def _match(self, record: Record) -> Columns:
        columns = match_columns(record.labels, self.cls, self.slots)
        for label, problem in columns.problems:
            self.complain(record.header, problem, label)
        return columns

    def _row(self, record: Record, columns: Columns) -> Row | None:
        before, reference = self.count, ""
        values: dict[str, object] = {}
        for label, slot, cell in zip(record.labels, columns.slots, record.cells, strict=True):
            try:
                if slot is None or slot.name == REFERENCE:
                    reference = self._reference(record.line, cell)
                if slot and not is_empty(cell):
                    values[slot.argument] = slot.read(cell)
                elif slot and slot.required and not slot.nullable:
                    self.complain(record.line, "is empty: each row needs it", label)
                elif slot and slot.required:
                    values[slot.argument] = None
            except Misfit as misfit:
                self.complain(record.line, str(misfit), label)
        if self.count > before:
            return None
        if columns.sends_reference_as:
            values[columns.sends_reference_as] = reference
        request = self._request(record, columns, values)
        return Row(reference, request, record.line) if self.count == before else None

    def _reference(self, line: int, cell: object) -> str:
        if is_empty(cell):
            raise Misfit("is empty: each row needs one of its own")
        reference = read_reference(cell)
        room = len(self.seen) < REMEMBERED
        first = self.seen.setdefault(reference, line) if room else self.seen.get(reference, line)
        if first != line:
            raise Misfit(f"is the same as on line {first}: each row needs one of its own")
        return reference

    def _request(self, record: Record, columns: Columns, values: dict[str, object]) -> object:
        """Build the request of a row, and complain where its class or the check refuses it."""
        request = None
        try:
            request = self.cls(**values) if self.cls else None
            if self.check:
                self.check(request)
            problem = _money_problem(request)
        except InvalidRequest as error:
            problem = _without_values(str(error), record, columns)
        except Exception:  # noqa: BLE001 -- a class of the user's may raise anything, and say the value in it
            problem = f"does not make a {self.cls.__name__ if self.cls else 'row'}: its class refuses the values"
        if not problem:
            return request
        named = zip(record.labels, columns.slots, strict=True)
        label = next((label for label, slot in named if slot and problem.startswith(f"{slot.name} ")), None)
        self.complain(record.line, problem, label)
        return None


def _money_problem(request: object) -> str:
    """Say what the class of a user's own may not look for: an amount finer than its currency, as floats turn out."""
    money = money_of(request)
    if money is None or -int(money.amount.as_tuple().exponent) <= minor_units(money.currency):
        return ""
    return f"amount has more than the {minor_units(money.currency)} decimals of its currency: round it first"


def _without_values(message: str, record: Record, columns: Columns) -> str:
    for slot, cell in zip(columns.slots, record.cells, strict=True):
        if isinstance(cell, str) and ((slot and slot.is_secret and cell) or _LIKE_AN_ACCOUNT.search(cell)):
            message = message.replace(cell, "***")
    return message
