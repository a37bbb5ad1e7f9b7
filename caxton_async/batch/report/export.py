"""The rows of a batch as files: for programs as they are, for people so that a spreadsheet runs no cell."""

import csv
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from attrs import frozen

from caxton_async.batch.lookup import INPUT, path_text
from caxton_async.batch.outcome import BatchSummary
from caxton_async.batch.payroll import upload_id_of
from caxton_async.batch.report.summary import as_utc
from caxton_async.errors import ConfigurationError
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import BatchInfo, JournalRow, KeptDecision, RowState

# Of a row's record, in the order of the columns; the first are those of the command line's JSON.
JSON_FIELDS: Final = (
    *("reference", "line", "state", "amount", "currency", "beneficiary", "upload_record_id", "sent", "error"),
    *("api_status", "decision"),
)
FIELDS: Final = (
    *JSON_FIELDS,
    *("http_status", "api_status_code", "started_at", "elapsed_s", "decided_by", "note", "decided_at"),
)
# What separates cells in the spreadsheets of other countries than ours, whose separator a quotation mark protects.
_SEPARATED: Final = re.compile(r"(?<=[;\t|])")
_SQLITE: Final = b"SQLite format 3\x00"


def batch_record(journal: JournalReader, info: BatchInfo, summary: BatchSummary) -> dict[str, object]:
    """Return how a batch stands, as the command line prints it in JSON, but for its rows."""
    return {
        "journal": journal.where,
        "batch": info.id,
        "name": info.name,
        "endpoint": info.endpoint,
        "total": info.total,
        "counts": {state.value: count for state, count in summary.counts.items()},
        "paused": summary.paused,
        "reasons": [{"state": each.state.value, "reason": each.reason, "rows": each.rows} for each in summary.reasons],
    }


@frozen
class Records:
    """The rows of a batch as records by `FIELDS`; times are in UTC (RFC 3339), amounts text."""

    journal: JournalReader
    info: BatchInfo

    def __call__(self, states: Collection[RowState] = ()) -> Iterator[dict[str, object]]:
        """Yield the records of the rows in `states`, of all if it is empty."""
        decisions = {each.reference: each for each in self.journal.decisions(self.info.id) if not each.alarm}
        upload = upload_id_of(self.info)
        for row in self.journal.rows(self.info.id, states):
            yield _record(row, upload, decisions.get(row.reference))


def _record(row: JournalRow, upload: int | None, decision: KeptDecision | None) -> dict[str, object]:
    status = row.status
    decided = decision if row.state is RowState.RESOLVED else None
    paid = {None: None, True: "paid", False: "not_paid"}[status.paid]
    values = (
        *(row.reference, row.line, row.state.value, row.amount, row.currency, row.beneficiary, upload),
        *(status.sent.value if status.sent else None, status.error, status.api_status, paid),
        *(status.http_status, status.api_status_code, as_utc(status.started_at), status.elapsed_s),
        *((decided.who, decided.note, as_utc(decided.at)) if decided else (None, None, None)),
    )
    return dict(zip(FIELDS, values, strict=True))


def json_rows(records: Iterator[Mapping[str, object]]) -> Iterator[dict[str, object]]:
    """Yield records with the fields of the command line's JSON alone."""
    for record in records:
        yield {name: record[name] for name in JSON_FIELDS}


def write_json(head: Mapping[str, object], rows: Iterator[Mapping[str, object]], file: TextIO) -> None:
    """Write a batch with its rows as one JSON object in ASCII, a row to a line, in constant memory."""
    file.write(json.dumps(head)[:-1] + ', "rows": [')
    before = "\n"
    for row in rows:
        file.write(before + json.dumps(row))
        before = ",\n"
    file.write("\n]}\n")


def write_csv(records: Iterator[Mapping[str, object]], file: TextIO) -> None:
    """Write every row as CSV for programs: values as they are.  Open `file` with `newline=""`, in UTF-8."""
    writer = csv.writer(file, lineterminator="\r\n")
    _write_table(writer.writerow, records, str)


def write_spreadsheet(records: Iterator[Mapping[str, object]], file: TextIO) -> None:
    """Write every row as CSV for a spreadsheet: every cell is quoted, and none is a formula.

    Open `file` with `newline=""`, in UTF-8.
    """
    file.write("\ufeff")  # without this mark a spreadsheet takes UTF-8 for Windows-1252
    # Quoted, since a spreadsheet of another country takes semicolons for separators, and what follows one for a cell.
    writer = csv.writer(file, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    _write_table(writer.writerow, records, defused)


def _write_table(
    write: Callable[[Sequence[str]], object], records: Iterator[Mapping[str, object]], as_text: Callable[[str], str]
) -> None:
    write(FIELDS)
    for record in records:
        write(["" if value is None else as_text(str(value)) for value in record.values()])


def defused(text: str) -> str:
    """Return `text` with an apostrophe wherever a spreadsheet might take what follows for a formula.

    That is where it begins with `=`, `+`, `-`, `@`, a tab or a carriage return, also in their full-width forms, and
    also behind spaces or characters that cannot be seen; and behind each `;`, tab or bar, since a spreadsheet whose
    country separates cells by one of them begins a cell there.
    """
    return "".join(map(_defused_cell, _SEPARATED.split(text)))


def _defused_cell(text: str) -> str:
    bare = next((character for character in text if character.isprintable() and not character.isspace()), "")
    is_formula = unicodedata.normalize("NFKC", bare)[:1] in {"=", "+", "-", "@"} if bare else False
    return f"'{text}" if is_formula or text[:1] in {"\t", "\r"} else text


@contextmanager
def new_file(path: Path, journal: JournalReader, *, force: bool = False) -> Iterator[TextIO]:
    """Open a file that only its owner can read and write; a failure leaves what was there before.

    Raises:
        ConfigurationError: it exists and `force` was not given, is a journal or an input, or cannot be made.
    """
    _check_target(path, journal, force=force)
    draft = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    problem = None
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                yield file
            if force:
                draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except FileExistsError:
        problem = "exists already: name a new file, or add --force"
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
    if problem is not None:
        raise ConfigurationError(f"{path} {problem}")


def _check_target(path: Path, journal: JournalReader, *, force: bool) -> None:
    problem = None
    with suppress(OSError):
        found = path.stat()
        inputs = {info.details.get(INPUT) for info in journal.batches()}
        if not stat.S_ISREG(found.st_mode):
            problem = "is not a file that can be replaced"
        elif path_text(path.absolute()) in inputs or path_text(path.resolve()) in inputs:
            problem = "is the input of a batch: name another file"
        elif journal.where.startswith(str(path.resolve())) or _is_database(path):
            problem = "is a journal: name another file"
        elif not force:
            problem = "exists already: name a new file, or add --force"
    if problem is not None:
        raise ConfigurationError(f"{path} {problem}")


def _is_database(path: Path) -> bool:
    """Tell whether a file is one of SQLite, or stands beside one as its log."""
    database = path.with_name(path.name.removesuffix("-journal").removesuffix("-wal").removesuffix("-shm"))
    with suppress(OSError), database.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
    return False
