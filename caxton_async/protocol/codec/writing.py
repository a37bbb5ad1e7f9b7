"""Writing: models to the bytes of a body, a form or a query, and to the text of a path.

What belongs here: how a value is written, exactly or not at all.
"""

import datetime as dt
import math
import urllib.parse
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec
from attrs import fields, has
from cattrs import Converter, override
from cattrs.gen import make_dict_unstructure_fn

from caxton_async import models as m
from caxton_async.protocol.codec.reading import optional_of
from caxton_async.protocol.codec.spelling import MAX_DIGITS, Misfit, spellings
from caxton_async.secret import Secret

# The token call names its grant (RFC 6749, 4.3.2, in the vendor's capitals).
_FORM_CONSTANTS: Mapping[type, Mapping[str, str]] = {m.GetAccessToken: {"Grant_Type": "password"}}


def encode(request: object, leave_out: frozenset[str]) -> bytes | None:
    """Return `request` as JSON, without the attributes `leave_out` and those that are None.

    None means that there is nothing to send: the class has no other attributes.

    **Raises** Misfit when a value cannot be written.
    """
    cls: Any = type(request)
    write = _writer(cls, leave_out)
    if write is None:
        return None
    try:
        return _encoder.encode(write(request))
    except (TypeError, ValueError, RecursionError):
        pass
    # Raised here, since the errors above may hold values.
    raise Misfit("holds a value that JSON cannot carry")


def form(request: object, leave_out: frozenset[str]) -> bytes:
    """Return `request` as the fields of a form, with the constants that its kind of request has.

    **Raises** Misfit when a value has no plain text form.
    """
    names = _given(request, leave_out)
    return _urlencoded(
        {
            **_FORM_CONSTANTS.get(type(request), {}),
            **{
                wire: value.reveal() if isinstance(value, Secret) else as_text(value, wire)
                for wire, value in names.items()
            },
        }
    ).encode("ascii")


def query(request: object, leave_out: frozenset[str]) -> str:
    """Return `request` as a query, empty when there is nothing to ask.

    **Raises** Misfit when a value is a secret, or has no plain text form.
    """
    return _urlencoded({wire: as_text(value, wire) for wire, value in _given(request, leave_out).items()})


def _given(request: object, leave_out: frozenset[str]) -> dict[str, object]:
    """Return the attributes of `request` that are not None, by their spelling on the wire."""
    names = ((name, wire) for name, wire in spellings(type(request)).items() if name not in leave_out)
    return {wire: value for name, wire in names if (value := getattr(request, name)) is not None}


def _urlencoded(values: Mapping[str, str]) -> str:
    try:
        return urllib.parse.urlencode(values)
    except UnicodeEncodeError:
        pass
    # Raised here, since the error above holds the value.
    raise Misfit("holds half a character")


def as_text(value: object, name: str) -> str:
    """Return the value of attribute `name` as the text that a URL or a form carries.

    **Raises** Misfit when it has no plain text form, or is a secret, which does not belong where it is logged.
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
    raise Misfit("is neither text, a number of ordinary size, a date nor true or false", (name,))


def _is_in_proportion(value: Decimal) -> bool:
    return value.is_finite() and -MAX_DIGITS < value.adjusted() < MAX_DIGITS


def _write_class(cls: Any, converter: Converter, leave_out: frozenset[str] = frozenset()) -> Callable[[Any], Any]:
    names = spellings(cls)
    overrides: dict[str, Any] = {
        name: override(rename=wire, omit=name in leave_out, unstruct_hook=_WRITE_HOOKS.get((cls, name)))
        for name, wire in names.items()
    }
    generated = make_dict_unstructure_fn(cls, converter, **overrides)
    if not any(optional_of(a.type) for a in fields(cls)):
        return generated
    return lambda request: {wire: value for wire, value in generated(request).items() if value is not None}


def _write_decimal(value: Decimal) -> Decimal:
    """Return a number that JSON can carry, in plain notation: the JSON library writes NaN, which is none."""
    if not _is_in_proportion(value):
        raise ValueError
    return Decimal(f"{value:f}")


def _write_float(value: float) -> float:
    """Return a number that JSON can carry: the JSON library writes null for NaN."""
    if not math.isfinite(value):
        raise ValueError
    return value


# The guide shows this amount as a string, all others as numbers.
_WRITE_HOOKS: Mapping[tuple[type, str], Callable[[Any], Any]] = {(m.MoveFunds, "amount"): str}

_writing = Converter()
_writing.register_unstructure_hook_factory(has, _write_class)
_writing.register_unstructure_hook(Decimal, _write_decimal)
_writing.register_unstructure_hook(float, _write_float)


@lru_cache(maxsize=1024)
def _writer(cls: Any, leave_out: frozenset[str]) -> Callable[[Any], Any] | None:
    if leave_out.issuperset(spellings(cls)):
        return None
    return _write_class(cls, _writing, leave_out)


def _write_other(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError


_encoder = msgspec.json.Encoder(enc_hook=_write_other, decimal_format="number")
