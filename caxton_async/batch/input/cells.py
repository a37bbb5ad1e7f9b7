"""One cell of a file to one value of a request: what cells hold, what spreadsheets leave in them, what is taken off.

A cell is text, a `Number`, a bool, a date, or something that no request takes.  Numbers stay text until they are
decimals, and a text is never made from a number: a sort code that was one has lost its leading zeros.  No message shows
a cell, since it may hold an account number or a secret; it says what kind of thing the cell holds.
"""

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeVar, Union, get_args, get_origin

from caxton_async.batch.input.problems import CellError
from caxton_async.bulk import check_line
from caxton_async.errors import InvalidRequest
from caxton_async.secret import Secret

CellReader = Callable[[object], object]
T = TypeVar("T")

_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
_NUMBER_REMEDIES = (
    (re.compile(r"\s"), "remove the spaces"),
    (re.compile(r","), "write it with a point and without separators, like 1000.00"),
    (re.compile(r"[0-9][eE]"), "write it out, without an exponent"),
    (re.compile(r""), "write digits and at most one point, like 10.50, without sign or currency"),
)
# Characters that nobody sees, and that no name or number needs: soft hyphen, zero-width space, word joiner and the
# invisible operators, byte order mark.  Joiners (U+200C, U+200D) stay: names of many scripts need them.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff]")
# Visible from end to end, and no debris: most cells need no other look.
_PLAIN = re.compile(r"[A-Za-z0-9](?:[ -~]*[!-~])?")
# What spreadsheets and data frames leave in a cell in place of its value.
_DEBRIS = (
    (re.compile(r"#(?:\S{2,14}[!?]|N/[AD]|NV)"), "an error of a formula", "correct the formula in the spreadsheet"),
    (re.compile(r"#{2,}"), "what is shown of a column that is too narrow", "widen it in the spreadsheet, then save"),
    (re.compile(r"=.*"), "a formula", "write its value into the cell"),
    (re.compile(r"'(?:[0-9]|[A-Z]{2}[0-9]{2}).*"), "a value with a spreadsheet's apostrophe before it", "remove it"),
)
_WORDS_FOR_EMPTY = frozenset({
    "nan", "NaN", "NAN", "NaT", "<NA>", "None", "none", "NONE", "null", "NULL", "n/a", "N/A", "undefined",
})  # fmt: skip
_AS_TEXT = "format the column as text in a workbook, put the value in quotes in JSON"
_NUMBER_AS_TEXT = re.compile(r"[0-9]+\.0|[0-9]+(?:[.,][0-9]+)?[Ee]\+[0-9]+")


class Number(str):
    """A number as its file wrote it: `Number("10.50")`."""

    __slots__ = ()


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


def clean(cell: object) -> object:
    """Return a cell without invisible characters and without spaces around it.

    **Raises** CellError when it holds a control or bidirectional character, or what a spreadsheet puts in place of a
    value.
    """
    if type(cell) is not str or (_PLAIN.fullmatch(cell) and cell not in _WORDS_FOR_EMPTY):
        return cell
    check_characters(cell)
    text = _INVISIBLE.sub("", cell).strip(" \u00a0\u202f\u3000")
    if text in _WORDS_FOR_EMPTY:
        raise CellError("is a program's word for an empty cell", "write the value, or leave the cell empty")
    for pattern, problem, remedy in _DEBRIS:
        if pattern.fullmatch(text):
            raise CellError(f"is not a value but {problem}", remedy)
    return text


def check_characters(text: str) -> str:
    """Return `text`, which is one line that looks like what it is.

    **Raises** CellError when it holds a control, bidirectional or broken character.
    """
    try:
        return check_line(text, "it")
    except InvalidRequest as error:
        problem, _, remedy = str(error).removeprefix("it ").partition(": ")
    raise CellError(problem, remedy)


def read_text(cell: object) -> str:
    """Return the text of a cell.

    **Raises** CellError when it is anything else, or a text that was made from a number.
    """
    if type(cell) is str and not _NUMBER_AS_TEXT.fullmatch(cell):
        return cell
    origin = "was made from a number" if type(cell) is str else "is not text"
    raise CellError(f"{describe(cell)} {origin}, and may have lost leading zeros", _AS_TEXT)


def _decimal(cell: object) -> Decimal:
    if not isinstance(cell, str):
        raise CellError(f"{describe(cell)} is not a number", "write it like 10.50")
    if _PLAIN_NUMBER.fullmatch(cell):
        return Decimal(cell)
    remedy = next(remedy for pattern, remedy in _NUMBER_REMEDIES if pattern.search(cell))
    raise CellError(f"{describe(cell)} is not a plain number", remedy)


def _whole(cell: object) -> int:
    if isinstance(cell, str) and _WHOLE_NUMBER.fullmatch(cell):
        return int(cell)
    raise CellError(f"{describe(cell)} is not a whole number", "write digits only")


def _bool(cell: object) -> bool:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and cell.lower() in {"true", "false"}:
        return cell.lower() == "true"
    raise CellError(f"{describe(cell)} is not a yes or no", "write true or false")


def _date(cell: object) -> dt.date:
    if isinstance(cell, dt.datetime):
        if cell.time() == dt.time():
            return cell.date()
    elif isinstance(cell, dt.date):
        return cell
    elif isinstance(cell, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
        return _from_iso(cell, dt.date.fromisoformat)
    raise CellError(f"{describe(cell)} is not a date", "write it like 2026-05-31")


def _datetime(cell: object) -> dt.datetime:
    if isinstance(cell, dt.datetime):
        return cell
    if type(cell) is str:
        return _from_iso(cell, dt.datetime.fromisoformat)
    raise CellError(f"{describe(cell)} is not a time", "write it like 2026-05-31T12:00:00Z")


def _from_iso(text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError:
        pass
    # Raised here, since the error above holds the text.
    raise CellError(f"{describe(text)} is not in the calendar", "write a date like 2026-05-31")


def read_secret(cell: object) -> Secret:
    """Return the secret in a cell, to the last character."""
    if type(cell) is str:
        return Secret(check_characters(cell))
    raise CellError(f"{describe(cell)} is not text", _AS_TEXT)


def _choice(allowed: Mapping[str, object]) -> CellReader:
    by_name = {name.lower(): value for name, value in allowed.items()}

    def read(cell: object) -> object:
        if isinstance(cell, str) and cell.lower() in by_name:
            return by_name[cell.lower()]
        raise CellError(f"{describe(cell)} is none of the choices", f"write one of {', '.join(allowed)}")

    return read


_READERS: Mapping[object, CellReader] = {
    str: read_text,
    Decimal: _decimal,
    int: _whole,
    bool: _bool,
    dt.date: _date,
    dt.datetime: _datetime,
    Secret: read_secret,
}


def reader_for(wanted: object) -> CellReader | None:
    """Return what reads a cell as `wanted`, the type of an attribute, None for a type that no cell holds."""
    wanted = getattr(wanted, "__supertype__", wanted)  # of a NewType
    if get_origin(wanted) in {Union, types.UnionType}:
        others = [member for member in get_args(wanted) if member is not type(None)]
        return reader_for(others[0]) if len(others) == 1 else None
    if get_origin(wanted) is Literal:
        return _choice({str(value): value for value in get_args(wanted)})
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _choice({name: item for item in wanted for name in (str(item.value), item.name)})
    return _READERS.get(wanted)
