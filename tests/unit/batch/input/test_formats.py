"""Files to records: formats, encodings, separators, and the lines that people see in their editor."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton_async.batch.input.cells import Number
from caxton_async.batch.input.formats import InputOptions, RecordReader, read_json
from caxton_async.batch.input.problems import Problems, UnreadableFile
from caxton_async.errors import ConfigurationError


def count_known(labels: Sequence[object]) -> int:
    """Take single small letters for names of columns."""
    return sum(label in {"a", "b", "c", "d"} for label in labels)


def reader_of(path: Path, **options) -> RecordReader:
    """Return a reader of a file whose columns are named by single letters."""
    return RecordReader(path, count_known, Problems(), InputOptions(**options))


def seen(path: Path, **options) -> list[tuple[int, tuple[object, ...]]]:
    """List the line and the cells of each record."""
    return [(record.line, tuple(record.cells)) for record in reader_of(path, **options)]


def test_lines_are_those_of_an_editor(written) -> None:
    """Line breaks inside quotation marks, and blank lines, are counted."""
    path = written("rows.csv", 'a,b\r\n1,"x\r\ny\r\n"\r\n\r\n,\r\n2,z\r\n')

    assert seen(path) == [(2, ("1", "x\r\ny\r\n")), (7, ("2", "z"))]
    assert [record.header for record in reader_of(path)] == [1, 1]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 40_000], ids=["small", "many chunks"])
def test_lines_may_end_in_any_way(written, end: str, size: int) -> None:
    """A file of an old Mac, of Windows or of Unix has the same rows, wherever its chunks are cut."""
    path = written("rows.csv", "a,b" + end + f"1,2{end}" * size)

    found = seen(path)

    assert (len(found), found[-1]) == (size, (size + 1, ("1", "2")))


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["bare", "BOM"])
@pytest.mark.parametrize(("name", "content"), [("rows.csv", "a\n£1\n"), ("rows.jsonl", '{"a": "£1"}\n')])
def test_utf8_is_read_with_and_without_mark(written, start: bytes, name: str, content: str) -> None:
    """The mark that spreadsheets put before UTF-8 is no part of the first label."""
    (record,) = reader_of(written(name, start + content.encode()))

    assert (record.labels, tuple(record.cells)) == (("a",), ("£1",))


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param("a;b\n1;£,\n".encode(), {"delimiter": ";"}, id="semicolons"),
        pytest.param("a;b\n1;£,\n".encode("cp1252"), {"delimiter": ";", "encoding": "cp1252"}, id="Windows-1252"),
        pytest.param("a\tb\n1\t£,\n".encode("utf-16"), {"delimiter": "\t"}, id="UTF-16 by its mark"),
        pytest.param("a|b\n1|£,\n".encode("utf-16-le"), {"delimiter": "|", "encoding": "utf-16-le"}, id="UTF-16"),
        pytest.param("sep=;\na;b\n1;£,\n".encode(), {}, id="a separator that the file names"),
        pytest.param("\ufeffSEP=;\r\na;b\r\n1;£,\r\n".encode(), {}, id="the same behind a mark"),
        pytest.param('"sep=;"\na;b\n1;£,\n'.encode(), {}, id="the same in quotation marks"),
        pytest.param('sep=,\na,b\n1,"£,"\n'.encode(), {}, id="a comma that the file names"),
    ],
)
def test_other_separators_and_encodings_are_read(written, content: bytes, options: dict[str, str]) -> None:
    """What the caller or the file says of itself is followed, and lines are still those of an editor."""
    begin = 2 if b"=" in content else 1

    assert seen(written("rows.csv", content), **options) == [(begin + 1, ("1", "£,"))]


@pytest.mark.parametrize("options", [{"delimiter": ""}, {"delimiter": "ab"}, {"delimiter": '"'}, {"encoding": "hex"},
                                     {"encoding": "none"}])  # fmt: skip
def test_options_that_cannot_be_are_refused(options: dict[str, str]) -> None:
    """A delimiter is one character, and an encoding is one of text."""
    with pytest.raises(ConfigurationError):
        InputOptions(**options)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        pytest.param("a\n1\n".encode("utf-16-le"), 1, "utf-16", id="UTF-16 without a mark"),
        pytest.param("a\n1\n£\n".encode("latin-1"), 3, "cp1252", id="Latin-1"),
        pytest.param(b"a\n" + b"1\n" * 99_999 + b"\xa3\n", 100_001, "cp1252", id="Latin-1 far below"),
        pytest.param(b"a\n1\n\xe2\x82", 3, "cp1252", id="a character cut at the end"),
        pytest.param(b'a,b\n1,2\n3,"4\n5,6\n', 3, "never closed", id="an open quotation mark"),
        pytest.param(b'sep=,\na,b\n1,2\n3,"4\n5,6\n', 4, "never closed", id="the same below a sep line"),
        pytest.param(b'a,b\n1,"2"x\n', 2, "not CSV", id="text after a quotation mark"),
        pytest.param(b'a\n"' + b"x\n" * 70_000, 2, "never closed", id="an open quotation mark and much below it"),
        pytest.param(b"a;b\n1;2\n", 1, "--delimiter ';'", id="semicolons"),
        pytest.param(b"a\tb\n1\t2\n", 1, "tabs", id="tabs"),
        pytest.param(b"a\n" + b"x" * (1 << 21), 2, "million characters", id="a line without end"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where_and_why(written, content: bytes, line: int, said: str) -> None:
    """What ends the reading has the line at which to look, and a remedy."""
    with pytest.raises(UnreadableFile) as refusal:
        seen(written("rows.csv", content))

    assert refusal.value.line == line
    assert said in f"{refusal.value.problem}: {refusal.value.remedy}"
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("encoding", ["punycode", "ascii", "utf-16", "utf-7"])
def test_a_text_of_another_encoding_than_was_given_is_refused(written, encoding: str) -> None:
    """Whatever error a codec raises, it ends in one sentence."""
    with pytest.raises(UnreadableFile, match=encoding.upper()):
        seen(written("rows.csv", b"a,b\n1,\xff\xff+\n1"), encoding=encoding)


def test_a_row_may_end_early_and_not_late(written) -> None:
    """Empty cells at the end may be missing, which is worth a look; one too many, or a cut amount, is a problem."""
    reader = reader_of(written("rows.csv", "a,b,c,,\nx,y,z\nx,y,z,,\nx,y\nx,y,z,1\n1,000\nx,1,000.00\n"))

    found = [(record.line, tuple(record.cells), bool(record.problem)) for record in reader]

    assert found == [
        (2, ("x", "y", "z"), False),
        (3, ("x", "y", "z"), False),
        (4, ("x", "y", ""), False),
        (5, (), True),
        (6, (), True),
        (7, ("x", "1", "000.00"), False),
    ]
    assert [str(notice) for notice in reader.problems.notices()] == [
        "the last cells are missing, and are read as empty: line 4"
    ]


def test_lines_above_the_header_are_passed_over_and_told(written) -> None:
    """A title, a date and the like do not hide the header, and a person is told of them."""
    reader = reader_of(written("rows.csv", "Payroll,May\n\nPrepared by,a\na,b\n1,2\na,b\n"))

    found = [(record.header, record.line, record.labels) for record in reader]

    assert found == [(4, 5, ("a", "b")), (4, 6, ("a", "b"))]
    assert [notice.lines for notice in reader.problems.notices()] == [(1, 3)]


def test_json_lines_keep_numbers_as_they_were_written(written) -> None:
    """A number of JSON never passes through a float, and members that occur twice are both seen."""
    path = written("rows.jsonl", '{"a": 10.50, "a": 1e3}\n\n{"b": 12345678901234567890.10, "c": [1], "d": null}\n')

    first, second = reader_of(path)

    assert (first.labels, first.cells) == (("a", "a"), (Number("10.50"), Number("1e3")))
    assert (second.line, second.cells) == (3, (Number("12345678901234567890.10"), [Number("1")], None))
    assert type(second.cells[0]) is Number


@pytest.mark.parametrize("content", ["[1]", "1", "null", '{"a": }', "x", '{"a": 1} 2', "[" * 100_000])
def test_a_line_that_is_no_object_is_marked(written, content: str) -> None:
    """Each line of JSON Lines is one object."""
    (record,) = reader_of(written("rows.jsonl", content))

    assert (record.line, record.problem[0]) == (1, "is not a JSON object")


@given(st.text())
def test_any_text_is_json_or_none(text: str) -> None:
    """A text that is no JSON is None, and no error of the JSON library comes out."""
    value = read_json(text)

    assert value is None or isinstance(value, (str, bool, list, tuple))


@given(cells=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2))
@settings(max_examples=50)
def test_whatever_csv_can_hold_is_read_back(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    """A cell in quotation marks comes back as it was written."""
    path = tmp_path_factory.mktemp("any") / "rows.csv"
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    path.write_bytes(f"a,b\n{quoted}\n".encode())

    assert seen(path) == ([(2, tuple(cells))] if any(cells) else [])


def test_the_digest_is_that_of_the_bytes_that_were_read(written) -> None:
    """What was read is what is named, whatever becomes of the file meanwhile."""
    content = "a,b\n" + "1,2\n" * 50_000
    path = written("rows.csv", content)
    reader = reader_of(path)

    records = iter(reader)
    next(records)
    path.unlink()
    rest = list(records)

    assert len(rest) == 49_999
    assert reader.digest == hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.xlsx", "rows.txt", "rows"])
def test_a_file_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path: Path, name: str) -> None:
    """A wrong path, or a name that does not say what the file is, is named."""
    with pytest.raises(ConfigurationError, match=name):
        seen(tmp_path / name)
