"""Files to records: formats, encodings, and the lines that people see in their editor."""

import datetime as dt
import sys
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.columns import Number
from caxton_async.batch.files import Broken, read_json, records
from caxton_async.errors import ConfigurationError


@pytest.fixture
def written(tmp_path: Path):
    """Write bytes or text to a file of the given name."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def workbook(tmp_path: Path):
    """Write a workbook of the given sheets, each a list of rows."""

    def write(*sheets: list[list[object]]) -> Path:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for rows in sheets:
            sheet = book.create_sheet()
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "rows.xlsx")
        return tmp_path / "rows.xlsx"

    return write


def seen(path: Path) -> list[tuple[int, tuple[object, ...]]]:
    """List the line and the cells of each record."""
    return [(record.line, tuple(record.cells)) for record in records(path)]


def test_lines_are_those_of_an_editor(written) -> None:
    """Line breaks inside quotation marks, and blank lines, are counted."""
    path = written("rows.csv", 'a,b\r\n1,"x\r\ny\r\n"\r\n\r\n,\r\n2,z\r\n')

    assert seen(path) == [(2, ("1", "x\r\ny\r\n")), (7, ("2", "z"))]
    assert [record.header for record in records(path)] == [1, 1]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["bare", "BOM"])
@pytest.mark.parametrize(("name", "content"), [("rows.csv", "é\n£1\n"), ("rows.jsonl", '{"é": "£1"}\n')])
def test_utf8_is_read_with_and_without_mark(written, start: bytes, name: str, content: str) -> None:
    """The mark that spreadsheets put before UTF-8 is no part of the first label."""
    (record,) = records(written(name, start + content.encode()))

    assert (record.labels, tuple(record.cells)) == (("é",), ("£1",))


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        pytest.param("a\n1\n".encode("utf-16"), 1, "UTF-16", id="UTF-16"),
        pytest.param("a\n1\n".encode("utf-16-le"), 1, "UTF-16", id="UTF-16 without a mark"),
        pytest.param("a\n1\n£\n".encode("latin-1"), 3, "not UTF-8", id="Latin-1"),
        pytest.param(b'a,b\n1,2\n3,"4\n5,6\n', 3, "never closed", id="an open quotation mark"),
        pytest.param(b'a,b\n1,"2"x\n', 2, "not CSV", id="text after a quotation mark"),
        pytest.param(b'a\n"' + b"x\n" * 70_000, 2, "never closed", id="an open quotation mark and much below it"),
        pytest.param(b"a;b\n1;2\n", 1, "semicolons", id="semicolons"),
        pytest.param(b"a\tb\n1\t2\n", 1, "tabs", id="tabs"),
        pytest.param(b"a\n" + b"x" * (1 << 20) + b"x", 2, "1 MiB", id="a line without end"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where_and_why(written, content: bytes, line: int, said: str) -> None:
    """What ends the reading has the line at which to look, and a remedy."""
    with pytest.raises(Broken) as broken:
        seen(written("rows.csv", content))

    assert broken.value.line == line
    assert said in broken.value.problem
    assert broken.value.__context__ is None


def test_a_line_with_too_many_or_too_few_cells_is_marked(written) -> None:
    """An amount like 1,000.00 without quotation marks shifts the cells: the line is not guessed at."""
    path = written("rows.csv", "a,b,,\n1,2\n1,2,,\n1\n1,2,3\n")

    assert [(record.line, bool(record.problem)) for record in records(path)] == [
        (2, False), (3, False), (4, True), (5, True),
    ]  # fmt: skip


def test_json_lines_keep_numbers_as_they_were_written(written) -> None:
    """A number of JSON never passes through a float, and members that occur twice are both seen."""
    path = written("rows.jsonl", '{"a": 10.50, "a": 1e3}\n\n{"b": 12345678901234567890.10, "c": [1], "d": null}\n')

    first, second = records(path)

    assert (first.labels, first.cells) == (("a", "a"), (Number("10.50"), Number("1e3")))
    assert (second.line, second.cells) == (3, (Number("12345678901234567890.10"), [Number("1")], None))
    assert type(second.cells[0]) is Number


@pytest.mark.parametrize("content", ["[1]", "1", "null", '{"a": }', "x", '{"a": 1} 2', "[" * 100_000])
def test_a_line_that_is_no_object_is_marked(written, content: str) -> None:
    """Each line of JSON Lines is one object."""
    (record,) = records(written("rows.jsonl", content))

    assert record.line == 1
    assert "JSON object" in record.problem


@given(st.text())
def test_any_text_is_json_or_none(text: str) -> None:
    """A text that is no JSON is None, and no error of the JSON library comes out."""
    value = read_json(text)

    assert value is None or isinstance(value, (str, bool, list, tuple))


def test_a_workbook_gives_text_numbers_and_dates(workbook) -> None:
    """Numbers come out as the sheet shows them, text as text; the lines are the rows of the sheet."""
    day = dt.date(2026, 5, 31)
    path = workbook([[], ["a", "b", "c", "d"], ["00123", 1234, 10.1, day], [], ["x", 1e16, True, None]], [])

    (first, second) = records(path)

    assert (first.line, first.header, first.labels) == (3, 2, ("a", "b", "c", "d"))
    assert first.cells == ["00123", Number("1234"), Number("10.1"), day]
    assert [type(cell) for cell in first.cells[:3]] == [str, Number, Number]
    assert (second.line, second.cells) == (5, ["x", Number("1e+16"), True, ""])


def test_a_workbook_of_several_sheets_is_refused(workbook) -> None:
    """Payments on a second sheet are not passed over in silence."""
    with pytest.raises(Broken, match="keep one sheet"):
        seen(workbook([["a"], [1]], [["a"], [2]]))


def test_a_file_that_is_no_workbook_is_refused(written) -> None:
    """A damaged workbook is an error of the file."""
    with pytest.raises(Broken, match="not a workbook"):
        seen(written("rows.xlsx", b"PK\x03\x04"))


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.xlsx", "rows.txt", "rows"])
def test_a_file_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path: Path, name: str) -> None:
    """A wrong path, or a name that does not say what the file is, is named."""
    with pytest.raises(ConfigurationError, match=name):
        seen(tmp_path / name)


def test_without_the_extra_a_workbook_says_what_to_install(workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of workbooks is an extra, and its absence names the command."""
    path = workbook([["a"], [1]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(ConfigurationError, match=r'pip install "caxton-async\[excel\]"'):
        seen(path)
