"""The rows of a batch: a file's records as requests of any endpoint, with every error of the file told at once."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import Factory, define, field, fields_dict, frozen

from caxton_async.bank_details import BANK_DETAILS, check_bank_details, doubts_about
from caxton_async.batch.input.cells import clean, is_empty, read_text
from caxton_async.batch.input.columns import REFERENCE, Columns, Header, Slot
from caxton_async.batch.input.formats import InputOptions, Record, RecordReader
from caxton_async.batch.input.problems import CellError, Notice, Problems, UnreadableFile
from caxton_async.bulk import BulkPaymentRow
from caxton_async.endpoints import Endpoint
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.journal.stored import money_of
from caxton_async.models import minor_units

Check = Callable[[Any], None]

# References kept to name both lines of a duplicate.  In a larger file the journal finds it, in constant memory.
REMEMBERED = 100_000
# An account number may stand wherever somebody put it by mistake, so no message repeats that many digits.
_LIKE_AN_ACCOUNT = re.compile(r"\S*[0-9]{5}\S*")
_BENEFICIARIES = ("recipient_name", "beneficiary_name", "beneficiary", "payee")


@frozen
class Row:
    """One row: the user's reference, the request to send, and the line of the file on which it begins."""

    reference: str
    request: object
    line: int

    def __iter__(self) -> Iterator[object]:
        """Unpack as the pair that a batch takes: `reference, request = row`."""
        return iter((self.reference, self.request))


def beneficiary_of(request: object) -> str | None:
    """Return the name of who is paid by a request, None where it has none."""
    named = (getattr(request, name, None) for name in _BENEFICIARIES)
    return next((name for name in named if isinstance(name, str) and name), None)


