"""What became of a batch: figures for a table or a page, and files for machines and for people.

What belongs here: data out of a journal.  What does not: how a page looks (`page`) and what a terminal shows (`cli`).
Files for machines hold every value as it is; the one for people is guarded against cells that a spreadsheet would run.
"""

import csv
import datetime as dt
import json
import re
import unicodedata
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TextIO

from attrs import define, field, frozen

from caxton_async.batch.plan import add_exactly
from caxton_async.batch.reader import JournalReader
from caxton_async.batch.states import JournalRow, RowState

# Seconds without an answer that count as a pause of the batch, not as a slow second.
_PAUSE_S = 60
# Upper bounds of the classes of the histogram, in seconds: 1, 2, 5 in each decade from a millisecond on.
LATENCY_BOUNDS: Final = tuple(digit * 10.0**power for power in range(-3, 2) for digit in (1, 2, 5))

# What separates cells in the spreadsheets of other countries than ours, whose separator a quotation mark protects.
_SEPARATED = re.compile(r"(?<=[;\t|])")

# The columns of the files, in their order.
FIELDS: Final = (
    *("reference", "line", "state", "sent", "error"),
    *("http_status", "api_status_code", "started_at", "elapsed_s"),
    *("amount", "currency"),
    *("settled_as_paid", "settled_by", "settled_note", "settled_at"),
)


@frozen
class Group:
    """Rows that stand alike: how many, and the money that they move, by currency."""

    name: str
    state: RowState
    count: int
    amounts: Mapping[str, Decimal]


@frozen
class Stretch:
    """A time without pause: calls answered in each second from `start`, in seconds since the epoch."""

    start: int
    calls: tuple[int, ...]


@frozen
class Latencies:
    """How long calls took, in seconds; `classes` counts them by `LATENCY_BOUNDS`, the last being all above."""

    count: int
    classes: tuple[int, ...]
    median_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    longest_s: float = 0.0


@frozen
class Summary:
    """A batch in figures; `total` is None while it is still being planned."""

    journal: str
    endpoint: str
    origin: str
    total: int | None
    groups: tuple[Group, ...]
    stretches: tuple[Stretch, ...]
    latencies: Latencies

    def count(self, *states: RowState) -> int:
        """Return how many rows are in any of the states."""
        return sum(group.count for group in self.groups if group.state in states)

    @property
    def calls_per_second(self) -> float:
        """The mean over the time in which calls were made, pauses left out."""
        seconds = sum(len(stretch.calls) for stretch in self.stretches)
        return self.latencies.count / seconds if seconds else 0.0


def group_name(row: JournalRow) -> str:
    """Return what a row is counted as: its state, and for a settled one how it was settled."""
    if row.state is not RowState.SETTLED:
        return str(row.state.value)
    return "settled as paid" if row.status.settled_as_paid else "settled as not paid"


def summarise(journal: JournalReader) -> Summary:
    """Return the figures of a batch, in one pass over its journal."""
    tally = _Tally()
    for row in journal.rows():
        tally.add(row)
    return Summary(
        journal=journal.path.name,
        endpoint=journal.endpoint,
        origin=journal.origin,
        total=journal.total,
        groups=tally.groups(),
        stretches=_stretches(tally.answered),
        latencies=_latencies(tally.elapsed),
    )


@define
class _Tally:
    counts: Counter[tuple[RowState, str]] = field(factory=Counter)
    amounts: dict[str, dict[str, Decimal]] = field(factory=dict)
    answered: Counter[int] = field(factory=Counter)
    elapsed: "array[float]" = field(factory=lambda: array("d"))

    def add(self, row: JournalRow) -> None:
        name, status = group_name(row), row.status
        self.counts[row.state, name] += 1
        if row.amount is not None and row.currency is not None:
            sums = self.amounts.setdefault(name, {})
            sums[row.currency] = add_exactly(sums.get(row.currency, Decimal(0)), Decimal(row.amount))
        if status.started_at is not None and status.elapsed_s is not None:
            self.answered[int(status.started_at + status.elapsed_s)] += 1
            self.elapsed.append(status.elapsed_s)

    def groups(self) -> tuple[Group, ...]:
        order = list(RowState)
        found = sorted(self.counts, key=lambda key: (order.index(key[0]), key[1]))
        return tuple(
            Group(name, state, self.counts[state, name], dict(sorted(self.amounts.get(name, {}).items())))
            for state, name in found
        )


