"""Switches one safety setting off in every Python that starts with this folder on its path and a setting named.

The symbol is replaced as soon as its module has been executed, so that whoever imports it gets the replacement.
"""

import importlib.machinery
import importlib.util
import os
import sys


class _Switch:
    """Finds the module of the symbol as usual, and has the symbol replaced at the end of its execution."""

    def __init__(self, setting: str, module: str) -> None:
        self._setting, self._module = setting, module

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module: object) -> None:
            execute(module)
            from tests.mutations import load

            load()[self._setting].switch_off()

        spec.loader.exec_module = exec_module
        return spec


if "SWITCHED_OFF" in os.environ:
    symbol, setting = os.environ["SWITCHED_OFF"].split("\n", 1)
    sys.meta_path.insert(0, _Switch(setting, symbol.partition(":")[0]))
