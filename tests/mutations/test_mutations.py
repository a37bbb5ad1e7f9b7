"""The table of safety settings keeps up with the code, and switching one off reaches what uses it."""

import subprocess
import sys

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


@pytest.mark.parametrize(("setting", "shown"), [(None, "***"), ("str masks a secret", "Secret('hidden')")])
def test_a_setting_is_switched_off_before_anybody_imports_it(setting: str | None, shown: str) -> None:
    """A program started with a setting switched off uses the replacement; without one it is as it was."""
    program = "from caxton_async import Secret; print(Secret('hidden'))"
    environ = environment(load()[setting] if setting else None)

    printed = subprocess.check_output([sys.executable, "-c", program], env=environ, text=True, timeout=60)

    assert printed.strip() == shown