def _stretches(answered: Mapping[int, int]) -> tuple[Stretch, ...]:
    found: list[tuple[int, int]] = []
    for second in sorted(answered):
        if found and second - found[-1][1] <= _PAUSE_S:
            found[-1] = (found[-1][0], second)
        else:
            found.append((second, second))
    return tuple(
        Stretch(start, tuple(answered.get(second, 0) for second in range(start, end + 1))) for start, end in found
    )


def _latencies(elapsed: Sequence[float]) -> Latencies:
    classes = [0] * (len(LATENCY_BOUNDS) + 1)
    if not elapsed:
        return Latencies(0, tuple(classes))
    for seconds in elapsed:
        classes[bisect_right(LATENCY_BOUNDS, seconds)] += 1
    ordered = sorted(elapsed)
    median, p95, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99))
    return Latencies(len(ordered), tuple(classes), median, p95, p99, ordered[-1])


# --- files ---


def record_of(row: JournalRow) -> dict[str, object]:
    """Return a row as the files show it, by `FIELDS`; times are in UTC (RFC 3339)."""
    status = row.status
    values = (
        *(row.reference, row.line, row.state.value, status.sent.value if status.sent else None, status.error),
        *(status.http_status, status.api_status_code, as_utc(status.started_at), status.elapsed_s),
        *(row.amount, row.currency),
        *(status.settled_as_paid, status.settled_by, status.settled_note, as_utc(status.settled_at)),
    )
    return dict(zip(FIELDS, values, strict=True))


def as_utc(seconds: float | None) -> str | None:
    """Return a time, given in seconds since the epoch, as text like 2026-05-31T12:00:00.000Z."""
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_json(journal: JournalReader, file: TextIO) -> None:
    """Write the counts and every row as one JSON object, a row to a line, in constant memory."""
    counts = {state.value: count for state, count in journal.counts().items()}
    head = {"journal": str(journal.path), "endpoint": journal.endpoint, "origin": journal.origin}
    opening = json.dumps(head | {"total": journal.total, "counts": counts})
    file.write(opening[:-1] + ', "rows": [')
    before = "\n"
    for row in journal.rows():
        file.write(before + json.dumps(record_of(row)))
        before = ",\n"
    file.write("\n]}\n")


def write_csv(journal: JournalReader, file: TextIO) -> None:
    """Write every row as CSV for programs: values as they are.  Open `file` with `newline=""`, in UTF-8."""
    _write_table(journal, file, str)


def write_csv_for_people(journal: JournalReader, file: TextIO) -> None:
    """Write every row as CSV for a spreadsheet: no cell is a formula.  Open `file` with `newline=""`, in UTF-8."""
    file.write("\ufeff")  # without this mark a spreadsheet takes UTF-8 for Windows-1252
    _write_table(journal, file, lambda value: guarded(str(value)), csv.QUOTE_ALL)


def _write_table(
    journal: JournalReader, file: TextIO, as_text: Callable[[object], str], quoting: Literal[0, 1] = csv.QUOTE_MINIMAL
) -> None:
    writer = csv.writer(file, lineterminator="\r\n", quoting=quoting)
    writer.writerow(FIELDS)
    for row in journal.rows():
        writer.writerow("" if value is None else as_text(value) for value in record_of(row).values())


def guarded(text: str) -> str:
    """Return `text` with an apostrophe wherever a spreadsheet might take what follows for a formula.

    That is where it begins with `=`, `+`, `-`, `@`, a tab or a carriage return, also in their full-width forms, and
    also behind spaces or characters that cannot be seen; and behind each `;`, tab or bar, since a spreadsheet whose
    country separates cells by one of them begins a cell there.
    """
    return "".join(map(_guarded_cell, _SEPARATED.split(text)))


def _guarded_cell(text: str) -> str:
    bare = next((character for character in text if character.isprintable() and not character.isspace()), "")
    formula = unicodedata.normalize("NFKC", bare)[:1] in {"=", "+", "-", "@"} if bare else False
    return f"'{text}" if formula or text[:1] in {"\t", "\r"} else text


def attention(journal: JournalReader) -> Iterator[JournalRow]:
    """Yield the rows that somebody has to look at: unknown ones first, then rejected, then those not sent."""
    for state in (RowState.UNKNOWN, RowState.REJECTED, RowState.NOT_SENT):
        yield from journal.rows(state)
