"""The table of safety settings keeps up with the code, and switching one off reaches what uses it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations import Mutation, load
from tests.mutations.__main__ import ROOT, environment


@pytest.mark.parametrize("mutation", load().values(), ids=lambda mutation: mutation.setting)
def test_a_mutation_names_a_symbol_and_tests_that_exist(mutation: Mutation) -> None:
    """A renamed symbol or test is renamed in the table too."""
    mutation.find()

    for test in mutation.tests():
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text()


@pytest.mark.parametrize("table", sorted(Path(__file__).parent.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_table_can_be_loaded_while_the_package_is_imported(table: Path) -> None:
    """No table imports the package at its top: that would be a circle where its symbol is replaced."""
    if not table.stem.startswith("test_"):
        assert not re.search("^(from|import) caxton_async", table.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("setting", "shown"), [(None, "***"), ("str masks a secret", "Secret('hidden')")])
def test_a_setting_is_switched_off_before_anybody_imports_it(setting: str | None, shown: str) -> None:
    """A program started with a setting switched off uses the replacement; without one it is as it was."""
    program = "from caxton_async import Secret; print(Secret('hidden'))"
    environ = environment(load()[setting] if setting else None)

    printed = subprocess.check_output([sys.executable, "-c", program], env=environ, text=True, timeout=60)

    assert printed.strip() == shown
