"""What an answer shows: each status in it, found in one walk over its objects, and the members that decide."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, frozen

from caxton_async.protocol.spelling import SHAPES, Shape, place
from caxton_async.protocol.status import CONTRADICTION, FAILING, SUCCESS, Weights, read_names, weights_of

Object = dict[str, object]
_DECIDING: Final = frozenset({"apistatuscode", "apistatus"})
# So many parts of a Model are looked at for the status that is shown; a documented answer has it among the first.
_MAX_LOOKED_AT: Final = 100
_SAID: Final = SUCCESS | FAILING | CONTRADICTION
_TWINS: Final = 8  # beside what is said: two keys of one object differ in case alone
_CALLERS: Final = frozenset({"AuthorisedClientModel", "AuthorisedUserModel"})
_USUAL: Final = weights_of(())
_TOGETHER: Final = {1: "success", 2: "failing", 3: "mixed", **dict.fromkeys((4, 5, 6, 7), "contradiction")}


@frozen
class Signs:
    """What an answer shows: the kind of its body, what its Content says, and what the rest of it says.

    `culprit` is the object whose status speaks against success, if there is one: a contradiction before a failure, and
    one in the Content before one around it, but where the caller is refused.  `is_settled` tells that each key in the
    answer is spelled as we know it.
    """

    body: str
    content: str = "empty"
    around: str = "fine"
    culprit: Object | None = None


class _Innocent(dict[tuple[str, str, str], Signs]):
    """The signs of answers without a culprit, as nearly all are, of which there are few combinations."""

    def __missing__(self, signs: tuple[str, str, str]) -> Signs:
        self[signs] = Signs(*signs)
        return self[signs]


_INNOCENT: Final = _Innocent()


def read_signs(raw: object, *, is_token: bool = False, containers: int = sys.maxsize) -> Signs:
    """Find out what an answer shows.

    `is_token` says that one of the token endpoint is waited for; `containers` is how many objects and lists there are
    at most.
    """
    if type(raw) is not dict:
        return _INNOCENT["no object", "empty", "fine"]
    shape = SHAPES[tuple(raw)]
    twins, content, model = shape.has_twins, raw.get(shape.content), None
    parts: list[Object | list[object]] = []
    within, outside = _USUAL
    if type(content) is dict:
        inner = SHAPES[tuple(content)]
        model, expected = content.get(inner.model), content.get(inner.expected)
        names = read_names(expected)
        within, outside = weights_of(names)
        twins = twins or inner.has_twins
        is_flat = type(expected) is list and len(expected) == len(names)
        if len(content) == is_flat + (inner.model is not None):  # then there is nothing else in it
            parts, containers = [model] if type(model) is dict or type(model) is list else [], containers - 1 - is_flat
        else:
            parts = [content]
    elif type(content) is list:
        parts = [content]
    culprits: dict[int, Object] = {}
    around, beside = "fine", None
    if (len(raw) > 1 or content is None) and not (containers <= 1 and shape.is_silent):
        seen = _look_around(raw, shape, outside, containers)
        around, beside, containers = seen.kind, seen.culprit, seen.left
    says = _walk(parts, within, containers - 1, culprits)
    if says & _TWINS and type(model) is dict:
        twins = twins or SHAPES[tuple(model)].has_twins
    said = _TOGETHER[says & _SAID] if says & _SAID else "silent" if model else "empty"
    body = "twins" if twins else _kind_of(raw, shape, model, is_token=is_token)
    if not culprits and beside is None:
        return _INNOCENT[body, said, around]
    culprit = _worst(culprits)
    return Signs(body, said, around, beside if around == "unauthorised" else culprit or beside)


def _kind_of(raw: Object, shape: Shape, model: object, *, is_token: bool) -> str:
    """Return the kind of a body in which no key stands twice."""
    if is_token or shape.content is None:
        has_words = raw.get(shape.message) or raw.get(shape.error)
        return "words" if has_words else "token" if is_token else "other"
    if raw.get(shape.error):
        return "error beside"
    return "envelope" if type(model) is dict or type(model) is list else "no model"


@define
class _Surroundings:
    """What stands around the Content, by the kind that weighs most, and how many containers are left within it."""

    kind: str
    culprit: Object | None
    left: int


def _look_around(raw: Object, shape: Shape, weights: Weights, containers: int) -> _Surroundings:
    callers: list[Object | list[object]] = []
    others: list[Object | list[object]] = []
    for key, value in raw.items():
        if (type(value) is dict or type(value) is list) and key != shape.content:
            is_caller = key in _CALLERS or key[:10].casefold() == "authorised"
            (callers if is_caller else others).append(value)
    culprits: dict[int, Object] = {}
    others_say = _walk([raw], weights, 0, culprits) if not shape.is_silent else 0
    if others:
        others_say |= _walk(others, weights, containers, culprits)
    callers_say = _walk(callers, weights, containers, culprits) if callers else 0
    both = (callers_say | others_say) & _SAID
    if both <= SUCCESS:
        kind = "success" if others_say & _SAID else "fine"
    elif both & CONTRADICTION or others_say & SUCCESS:
        kind = "contradiction"
    else:
        kind = "unauthorised" if callers_say & FAILING else "failing"
    return _Surroundings(kind, _worst(culprits), containers - len(callers) - len(others))


def _walk(parts: list[Object | list[object]], weights: Weights, containers: int, culprits: dict[int, Object]) -> int:
    """Return what all statuses in `parts`, which it fills with what is in them, say together.

    It looks at the outer ones first, and not by recursion, whose depth the server would decide; when it has met as many
    as there are `containers`, it looks for no more of them.  `culprits` get the first that fails and that contradicts.
    """
    says = 0
    for value in parts:
        items: Iterable[object] = value
        if type(value) is dict:
            items, shape = value.values(), SHAPES[tuple(value)]
            if not shape.is_silent:
                code, name = value.get(shape.code), value.get(shape.name)
                said = weights[code, name] if type(code) is int and type(name) is str else weights.of(code, name)
                if shape.has_twins:
                    said = CONTRADICTION if shape.code or shape.name else 0
                    says |= _TWINS
                if said > SUCCESS:
                    culprits.setdefault(said, value)
                says |= said
        if len(parts) < containers:
            for item in items:
                if item and (type(item) is dict or type(item) is list):
                    parts.append(item)  # noqa: PERF401  # faster than a comprehension of a few
    return says


def _worst(culprits: dict[int, Object]) -> Object | None:
    """Return the object that is to blame, a contradictory one before one that fails."""
    return culprits.get(CONTRADICTION) or culprits.get(FAILING)


def find_status(model: object) -> Object | None:
    """Return the object whose status is shown: the Model itself, else the first in it; of a list, the first item."""
    waiting = [model]
    for value in waiting:
        if type(value) is dict:
            if any(key.casefold() in _DECIDING and item is not None for key, item in value.items()):
                return value
            waiting += value.values()
        elif type(value) is list:
            waiting += value[:1]
        if len(waiting) > _MAX_LOOKED_AT:
            break
    return None


def path_to(answer: object, target: object) -> str:
    """Return the path to an object that is in an answer; only the branch that is looked at is kept in memory."""
    branch: list[tuple[str | int, Iterator[tuple[str | int, object]]]] = [("$", iter(_items(answer)))]
    value = answer
    while value is not target:
        step = next(branch[-1][1], None)
        if step is None:
            branch.pop()
            continue
        key, value = step
        branch.append((key, iter(_items(value))))
    return place("$", tuple(name for name, _ in branch[1:]))


def _items(value: object) -> Iterable[tuple[str | int, object]]:
    return value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
