"""`caxton reconcile` and `caxton settle`: what became of the rows whose outcome is unknown."""

import csv
import getpass
import json as json_text
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from caxton_async.batch import (
    BULK_PAYMENTS,
    InputFile,
    Journal,
    JournalReader,
    JournalRefused,
    JournalRow,
    RowState,
    input_digest,
)
from caxton_async.batch.input import beneficiary_of
from caxton_async.batch.input.columns import Header
from caxton_async.batch.input.formats import InputOptions, RecordReader
from caxton_async.batch.input.problems import Problems
from caxton_async.batch.reconcile import SentRow, match_statement, read_statement
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, plain, show, show_json
from caxton_async.cli.plans import find_batch_endpoint, input_of, split_columns
from caxton_async.cli.running import code_of_counts


def reconcile(  # noqa: PLR0913 -- each is an option of the command
    journal: Path,
    *,
    statement: Path,
    column: tuple[str, ...] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    currency: str | None = None,
    outgoing: Literal["negative", "positive"] | None = None,
    date_format: str | None = None,
    dry_run: bool = False,
    by: str | None = None,
    json: bool = False,
) -> int:
    """Settle the rows whose outcome is unknown as paid where a bank statement proves it; list the others.

    An entry proves a payment when it carries its reference, or has its amount, currency, beneficiary and a date not
    before the call.  What a statement does not hold stays unknown, since banks book late.

    Args:
        journal: The journal of the batch.
        statement: The statement, as CSV, JSON Lines, xlsx, MT940 or CAMT.053.
        column: How the statement calls a column that is not found by itself, such as reference=Narrative.
        delimiter: What stands between the cells of a CSV file, where it is not found by itself.
        encoding: How a text is encoded, where it is not UTF-8, such as cp1252.
        currency: The currency of an account whose statement does not name it.
        outgoing: Which amounts left the account, where the statement has one column of them.
        date_format: How dates are written, such as %d/%m/%y.
        dry_run: Settle nothing: print what the statement proves, and what is left.
        by: Who says so; you, unless told otherwise.
        json: Print what was found, and what is left, as JSON.
    """
    options = InputOptions(delimiter, encoding, columns=split_columns(column))
    read = read_statement(statement, currency=currency, outgoing=outgoing, date_format=date_format, options=options)
    with Journal.open(journal) as opened:
        names = _beneficiaries(opened)
        unknown = [_sent(row, names) for row in opened.rows(RowState.UNKNOWN)]
        paid = (row for row in opened.rows() if row.state is RowState.ACCEPTED or row.status.settled_as_paid)
        is_payroll = opened.endpoint == BULK_PAYMENTS.name
        proposals = match_statement(read, unknown, (_sent(row, names) for row in paid), is_payroll=is_payroll)
        for found in proposals.paid if not dry_run else ():
            opened.settle(found.reference, paid=True, who=by or getpass.getuser(), note=found.why)
        counts = opened.counts()
    data: Any = plain(proposals)
    if json:
        show_json(data)
    else:
        for part in data.values():
            show(part)
    done = "would be settled" if dry_run else "settled"
    echo_err(f"{len(proposals.paid)} {done} as paid, {len(unknown) - len(proposals.paid)} left to you")
    return code_of_counts(counts)


def _sent(row: JournalRow, names: Mapping[str, str]) -> SentRow:
    amount = None if row.amount is None else Decimal(row.amount)
    return SentRow(row.reference, amount, row.currency, names.get(row.reference), row.status.started_at)


def _beneficiaries(journal: JournalReader) -> dict[str, str]:
    """Return who is paid by each row, from the input if it is there: a journal does not hold names."""
    try:
        rows = InputFile(input_of(journal), find_batch_endpoint(journal.endpoint), _options_of(journal))
        return {row.reference: name for row in rows if (name := beneficiary_of(row.request))}
    except JournalRefused:
        return {}


def _options_of(journal: JournalReader) -> InputOptions:
    return InputOptions(**json_text.loads(journal.details.get("reading", "{}")))


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
    echo_err(
        f"{reference} is settled as {'paid' if paid else 'not paid'}; {counts[RowState.UNKNOWN]} unknown rows are left"
    )
    return ExitCode.ACCEPTED


def export_not_paid(journal: JournalReader, file: Path) -> int:
    """Write the rows that were settled as not paid, as the input has them, to a new CSV file; return how many.

    **Raises** JournalRefused when the input is not there any more, or is another one; Failure when the file exists.
    """
    source = input_of(journal)
    if input_digest(source) != journal.digest:
        raise JournalRefused(f"{source} is not the input that the journal {journal.path} was begun with: restore it")
    wanted = {journal.row(reference).line for reference in journal.references_not_paid()}
    options = _options_of(journal)
    header = Header(find_batch_endpoint(journal.endpoint).sends, options.columns)
    records = RecordReader(source, header.count_known, Problems(), options)
    kept = [record for record in records if record.line in wanted]
    labels = dict.fromkeys(label for record in kept for label in record.labels)
    problem = "exists already: name a new file"
    try:
        with file.open("x", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, list(labels))
            writer.writeheader()
            writer.writerows(dict(zip(record.labels, record.cells, strict=True)) for record in kept)
        return len(kept)
    except FileExistsError:
        pass
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
    raise Failure(f"{file} {problem}")
