"""`caxton status`, `report` and `settle`: how a batch stands, for people and programs, and a person's decision."""

import datetime as dt
import getpass
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from caxton_async.batch import Journal, JournalReader, JournalRow, RowState, read_journal
from caxton_async.batch.page import render_page
from caxton_async.batch.report import summarise, write_csv, write_csv_for_people, write_json
from caxton_async.cli.outcome import ExitCode, Failure
from caxton_async.cli.output import show_json, show_table, tell
from caxton_async.cli.running import code_of_counts


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
            tell(f"{found.endpoint} at {found.origin}, {found.total} rows")
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
    format: Literal["table", "json", "csv", "spreadsheet", "html"] = "table",  # noqa: A002 -- the name of the option
    json: bool = False,
) -> int:
    """Print what became of a batch: figures, or a whole file to be redirected.

    Args:
        journal: The journal of the batch.
        format: json and csv are for programs; spreadsheet is CSV in which no cell is a formula; html is one page.
        json: The same as --format json.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # lines of CSV end as they were written
    with read_journal(journal) as found:
        match "json" if json else format:
            case "json":
                write_json(found, sys.stdout)
            case "csv":
                write_csv(found, sys.stdout)
            case "spreadsheet":
                write_csv_for_people(found, sys.stdout)
            case "html":
                print(render_page(found, dt.datetime.now(dt.UTC)))
            case _:
                _show_figures(found)
        return code_of_counts(found.counts())


def _show_figures(journal: JournalReader) -> None:
    summary = summarise(journal)
    tell(f"{summary.endpoint} at {summary.origin}, {summary.total} rows")
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


def settle(
    journal: Path,
    reference: str,
    *,
    note: str,
    paid: bool = False,
    not_paid: bool = False,
    by: str | None = None,
) -> int:
    """Record what a person found out about a row whose outcome is unknown.

    Args:
        journal: The journal of the batch.
        reference: The row.
        note: How it was found out.
        paid: It was carried out.
        not_paid: It was not carried out.
        by: Who says so; you, unless told otherwise.
    """
    if paid == not_paid:
        raise Failure("say either --paid or --not-paid")
    with Journal.open(journal) as opened:
        opened.settle(reference, paid=paid, who=by or getpass.getuser(), note=note)
        counts = opened.counts()
    tell(
        f"{reference} is settled as {'paid' if paid else 'not paid'}; {counts[RowState.UNKNOWN]} unknown rows are left"
    )
    return ExitCode.ACCEPTED
