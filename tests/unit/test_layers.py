"""One library, one module.  The order of our own modules is import-linter's business, in `pyproject.toml`."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.places import ROOT

PACKAGE = ROOT / "caxton_async"

# The homes of a library, as paths below the package; a folder stands for all that is in it.
HOMES = {
    "opentelemetry": {"telemetry.py"},
    "aiohttp": {"transport", "emulator"},
    "cattrs": {"protocol/codec"},
    "msgspec": {"protocol/codec", "emulator/envelope.py"},
    "sqlite3": {"journal/sqlite", "auth/stores/sqlite.py"},
    "procrastinate": {"worker/launcher.py"},
    "psycopg": {"journal/postgres", "auth/stores/postgres.py"},
    "redis": {"auth/stores/redis.py"},
    "python_calamine": {"batch/input/workbook.py"},
    "schwifty": {"bank_details.py"},
    "mt940": {"batch/reconcile/entries.py"},
    "cryptography": {"encryption.py"},
    "cyclopts": {"cli"},
    "platformdirs": {"cli", "config/profiles.py"},
    "keyring": {"config/credentials.py"},
    "rich": {"cli"},
}


def libraries(source: str) -> Iterator[str]:
    """Name the top-level packages that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def homes_in_use(library: str) -> set[str]:
    """Find who imports a library: for a module in a folder that is a home the folder, else the module itself."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if library in libraries(path.read_text()):
            place = path.relative_to(PACKAGE)
            found.add(next((str(p) for p in place.parents if str(p) in HOMES[library]), str(place)))
    return found


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_by_its_homes_and_by_nothing_else(library: str) -> None:
    """Each library is known to the modules that the table names, and every one of those does use it."""
    used_by = homes_in_use(library)

    assert used_by == HOMES[library]


def test_an_import_is_found_wherever_it_stands() -> None:
    """An import inside a function, of a submodule or of a name, counts like one at the top."""
    source = "import os.path\ndef f():\n    from rich.table import Table\n    import cattrs as c\n"

    assert set(libraries(source)) == {"os", "rich", "cattrs"}
