"""Names of a package that are loaded when they are first named, so that an import waits for nothing it does not use."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def load_when_named(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of `package`: `names` has, for each of its modules, the names that live there."""
    homes = {name: module for module, found in names.items() for name in found.split()}

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
