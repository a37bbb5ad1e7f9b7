"""The rows of a workbook, and what it hides: sheets, rows, columns, and errors that read as empty cells."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import IO, Any

from caxton_async.batch.input.cells import Number
from caxton_async.batch.input.problems import Problems, UnreadableFile
from caxton_async.errors import ConfigurationError

_CHUNK = 1 << 20  # bytes
_MAX_UNPACKED = 1 << 30  # bytes: a million rows take a third of that
# The parts of a workbook are searched with patterns, since a parser would call back for each of ten million cells.
# Source: ECMA-376, part 1, 18.2.19 (sheet), 18.3.1.13 (col), 18.3.1.73 (row), 18.3.1.4 (c).
_ATTRIBUTE = re.compile(rb"""([\w:]+)\s*=\s*["']([^"']*)["']""")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b([^>]*)>")
_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\b([^>]*)>")
_SIGN = re.compile(
    rb"<(?:\w+:)?(?:(?P<row>row\b[^>]*)|(?P<col>col\b[^>]*)|(?P<error>c\b[^>]*\bt=[\"']e[\"'][^>]*)"
    rb"|(?P<formula>c\b[^>]*)><(?:\w+:)?f\b[^>]*(?:/|>[^<]*</(?:\w+:)?f)>(?:<(?:\w+:)?v\s*/>|<v></v>)?</(?:\w+:)?c)>"
)
# What a cell holds in whose place the reader gives an empty one: an error, or a formula that was never calculated.
_STANDS_FOR = {"error": "#N/A", "formula": "="}


def read_workbook(raw: bytes, sheet: str | None, problems: Problems) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield number and cells of each row of a sheet: of `sheet`, or of the only visible one that has rows.

    **Raises** ConfigurationError without the extra `excel`, UnreadableFile when the bytes are no workbook, or when
    several sheets have rows.
    """
    calamine = _calamine()
    problem, rows, lost = "", [], {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive, calamine.load_workbook(io.BytesIO(raw)) as workbook:
            if sum(part.file_size for part in archive.infolist()) > _MAX_UNPACKED:
                raise UnreadableFile(1, "is in a workbook of more than 1 GiB", "split it, or save it as CSV")
            place = _choose(workbook, sheet, problems)
            rows = workbook.get_sheet_by_index(place).to_python(skip_empty_area=False)
            lost = _look_into(archive, place, problems) if rows else {}
    except (calamine.CalamineError, zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError) as error:
        problem = type(error).__name__
    if problem:
        raise UnreadableFile(
            1, f"is not in a workbook that can be read ({problem})", "save it anew, without a password, or as CSV"
        )
    for line, cells in enumerate(rows, 1):
        yield line, [lost.get((line, column)) or _cell(value) for column, value in enumerate(cells, 1)]


def _calamine() -> ModuleType:
    try:
        import python_calamine  # noqa: PLC0415 -- an extra, which only workbooks need
    except ImportError:
        pass
    else:
        return python_calamine
    raise ConfigurationError('workbooks need an extra: python -m pip install "caxton-async[excel]"')


def _choose(workbook: Any, sheet: str | None, problems: Problems) -> int:  # noqa: ANN401 -- calamine has no types
    """Return the place of the sheet to read, and note which others are hidden."""
    names = workbook.sheet_names
    hidden = [str(each.visible) != "SheetVisibleEnum.Visible" for each in workbook.sheets_metadata]
    if sheet is not None:
        if sheet not in names:
            raise UnreadableFile(1, f"is in a workbook that has no sheet {sheet!r}", f"name one of {', '.join(names)}")
        if hidden[names.index(sheet)]:
            problems.notice(f"the sheet {sheet!r} is hidden")
        return int(names.index(sheet))
    filled = [place for place in range(len(names)) if workbook.get_sheet_by_index(place).height]
    visible = [place for place in filled if not hidden[place]]
    if len(visible) > 1 or (filled and not visible):
        which = "one of several sheets with rows" if visible else "a workbook whose sheets with rows are hidden"
        raise UnreadableFile(1, f"is in {which}", f"name one with --sheet: {', '.join(names[each] for each in filled)}")
    for place in filled:
        if hidden[place]:
            problems.notice(f"the hidden sheet {names[place]!r} has rows, which are left out")
    return visible[0] if visible else 0


def _look_into(archive: zipfile.ZipFile, place: int, problems: Problems) -> dict[tuple[int, int], str]:
    """Note the hidden rows and columns of a sheet; return, by row and column, what its reader takes for empty."""
    lost: dict[tuple[int, int], str] = {}
    row = 0
    with archive.open(_part_of(archive, place)) as part:
        for match in (match for text in _whole_rows(part) for match in _SIGN.finditer(text)):
            kind = str(match.lastgroup)
            found = _attributes(match[kind])
            is_hidden = found.get("hidden") in {"1", "true"} or found.get("ht") == "0"
            if kind == "row":
                row = int(found.get("r", row + 1))
                if is_hidden:
                    problems.notice("a row that is hidden in the workbook is read too", row)
            elif kind == "col":
                if is_hidden:
                    problems.notice("a column that is hidden in the workbook is read too")
            elif "r" in found:
                lost[row, _column_of(found["r"])] = _STANDS_FOR[kind]
    return lost


def _whole_rows(part: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := part.read(_CHUNK):
        head, cut, rest = (rest + chunk).rpartition(b"<row")
        yield head
        rest = cut + rest
    yield rest


def _part_of(archive: zipfile.ZipFile, place: int) -> str:
    """Return the name of the part that holds the sheet of this place."""
    sheets = [_attributes(match[1]) for match in _SHEET.finditer(archive.read("xl/workbook.xml"))]
    key = next(value for name, value in sheets[place].items() if name.endswith(":id"))
    relations = [_attributes(match[1]) for match in _RELATIONSHIP.finditer(archive.read("xl/_rels/workbook.xml.rels"))]
    target = next(each["Target"] for each in relations if each["Id"] == key)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _attributes(tag: bytes) -> Mapping[str, str]:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in _ATTRIBUTE.findall(tag)}


def _column_of(cell: str) -> int:
    """Return the number of the column of a cell such as `AB12`."""
    number = 0
    for letter in cell.rstrip("0123456789"):
        number = number * 26 + int(letter, 36) - 9
    return number


def _cell(value: object) -> object:
    """Write a number as the sheet shows it: `1234`, not `1234.0`, since workbooks hold every number as a float."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return Number(int(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Number(value)
    return value
