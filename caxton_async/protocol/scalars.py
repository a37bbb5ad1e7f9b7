"""Which kinds of values there are, and how strictly each is read."""

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin

from caxton_async import models as m
from caxton_async.protocol.spelling import MAX_DIGITS, DecodeError
from caxton_async.protocol.status import read_code, read_name, read_names
from caxton_async.secret import Secret

Hook = Callable[[Any, Any], Any]

# A decimal number as text: what JSON takes for a number, and no other script's digits.
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
# What a token lives for if the server does not say: long enough for a call, too short to be wrong for.
_ASSUMED_LIFE_S: Final = 300
# No life is longer in seconds: what stores keep is an integer of 64 bits.
_MAX_LIFE: Final = 2**63


def strictly(wanted: type, name: str) -> Hook:
    """Return what takes values of one type alone."""

    def read(value: Any, cls: Any) -> Any:
        if type(value) is not wanted:
            raise DecodeError(f"is not {name}")
        return value if cls is wanted else _known(value, cls)  # a StrEnum comes here, being derived from `str`

    return read


def _decimal(value: Any, _: Any) -> Decimal:
    if type(value) is not Decimal:
        if type(value) is not int and not (type(value) is str and _NUMBER.fullmatch(value)):
            raise DecodeError("is not a decimal number")
        value = Decimal(value)
    exact: Decimal = value
    if not (exact.is_finite() and -MAX_DIGITS < exact.adjusted() < MAX_DIGITS):  # no call: it is run for every amount
        raise DecodeError("is a number out of all proportion")
    return exact


def _secret(value: Any, _: Any) -> Secret:
    if type(value) is not str or not value:
        raise DecodeError("is not a string with something in it")
    return Secret(value)


def _datetime(value: Any, _: Any) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None:
        raise DecodeError("is not a time after ISO 8601")
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)  # the zone of the zoneless is assumed


def _date(value: Any, _: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        pass
    raise DecodeError("is not a date after ISO 8601")


def read_enum(value: Any, cls: Any) -> Any:
    """Read a member of an enumeration; a value that the server adds later is kept as it came."""
    if type(value) not in {str, int}:
        raise DecodeError("is not a string or an integer")
    return _known(value, cls)


def _known(value: Any, cls: Any) -> Any:
    try:
        return cls(value)
    except ValueError:
        return value


# --- members that have a rule of their own ---


def _token(value: Any, _: Any) -> Secret:
    """Read an access token, without the white space around it."""
    return _secret(value.strip() if type(value) is str else value, None)


def _token_type(value: Any, _: Any) -> str:
    """Read the type of a token: we know how to present a bearer token alone (RFC 6749, 7.1)."""
    if type(value) is not str or value.strip().casefold() != "bearer":
        raise DecodeError("is not bearer")
    return value.strip()


def _life(value: Any, _: Any) -> int:
    """Read `expires_in`: seconds above zero, as a number or in digits; null is a short life that is assumed."""
    if value is None:
        return _ASSUMED_LIFE_S
    seconds = int(_decimal(value.strip() if type(value) is str else value, None))
    if not 0 < seconds < _MAX_LIFE:
        raise DecodeError("is not a number of seconds above zero")
    return seconds


def _columns(value: Any, _: Any) -> tuple[str, ...] | None:
    """Read `ColumnFormat`: names joined by commas, or null; a list of names is what `encode` makes of them."""
    if type(value) is list and all(type(name) is str for name in value):
        return tuple(value)
    if type(value) is not str or not value.strip():
        return None
    return tuple(name.strip() for name in value.split(","))


def optional_of(cls: Any) -> Any:
    """Return X for `X | None`, else None."""
    if get_origin(cls) not in {Union, types.UnionType}:
        return None
    others = [argument for argument in get_args(cls) if argument is not type(None)]
    return others[0] if len(others) == 1 and len(get_args(cls)) == 2 else None


def is_enum(cls: Any) -> bool:
    """Tell whether `cls` is an enumeration."""
    return isinstance(cls, type) and issubclass(cls, Enum)


def is_envelope(cls: Any) -> bool:
    """Tell whether `cls` is a whole answer around a result."""
    return get_origin(cls) is m.Envelope


def is_sequence(cls: Any) -> bool:
    """Tell whether `cls` is a list, tuple or sequence of one type, of any length."""
    arguments = get_args(cls)
    return get_origin(cls) in {list, Sequence} or (get_origin(cls) is tuple and arguments[1:] == (Ellipsis,))


def optional_factory(cls: Any, converter: Any) -> Hook:
    """Return what reads an optional value; `converter` knows how to read one that is there."""
    wanted = optional_of(cls)
    inner = converter.get_structure_hook(wanted)
    # What only describes does not fail a call; an amount, a secret, and what has members of its own do.
    if wanted in {str, int, bool}:
        return lambda value, _: value if type(value) is wanted else None
    if wanted in {float, dt.datetime, dt.date} or is_enum(wanted):
        return _or_none(lambda value, _: inner(value, wanted))
    return lambda value, _: None if value is None else inner(value, wanted)


def _or_none(hook: Hook) -> Hook:
    """Return what reads None for a value that `hook` refuses."""

    def read(value: Any, cls: Any) -> Any:
        try:
            return None if value is None else hook(value, cls)
        except DecodeError:
            return None

    return read


SCALARS: Final[Mapping[type, Hook]] = {
    str: strictly(str, "a string"),
    int: strictly(int, "an integer"),
    bool: strictly(bool, "true or false"),
    float: lambda value, _: float(_decimal(value, None)),
    Decimal: _decimal,
    Secret: _secret,
    dt.datetime: _datetime,
    dt.date: _date,
}
# Members that have a rule of their own, by their class and attribute.
MEMBERS: Final[Mapping[type, Mapping[str, Hook]]] = {
    m.AccessToken: {"access_token": _token, "token_type": _token_type, "expires_in": _life},
    m.ApiStatus: {
        "api_status_code": lambda value, _: read_code(value)[0],
        "api_status": lambda value, _: read_name(value)[0],
    },
    m.BulkUpload: {"column_format": _columns},
    m.Content: {"expected_responses": read_names},
}
