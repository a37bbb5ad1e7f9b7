"""Reading with care: JSON to models, strictly, with the place of whatever does not fit.

What belongs here: how strictly a value is read.  What does not: the quick way through a plain answer (`plain`).
"""

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from attrs import has
from cattrs import ClassValidationError, Converter, override
from cattrs.gen import make_dict_structure_fn

from caxton_async import models as m
from caxton_async.protocol.codec.spelling import MAX_DIGITS, TRIPLET, Misfit, spellings
from caxton_async.secret import Secret

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]
HookFactory = Callable[[Any, Converter], Hook]

# A decimal number as text: what JSON takes for a number, and no other script's digits.
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
# No life is longer in seconds: what stores keep is an integer of 64 bits.
_MAX_LIFE = 2**63


def decode(body: bytes) -> object:
    """Return the JSON value of `body` (UTF-8, with or without a byte-order mark), numbers with a point as Decimals.

    **Raises** Misfit when it is not JSON (NaN and infinities are not), or too deep or too large to be trusted.
    """
    problem = "is not JSON"
    try:
        return _decoder.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        problem = "is nested too deeply"
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError):
        pass
    # Raised here, since the errors above hold the body.
    raise Misfit(problem)


def member(value: Mapping[str, object], name: str) -> object:
    """Return the member `name`, whatever the case of its letters; None where it is missing."""
    if name in value:
        return value[name]
    folded = name.lower()
    return next((item for key, item in value.items() if key.lower() == folded), None)


def structure(value: object, cls: type[T]) -> T:
    """Return `value`, which `decode` made, as a `cls`.

    **Raises** Misfit, with the path below `value`, when it does not fit.
    """
    try:
        return careful.structure(value, cls)
    except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
        misfit = _locate(error)
    # Raised here, since the errors above hold values.
    raise misfit


def _locate(error: Exception) -> Misfit:
    if isinstance(error, ClassValidationError):
        for inner, note in error.group_exceptions()[0]:
            below = _locate(inner)
            return Misfit(below.problem, (spellings(error.cl).get(note.name, note.name), *below.path))
    if isinstance(error, Misfit):
        return error
    return Misfit("is missing" if isinstance(error, KeyError) else "is not as expected")


def _of(wanted: type, name: str) -> Hook:
    def read(value: Any, cls: Any) -> Any:
        if type(value) is not wanted:
            raise Misfit(f"is not {name}")
        return value if cls is wanted else _known(value, cls)  # a StrEnum comes here, being derived from `str`

    return read


def _decimal(value: Any, _: Any) -> Decimal:
    if type(value) is not Decimal:
        if type(value) is not int and not (type(value) is str and _NUMBER.fullmatch(value)):
            raise Misfit("is not a decimal number")
        value = Decimal(value)
    exact: Decimal = value
    if not (exact.is_finite() and -MAX_DIGITS < exact.adjusted() < MAX_DIGITS):  # no call: it is run for every amount
        raise Misfit("is a number out of all proportion")
    return exact


def _float(value: Any, _: Any) -> float:
    return float(_decimal(value, None))


def _secret(value: Any, _: Any) -> Secret:
    if type(value) is not str or not value:
        raise Misfit("is not a string with something in it")
    return Secret(value)


def _datetime(value: Any, _: Any) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None:
        raise Misfit("is not a time after ISO 8601")
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)  # the zone of the zoneless is assumed


def _date(value: Any, _: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        pass
    raise Misfit("is not a date after ISO 8601")


def _life(value: Any, _: Any) -> int:
    """Read `expires_in`: whole seconds above zero, as a number or in digits."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS:
        value = int(value)
    if type(value) is not int or not 0 < value < _MAX_LIFE:
        raise Misfit("is not a number of seconds above zero")
    return value


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


def _optional_factory(cls: Any, converter: Converter) -> Hook:
    wanted = optional_of(cls)
    # What only describes does not fail a call; an amount, a secret, and what has members of its own do.
    describes = wanted in {str, int, bool, float, dt.datetime, dt.date} or is_enum(wanted)
    inner = converter.get_structure_hook(wanted)

    def read(value: Any, _: Any) -> Any:
        if value is None:
            return None
        try:
            return inner(value, wanted)
        except Misfit:
            if describes:
                return None
            raise

    return read


def is_sequence(cls: Any) -> bool:
    """Tell whether `cls` is a list, tuple or sequence of one type, of any length."""
    arguments = get_args(cls)
    return get_origin(cls) in {list, Sequence} or (get_origin(cls) is tuple and arguments[1:] == (Ellipsis,))


def is_enum(cls: Any) -> bool:
    """Tell whether `cls` is an enumeration."""
    return isinstance(cls, type) and issubclass(cls, Enum)


def _enum(value: Any, cls: Any) -> Any:
    if type(value) not in {str, int}:
        raise Misfit("is not a string or an integer")
    return _known(value, cls)


def _known(value: Any, cls: Any) -> Any:
    """Return the member of an enumeration; what the server adds later is kept as it came."""
    try:
        return cls(value)
    except ValueError:
        return value


def _sequence_factory(cls: Any, converter: Converter) -> Hook:
    item_type = get_args(cls)[0]
    container: Callable[[Any], Any] = list if get_origin(cls) is list else tuple
    inner = converter.get_structure_hook(item_type)

    def locating(item: Any, index: int) -> Any:
        try:
            return inner(item, item_type)
        except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
            misfit = _locate(error)
        raise Misfit(misfit.problem, (index, *misfit.path))

    def read(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise Misfit("is not a list")
        return container([locating(item, index) for index, item in enumerate(value)])

    return read


def _class_factory(cls: Any, converter: Converter) -> Hook:
    names = spellings(cls)
    hooks = FIELD_HOOKS.get(cls, {})
    overrides: dict[str, Any] = {n: override(rename=wire, struct_hook=hooks.get(n)) for n, wire in names.items()}
    generated = make_dict_structure_fn(cls, converter, **overrides)
    exact = frozenset(names.values()) | TRIPLET
    folded = {wire.lower(): wire for wire in names.values()}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise Misfit("is not an object")
        # The guides slip in the case of letters.
        if not exact.issuperset(value):
            value = {folded.get(key.lower(), key): item for key, item in value.items()}
        return generated(value, cls)

    return read


FIELD_HOOKS: Mapping[type, Mapping[str, Hook]] = {
    m.AccessToken: {"expires_in": _life},
    m.BulkUpload: {"column_format": _columns},
}


SCALARS: Mapping[type, Hook] = {
    str: _of(str, "a string"),
    int: _of(int, "an integer"),
    bool: _of(bool, "true or false"),
    float: _float,
    Decimal: _decimal,
    Secret: _secret,
    dt.datetime: _datetime,
    dt.date: _date,
}


def make_converter(class_factory: HookFactory, sequence_factory: HookFactory) -> Converter:
    """Return a converter that reads each scalar strictly, and classes and sequences as the factories say."""
    converter = Converter()
    converter.register_structure_hook_factory(has, class_factory)
    converter.register_structure_hook_factory(is_sequence, sequence_factory)
    converter.register_structure_hook_func(is_enum, _enum)
    converter.register_structure_hook_factory(lambda cls: optional_of(cls) is not None, _optional_factory)
    for wanted, hook in SCALARS.items():
        converter.register_structure_hook(wanted, hook)
    return converter


_decoder = msgspec.json.Decoder(float_hook=Decimal)
careful = make_converter(_class_factory, _sequence_factory)
