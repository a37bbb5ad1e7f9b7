"""The size of modules, functions and classes, and one name for one thing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT

PACKAGE = ROOT / "caxton_async"
MODULE_LINES, FUNCTION_LINES, METHODS = 300, 40, 12

# Above a ceiling, and why.
TOO_LARGE = {
    "class CaxtonClient": "the public contract gives it one property for each group of calls",
    "function reconcile": "each of its options is a line of its help",
    "function resolve": "each of its options is a line of its help",
    "function retry": "each of its options is a line of its help",
    "function run": "each of its options is a line of its help",
}
SHARED_MODULES = {"__init__", "__main__", "postgres", "protocol", "sqlite"}  # the last three are kinds of one protocol


def modules() -> Iterator[tuple[Path, str]]:
    """Yield the source of each module by its place in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), path.read_text()


def too_large(name: str, source: str) -> Iterator[str]:
    """Name what in a module is above a ceiling, the module itself among it."""
    if source.count("\n") > MODULE_LINES:
        yield f"module {name}"
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.end_lineno - node.lineno >= FUNCTION_LINES:
                yield f"function {node.name}"
            case ast.ClassDef() if sum(is_method(each) for each in node.body) > METHODS:
                yield f"class {node.name}"


def is_method(node: ast.stmt) -> bool:
    """Say whether a statement of a class defines a method that the language did not name."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("__")


def test_nothing_is_larger_than_a_reader_takes_in() -> None:
    """A module has at most 300 lines, a function 40, a class 12 methods: above that, split or simplify."""
    found = {each for place, source in modules() for each in too_large(place.stem, source)}

    assert found == TOO_LARGE.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("\n" * 300, []),
        ("\n" * 301, ["module m"]),
        ("def f():\n" + "    x\n" * 39, []),
        ("def f():\n" + "    x\n" * 40, ["function f"]),
        ("class C:\n    async def f():\n" + "        x\n" * 40, ["function f"]),
        ("class C:\n    def __init__(): ...\n" + "".join(f"    def f{n}(): ...\n" for n in range(12)), []),
        ("class C:\n" + "".join(f"    def f{n}(): ...\n" for n in range(13)), ["class C"]),
    ],
)
def test_a_ceiling_is_seen(source: str, found: list[str]) -> None:
    """What stands at the ceiling passes, and one more does not."""
    assert list(too_large("m", source)) == found


def test_no_two_things_share_a_name() -> None:
    """A module and a class each have a name of their own; the emulator, which shares no code, spells its own."""
    places = defaultdict(set)
    for place, source in modules():
        if place.parts[0] == "emulator":
            continue
        # A command is named after what it commands.
        if place.stem not in SHARED_MODULES and place.parts[0] != "cli":
            places[place.stem].add(place)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                places[node.name].add(place)

    assert {name for name, found in places.items() if len(found) > 1} == set()
