"""The safety settings that `nox -s mutate` switches off, each by replacing a symbol while the tests run.

Every module of this package is the table of one room of `caxton_async`: a tuple named `MUTATIONS`.
It imports nothing of `caxton_async` at its top, since it is loaded while that is being imported.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from pathlib import Path
from typing import Any, Final

from attrs import frozen

TESTS: Final = Path(__file__).parents[1]
VARIABLE: Final = "SWITCHED_OFF"  # not CAXTON_...: those are settings, and an unknown one is warned of


@frozen
class Around:
    """A replacement that is made from what it replaces."""

    make: Callable[[Any], object]


def forcing(**forced: object) -> Around:
    """Replace a function by itself, called with these keyword arguments whatever the caller gave."""

    def make(original: Callable[..., object]) -> Callable[..., object]:
        @wraps(original)
        def call(*args: object, **given: object) -> object:
            return original(*args, **{**given, **forced})

        return call

    return Around(make)


def returning(value: object) -> Callable[..., object]:
    """Replace a function by one that returns `value`."""
    return lambda *_args, **_given: value


@frozen
class Mutation:
    """A safety setting, the symbol that keeps it, what switches it off, and the tests of which one has to fail.

    `symbol` is `module:attribute`, where the attribute may be dotted (`caxton_async.secret:Secret.__repr__`).
    `noticed_by` names files by the end of their path, alone (`test_secret.py`) or with a test (`test_a.py::test_b`).
    """

    setting: str
    symbol: str
    replacement: object
    noticed_by: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module that has to be imported for the symbol to exist."""
        return self.symbol.partition(":")[0]

    def find(self) -> tuple[object, str, object]:
        """Return who owns the symbol, its name there, and its value, with nothing bound. **Raises** AttributeError."""
        *path, name = self.symbol.partition(":")[2].split(".")
        owner = reduce(getattr, path, importlib.import_module(self.module))
        return owner, name, inspect.getattr_static(owner, name)

    def switch_off(self) -> None:
        """Put the replacement into its place."""
        owner, name, original = self.find()
        new = self.replacement.make(original) if isinstance(self.replacement, Around) else self.replacement
        setattr(owner, name, new)

    def tests(self) -> list[str]:
        """Return what `noticed_by` names, as pytest takes it. **Raises** ValueError unless each is one file."""
        return [_node(name) for name in self.noticed_by]


def _node(name: str) -> str:
    file, colons, test = name.partition("::")
    found = [str(path.relative_to(TESTS.parent)) for path in TESTS.rglob(file)]
    if len(found) != 1:
        raise ValueError(f"{name} names {len(found)} files, not one: {', '.join(found) or 'none'}")
    return found[0] + colons + test


def load() -> Mapping[str, Mutation]:
    """Return every mutation of every room, by its setting. **Raises** ValueError when two have one name."""
    found: dict[str, Mutation] = {}
    for room in pkgutil.iter_modules(__path__):
        if room.ispkg or room.name.startswith(("_", "test_")):
            continue
        for mutation in importlib.import_module(f"{__name__}.{room.name}").MUTATIONS:
            if mutation.setting in found:
                raise ValueError(f"two mutations are named {mutation.setting!r}")
            found[mutation.setting] = mutation
    return found
