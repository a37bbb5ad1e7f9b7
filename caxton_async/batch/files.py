"""Files to records: the cells of each line of a CSV, JSON Lines or xlsx file, and the line that they stand on.

What belongs here: formats, encodings and lines.  What does not: what the cells mean (`columns`, `rows`).  Numbers of
JSON and of workbooks come out as `Number`, the text that they were written as.  Lines are counted as an editor does,
also where a cell in quotation marks holds line breaks.  CSV and JSON Lines are streamed; a workbook is read whole.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from attrs import frozen

from caxton_async.batch.columns import Number, is_empty
from caxton_async.errors import ConfigurationError

# Bytes.  A longer line is a file that is not what it seems, and would have to be held whole.
_MAX_LINE = 1 << 20
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@frozen
class Record:
    """One row as cells; `header` is the line that names them, `problem` why they cannot be told apart."""

    header: int
    line: int
    labels: tuple[str, ...] = ()
    cells: Sequence[object] = ()
    problem: str | None = None


class Broken(Exception):
    """The file cannot be read from this line on."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line = line
        self.problem = problem


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a file, whose name says what it is; blank lines are passed over.

    **Raises** ConfigurationError when it cannot be opened or is of another kind, Broken when it cannot be read on.
    """
    match path.suffix.lower():
        case ".csv":
            return _read(path, lambda file: _table(_csv(file)))
        case ".jsonl" | ".ndjson":
            return _read(path, _json_lines)
        case ".xlsx":
            return _table(_workbook(path))
    raise ConfigurationError(f"{path} is not a file of rows: its name must end in .csv, .jsonl or .xlsx")


def _read(path: Path, read: Callable[[BinaryIO], Iterator[Record]]) -> Iterator[Record]:
    try:
        file = path.open("rb")
    except OSError as error:
        problem = error.strerror
    else:
        with file:  # closed here, by the outermost generator, also when one within it ends in an error
            yield from read(file)
        return
    raise ConfigurationError(f"{path} cannot be read: {problem}")


def read_json(text: str) -> object:
    """Return the value of a JSON text, numbers as `Number`, objects as tuples of pairs; None when it is not JSON."""
    try:
        return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None


def _json_lines(file: BinaryIO) -> Iterator[Record]:
    for line, text in enumerate(_lines(file), 1):
        if not text.strip():
            continue
        value = read_json(text)
        if isinstance(value, tuple):
            yield Record(line, line, tuple(name for name, _ in value), tuple(cell for _, cell in value))
        else:
            yield Record(line, line, problem="is not a JSON object: write one {...} to a line")


def _table(rows: Iterable[tuple[int, list[object]]]) -> Iterator[Record]:
    header = 0
    labels: tuple[str, ...] = ()
    for line, cells in rows:
        if all(map(is_empty, cells)):
            continue
        if not header:
            header, labels = line, _labels(line, cells)
        elif len(cells) < len(labels) or not all(map(is_empty, cells[len(labels) :])):
            problem = f"has {len(cells)} cells where the header has {len(labels)}: put quotation marks around a comma"
            yield Record(header, line, labels, problem=problem)
        else:
            yield Record(header, line, labels, cells[: len(labels)])


def _labels(line: int, cells: list[object]) -> tuple[str, ...]:
    while is_empty(cells[-1]):  # spreadsheets write commas for columns that were once there
        cells.pop()
    labels = tuple(cell.strip() if isinstance(cell, str) else "" for cell in cells)
    for separator, name in _OTHER_SEPARATORS.items():
        if len(labels) == 1 and separator in labels[0]:
            raise Broken(line, f"is separated by {name}: save the file with commas")
    return labels


def _csv(file: BinaryIO) -> Iterator[tuple[int, list[object]]]:
    reader = csv.reader(_lines(file), strict=True)
    line, problem = 1, ""
    while not problem:
        line = reader.line_num + 1
        try:
            yield line, list(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
    if problem == "unexpected end of data" or "field limit" in problem:
        problem = "a quotation mark is opened and never closed, or a cell is far too long"
    raise Broken(line, f"is not CSV: {problem}")


def _lines(file: BinaryIO) -> Iterator[str]:
    for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE + 1), b""), 1):
        if len(raw) > _MAX_LINE:
            raise Broken(number, "is longer than 1 MiB: this is no file of rows")
        if number == 1 and (raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw):
            raise Broken(number, "is not UTF-8 but UTF-16: save the file as 'CSV UTF-8'")
        text = _utf8(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw)
        if text is None:
            raise Broken(number, "is not UTF-8: save the file as 'CSV UTF-8', not as Windows-1252 or Latin-1")
        yield text


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


# --- workbooks ---


def _workbook(path: Path) -> Iterator[tuple[int, list[object]]]:
    calamine = _calamine()
    filled, problem = [], None
    try:
        with calamine.load_workbook(str(path)) as workbook:
            sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
            filled = [rows for rows in (sheet.to_python(skip_empty_area=False) for sheet in sheets) if rows]
    except OSError:
        raise ConfigurationError(f"{path} cannot be read: no such file, or no right to it") from None
    except calamine.CalamineError as error:
        problem = f"is not a workbook that can be read: {error}"
    if problem:
        raise Broken(1, problem)
    if len(filled) > 1:
        raise Broken(1, "belongs to one of several sheets with rows: keep one sheet")
    for rows in filled:
        for line, cells in enumerate(rows, 1):
            yield line, [_cell(value) for value in cells]


def _calamine() -> ModuleType:
    try:
        import python_calamine  # noqa: PLC0415 -- an extra, which only workbooks need
    except ImportError:
        pass
    else:
        return python_calamine
    raise ConfigurationError('workbooks need an extra: python -m pip install "caxton-async[excel]"')


def _cell(value: object) -> object:
    """Write a number as the sheet shows it: `1234`, not `1234.0`, since workbooks hold every number as a float."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return Number(int(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Number(value)
    return value
