"""`caxton status` and `caxton report`: how a batch stands, for people and for programs."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from caxton_async.batch import JournalReader, JournalRow, RowState, read_journal
from caxton_async.batch.page import render_page
from caxton_async.batch.report import summarise, write_csv, write_csv_for_people, write_json
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.cli.running import code_of_counts
from caxton_async.cli.settling import export_not_paid


def status(journal: Path, *, rows: bool = False, state: RowState | None = None, json: bool = False) -> int:
    """Show how a batch stands, also while it runs.

    Args:
        journal: The journal of the batch.
        rows: Show each row.
        state: Show each row in this state.
        json: Print {journal, endpoint, total, counts, rows} as JSON.
    """
    with read_journal(journal) as found:
        counts = found.counts()
        shown = [_row(row) for row in found.rows(state)] if rows or state else None
        if json:
            data = {
                "journal": str(journal),
                "endpoint": found.endpoint,
                "total": found.total,
                "counts": {each.value: count for each, count in counts.items()},
            }
            show_json(data if shown is None else data | {"rows": shown})
        else:
            rows_text = "still being planned" if found.total is None else f"{found.total} rows"
            echo_err(f"{found.endpoint} at {found.origin}, {rows_text}")
            show_table(("state", "rows"), [(each.value, count) for each, count in counts.items() if count])
            if shown:
                show_table(list(shown[0]), [list(row.values()) for row in shown])
    return code_of_counts(counts)


def _row(row: JournalRow) -> dict[str, object]:
    return {
        "reference": row.reference,
        "line": row.line,
        "state": row.state.value,
        "sent": row.status.sent.value if row.status.sent else None,
        "error": row.status.error,
    }


def report(
    journal: Path,
    *,
    csv: Path | None = None,
    spreadsheet: Path | None = None,
    html: Path | None = None,
    not_paid: Path | None = None,
    json: bool = False,
) -> int:
    """Tell what became of a batch, in figures and in files.

    Args:
        journal: The journal of the batch.
        csv: Write each row to this CSV file, for programs.
        spreadsheet: Write each row to this CSV file, for people: no cell of it is a formula.
        html: Write one page, with charts, to this file.
        not_paid: Write the rows that were settled as not paid to this new CSV file, which can be run.
        json: Print the counts and each row as JSON.
    """
    with read_journal(journal) as found:
        for file, write in ((csv, write_csv), (spreadsheet, write_csv_for_people), (html, _write_page)):
            if file is not None:
                with _writing(file) as opened:
                    write(found, opened)
        if not_paid is not None:
            echo_err(f"{export_not_paid(found, not_paid)} rows are in {not_paid}")
        if json:
            write_json(found, sys.stdout)
        elif not (csv or spreadsheet or html or not_paid):
            _show_figures(found)
        return code_of_counts(found.counts())


@contextmanager
def _writing(file: Path) -> Iterator[TextIO]:
    try:
        opened = file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        problem = error.strerror
    else:
        with opened:
            yield opened
        echo_err(f"written: {file}")
        return
    raise Failure(f"{file} cannot be written ({problem})")


def _write_page(journal: JournalReader, file: TextIO) -> None:
    file.write(render_page(journal, dt.datetime.now(dt.UTC)))


def _show_figures(journal: JournalReader) -> None:
    summary = summarise(journal)
    echo_err(f"{summary.endpoint} at {summary.origin}, {summary.total} rows")
    rows = [
        (group.name, group.count, ", ".join(f"{amount:f} {currency}" for currency, amount in group.amounts.items()))
        for group in summary.groups
    ]
    show_table(("state", "rows", "amounts"), rows)
    times = summary.latencies
    if times.count:
        figures = [
            ("calls per second", f"{summary.calls_per_second:.1f}"),
            ("median", f"{times.median_s:.3f} s"),
            ("95 of 100 within", f"{times.p95_s:.3f} s"),
            ("longest", f"{times.longest_s:.3f} s"),
        ]
        show_table((), figures)
