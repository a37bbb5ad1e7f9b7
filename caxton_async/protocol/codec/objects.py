"""JSON objects to instances of attrs classes, by functions that cattrs writes: one for each shape that is met often.

What belongs to a shape, the keys of an object in order, is found out once: how each is spelled, and what is missing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, get_args, get_origin

import attrs
from cattrs import Converter, override
from cattrs.gen import make_dict_structure_fn, make_dict_structure_fn_from_attrs

from caxton_async import models as m
from caxton_async.protocol.scalars import MEMBERS, Hook
from caxton_async.protocol.spelling import MAX_SHAPES, TRIPLET, DecodeError, is_memorable, spellings

# To write a function takes half a millisecond.  So one is written for a shape that keeps coming, and for so many of a
# class that a server which sends ever new ones costs little; one function for all shapes reads all other objects.
_OFTEN: Final = 8
_MAX_WRITTEN: Final = 64
_MAX_COUNTED: Final = 256
_ABOVE: Final = frozenset({object, Generic})


def class_hook(cls: Any, converter: Converter, own_hooks: Mapping[str, Hook]) -> Hook:
    """Return what reads a `cls` from an object, whatever the case of its keys; the guides slip in it."""
    kind, names = get_origin(cls) or cls, spellings(cls)
    hooks = {**MEMBERS.get(kind, {}), **own_hooks}
    is_open = bool(get_args(cls)) and kind not in {m.Envelope, m.Content}  # a generic class of the user's
    is_quick = not (is_open or converter.detailed_validation)
    maker = _maker(kind) if is_quick else cls
    overrides: dict[str, Any] = {n: override(rename=wire, struct_hook=hooks.get(n)) for n, wire in names.items()}
    read_any = _of_any_shape(make_dict_structure_fn(maker, converter, **overrides), names)
    write = _writer(maker, converter, names, hooks, by_name=maker is kind) if is_quick else lambda _: None
    by_shape = _Written(read_any, write)
    is_thawed = maker not in {kind, cls}

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise DecodeError("is not an object")
        made = by_shape[tuple(value)](value, None)
        if is_thawed:
            made.__class__ = kind
        return made

    return read


def _maker(cls: Any) -> Any:
    """Return the class of which an instance is made, and then called a `cls`: `cls` itself if that is not safe to do.

    attrs gives a frozen instance its members one by one through `object.__setattr__`, which takes five times as long as
    to assign them.  So an heir assigns them, that adds nothing but this, and what it made is frozen from then on.
    """
    traits, members = attrs.inspect(cls), attrs.fields(cls)
    is_safe = (
        (traits.is_frozen and traits.is_slotted and traits.added_init)
        and type(cls) is type
        and not any(hasattr(cls, name) for name in ("__attrs_pre_init__", "__attrs_post_init__"))
        and not any(a.validator or a.converter or not a.init for a in members)
        and not any({"__new__", "__init_subclass__"} & vars(each).keys() for each in cls.__mro__ if each not in _ABOVE)
    )
    if not is_safe:
        return cls
    body = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return attrs.define(eq=False, repr=False)(type(cls.__name__, (cls,), {"__module__": cls.__module__, **body}))


class _Written(dict[tuple[str, ...], Hook]):
    """What reads an object of each shape that was met often; of all others, `read_any`."""

    def __init__(self, read_any: Hook, write: Callable[[tuple[str, ...]], Hook | None]) -> None:
        super().__init__()
        self._read_any = read_any
        self._write = write
        self._met: dict[tuple[str, ...], int] = {}

    def __missing__(self, shape: tuple[str, ...]) -> Hook:
        met = self._met.get(shape, 0) + 1
        if len(self) < _MAX_WRITTEN and met >= _OFTEN:
            del self._met[shape]
            self[shape] = self._write(shape) or self._read_any
        elif met > 1 or (len(self._met) < _MAX_COUNTED and is_memorable(shape)):
            self._met[shape] = met
        return self._read_any


def _of_any_shape(structure: Hook, names: Mapping[str, str]) -> Hook:
    """Return what reads objects of all shapes."""
    known = {wire.casefold(): wire for wire in (*names.values(), *TRIPLET)}
    plain = set(known.values())  # keys that stand for what they are spelled like

    def respell(value: Mapping[str, object]) -> Mapping[str, object]:
        others = value.keys() - plain
        if known.keys().isdisjoint(map(str.casefold, others)):
            if len(plain) < MAX_SHAPES and is_memorable(tuple(others)):
                plain.update(others)
            return value
        keys = [known.get(key.casefold(), key) for key in value]
        if len(set(keys)) < len(keys):
            raise DecodeError("has two members that differ in case alone")
        return dict(zip(keys, value.values(), strict=True))

    return lambda value, _: structure(value if plain.issuperset(value) else respell(value), None)


def _writer(
    maker: Any, converter: Converter, names: Mapping[str, str], hooks: Mapping[str, Hook], *, by_name: bool
) -> Callable[[tuple[str, ...]], Hook | None]:
    """Return what has cattrs write the function for one shape; None for a shape that `read_any` has to read.

    `by_name`: the class may have an `__init__` of its own, which takes what is optional in another order.
    """

    def write(shape: tuple[str, ...]) -> Hook | None:
        keys = {key.casefold(): key for key in shape}
        present: list[attrs.Attribute[Any]] = []
        is_by_name = False
        for a in attrs.fields(maker):
            if names[a.name].casefold() in keys:
                is_by_name = is_by_name or (by_name and a.default is not attrs.NOTHING)
                present.append(a.evolve(default=attrs.NOTHING, kw_only=a.kw_only or is_by_name))
            elif a.default is attrs.NOTHING:
                return None
            else:
                is_by_name = True
        wires = {a.name: keys[names[a.name].casefold()] for a in present}
        overrides: dict[str, Any] = {n: override(rename=w, struct_hook=hooks.get(n)) for n, w in wires.items()}
        has_twins = len(keys) < len(shape)
        return None if has_twins else make_dict_structure_fn_from_attrs(present, maker, converter, **overrides)

    return write
