"""What a column of a file is to a request: the attribute that it fills, and what its cells may hold.

What belongs here: header texts to attributes, and one cell to one value.  What does not: where cells come from
(`rows`).  A cell is text, a `Number`, a bool, a date, or something that no request takes.  Numbers stay text until they
are decimals, and a text is never made from a number: a sort code that was one has lost its leading zeros.  No message
shows a cell, since it may hold an account number or a secret; it says what kind of thing the cell holds.
"""

import datetime as dt
import difflib
import re
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, fields, frozen

from caxton_async.bulk import check_line, fold
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.protocol.codec import spellings
from caxton_async.secret import Secret

Reader = Callable[[object], object]
T = TypeVar("T")

REFERENCE = "reference"
# The attribute that takes the reference of a row where no column gives it, so that the API is told it too.
_SENT_AS = "payment_reference"
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NUMBER_REMEDIES = (
    (re.compile(r"\s"), "remove the spaces"),
    (re.compile(r","), "write it with a point and without separators, like 1000.00"),
    (re.compile(r"[0-9][eE]"), "write it out, without an exponent"),
    (re.compile(r""), "write digits and at most one point, like 10.50, without sign or currency"),
)
# Header texts that may be shown: short, without a number that could be an account's.
_SHOWABLE = re.compile(r"(?!.*[0-9]{4})[^\W\d][\w .-]{0,39}")


class Number(str):
    """A number as its file wrote it: `Number("10.50")`."""

    __slots__ = ()


class Misfit(ValueError):
    """A cell does not hold what its column needs; the message says why and what to do."""


def is_empty(cell: object) -> bool:
    """Tell whether a cell holds nothing."""
    return cell is None or cell == ""


def describe(cell: object) -> str:
    """Say what kind of thing a cell holds, and never what."""
    match cell:
        case Number():
            return "a number"
        case str():
            return f"a text of {len(cell)} characters"
        case bool():
            return "true or false"
        case dt.date() | dt.time():
            return "a date or time"
    return "a list or an object"


# --- one cell to one value ---


def _text(cell: object) -> str:
    if type(cell) is str:
        return cell
    raise Misfit(
        f"{describe(cell)} is not text, and may have lost leading zeros: format the column as text in a workbook, "
        "put the value in quotes in JSON"
    )


def _decimal(cell: object) -> Decimal:
    if not isinstance(cell, str):
        raise Misfit(f"{describe(cell)} is not a number: write it like 10.50")
    if _PLAIN_NUMBER.fullmatch(cell):
        return Decimal(cell)
    remedy = next(remedy for pattern, remedy in _NUMBER_REMEDIES if pattern.search(cell))
    raise Misfit(f"{describe(cell)} is not a plain number: {remedy}")


def _whole(cell: object) -> int:
    if isinstance(cell, str) and _WHOLE_NUMBER.fullmatch(cell):
        return int(cell)
    raise Misfit(f"{describe(cell)} is not a whole number: write digits only")


def _bool(cell: object) -> bool:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and cell.lower() in {"true", "false"}:
        return cell.lower() == "true"
    raise Misfit(f"{describe(cell)} is not a yes or no: write true or false")


