"""The page of the fault matrix says what the table says."""

from pathlib import Path

from tests.faults.matrix import ROWS
from tests.faults.page import BATCH_ROWS, PAGE, render


def test_the_page_is_made_from_the_table() -> None:
    """The page in the documentation is the one that `python -m tests.faults.page` writes."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_every_row_has_a_case_or_a_test() -> None:
    """The rows are numbered without a gap, and those of batches name files of tests that are there."""
    assert [row.number for row in ROWS] + [number for number, *_ in BATCH_ROWS] == list(range(1, 68))
    assert all(row.cases for row in ROWS)
    assert all(Path(PAGE.parents[2], tests).is_file() for *_, tests in BATCH_ROWS)
