"""`caxton reconcile` and `caxton settle`: what became of the rows whose outcome is unknown."""

import asyncio
import csv
import getpass
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from caxton_async.batch import Journal, JournalReader, JournalRefused, RowState, input_digest, stream_rows
from caxton_async.batch.files import records
from caxton_async.batch.reconcile import reconcile as reconcile_by_look_up
from caxton_async.batch.reconcile import reconcile_statement
from caxton_async.batch.statement import read_statement
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, plain, show, show_json
from caxton_async.cli.plans import find_batch_endpoint, input_of
from caxton_async.cli.running import code_of_counts


def reconcile(  # noqa: PLR0913 -- each is an option of the command
    journal: Path,
    *,
    statement: Path | None = None,
    column: tuple[str, ...] = (),
    currency: str | None = None,
    outgoing: Literal["negative", "positive"] | None = None,
    date_format: str | None = None,
    look_up: str | None = None,
    by: str | None = None,
    json: bool = False,
) -> int:
    """Settle the rows whose outcome is unknown by a bank statement, or by a function of your own.

    What a statement does not hold stays unknown, since banks book late; what is ambiguous is left to you.

    Args:
        journal: The journal of the batch.
        statement: The statement, as CSV, JSON Lines or xlsx.
        column: How the statement calls a column that is not found by itself, such as reference=Narrative.
        currency: The currency of an account whose statement does not name it.
        outgoing: Which amounts left the account, where the statement has one column of them.
        date_format: How dates are written, such as %d/%m/%y.
        look_up: MODULE:FUNCTION, which is asked in place of a statement: reference to True, False or None.
        by: Who says so; you, unless told otherwise.
        json: Print what was found, and what is left, as JSON.
    """
    if (statement is None) == (look_up is None):
        raise Failure("say either --statement FILE or --look-up MODULE:FUNCTION")
    who = by or getpass.getuser()
    with Journal.open(journal) as opened:
        if statement is None:
            findings = asyncio.run(reconcile_by_look_up(opened, _load(str(look_up)), who=who))
        else:
            labels = dict(_split(each) for each in column)
            read = read_statement(
                statement, columns=labels, currency=currency, outgoing=outgoing, date_format=date_format
            )
            findings = reconcile_statement(opened, read, who=who, beneficiaries=_beneficiaries(opened))
        counts = opened.counts()
    data: Any = plain(findings)
    if json:
        show_json(data)
    else:
        show(data["found"])
        show(data["left"])
    echo_err(f"{len(findings.found)} settled, {len(findings.left)} left unknown")
    return code_of_counts(counts)


def _split(text: str) -> tuple[str, str]:
    name, equals, label = text.partition("=")
    if not equals:
        raise Failure("a column is named like --column reference=Narrative")
    return name, label


def _load(name: str) -> Callable[[str], Any]:
    """Return a function of the user's, whose module may stand in the current folder."""
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise Failure(f"{name} is not a function that can be imported: write MODULE:FUNCTION")
    return found  # type: ignore[no-any-return]  # what it takes and returns is checked where it is called


def _beneficiaries(journal: JournalReader) -> dict[str, str]:
    """Return who is paid by each row, from the input if it is there: a journal does not hold names."""
    try:
        rows = stream_rows(input_of(journal), find_batch_endpoint(journal.endpoint))
        return {row.reference: name for row in rows if (name := getattr(row.request, "recipient_name", ""))}
    except JournalRefused:
        return {}


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
    kept = [record for record in records(source) if record.line in wanted]
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
