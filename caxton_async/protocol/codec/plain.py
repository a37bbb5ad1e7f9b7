"""Reading in one pass: an answer that is just as documented, and says yes throughout, straight from its bytes.

What belongs here: what such an answer is checked against, and how it becomes models.  What does not: anything that
needs a second look (`reading`); what is not plain may still be right.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from attrs import NOTHING, Factory, fields, has, resolve_types
from cattrs import Converter

from caxton_async import models as m
from caxton_async.protocol.codec.reading import (
    FIELD_HOOKS,
    SCALARS,
    Hook,
    careful,
    is_enum,
    is_sequence,
    make_converter,
    optional_of,
)
from caxton_async.protocol.codec.spelling import TRIPLET, spellings

Member = tuple[Any, ...]  # how the wire spells it, what it is checked against, and its default if it has one
_IN_JSON = frozenset({str, int, bool})
_Checked: Any = msgspec.defstruct("Checked", [("it", Any)])
_NEVER_PLAIN = msgspec.defstruct("NeverPlain", [("never", Literal["is anything like this"])])

# The statuses that say yes.  Source: Caxton developer guide, envelope.
_YES: Mapping[str, Member] = {
    "api_status_code": ("ApiStatusCode", Literal[100, 314] | None, None),
    "api_status": ("ApiStatus", Literal["IsValid", "Success"] | None, None),
    "api_status_description": ("ApiStatusDescription", str | None, None),
}


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
        if answer.client is answer.user is None:
            return m.Envelope(read(result), expected, None, None, answer.holder)
        return m.Envelope(read(result), expected, _read_client(answer.client), _read_user(answer.user), answer.holder)
    except Exception:  # noqa: BLE001  # what it was, a careful reading finds out; a class of the user's may raise anything
        return None


def can_read(cls: Any) -> bool:
    """Tell whether values of every type in `cls` can be read, before there is one."""
    try:
        careful.get_structure_hook(cls)
        _plain_reader(cls, ())
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        return False
    return True


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
    if (hook := FIELD_HOOKS.get(cls, {}).get(attribute.name)) is not None:
        return hook
    if (optional_of(attribute.type) or attribute.type) in _IN_JSON:
        return _as_it_is
    return converter.get_structure_hook(attribute.type)


def _as_it_is(value: Any, _: Any) -> Any:
    return value


def _plain_sequence_factory(cls: Any, converter: Converter) -> Hook:
    wanted = get_args(cls)[0]
    inner = _as_it_is if wanted in _IN_JSON else converter.get_structure_hook(wanted)

    def read(value: Any, _: Any) -> Any:
        for index, item in enumerate(value):
            value[index] = inner(item, wanted)
        return value

    return _as_it_is if inner is _as_it_is else read


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
    names, hooks = spellings(cls), FIELD_HOOKS.get(cls, {})
    # The JSON library, which makes it, knows no converters and calls no `__init__`, and a status is for the envelope.
    is_odd = any(a.converter or not a.init or a.name.startswith("_") or a.name in _YES for a in fields(cls))
    if is_odd or hasattr(cls, "__attrs_init__") or hasattr(cls, "__attrs_pre_init__") or TRIPLET & {*names.values()}:
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
    if (wanted := optional_of(cls)) is not None:
        kind = _plain_type(wanted)
        return kind if kind in {Any, _NEVER_PLAIN} else kind | None
    if is_sequence(cls) and get_origin(cls) is not Sequence:
        kind = _plain_type(get_args(cls)[0])
        return kind if kind is _NEVER_PLAIN else list[kind]  # type: ignore[valid-type]  # a type made at run time
    if has(cls):
        return _plain_class(cls)
    return Any if cls in SCALARS or is_enum(cls) else _NEVER_PLAIN


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
    # The JSON library knows the members of a class of its own, where it would look for those of `cls` at each call.
    made: Any = msgspec.defstruct("Made", [("it", cls)])
    return lambda value: msgspec.convert(_Checked(hook(value, cls)), made, from_attributes=True).it


_plain = make_converter(_plain_class_factory, _plain_sequence_factory)
_read_client = _plain_maker(m.AuthorisedClientModel | None)
_read_user = _plain_maker(m.AuthorisedUserModel | None)
