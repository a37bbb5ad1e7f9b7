"""Bytes to models and models to bytes: the only module that knows cattrs and the JSON library.

What belongs here: how a member is spelled, and how strictly a value is read.  What does not: whether an answer means
success (`statuses`).  Reading is strict, since a payments client must not guess: a `str` takes only a string, an `int`
only an integer, a `Decimal` an exact and finite number.  An optional member that only describes becomes None when it is
wrong; an amount, a secret, or an object of its own does not.
"""

import datetime as dt
import math
import re
import types
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from attrs import NOTHING, Factory, fields, has, resolve_types
from cattrs import ClassValidationError, Converter, override
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from caxton_async import models as m
from caxton_async.secret import Secret

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]
Member = tuple[Any, ...]  # how the wire spells it, what it is checked against, and its default if it has one

# Members whose spelling does not follow from the attribute's name.  Source: Caxton developer guide, the examples.
_SPELLINGS: Mapping[type, Mapping[str, str]] = {
    m.AccessToken: {"access_token": "access_token", "token_type": "token_type", "expires_in": "expires_in"},
    m.Country: {"isd_code": "ISDCode"},
    m.CreatedUser: {"user_id": "Userid"},
    m.GetCardRate: {"sell_ccy_code": "SellccyCode"},
    m.NewUser: {"date_of_birth": "DateofBirth"},
}
# May stand on any object of an answer; `statuses` reads them.
_TRIPLET = frozenset({"ApiStatusCode", "ApiStatus", "ApiStatusDescription"})
# The token call names its grant (RFC 6749, 4.3.2, in the vendor's capitals).
_FORM_CONSTANTS: Mapping[type, Mapping[str, str]] = {m.GetAccessToken: {"Grant_Type": "password"}}
# A number of more digits than this before its point is no amount, rate or id of anybody's.
_MAX_DIGITS = 40
# A decimal number as text: what JSON takes for a number, and no other script's digits.
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
# No life is longer in seconds: what stores keep is an integer of 64 bits.
_MAX_LIFE = 2**63


class Misfit(ValueError):
    """A value is not what was expected: `problem` at `path`, and never the value itself."""

    def __init__(self, problem: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def where(self, start: str) -> str:
        """Return the path as text, such as `$.Content.Model.Balances[1].Balance`."""
        return start + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)


def spellings(cls: type) -> dict[str, str]:
    """Return how the wire spells each attribute of `cls`: PascalCase, unless the API or its metadata says otherwise."""
    known = _SPELLINGS.get(cls, {})
    attributes = fields(cls)
    return {
        a.name: known.get(a.name)
        or a.metadata.get("caxton")
        or "".join(part.capitalize() for part in a.name.split("_"))
        for a in attributes
    }


# --- reading ---


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
        return _careful.structure(value, cls)
    except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
        misfit = _locate(error)
    # Raised here, since the errors above hold values.
    raise misfit


def read_plain(body: bytes, returns: Any, steps: tuple[str, ...]) -> m.Envelope[Any] | None:
    """Return the envelope of an answer that is just as documented and says yes throughout; None for all others.

    `returns` is the class of the result, and `steps` lead from the Model to it.  One pass of the JSON library finds
    every member known, spelled as documented and of the right type, and every status good.  What is not plain may still
    be right: it needs a careful reading.
    """
    decode_plain, read = _plain_reader(returns, steps)
    try:
        answer = decode_plain(body)
        content = answer.content
        model, expected = content.model, tuple(content.expected)
        if expected and model.api_status not in expected:
            return None
        result = model
        for _ in steps:
            result = result.step
        if answer.client is answer.user is answer.holder is None:
            return m.Envelope(read(result), expected)
        return m.Envelope(read(result), expected, _read_client(answer.client), _read_user(answer.user), answer.holder)
    except Exception:  # noqa: BLE001  # what it was, a careful reading finds out; a class of the user's may raise anything
        return None


def can_read(cls: Any) -> bool:
    """Tell whether values of every type in `cls` can be read, before there is one."""
    try:
        _careful.get_structure_hook(cls)
        _plain_reader(cls, ())
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        return False
    return True


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
    if not (exact.is_finite() and -_MAX_DIGITS < exact.adjusted() < _MAX_DIGITS):  # no call: it is run for every amount
        raise Misfit("is a number out of all proportion")
    return exact


def _is_in_proportion(value: Decimal) -> bool:
    return value.is_finite() and -_MAX_DIGITS < value.adjusted() < _MAX_DIGITS


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
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if type(value) is not int or not 0 < value < _MAX_LIFE:
        raise Misfit("is not a number of seconds above zero")
    return value


