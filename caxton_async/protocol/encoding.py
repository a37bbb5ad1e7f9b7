"""What is sent: models to the bytes of a body, a form or a query; and any value of ours as plain JSON types."""

import datetime as dt
import math
import ssl
import urllib.parse
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import GenericAlias
from typing import Any

from attrs import fields, has

from caxton_async import models as m
from caxton_async.errors import CaxtonError
from caxton_async.protocol.codec import to_json
from caxton_async.protocol.spelling import MAX_DIGITS, place, spellings
from caxton_async.secret import Secret

# The token call names its grant (RFC 6749, 4.3.2, in the vendor's capitals).
_FORM_CONSTANTS: Mapping[type, Mapping[str, str]] = {m.GetAccessToken: {"Grant_Type": "password"}}
# The guide shows this amount as a string, all others as numbers.
_AS_TEXT = frozenset({(m.MoveFunds, "Amount")})


class EncodeError(ValueError):
    """A value cannot be sent: `problem` at `path`, and never the value itself."""

    def __init__(self, problem: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def where(self, start: str) -> str:
        """Return the path as text, such as `MoveFunds.amount`."""
        return place(start, self.path)


def encode(request: object, leave_out: frozenset[str]) -> bytes | None:
    """Return `request` as JSON, without the attributes `leave_out` and those that are None.

    None means that there is nothing to send: the class has no other attributes.

    **Raises** EncodeError when a value cannot be written.
    """
    kind: Any = type(request)
    if not _wire_names(kind, leave_out):
        return None
    try:
        return to_json(_members(request, leave_out))
    except (TypeError, ValueError, RecursionError):
        pass
    # Raised here, since the errors above may hold values.
    raise EncodeError("holds a value that JSON cannot carry")


def form(request: object, leave_out: frozenset[str]) -> bytes:
    """Return `request` as the fields of a form, with the constants that its kind of request has.

    **Raises** EncodeError when a value has no plain text form.
    """
    given = {
        wire: value.reveal() if isinstance(value, Secret) else as_text(value, wire)
        for wire, value in _given(request, leave_out).items()
    }
    return _urlencoded({**_FORM_CONSTANTS.get(type(request), {}), **given}).encode("ascii")


def query(request: object, leave_out: frozenset[str]) -> str:
    """Return `request` as a query, empty when there is nothing to ask.

    **Raises** EncodeError when a value is a secret, or has no plain text form.
    """
    return _urlencoded({wire: as_text(value, wire) for wire, value in _given(request, leave_out).items()})


def as_text(value: object, name: str) -> str:
    """Return the value of attribute `name` as the text that a URL or a form carries.

    **Raises** EncodeError when it has no plain text form, or is a secret, which does not belong where it is logged.
    """
    match value:
        case Enum():
            return as_text(value.value, name)
        case bool():
            return "true" if value else "false"
        case Decimal() if _is_in_proportion(value):
            return f"{value:f}"
        case dt.date():
            return value.isoformat()
        case str():
            return str(value)
        case int() if abs(value) < 10**MAX_DIGITS:
            return str(value)
    raise EncodeError("is neither text, a number of ordinary size, a date nor true or false", (name,))


def to_jsonable(value: object) -> object:
    """Return a request, a result, an error or any value in them as what `json.dumps` writes.

    Objects become dictionaries by the names of their attributes, decimals text with each of their digits, dates and
    times text after ISO 8601, enumerations their values, classes and functions their names, and secrets `"***"`.

    **Raises** TypeError for a value of another kind.
    """
    match value:
        case Enum():
            return to_jsonable(value.value)
        case Secret() | Decimal():
            return str(value)
        case None | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dt.date():
            return value.isoformat()
    return _container_to_jsonable(value)


def _container_to_jsonable(value: object) -> object:
    match value:
        case Mapping():
            return {str(to_jsonable(key)): to_jsonable(item) for key, item in value.items()}
        case list() | tuple() | AbstractSet():
            return [to_jsonable(item) for item in value]
        case CaxtonError():
            known = {"error": type(value).__name__, "message": str(value), "sent": value.sent.value}
            return {**{name: to_jsonable(item) for name, item in vars(value).items()}, **known}
    cls: Any = type(value)
    if has(cls):
        names = (a.alias or a.name for a in fields(cls))
        return {name: to_jsonable(getattr(value, name)) for name in names}
    if isinstance(value, GenericAlias):
        return str(value)
    if callable(value) or isinstance(value, ssl.SSLContext):
        return str(getattr(value, "__qualname__", type(value).__qualname__))
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _given(request: object, leave_out: frozenset[str]) -> dict[str, object]:
    """Return the attributes of `request` that are not None, by their spelling on the wire."""
    kind: Any = type(request)
    names = _wire_names(kind, leave_out)
    return {wire: value for name, wire, _ in names if (value := getattr(request, name)) is not None}


@lru_cache(maxsize=1024)
def _wire_names(cls: type, leave_out: frozenset[str]) -> tuple[tuple[str, str, bool], ...]:
    """Return the attributes that are sent, their spelling on the wire, and whether a number is written as text."""
    names = spellings(cls).items()
    return tuple((name, wire, (cls, wire) in _AS_TEXT) for name, wire in names if name not in leave_out)


def _urlencoded(values: Mapping[str, str]) -> str:
    try:
        return urllib.parse.urlencode(values)
    except UnicodeEncodeError:
        pass
    # Raised here, since the error above holds the value.
    raise EncodeError("holds half a character")


def _members(request: object, leave_out: frozenset[str] = frozenset()) -> dict[str, object]:
    """Return the members of the object that a request is on the wire."""
    kind: Any = type(request)
    members: dict[str, object] = {}
    for name, wire, is_text in _wire_names(kind, leave_out):
        value = getattr(request, name)
        if value is not None:
            members[wire] = value if type(value) is str else str(value) if is_text else _plain(value)
    return members


def _plain(value: object) -> object:
    """Return a value as the JSON library writes it exactly: numbers in plain notation, objects as dictionaries."""
    match value:
        case Decimal():
            # The JSON library writes NaN, which is no JSON.
            if not _is_in_proportion(value):
                raise ValueError
            return Decimal(f"{value:f}")
        case float() if not math.isfinite(value):
            raise ValueError  # the JSON library writes null for it
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return _members(value) if has(type(value)) else value


def _is_in_proportion(value: Decimal) -> bool:
    return value.is_finite() and -MAX_DIGITS < value.adjusted() < MAX_DIGITS