def _date(cell: object) -> dt.date:
    if isinstance(cell, dt.datetime):
        if cell.time() == dt.time():
            return cell.date()
    elif isinstance(cell, dt.date):
        return cell
    elif isinstance(cell, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
        return _from_iso(cell, dt.date.fromisoformat)
    raise Misfit(f"{describe(cell)} is not a date: write it like 2026-05-31")


def _datetime(cell: object) -> dt.datetime:
    if isinstance(cell, dt.datetime):
        return cell
    if type(cell) is str:
        return _from_iso(cell, dt.datetime.fromisoformat)
    raise Misfit(f"{describe(cell)} is not a time: write it like 2026-05-31T12:00:00Z")


def _from_iso(text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError:
        pass
    # Raised here, since the error above holds the text.
    raise Misfit(f"{describe(text)} is not in the calendar: write a date like 2026-05-31")


def _secret(cell: object) -> Secret:
    return Secret(_text(cell))


def _choice(allowed: Mapping[str, object]) -> Reader:
    by_name = {name.lower(): value for name, value in allowed.items()}

    def read(cell: object) -> object:
        if isinstance(cell, str) and cell.lower() in by_name:
            return by_name[cell.lower()]
        raise Misfit(f"{describe(cell)} is none of the choices: write one of {', '.join(allowed)}")

    return read


_READERS: Mapping[object, Reader] = {
    str: _text,
    Decimal: _decimal,
    int: _whole,
    bool: _bool,
    dt.date: _date,
    dt.datetime: _datetime,
    Secret: _secret,
}


def _reader_for(wanted: object) -> Reader | None:
    """Return what reads a cell as `wanted`, the type of an attribute, None for a type that no cell holds."""
    wanted = getattr(wanted, "__supertype__", wanted)  # of a NewType
    if get_origin(wanted) in {Union, types.UnionType}:
        others = [member for member in get_args(wanted) if member is not type(None)]
        return _reader_for(others[0]) if len(others) == 1 else None
    if get_origin(wanted) is Literal:
        return _choice({str(value): value for value in get_args(wanted)})
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _choice({name: item for item in wanted for name in (str(item.value), item.name)})
    return _READERS.get(wanted)


# --- columns to attributes ---


@frozen
class Slot:
    """An attribute of a request as a place for a cell; `required` when its class has no default for it."""

    name: str
    argument: str
    read: Reader
    required: bool
    nullable: bool

    @property
    def is_secret(self) -> bool:
        """Tell whether its cells hold secrets."""
        return self.read is _secret


def slots_of(cls: type | None) -> tuple[Slot, ...]:
    """Return the places that a row can fill in a request of the attrs class `cls`.

    **Raises** ConfigurationError when an attribute is of a type that no cell can hold.
    """
    if cls is None:
        return ()
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise ConfigurationError(
            f"the type {error.name!r} of {cls.__name__} is not known in its module: define it there, at the top"
        ) from None
    slots = []
    for attribute in fields(cls):
        wanted, required = hints[attribute.name], attribute.default is NOTHING
        read = _reader_for(wanted)
        if read and attribute.init:
            argument = attribute.alias or attribute.name
            slots.append(Slot(attribute.name, argument, read, required, type(None) in get_args(wanted)))
        elif required and attribute.init:
            raise ConfigurationError(
                f"{attribute.name} of {cls.__name__} cannot come from a file: "
                "a cell holds text, a number, a date, true or false, a choice or a secret"
            )
    return tuple(slots)


def read_reference(cell: object) -> str:
    """Return the reference of a row: text in one line, which reads the same to a person and to a program.

    **Raises** Misfit when it is anything else.
    """
    reference = _text(cell)
    if reference.strip() != reference:
        raise Misfit("has spaces around it: remove them")
    try:
        return check_line(reference, "it")
    except InvalidRequest as error:
        problem = str(error)
    raise Misfit(problem)


@frozen
class Columns:
    """The columns of a file, in their order, as the slots that they fill; None for a reference that is not sent.

    `sends_reference_as` is the argument that takes the reference of a row where no column of its own gives it.
    `problems` are pairs of column (None for the header as a whole) and what is wrong with it.
    """

    slots: tuple[Slot | None, ...]
    sends_reference_as: str | None = None
    problems: tuple[tuple[str | None, str], ...] = ()


def match_columns(labels: Sequence[str], cls: type | None, slots: Sequence[Slot]) -> Columns:
    """Find the attribute that each label means, in Python's spelling or the API's, whatever its case and spaces.

    Problems are all reported at once.
    """
    wire = spellings(cls) if cls else {}
    known: dict[str, Slot | None] = {REFERENCE: None}
    for slot in slots:
        known |= {fold(slot.name): slot, fold(wire[slot.name]): slot}
    if not any(fold(label) in known for label in labels):
        return Columns((), problems=((None, f"names no column that is known: {_names(known)}"),))
    problems: list[tuple[str | None, str]] = []
    taken: dict[str, str] = {}
    for place, label in enumerate(labels, 1):
        shown = label if _SHOWABLE.fullmatch(label) else f"number {place}"
        key = fold(label)
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {_name(known[near[0]])}?" if near else f"known are {_names(known)}"
            problems.append((shown, f"is not known: {hint}"))
        elif (name := _name(known[key])) in taken:
            problems.append((shown, f"gives {name} a second time, after {taken[name]}: keep one of them"))
        else:
            taken[name] = shown
    free = {slot.name: slot for slot in slots if slot.name not in taken}
    sent = None if known[REFERENCE] else free.pop(_SENT_AS, None)
    lacking = [REFERENCE] * (REFERENCE not in taken)
    lacking += [slot.name for slot in free.values() if slot.required and slot.name != REFERENCE]
    if lacking:
        problems.append((None, f"has no column {', '.join(lacking)}"))
    return Columns(tuple(known.get(fold(label)) for label in labels), sent.argument if sent else None, tuple(problems))


def _name(slot: Slot | None) -> str:
    return slot.name if slot else REFERENCE


def _names(known: Mapping[str, Slot | None]) -> str:
    return ", ".join(dict.fromkeys(map(_name, known.values())))
