"""`caxton reconcile`: what a bank statement says about the rows whose outcome is unknown."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from caxton_async.batch.input import InputOptions
from caxton_async.batch.reconcile import Proposals, SentRow, match_statement, read_statement
from caxton_async.cli._batches import existing_journal, find_batch, show_batch, who_decides
from caxton_async.cli._file_batch import split_pair
from caxton_async.cli._output import echo_err, show_table
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import BatchInfo, Decision, JournalRow, RowState


def reconcile(  # noqa: PLR0913 -- each is an option of the command
    batch: str,
    /,
    *,
    statement: Path,
    dry_run: bool = False,
    currency: str | None = None,
    outgoing: Literal["negative", "positive"] | None = None,
    date_format: str | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    column: tuple[str, ...] = (),
    by: str | None = None,
    journal: str | None = None,
    json: bool = False,
) -> int:
    """Resolve as paid the rows that a bank statement proves to be paid, and list what only you can decide.

    What a statement does not hold stays unknown, since banks book late.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        statement: The statement: CSV, JSON Lines, xlsx, MT940 or CAMT.053.
        dry_run: Resolve nothing: show what would be.
        currency: The currency of an account whose statement does not name it.
        outgoing: Which amounts left the account, where the statement has one column of them.
        date_format: How dates are written, such as %d/%m/%y.
        sheet: The sheet of a workbook.
        delimiter: What stands between the cells of a CSV file, such as ";".
        encoding: The encoding of a CSV file, such as cp1252.
        column: The header of a column that is not found by itself, such as reference=Narrative.
        by: Who says so; you, if not given.
        journal: The journal of the batch.
        json: Print the result as JSON.
    """
    options = InputOptions(delimiter=delimiter, encoding=encoding, sheet=sheet, columns=dict(map(split_pair, column)))
    read = read_statement(statement, currency=currency, outgoing=outgoing, date_format=date_format, options=options)
    with existing_journal(journal) as opened:
        info = find_batch(opened, batch)
        unknown = [_sent(row) for row in opened.rows(info.id, (RowState.UNKNOWN,))]
        found = match_statement(read, unknown, _others(opened, info), is_payroll=info.kind == "payroll")
        decisions = [Decision(each.reference, True, each.why) for each in found.paid]
        resolved = opened.resolve(info.id, decisions, who=who_decides(by)) if decisions and not dry_run else 0
        if not json:
            _show(found)
        echo_err(f"{resolved} resolved as paid, {len(unknown) - resolved} left unknown")
        return show_batch(opened, info, as_json=json, beside={"resolved": resolved, **_record(found)})


def _sent(row: JournalRow) -> SentRow:
    amount = Decimal(row.amount) if row.amount is not None else None
    return SentRow(row.reference, amount, row.currency, row.beneficiary, row.status.started_at)


def _others(journal: JournalReader, batch: BatchInfo) -> Iterator[SentRow]:
    """Yield all other rows that were paid, or may have been: an entry may be theirs."""
    sent = (RowState.SENDING, RowState.ACCEPTED, RowState.UNKNOWN, RowState.RESOLVED)
    for info in journal.batches():
        for row in journal.rows(info.id, sent):
            is_asked_about = info.id == batch.id and row.state is RowState.UNKNOWN
            if not is_asked_about and row.status.paid is not False:
                yield _sent(row)


def _record(found: Proposals) -> dict[str, list[dict[str, Any]]]:
    return {
        "proposed": [
            {"reference": each.reference, "line": each.line, "why": each.why, "to_confirm": to_confirm}
            for group, to_confirm in ((found.paid, False), (found.to_confirm, True))
            for each in group
        ],
        "undecided": [
            {"reference": each.reference, "lines": list(each.lines), "why": each.why} for each in found.undecided
        ],
    }


def _show(found: Proposals) -> None:
    for title, lines in (
        ("paid", [(each.reference, each.why) for each in found.paid]),
        (
            "paid, if you confirm it",
            [(each.reference, each.why) for each in found.to_confirm],
        ),
        ("left to you", [(each.reference, each.why) for each in found.undecided]),
    ):
        if lines:
            show_table(("reference", "why"), lines, title=title)
