"""JSON values to models and whole answers, by one cattrs converter that structures every object.

Reading is strict, since a payments client must not guess: a `str` takes only a string, an `int` only an integer, a
`Decimal` an exact and finite number.  An optional member that only describes becomes None when it is wrong; an amount,
a secret, or an object of its own does not.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, TypeVar, get_args, get_origin

from attrs import has
from cattrs import ClassValidationError, Converter

from caxton_async import models as m
from caxton_async.protocol.codec.objects import class_hook
from caxton_async.protocol.scalars import (
    SCALARS,
    Hook,
    is_enum,
    is_envelope,
    is_sequence,
    optional_factory,
    optional_of,
    read_enum,
)
from caxton_async.protocol.signs import find_status
from caxton_async.protocol.spelling import ByShape, DecodeError, spellings

T = TypeVar("T")

# Items; the objects of a longer list are let go of while they are read.
_LONG: Final = 1000


class _Located(DecodeError):
    """What does not fit has been located already, and what stood before it is gone."""


def structure(value: object, cls: type[T]) -> T:
    """Return `value`, which `decode` made, as a `cls`; `structure(decode(body), Envelope[Wallet])` reads an answer.

    **Raises** DecodeError, with the path below `value`, when it does not fit.
    """
    try:
        return _converter.structure(value, cls)
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        problem = _problem(partial(_locating.structure, value, cls))
    # Raised here, since the errors above hold values.
    raise problem


@lru_cache(maxsize=1024)
def envelope_reader(returns: Any, at: tuple[str, ...]) -> Callable[..., m.Envelope[Any]]:
    """Return what structures a whole answer around a result of the class `returns`, at `at` in its Model.

    **Raises** DecodeError, with the path below the answer, when it does not fit.
    """
    hook = _envelope_hook(_converter, returns, at)

    def read(answer: object) -> m.Envelope[Any]:
        try:
            envelope: m.Envelope[Any] = hook(answer, None)
            return envelope
        except _Located as error:
            problem = DecodeError(error.problem, error.path)
        except Exception:  # noqa: BLE001  # a class of the user's may raise anything
            problem = _problem(partial(_envelope_hook(_locating, returns, at), answer, None))
        # Raised here, since the errors above hold values.
        raise problem

    return read


def read_status(value: object) -> m.ApiStatus:
    """Return the status of an object; nothing is known of one in which a member of the status stands twice."""
    try:
        return _converter.structure(value, m.ApiStatus)
    except DecodeError:
        return m.ApiStatus()


def _status_in(model: object, _: object) -> m.ApiStatus:
    found = find_status(model)
    return m.ApiStatus() if found is None else read_status(found)


def can_read(returns: Any) -> bool:
    """Tell whether values of every type in `returns` can be read, before there is one."""
    try:
        _converter.get_structure_hook(returns)
        _envelope_hook(_converter, returns, ())
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        return False
    return True


def _problem(read_again: Callable[[], object]) -> DecodeError:
    """Read what did not fit once more, in detail, to find out what and where."""
    found = DecodeError("is not as expected")  # a class of the user's may raise once, and not again
    try:
        read_again()
    except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
        found = _locate(error)
    return found


def _locate(error: Exception) -> DecodeError:
    if isinstance(error, ClassValidationError):
        for inner, note in error.group_exceptions()[0]:
            below = _locate(inner)
            return DecodeError(below.problem, (spellings(error.cl).get(note.name, note.name), *below.path))
    if isinstance(error, DecodeError):
        return error
    return DecodeError("is missing" if isinstance(error, KeyError) else "is not as expected")


def _sequence_factory(cls: Any, converter: Converter) -> Hook:
    item_type = get_args(cls)[0]
    container: Callable[[Any], Any] = list if get_origin(cls) is list else tuple
    inner = converter.get_structure_hook(item_type)

    def locating(item: Any, index: int) -> Any:
        try:
            return inner(item, item_type)
        except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
            located = _locate(error)
        raise DecodeError(located.problem, (index, *located.path))

    def read(value: Any, _: Any) -> Any:
        if value is None:
            return container(())  # null for a list is an empty one
        if type(value) is not list:
            raise DecodeError("is not a list")
        if converter.detailed_validation:
            return container([locating(item, index) for index, item in enumerate(value)])
        return container([inner(item, item_type) for item in value])

    return read


def _class_factory(cls: Any, converter: Converter) -> Hook:
    return class_hook(cls, converter, {})


@lru_cache(maxsize=1024)
def _envelope_hook(converter: Converter, returns: Any, at: tuple[str, ...]) -> Hook:
    """Return what reads an answer whose Model has the result at `at`; a wrong part of what stands around it is None."""
    around = {name: _later(converter.get_structure_hook(kind)) for name, kind in _AROUND.items()}
    result: dict[str, Hook] = {"model": _result_hook(converter, returns, at), "_status": partial(partial, _status_in)}
    content = class_hook(m.Content[returns], converter, result)
    return class_hook(m.Envelope[returns], converter, {"content": content, **around})


def _later(hook: Hook) -> Hook:
    """Return what leaves an object for when it is asked for; what is no object is None."""
    return lambda value, cls: partial(hook, value, cls) if type(value) is dict else None


def _envelope_factory(cls: Any, converter: Converter) -> Hook:
    return _envelope_hook(converter, get_args(cls)[0], ())


def _result_hook(converter: Converter, returns: Any, at: tuple[str, ...]) -> Hook:
    if returns is None or returns is type(None):
        return lambda _value, _: None
    inner = converter.get_structure_hook(returns)
    steps = tuple((step, ByShape(partial(_spelling_of, step.casefold()))) for step in at)

    is_list = is_sequence(returns)

    def read(value: Any, _: Any) -> Any:
        if steps:
            value = _step_down(value, steps, at)
        if is_list and type(value) is list and len(value) > _LONG:
            return _read_long(converter, value, returns, at)
        try:
            return inner(value, returns)
        except Exception as error:  # noqa: BLE001  # a class of the user's may raise anything
            located = _locate(error)
        raise DecodeError(located.problem, (*at, *located.path))

    return read


def _step_down(value: Any, steps: tuple[tuple[str, Mapping[tuple[str, ...], Any]], ...], at: tuple[str, ...]) -> Any:
    depth = 0
    try:
        for step, spelled in steps:
            depth += 1
            value = value[step if step in value else spelled[tuple(value)]]
    except (KeyError, TypeError):  # no such member, or no object
        raise DecodeError("is missing", at[:depth]) from None
    return value


def _spelling_of(name: str, shape: tuple[str, ...]) -> str | None:
    return next((key for key in shape if key.casefold() == name), None)


def _read_long(converter: Converter, values: list[Any], cls: Any, at: tuple[str, ...]) -> Any:
    """Read a long list, and let go of each item as soon as it is read, so that both forms of it are never there."""
    item_type, found = get_args(cls)[0], []
    inner = converter.get_structure_hook(item_type)
    try:
        for index, value in enumerate(values):
            found.append(inner(value, item_type))
            values[index] = None
    except Exception:  # noqa: BLE001  # a class of the user's may raise anything
        problem = _problem(partial(_locating.structure, values[len(found)], item_type))
    else:
        return found if get_origin(cls) is list else tuple(found)
    raise _Located(problem.problem, ("Content", "Model", *at, len(found), *problem.path))


def _teach(converter: Converter) -> None:
    """Register how everything is read."""
    converter.register_structure_hook_factory(has, _class_factory)
    converter.register_structure_hook_factory(is_sequence, _sequence_factory)
    converter.register_structure_hook_func(is_enum, read_enum)
    converter.register_structure_hook_factory(lambda cls: optional_of(cls) is not None, optional_factory)
    converter.register_structure_hook_factory(is_envelope, _envelope_factory)
    for wanted, hook in SCALARS.items():
        converter.register_structure_hook(wanted, hook)


_AROUND: Final = {"_client": m.AuthorisedClientModel, "_user": m.AuthorisedUserModel}
_converter, _locating = Converter(detailed_validation=False), Converter()  # the second locates what does not fit
for _each in (_converter, _locating):
    _teach(_each)
