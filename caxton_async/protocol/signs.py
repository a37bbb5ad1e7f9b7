"""What an answer shows: each status in it, found in one walk over its objects, and the members that decide."""

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from attrs import frozen

from caxton_async.protocol.spelling import SHAPES, place
from caxton_async.protocol.status import CONTRADICTION, FAILING, SUCCESS, Weights, read_names, weights_of

Object = dict[str, object]
_CONTAINERS: Final = frozenset({dict, list})
_DECIDING: Final = frozenset({"apistatuscode", "apistatus"})
_UNREADABLE: Final = object()
# So many parts of a Model are looked at for the status that is shown; a documented answer has it among the first.
_MAX_LOOKED_AT: Final = 100
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


# Nearly every answer has no culprit, and one of few combinations.
_innocent: Final = lru_cache(Signs)


def read_signs(raw: object, *, is_token: bool = False, containers: int = sys.maxsize) -> Signs:
    """Find out what an answer shows.

    `is_token` says that one of the token endpoint is waited for; `containers` is how many objects and lists there are
    at most.
    """
    if type(raw) is not dict:
        return _innocent("no object")
    shape = SHAPES[tuple(raw)]
    twins, keys = shape.has_twins, shape.keys
    content, model = raw.get(keys.get("content")), None
    names: tuple[str, ...] = ()
    if type(content) is dict:
        within_content = SHAPES[tuple(content)]
        model = content.get(within_content.keys.get("model"))
        names = read_names(content.get(within_content.keys.get("expectedresponses")))
        twins = twins or within_content.has_twins or (type(model) is dict and SHAPES[tuple(model)].has_twins)
    within, outside = weights_of(names)
    around, beside = "fine", None
    containers -= 1  # the answer itself
    if len(raw) > 1 or content is None:
        seen = _look_around(raw, content, outside, containers)
        around, beside, containers = seen.kind, seen.culprit, seen.left
    culprits: dict[int, Object] = {}
    says = _walk([content], within, containers, culprits)
    said = _TOGETHER[says] if says else "silent" if model else "empty"
    if twins:
        body = "twins"
    elif is_token or "content" not in keys:
        has_words = raw.get(keys.get("message")) or raw.get(keys.get("error"))
        body = "words" if has_words else "token" if is_token else "other"
    elif raw.get(keys.get("error")):
        body = "error beside"
    else:
        body = "envelope" if type(model) is dict or type(model) is list else "no model"
    if not culprits and beside is None:
        return _innocent(body, said, around)
    culprit = _worst(culprits)
    return Signs(body, said, around, beside if around == "unauthorised" else culprit or beside)


@frozen
class _Surroundings:
    """What stands around the Content, by the kind that weighs most, and how many containers are left within it."""

    kind: str
    culprit: Object | None
    left: int


def _look_around(raw: Object, content: object, weights: Weights, containers: int) -> _Surroundings:
    callers: list[object] = []
    others: list[object] = []
    for key, value in raw.items():
        if (type(value) is dict or type(value) is list) and value is not content:
            (callers if key[:10].casefold() == "authorised" else others).append(value)
    culprits: dict[int, Object] = {}
    itself = _weigh(raw, weights, culprits)
    others_say = itself | _walk(others, weights, containers, culprits)
    callers_say = _walk(callers, weights, containers, culprits)
    both = callers_say | others_say
    if both <= SUCCESS:
        kind = "success" if others_say else "fine"
    elif both & CONTRADICTION or others_say & SUCCESS:
        kind = "contradiction"
    else:
        kind = "unauthorised" if callers_say & FAILING else "failing"
    return _Surroundings(kind, _worst(culprits), containers - len(callers) - len(others))


def _walk(  # noqa: C901  # one loop: a call for each object would cost as much as what it does
    parts: list[object], weights: Weights, containers: int, culprits: dict[int, Object]
) -> int:
    """Return what all statuses in `parts`, which it fills with what is in them, say together.

    It looks at the outer ones first, and not by recursion, whose depth the server would decide; when it has met as many
    as there are `containers`, it looks for no more of them.  `culprits` get the first that fails and that contradicts.
    """
    says = 0
    for value in parts:
        if type(value) is dict:
            shape = SHAPES[tuple(value)]
            if shape.decides:
                code, name = value.get(shape.code), value.get(shape.name)
                if shape.has_twins:
                    code = _UNREADABLE
                if code is not None or name is not None:
                    said = weights[code, name] if type(code) is int and type(name) is str else weights.of(code, name)
                    if said != SUCCESS:
                        culprits.setdefault(said, value)
                    says |= said
            if len(parts) < containers:
                for item in value.values():
                    if type(item) is dict or type(item) is list:
                        parts.append(item)  # noqa: PERF401  # twice as fast as a comprehension of a few
        elif len(parts) < containers and type(value) is list and not _CONTAINERS.isdisjoint(map(type, value)):
            parts += [item for item in value if item and (type(item) is dict or type(item) is list)]
    return says


def _weigh(value: Object, weights: Weights, culprits: dict[int, Object]) -> int:
    return _walk([value], weights, 0, culprits)


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
