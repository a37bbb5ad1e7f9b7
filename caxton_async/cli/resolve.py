"""`caxton resolve`: what a person found out about rows whose outcome is unknown, kept for good."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from caxton_async.cli._batches import existing_journal, find_batch, show_batch, who_decides
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import BatchInfo, Decision, RowState

_DECISIONS: Final = {"paid": True, "notpaid": False}
_OPEN: Final = (RowState.UNKNOWN, RowState.RESOLVED)


def resolve(  # noqa: PLR0913 -- each is an option of the command
    batch: str,
    /,
    *references: str,
    state: Literal["unknown"] | None = None,
    from_: Path | None = None,
    paid: bool = False,
    not_paid: bool = False,
    note: str | None = None,
    by: str | None = None,
    journal: str | None = None,
    json: bool = False,
) -> int:
    """Record whether rows whose outcome is unknown were paid; a later decision corrects an earlier one.

    The rows of a payroll share one money step, so they are resolved together.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        references: The rows.
        state: Resolve every row in this state.
        from_: Resolve what this CSV file lists: reference, decision (paid or not paid), note.
        paid: They were carried out.
        not_paid: They were not carried out.
        note: How it was found out.
        by: Who says so; you, if not given.
        journal: The journal of the batch.
        json: Print the result as JSON.
    """
    if sum((bool(references), state is not None, from_ is not None)) != 1:
        raise Failure("say which rows: their references, --state unknown, or --from FILE")
    if (from_ is None and paid == not_paid) or (from_ is not None and (paid or not_paid)):
        raise Failure("say either --paid or --not-paid, and neither beside --from")
    if from_ is None and not (note or "").strip():
        raise Failure("say how it was found out: --note TEXT")
    with existing_journal(journal) as opened:
        info = find_batch(opened, batch)
        if from_ is not None:
            decisions = list(_read_decisions(from_, note))
        else:
            named = references or [row.reference for row in opened.rows(info.id, (RowState.UNKNOWN,))]
            decisions = [Decision(reference, paid, note or "") for reference in named]
        decisions = share_step(opened, info, decisions)
        count = opened.resolve(info.id, decisions, who=who_decides(by)) if decisions else 0
        echo_err(f"{count} row{'s' * (count != 1)} resolved")
        return show_batch(opened, info, as_json=json, beside={"resolved": count})


def share_step(journal: Journal, info: BatchInfo, decisions: list[Decision]) -> list[Decision]:
    """Return the decisions; a decision on one row of a payroll is one on all that share its money step."""
    if info.kind != "payroll" or not decisions:
        return decisions
    if len({decision.paid for decision in decisions}) > 1:
        raise Failure("the rows of a payroll share one money step: all of them were paid, or none was")
    given = {decision.reference: decision for decision in decisions}
    unknown = set(given) - {row.reference for row in journal.rows(info.id)}
    if unknown:
        raise Failure(f"batch {info.id} has no row {min(unknown)}")
    first = decisions[0]
    rows = journal.rows(info.id, _OPEN)
    return [given.get(row.reference, Decision(row.reference, first.paid, first.note)) for row in rows]


def _read_decisions(file: Path, note: str | None) -> Iterator[Decision]:
    problem = None
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, skipinitialspace=True)
            for row in reader:
                said = "".join(filter(str.isalpha, (row.get("decision") or "").casefold()))
                reference, why = (row.get("reference") or "").strip(), (row.get("note") or note or "").strip()
                if said not in _DECISIONS or not reference or not why:
                    problem = f"line {reader.line_num} needs a reference, a decision (paid or not paid) and a note"
                    break
                yield Decision(reference, _DECISIONS[said], why)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"it cannot be read ({getattr(error, 'strerror', None) or 'it is not CSV in UTF-8'})"
    if problem:
        raise Failure(f"{file}: {problem}; nothing was resolved")
