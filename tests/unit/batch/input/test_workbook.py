"""Workbooks: the cells as the sheet shows them, and what the sheet hides."""

import datetime as dt
import io
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from caxton_async.batch.input.cells import Number
from caxton_async.batch.input.problems import Problems, UnreadableFile
from caxton_async.batch.input.workbook import read_workbook
from caxton_async.errors import ConfigurationError

CELLS = [["a", "b"], ["1", "2"]]


def book_of(**sheets: list[list[object]]) -> openpyxl.Workbook:
    """Make a workbook of the given sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    """Return the bytes of a workbook."""
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read(raw: bytes, sheet: str | None = None) -> tuple[list[tuple[int, list[object]]], list[str]]:
    """Return the rows of a workbook, and what is worth a look."""
    problems = Problems()
    rows = list(read_workbook(raw, sheet, problems))
    return rows, [str(notice) for notice in problems.notices()]


def test_a_workbook_gives_text_numbers_and_dates() -> None:
    """Numbers come out as the sheet shows them, text as text; the lines are the rows of the sheet."""
    day = dt.date(2026, 5, 31)

    rows, notices = read(saved(book_of(S=[[], ["00123", 1234, 10.1, day], [], ["x", 1e16, True, None]], Empty=[])))

    assert rows[1] == (2, ["00123", Number("1234"), Number("10.1"), day])
    assert [type(cell) for cell in rows[1][1][:3]] == [str, Number, Number]
    assert rows[3] == (4, ["x", Number("1e+16"), True, ""])
    assert notices == []


def test_one_of_several_sheets_has_to_be_named() -> None:
    """Payments on a second sheet are not passed over in silence, and the sheet that is named is read."""
    raw = saved(book_of(**{"May": CELLS, "Tom & 'Jo'": [["c"]]}))

    with pytest.raises(UnreadableFile, match="May, Tom & 'Jo'"):
        read(raw)
    with pytest.raises(UnreadableFile, match="no sheet 'June'"):
        read(raw, "June")
    assert read(raw, "Tom & 'Jo'") == ([(1, ["c"])], [])


def test_hidden_sheets_are_told() -> None:
    """A hidden sheet is read only when it is named, and either way a person is told."""
    book = book_of(May=CELLS, Old=[["c"]])
    book["Old"].sheet_state = "veryHidden"
    raw = saved(book)

    assert read(raw) == ([(1, ["a", "b"]), (2, ["1", "2"])], ["the hidden sheet 'Old' has rows, which are left out"])
    assert read(raw, "Old") == ([(1, ["c"])], ["the sheet 'Old' is hidden"])


def test_rows_on_hidden_sheets_alone_are_refused() -> None:
    """A workbook that shows nothing is not paid from."""
    book = book_of(Front=[], Old=CELLS)
    book["Old"].sheet_state = "hidden"

    with pytest.raises(UnreadableFile, match="hidden"):
        read(saved(book))


def test_hidden_rows_and_columns_are_told() -> None:
    """What a filter or a person hid is read, and a person is told."""
    book = book_of(May=[["a", "b"], *[["1", "2"]] * 8])
    for row in range(3, 10):
        book["May"].row_dimensions[row].hidden = True
    book["May"].column_dimensions["B"].hidden = True

    rows, notices = read(saved(book))

    assert len(rows) == 9
    assert notices == [
        "a column that is hidden in the workbook is read too",
        "a row that is hidden in the workbook is read too: lines 3, 4, 5, 6, 7 and 2 more",
    ]


def test_rows_far_below_are_looked_into() -> None:
    """A sheet that is unpacked in many pieces is looked into as a whole."""
    book = book_of(May=[["a" * 100, number] for number in range(15_000)])
    book["May"].row_dimensions[14_999].hidden = True

    assert read(saved(book))[1] == ["a row that is hidden in the workbook is read too: line 14999"]


def test_errors_and_formulas_without_a_value_are_not_empty_cells() -> None:
    """Where the reader sees nothing, an error or a formula stands, and is given as such."""
    rows, _ = read(saved(book_of(May=[["a", "b", "c"], ["x", "#N/A", "=1/0"], ["y", "", "z"]])))

    assert rows[1:] == [(2, ["x", "#N/A", "="]), (3, ["y", "", "z"])]


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"a,b\n1,2\n"])
def test_a_file_that_is_no_workbook_is_refused(raw: bytes) -> None:
    """A damaged workbook is an error of the file."""
    with pytest.raises(UnreadableFile, match="not in a workbook"):
        read(raw)


def test_a_workbook_that_unpacks_to_a_gigabyte_is_refused(tmp_path: Path) -> None:
    """A small file does not fill the memory."""
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(saved(book_of(May=CELLS)))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("x", "w") as part:
        for _ in range(1_025):
            part.write(bytes(1 << 20))

    with pytest.raises(UnreadableFile, match="1 GiB"):
        read(path.read_bytes())


def test_without_the_extra_a_workbook_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of workbooks is an extra, and its absence names the command."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(ConfigurationError, match=r'pip install "caxton-async\[excel\]"'):
        read(saved(book_of(May=CELLS)))