def _columns(value: Any, _: Any) -> tuple[str, ...] | None:
    """Read `ColumnFormat`: names joined by commas, or null."""
    if type(value) is not str or not value.strip():
        return None
    return tuple(name.strip() for name in value.split(","))


def _optional_of(cls: Any) -> Any:
    """Return X for `X | None`, else None."""
    if get_origin(cls) not in {Union, types.UnionType}:
        return None
    others = [argument for argument in get_args(cls) if argument is not type(None)]
    return others[0] if len(others) == 1 and len(get_args(cls)) == 2 else None


def _optional_factory(cls: Any, converter: Converter) -> Hook:
    wanted = _optional_of(cls)
    # What only describes does not fail a call; an amount, a secret, and what has members of its own do.
    describes = wanted in {str, int, bool, float, dt.datetime, dt.date} or _is_enum(wanted)
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


def _is_sequence(cls: Any) -> bool:
    arguments = get_args(cls)
    return get_origin(cls) in {list, Sequence} or (get_origin(cls) is tuple and arguments[1:] == (Ellipsis,))


def _is_enum(cls: Any) -> bool:
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
    hooks = _FIELD_HOOKS.get(cls, {})
    overrides: dict[str, Any] = {n: override(rename=wire, struct_hook=hooks.get(n)) for n, wire in names.items()}
    generated = make_dict_structure_fn(cls, converter, **overrides)
    exact = frozenset(names.values()) | _TRIPLET
    folded = {wire.lower(): wire for wire in names.values()}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise Misfit("is not an object")
        # The guides slip in the case of letters.
        if not exact.issuperset(value):
            value = {folded.get(key.lower(), key): item for key, item in value.items()}
        return generated(value, cls)

    return read


def _plain_class_factory(cls: Any, converter: Converter) -> Hook:
    """Return what reads, in place, those members of a checked object that are more than text, integers and truth."""
    attributes = () if _plain_class(cls) is _NEVER_PLAIN else fields(cls)
    hooks = [(a.name, _plain_hook(cls, a, converter), a.type) for a in attributes]
    needed = [(name, hook, wanted) for name, hook, wanted in hooks if hook is not _as_it_is]

    def read(value: Any, _: Any) -> Any:
        for name, hook, wanted in needed:
            setattr(value, name, hook(getattr(value, name), wanted))
        return value

    return read if needed else _as_it_is


def _plain_hook(cls: Any, attribute: Any, converter: Converter) -> Hook:
    if (hook := _FIELD_HOOKS.get(cls, {}).get(attribute.name)) is not None:
        return hook
    if (_optional_of(attribute.type) or attribute.type) in _IN_JSON:
        return _as_it_is
    return converter.get_structure_hook(attribute.type)


def _as_it_is(value: Any, _: Any) -> Any:
    return value


def _plain_sequence_factory(cls: Any, converter: Converter) -> Hook:
    wanted = get_args(cls)[0]
    inner = _as_it_is if wanted in _IN_JSON else converter.get_structure_hook(wanted)
    return _as_it_is if inner is _as_it_is else lambda value, _: [inner(item, wanted) for item in value]


_FIELD_HOOKS: Mapping[type, Mapping[str, Hook]] = {
    m.AccessToken: {"expires_in": _life},
    m.BulkUpload: {"column_format": _columns},
}


_SCALARS: Mapping[type, Hook] = {
    str: _of(str, "a string"),
    int: _of(int, "an integer"),
    bool: _of(bool, "true or false"),
    float: _float,
    Decimal: _decimal,
    Secret: _secret,
    dt.datetime: _datetime,
    dt.date: _date,
}
_IN_JSON = frozenset({str, int, bool})
_NEVER_PLAIN = msgspec.defstruct("NeverPlain", [("never", Literal["is anything like this"])])

# The statuses that say yes.  Source: Caxton developer guide, envelope.
_YES: Mapping[str, Member] = {
    "api_status_code": ("ApiStatusCode", Literal[100, 314] | None, None),
    "api_status": ("ApiStatus", Literal["IsValid", "Success"] | None, None),
    "api_status_description": ("ApiStatusDescription", str | None, None),
}


def _plain_object(members: Mapping[str, Member]) -> Any:
    """Return what an object with these members, and a triplet that says yes, is checked against."""
    members = {**members, **_YES}
    return msgspec.defstruct(
        "Plain",
        [(name, *member[1:]) for name, member in members.items()],
        rename={name: member[0] for name, member in members.items()},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,  # what comes from JSON refers to nothing that refers to it
    )


