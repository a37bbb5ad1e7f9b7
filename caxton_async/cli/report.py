"""`caxton report`: what became of a batch, in figures and in files."""

import datetime as dt
import os
import sys
from contextlib import suppress
from itertools import product
from pathlib import Path

from caxton_async.batch.outcome import summarise
from caxton_async.batch.report.export import (
    Records,
    batch_record,
    json_rows,
    new_file,
    write_csv,
    write_json,
    write_spreadsheet,
)
from caxton_async.batch.report.page import render_page
from caxton_async.batch.report.summary import figures_of
from caxton_async.cli._batches import code_of_counts, existing_journal, find_batch
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err, show_table, silence
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import BatchInfo


def report(  # noqa: PLR0913 -- each is an option of the command
    batch: str,
    /,
    *,
    csv: Path | None = None,
    spreadsheet: Path | None = None,
    html: Path | None = None,
    force: bool = False,
    journal: str | None = None,
    json: bool = False,
) -> int:
    """Tell what became of a batch, in figures and in files that only you can read.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        csv: Write each row to this new CSV file, for programs.
        spreadsheet: Write each row to this new CSV file, for people: no cell of it is a formula.
        html: Write one page, with charts, to this new file.
        force: Replace files that exist already.
        journal: The journal of the batch.
        json: Print the batch and each row as JSON.
    """
    _check_no_setting(csv, spreadsheet, html)
    with existing_journal(journal) as opened:
        info = find_batch(opened, batch)
        records = Records(opened, info)
        for path, write in ((csv, write_csv), (spreadsheet, write_spreadsheet)):
            if path is not None:
                with new_file(path, opened, force=force) as file:
                    write(records(), file)
                echo_err(f"written: {path}")
        if html is not None:
            with new_file(html, opened, force=force) as file:
                file.write(render_page(opened, info.id, dt.datetime.now(dt.UTC)))
            echo_err(f"written: {html}")
        if json:
            _print_json(opened, info, records)
        elif not (csv or spreadsheet or html):
            _show_figures(opened, info)
        return code_of_counts(opened.counts(info.id))


def _check_no_setting(*targets: Path | None) -> None:
    """Check that no file is one that a variable names: the key of a journal is never written over."""
    named = {name: value for name, value in os.environ.items() if name.startswith("CAXTON_")}
    for target, (name, value) in product(filter(None, targets), named.items()):
        with suppress(OSError, ValueError):
            if target.samefile(value):
                raise Failure(f"{target} is what {name} names: name another file")


def _print_json(journal: JournalReader, info: BatchInfo, records: Records) -> None:
    """Print the batch as a stream; a stdout that fails decides nothing."""
    head = batch_record(journal, info, summarise(journal, info.id))
    try:
        write_json(head, json_rows(records()), sys.stdout)
        sys.stdout.flush()
    except (OSError, ValueError):
        silence(sys.stdout)


def _show_figures(journal: JournalReader, info: BatchInfo) -> None:
    figures = figures_of(journal, info.id)
    echo_err(f"batch {info.id} ({info.name}): {info.total} rows of {info.endpoint} at {info.binding.origin}")
    rows = [
        (group.name, group.count, ", ".join(f"{amount:f} {currency}" for currency, amount in group.amounts.items()))
        for group in figures.groups
    ]
    show_table(("state", "rows", "amounts"), rows)
    times = figures.latencies
    if times.count:
        lines = [
            ("median", f"{times.median_s:.3f} s"),
            ("95 of 100 within", f"{times.p95_s:.3f} s"),
            ("longest", f"{times.longest_s:.3f} s"),
        ]
        rate = figures.calls_per_second
        show_table((), [("calls per second", f"{rate:.1f}"), *lines] if rate else lines)
