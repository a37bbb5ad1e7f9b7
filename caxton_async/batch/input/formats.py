"""Files to records: the cells of each line of a CSV, JSON Lines or xlsx file, and the line that they stand on.

Numbers of JSON and of workbooks come out as `Number`, the text that they were written as.  Lines are counted as an
editor does, also where a cell in quotation marks holds line breaks.  CSV and JSON Lines are streamed; a workbook is
read whole.
"""

import codecs
import csv
import hashlib
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, field, frozen

from caxton_async.batch.input.cells import Number, is_empty
from caxton_async.batch.input.problems import Problems, UnreadableFile
from caxton_async.batch.input.workbook import read_workbook
from caxton_async.errors import ConfigurationError

_CHUNK = 1 << 16  # bytes
# Characters.  A longer line is a file that is not what it seems, and would have to be held whole.
_MAX_LINE = 1 << 20
_LOOK_AHEAD = 20  # lines among which the header is looked for, below a title, a date and the like
_SEPARATORS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
# An amount like 1,000.00 without quotation marks, as two neighbouring cells.
_CUT_AMOUNT = re.compile(r"(?:^|\0)[0-9]{1,3}\0[0-9]{3}(?:\.[0-9]*)?(?:\0|$)")


@frozen
class InputOptions:
    """How to read an input where the file does not say it itself.

    `delimiter` is the character between the cells of a CSV file, `encoding` the name of a codec such as `cp1252`,
    `sheet` the name of a workbook's sheet; `columns` maps fields of the request (or `reference`) to headers.

    **Raises** ConfigurationError for a delimiter or an encoding that cannot be one.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    columns: Mapping[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0'):
            raise ConfigurationError("a delimiter is one character, such as ';'")
        try:
            is_known = bool(b"text".decode(self.encoding or "utf-8", "replace"))
        except (LookupError, ValueError):
            is_known = False
        if not is_known:
            raise ConfigurationError(f"{self.encoding!r} is not an encoding of text: give one such as cp1252 or utf-16")


@frozen
class Record:
    """One row as cells; `header` is the line that names them, `problem` why they cannot be told apart, and a remedy."""

    header: int
    line: int
    labels: tuple[str, ...] = ()
    cells: Sequence[object] = ()
    problem: tuple[str, str] | None = None


@define
class RecordReader:
    """Reads the records of a file, once, and takes its digest on the way.

    `count_known` says how many labels of a line are names of columns: the first line with two of them is the header.
    Where `options` name no delimiter, that of `delimiters` is taken that makes most labels known.
    """

    path: Path
    count_known: Callable[[Sequence[object]], int]
    problems: Problems
    options: InputOptions = field(factory=InputOptions)
    delimiters: str = ","
    _hash: Any = field(factory=hashlib.sha256, init=False)

    def __iter__(self) -> Iterator[Record]:
        """Yield the records; blank lines are passed over.

        **Raises** ConfigurationError when the file cannot be opened or is of another kind, UnreadableFile when it
        cannot be read on.
        """
        readers = {".csv": self._csv, ".jsonl": self._json_lines, ".ndjson": self._json_lines, ".xlsx": self._workbook}
        read = readers.get(self.path.suffix.lower())
        if read is None:
            raise ConfigurationError(f"{self.path} is not a file of rows: its name must end in .csv, .jsonl or .xlsx")
        try:
            with self.path.open("rb") as file:  # closed here, also when a generator within ends in an error
                yield from read(file)
            return
        except OSError as error:
            problem = error.strerror
        raise ConfigurationError(f"{self.path} cannot be read: {problem}")

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the bytes that were read."""
        return str(self._hash.hexdigest())

    def _json_lines(self, file: BinaryIO) -> Iterator[Record]:
        for line, text in enumerate(self._lines(file), 1):
            if not text.strip():
                continue
            value = read_json(text)
            if isinstance(value, tuple):
                yield Record(line, line, tuple(name for name, _ in value), tuple(cell for _, cell in value))
            else:
                yield Record(line, line, problem=("is not a JSON object", "write one {...} to a line"))

    def _csv(self, file: BinaryIO) -> Iterator[Record]:
        lines = self._lines(file)
        first = list(itertools.islice(lines, 1 if len(self.delimiters) == 1 else _LOOK_AHEAD))
        match = _SEP_LINE.fullmatch(first[0]) if first else None
        delimiter = self.options.delimiter or (
            match[1] if match else max(self.delimiters, key=lambda each: self._most_known(first, each))
        )
        begin = 1 if match else 0
        yield from self._table(_cells(itertools.chain(first[begin:], lines), begin, delimiter))

    def _most_known(self, lines: Sequence[str], delimiter: str) -> int:
        labels = ([label.strip('" \r\n') for label in line.split(delimiter)] for line in lines)
        return max(map(self.count_known, labels), default=0)

    def _workbook(self, file: BinaryIO) -> Iterator[Record]:
        raw = file.read()
        self._hash.update(raw)
        yield from self._table(read_workbook(raw, self.options.sheet, self.problems))

    def _table(self, lines: Iterator[tuple[int, Sequence[object]]]) -> Iterator[Record]:
        filled = ((line, cells) for line, cells in lines if not all(map(is_empty, cells)))
        first, known = [], []
        for line, cells in itertools.islice(filled, _LOOK_AHEAD):
            first.append((line, cells))
            known.append(self.count_known(cells))
            if known[-1] > 1:
                break
        if not first:
            return
        place = known.index(max(known))
        for line, _ in first[:place]:
            self.problems.notice("a line above the header is passed over", line)
        header, labels = first[place][0], _labels(first[place][1])
        for separator, name in _SEPARATORS.items():
            if len(labels) == 1 and separator in labels[0]:
                remedy = f"give --delimiter '{separator}', or save the file with commas".replace("\t", r"\t")
                raise UnreadableFile(header, f"is separated by {name}", remedy)
        for line, cells in itertools.chain(first[place + 1 :], filled):
            yield self._record(header, line, labels, cells)

    def _record(self, header: int, line: int, labels: tuple[str, ...], cells: Sequence[object]) -> Record:
        width, problem = len(labels), None
        if not all(map(is_empty, cells[width:])):
            counted = f"has {len(cells)} cells where the header has {width}"
            problem = (counted, "put quotation marks around a cell that holds the separator")
        elif len(cells) < width and _CUT_AMOUNT.search("\0".join(map(str, cells))):
            problem = ("has too few cells, and what may be an amount cut in two", "write amounts like 1000.00")
        elif len(cells) < width:
            self.problems.notice("the last cells are missing, and are read as empty", line)
            cells = [*cells, *[""] * (width - len(cells))]
        return Record(header, line, labels, () if problem else cells[:width], problem)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        """Yield the lines of a text, which end in LF, CRLF or CR."""
        raw = file.read(_CHUNK)
        encoding = self.options.encoding or ("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
        decoder, rest, number, is_text = codecs.getincrementaldecoder(encoding)(), "", 0, True
        while is_text:
            self._hash.update(raw)
            text, is_text = _decode(decoder, encoding, raw)
            if not number and not rest:
                text = text.removeprefix("\ufeff")
            lines = list(io.StringIO(rest + text, newline=""))
            # What the next bytes may go on with; after CR, LF may follow.
            rest = lines.pop() if raw and lines and not lines[-1].endswith("\n") else ""
            for number, line in enumerate(lines, number + 1):  # noqa: B020 -- it counts on from the chunk before
                yield _checked(line, number, encoding)
            _checked(rest, number + 1, encoding)
            if is_text and not raw:
                return
            raw = file.read(_CHUNK)
        remedy = "save the file as 'CSV UTF-8', or give its encoding, such as --encoding cp1252"
        raise UnreadableFile(number + 1, f"is not {encoding.upper()}", remedy)


def _decode(decoder: codecs.IncrementalDecoder, encoding: str, raw: bytes) -> tuple[str, bool]:
    """Return the text of `raw`, or of what stands before the first bytes that are none, and whether all of it is."""
    try:
        return decoder.decode(raw, not raw), True
    except UnicodeDecodeError as error:
        return error.object[: error.start].decode(encoding, "replace"), False
    except UnicodeError:
        return "", False


def _checked(line: str, number: int, encoding: str) -> str:
    if len(line) > _MAX_LINE:
        raise UnreadableFile(number, "is longer than a million characters", "look whether this is a file of rows")
    if number == 1 and "\0" in line:
        raise UnreadableFile(number, f"is not {encoding.upper()}", "give its encoding, such as --encoding utf-16-le")
    return line


def _cells(lines: Iterator[str], before: int, delimiter: str) -> Iterator[tuple[int, list[object]]]:
    """Yield the cells of each line of CSV, counted from the line after `before`."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line, problem = 1, ""
    while not problem:
        line = before + reader.line_num + 1
        try:
            yield line, list(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            problem = str(error)
    if problem == "unexpected end of data" or "field limit" in problem:
        problem = "a quotation mark is opened and never closed, or a cell is far too long"
    raise UnreadableFile(line, f"is not CSV ({problem})", "look at its quotation marks")


def _labels(cells: Sequence[object]) -> tuple[str, ...]:
    labels = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
    while labels and not labels[-1]:  # spreadsheets write commas for columns that were once there
        labels.pop()
    return tuple(labels)


def read_json(text: str) -> object:
    """Return the value of a JSON text, numbers as `Number`, objects as tuples of pairs; None when it is not JSON."""
    try:
        return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
