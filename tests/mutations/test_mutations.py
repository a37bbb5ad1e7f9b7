"""The table of what can be switched off keeps up with the code."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations import MUTATIONS, Mutation
from tests.mutations.__main__ import PAGE, ROOT, page


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.setting)
def test_a_change_fits_the_code_at_one_place(mutation: Mutation) -> None:
    """What a change replaces stands in its file once, and what comes of it is still a program, and another one."""
    source = (ROOT / "caxton_async" / mutation.file).read_text(encoding="utf-8")
    assert source.count(mutation.old) == 1
    changed = ast.parse(source.replace(mutation.old, mutation.new))
    assert ast.dump(changed) != ast.dump(ast.parse(source))


def test_every_test_named_is_there() -> None:
    """A test that has been renamed is renamed in the table too."""
    files = {test.partition("::")[0] for mutation in MUTATIONS for test in mutation.tests}
    names = {file: Path(ROOT, file).read_text(encoding="utf-8") for file in files}
    missing = [
        test
        for mutation in MUTATIONS
        for test in mutation.tests
        if f"def {test.partition('::')[2].partition('[')[0]}" not in names[test.partition("::")[0]]
    ]
    assert missing == []


def test_settings_have_names_of_their_own() -> None:
    """No setting is named twice."""
    assert [name for name, times in Counter(each.setting for each in MUTATIONS).items() if times > 1] == []


def test_the_page_is_made_from_the_table() -> None:
    """The page in the documentation is the one that `python -m tests.mutations --page` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()
