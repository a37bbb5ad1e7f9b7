"""A fault as a value, its checks, and files of faults."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import attrs

from caxton_async.emulator.kinds import KINDS, EndpointName, FaultKind, Variant


def _whole(least: int, most: float = math.inf) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 3600


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _one_of(names: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return lambda value: value in names, f"one of {', '.join(names)}"


# parameter: (its check, what it has to be); None is right where it is the default
PARAMETERS: dict[str, tuple[Callable[[object], bool], str]] = {
    "kind": _one_of(get_args(FaultKind)),
    "endpoint": _one_of(get_args(EndpointName)),
    "acting_for": (_is(str), "an IdentityNumber or a userapitoken"),
    "times": (lambda value: value is None or _whole(1)(value), "a whole number from 1, or None"),
    "every": (_whole(1), "a whole number from 1"),
    "after": (_whole(0), "a whole number from 0"),
    "seconds": (_seconds, "a number from 0 to 3600"),
    "held": (_is(bool), "true or false"),
    "variant": _one_of(get_args(Variant)),
    "status": (_whole(100, 999), "a whole number from 100 to 999"),
    "retry_after": (_is(str), "text, as the header has it"),
    "location": (_is(str), "text"),
    "raw": (_is(bytes), "bytes (text in a file)"),
    "size": (_whole(1), "a whole number of bytes"),
}


@attrs.frozen
class Fault:
    """One thing that goes wrong; the table of `caxton_async.emulator.kinds` says what each kind does and takes.

    **Raises** ValueError, naming the field, when a value is wrong or means nothing to the kind.
    """

    kind: FaultKind
    endpoint: EndpointName | None = None
    times: int | None = 1
    every: int = 1
    after: int = 0
    seconds: float = 0
    held: bool = False
    variant: Variant | None = None
    status: int | None = None
    retry_after: str | None = None
    location: str | None = None
    raw: bytes | None = attrs.field(default=None, repr=False)
    size: int | None = None
    acting_for: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Fault):
            value = getattr(self, field.name)
            is_right, expected = PARAMETERS[field.name]
            if value != field.default or type(value) is not type(field.default):
                if not is_right(value):
                    raise ValueError(f"{field.name} is {expected}")
                if field.name not in KINDS[self.kind].takes:
                    raise ValueError(f"{field.name} means nothing to {self.kind}")
        kind = KINDS[self.kind]
        if self.variant is not None and self.variant not in kind.variants:
            raise ValueError(f"variant of {self.kind} is one of {', '.join(kind.variants)}")
        if kind.only is not None and self.endpoint not in (None, kind.only):
            raise ValueError(f"endpoint of {self.kind} is {kind.only}")

    @property
    def chosen_variant(self) -> Variant:
        """The variant in force: the first of the kind's where none is named."""
        return self.variant or KINDS[self.kind].variants[0]


def read_faults(path: str | Path) -> tuple[Fault, ...]:
    """Read a JSON file: a list of objects, whose members are the parameters of `Fault`.

    **Raises** ValueError, naming the entry and the field, when the file is wrong.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path}: not a JSON file") from None
    if not isinstance(entries, list):
        raise ValueError(f"{path}: not a list of faults")  # noqa: TRY004 - the file's mistake, not the caller's
    faults = []
    for number, entry in enumerate(entries, 1):
        try:
            faults.append(read_fault(entry))
        except ValueError as error:
            raise ValueError(f"{path}: entry {number}: {error}") from None
    return tuple(faults)


def read_fault(entry: object) -> Fault:
    """Return the fault that a JSON object describes.

    **Raises** ValueError, naming the field, when a member is wrong.
    """
    if not isinstance(entry, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the file's mistake, not the caller's
    for name in entry:
        if name not in PARAMETERS:
            raise ValueError(f"{name} is not a parameter of a fault; these are: {', '.join(PARAMETERS)}")
    if "kind" not in entry:
        raise ValueError("kind is missing")
    raw = entry.get("raw")
    values: dict[str, Any] = entry | {"raw": raw.encode()} if isinstance(raw, str) else entry
    return Fault(**values)