def template_of(endpoint: Endpoint[Any, Any]) -> str:
    """Return the header line, in CSV, of an input for `endpoint`: the reference and all fields of its request."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(Header(endpoint.sends, {}).spelt())
    return text.getvalue()


def read_rows(
    path: str | Path, endpoint: Endpoint[Any, Any], *, options: InputOptions | None = None, check: Check | None = None
) -> Iterator[Row]:
    """Check the whole file, then return an iterator over its rows: where one is wrong, none is handed out.

    **Raises** as the iterator of an `InputFile` does.
    """
    file = InputFile(Path(path), endpoint, options or InputOptions(), check)
    for _ in file:
        pass
    return iter(file)


def _has_bank_details(file: "InputFile") -> bool:
    return file.endpoint.sends is not None and bool(BANK_DETAILS & fields_dict(file.endpoint.sends).keys())


@define
class InputFile:
    """A file of rows, which is read from its beginning each time that it is iterated over, in constant memory.

    The iterator yields the rows that are right, and at its end raises RowErrors for all that are wrong: send nothing
    before it has ended, as a plan does.  Then `notices` and `digest` tell of the bytes that were read.

    `check` may raise InvalidRequest for a request that its class accepts, such as one with a payment date in the past.

    **Raises** RowErrors with every error of the file; ConfigurationError when it cannot be read at all.
    """

    path: Path
    endpoint: Endpoint[Any, Any]
    options: InputOptions = field(factory=InputOptions)
    check: Check | None = None
    _has_bank_details: bool = field(init=False, default=Factory(_has_bank_details, takes_self=True))
    _problems: Problems = field(init=False, factory=Problems)
    _records: RecordReader | None = field(init=False, default=None)
    _lines_by_reference: dict[str, int] = field(init=False, factory=dict)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is worth a look in the file, as far as it was read."""
        return tuple(self._problems.notices())

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the bytes of which the rows were made."""
        return self._records.digest if self._records else ""

    def __iter__(self) -> Iterator[Row]:
        header = Header(self.endpoint.sends, self.options.columns)
        self._problems, self._lines_by_reference = Problems(), {}
        self._records = RecordReader(self.path, header.count_known, self._problems, self.options)
        try:
            yield from self._rows(self._records, header)
        except UnreadableFile as error:
            self._problems.add(error.line, None, error.problem, error.remedy)
        self._problems.raise_errors(self.path, "none of it is sent")

    def _rows(self, records: RecordReader, header: Header) -> Iterator[Row]:
        matched_line, labels, columns, line = 0, None, Columns(()), 0
        for record in records:
            line = record.line
            if record.problem:
                self._problems.add(line, None, *record.problem)
                continue
            # JSON has a header on each line, so a wrong one is told each time; of a table, once.
            if record.labels != labels or (columns.problems and record.header != matched_line):
                matched_line, labels, columns = record.header, record.labels, header.match(record.labels)
                for label, problem, remedy in columns.problems:
                    self._problems.add(matched_line, label, problem, remedy)
            if not columns.problems and (row := self._row(record, columns)):
                yield row
        if not line:
            self._problems.add(1, None, "is not followed by any row", "fill in a row for each payment")

    def _row(self, record: Record, columns: Columns) -> Row | None:
        before, reference = self._problems.count, ""
        values: dict[str, object] = {}
        for label, slot, cell in zip(record.labels, columns.slots, record.cells, strict=True):
            try:
                cleaned = self._clean(cell, slot, record.line)
                if slot is None or slot.name == REFERENCE:
                    reference = self._reference(record.line, cleaned)
                if slot and not is_empty(cleaned):
                    values[slot.argument] = slot.read(cleaned)
                elif slot and slot.required and not slot.nullable:
                    raise CellError("is empty", "each row needs it")
                elif slot and slot.required:
                    values[slot.argument] = None
            except CellError as error:
                self._problems.add(record.line, label, error.problem, error.remedy)
        if self._problems.count > before:
            return None
        if columns.sends_reference_as:
            values[columns.sends_reference_as] = reference
        request = self._request(record, columns, values)
        return Row(reference, request, record.line) if self._problems.count == before else None

    def _clean(self, cell: object, slot: Slot | None, line: int) -> object:
        if slot and slot.is_secret:
            return cell  # to the last character
        cleaned = clean(cell)
        if cleaned is not cell and cleaned != cell:
            self._problems.notice("spaces around a cell or invisible characters in it are taken off", line)
        return cleaned

    def _reference(self, line: int, cell: object) -> str:
        if is_empty(cell):
            raise CellError("is empty", "each row needs one of its own")
        reference = read_text(cell)
        first = self._lines_by_reference.get(reference)
        if first is not None:
            raise CellError(f"is the same as on line {first}", "each row needs one of its own")
        if len(self._lines_by_reference) < REMEMBERED:
            self._lines_by_reference[reference] = line
        return reference

    def _request(self, record: Record, columns: Columns, values: dict[str, object]) -> object:
        """Build the request of a row, and note where its class, its bank details or the check refuse it."""
        request, cls = None, self.endpoint.sends
        try:
            request = cls(**values) if cls else None
            if self._has_bank_details and cls is not BulkPaymentRow:  # which has checked its own
                check_bank_details(request)
            if self.check:
                self.check(request)
            problem = _money_problem(request)
        except InvalidRequest as error:
            problem = _without_values(str(error), record, columns)
        except ConfigurationError:
            raise
        except Exception:  # noqa: BLE001 -- a class of the user's may raise anything, and show the value in it
            problem = f"does not make a {cls.__name__ if cls else 'row'}: its class refuses the values"
        if not problem:
            for doubt in doubts_about(request) if self._has_bank_details else ():
                self._problems.notice(doubt, record.line)
            return request
        named = zip(record.labels, columns.slots, strict=True)
        label = next((label for label, slot in named if slot and problem.startswith(f"{slot.name} ")), None)
        what, _, remedy = problem.partition(": ")
        self._problems.add(record.line, label, what, remedy or "correct it in the file")
        return None


def _money_problem(request: object) -> str:
    """Say what the class of a user's own may not look for: an amount finer than its currency, as floats turn out."""
    money = money_of(request)
    if money is None or -int(money.amount.as_tuple().exponent) <= minor_units(money.currency):
        return ""
    return f"amount has more than the {minor_units(money.currency)} decimals of its currency: round it first"


def _without_values(message: str, record: Record, columns: Columns) -> str:
    """Return what a class says of its values without those that are secret or may be an account number."""
    for slot, cell in zip(columns.slots, record.cells, strict=True):
        text = cell.strip() if isinstance(cell, str) else ""
        if text and ((slot and slot.is_secret) or _LIKE_AN_ACCOUNT.search("".join(text.split()))):
            message = message.replace(text, "***")
    return _LIKE_AN_ACCOUNT.sub("***", message)
