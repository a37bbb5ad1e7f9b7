"""The table of safety settings keeps up with the code, and switching one off reaches what uses it."""

import re
from pathlib import Path

import pytest

from tests.mutations import Mutation, load
from tests.mutations.__main__ import ROOT, run


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


def test_a_setting_that_is_switched_off_fails_its_tests() -> None:
    """In an environment in which the package is installed, and pytest loads it as a plugin, as in any other."""
    mutation = load()["str masks a secret"]

    assert [run(mutation.tests(), switched_off).returncode for switched_off in (None, mutation)] == [0, 1]