@lru_cache(maxsize=1024)
def _plain_class(cls: Any) -> Any:
    if get_origin(cls) is not None:
        return _NEVER_PLAIN  # a generic class, whose types depend on it
    resolve_types(cls)  # a class may name its types in quotes
    names, hooks = spellings(cls), _FIELD_HOOKS.get(cls, {})
    # The JSON library, which makes it, knows no converters and calls no `__init__`, and a status is for the envelope.
    is_odd = any(a.converter or not a.init or a.name.startswith("_") or a.name in _YES for a in fields(cls))
    if is_odd or hasattr(cls, "__attrs_init__") or hasattr(cls, "__attrs_pre_init__") or _TRIPLET & {*names.values()}:
        return _NEVER_PLAIN
    kinds = {a: Any if a.name in hooks else _plain_type(a.type) for a in fields(cls)}
    if _NEVER_PLAIN in kinds.values():
        return _NEVER_PLAIN
    return _plain_object({a.name: (names[a.name], kind, *_default(a.default)) for a, kind in kinds.items()})


def _default(default: Any) -> tuple[Any, ...]:
    if isinstance(default, Factory):  # type: ignore[arg-type]  # its stub is a function
        return (msgspec.field(default_factory=default.factory),)
    return () if default is NOTHING else (default,)


def _plain_type(cls: Any) -> Any:
    """Return what the JSON library checks a value against before it becomes a `cls`; Any leaves it to the hook.

    What neither of them checks to its last member, such as a mapping, is never plain.
    """
    if cls in _IN_JSON:
        return cls
    if (wanted := _optional_of(cls)) is not None:
        kind = _plain_type(wanted)
        return kind if kind in {Any, _NEVER_PLAIN} else kind | None
    if _is_sequence(cls) and get_origin(cls) is not Sequence:
        kind = _plain_type(get_args(cls)[0])
        return kind if kind is _NEVER_PLAIN else list[kind]  # type: ignore[valid-type]  # a type made at run time
    if has(cls):
        return _plain_class(cls)
    return Any if cls in _SCALARS or _is_enum(cls) else _NEVER_PLAIN


def _plain_answer(returns: Any, steps: tuple[str, ...]) -> Any:
    model = _plain_object({}) if returns is None else _plain_type(returns)
    for step in reversed(steps):
        model = _plain_object({"step": (step, model)})
    content = _plain_object({"model": ("Model", model), "expected": ("ExpectedResponses", list[str], [])})
    return _plain_object(
        {
            "content": ("Content", content),
            "client": ("AuthorisedClientModel", _plain_class(m.AuthorisedClientModel) | None, None),
            "user": ("AuthorisedUserModel", _plain_class(m.AuthorisedUserModel) | None, None),
            "holder": ("MainAccountHolderName", str | None, None),
        }
    )


@lru_cache(maxsize=1024)
def _plain_reader(returns: Any, steps: tuple[str, ...]) -> tuple[Callable[[bytes], Any], Callable[[Any], Any]]:
    decoder = msgspec.json.Decoder(_plain_answer(returns, steps), float_hook=Decimal)
    return decoder.decode, (lambda _: None) if returns is None else _plain_maker(returns)


def _plain_maker(cls: Any) -> Callable[[Any], Any]:
    """Return what makes a `cls` of a checked object: hooks of cattrs read its members, and all is built in one go."""
    hook = _plain.get_structure_hook(cls)
    return lambda value: msgspec.convert(hook(value, cls), cls, from_attributes=True)


def _converter(*, plain: bool) -> Converter:
    converter = Converter()
    converter.register_structure_hook_factory(has, _plain_class_factory if plain else _class_factory)
    converter.register_structure_hook_factory(_is_sequence, _plain_sequence_factory if plain else _sequence_factory)
    converter.register_structure_hook_func(_is_enum, _enum)
    converter.register_structure_hook_factory(lambda cls: _optional_of(cls) is not None, _optional_factory)
    for wanted, hook in _SCALARS.items():
        converter.register_structure_hook(wanted, hook)
    return converter


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_plain = _converter(plain=True)
_read_client = _plain_maker(m.AuthorisedClientModel | None)
_read_user = _plain_maker(m.AuthorisedUserModel | None)
_careful = _converter(plain=False)  # slower, but it forgives what may be forgiven, and knows where an error lies


# --- writing ---


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
        case int() if abs(value) < 10**_MAX_DIGITS:
            return str(value)
    raise Misfit("is neither text, a number of ordinary size, a date nor true or false", (name,))


def _write_class(cls: Any, converter: Converter, leave_out: frozenset[str] = frozenset()) -> Callable[[Any], Any]:
    names = spellings(cls)
    overrides: dict[str, Any] = {
        name: override(rename=wire, omit=name in leave_out, unstruct_hook=_WRITE_HOOKS.get((cls, name)))
        for name, wire in names.items()
    }
    generated = make_dict_unstructure_fn(cls, converter, **overrides)
    if not any(_optional_of(a.type) for a in fields(cls)):
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
