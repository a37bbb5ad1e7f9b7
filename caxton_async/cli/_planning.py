"""What `--dry-run` shows, and the duplicates of a journal that is not the one in use."""

import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from caxton_async.batch.input import InputFile, RowError, RowErrors
from caxton_async.batch.plan import BatchPlan, PlanOptions, describe_duplicate, make_plan
from caxton_async.cli._batches import default_location, exists
from caxton_async.cli._exit_codes import ExitCode
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.config.variables import unknown_variables
from caxton_async.endpoints import Endpoint
from caxton_async.errors import ConfigurationError, JournalError
from caxton_async.journal import known_journals, open_journal
from caxton_async.journal.binding import describe_binding
from caxton_async.journal.states import Binding, Duplicates, SameRequest

_NO_DIGEST: Final = "none: without credentials it is not known for whom this would be sent"
_NOTHING: Final = BatchPlan(0, (), Decimal(0), Duplicates(), None)


def find_elsewhere(where: str, endpoint: Endpoint[Any, Any], rows: Iterable[Any], options: PlanOptions) -> Duplicates:
    """Return which rows other journals of this user have already; one that cannot be read is told.

    `rows` are pairs of reference and request, which are gone through once for each journal.

    Raises:
        RowErrors: the file has wrong rows.
        JournalError: this user's own journal cannot be read.
    """
    own = default_location()
    first: list[SameRequest] = []
    count = 0
    for other in _other_journals(where, own, options):
        try:
            with open_journal(other) as journal:
                name = journal.where  # without the password of a DSN
                if other == own:
                    echo_err(f"warning: this is not this user's usual journal; duplicates are looked for in {name} too")
                found = make_plan(journal, endpoint, rows, binding=None, options=options).duplicates
        except (JournalError, ConfigurationError) as error:
            if other == own:
                raise
            echo_err(f"warning: duplicates are not looked for in {other}: {error}")
            continue
        listed = [each for each in found.first if each.of_batch is not None]
        first += [evolve(each, of_reference=f"{each.of_reference} ({name})") for each in listed]
        count += found.count - (len(found.first) - len(listed))
    return Duplicates(tuple(first), count)


def _other_journals(where: str, own: str, options: PlanOptions) -> list[str]:
    """Return this user's own journal, where another one is used, and those that were used since duplicates count."""
    known = [str(path) for path in known_journals() if path.stat().st_mtime >= options.since]
    here = str(Path(where).absolute())
    return [other for other in dict.fromkeys((own, *known)) if exists(other) and other not in {where, here}]


def show_file_plan(where: str, rows: InputFile, binding: Binding | None, options: PlanOptions, *, as_json: bool) -> int:
    """Print what a file would send; nothing is.

    Raises:
        RowErrors: the file has wrong rows, and they were not printed as JSON.
    """
    try:
        options = evolve(options, elsewhere=find_elsewhere(where, rows.endpoint, rows, options))
        with open_journal(where) as journal:
            plan = make_plan(journal, rows.endpoint, rows, binding=binding, options=options)
    except RowErrors as wrong:
        if not as_json:
            raise
        show_json(_record(_NOTHING, _worth_a_look(rows), wrong.errors))
        return ExitCode.USAGE
    return show_plan(plan, rows.endpoint.name, binding, _worth_a_look(rows), as_json=as_json)


def _worth_a_look(rows: InputFile) -> list[str]:
    variables = (f"the variable {name} is not known" for name in unknown_variables(os.environ))
    return [*map(str, rows.notices), *variables]


def show_plan(
    plan: BatchPlan, endpoint: str, binding: Binding | None, notices: Sequence[str] = (), *, as_json: bool
) -> int:
    """Print a plan."""
    if as_json:
        show_json(_record(plan, notices, ()))
        return ExitCode.ACCEPTED
    lines: list[tuple[str, object]] = [("calls", f"{plan.count} x {endpoint}")]
    lines += [(f"total {total.currency}", f"{total.amount:f} in {total.count}") for total in plan.totals]
    lines += [
        ("control sum", f"{plan.control_sum:f}"),
        ("sent for", describe_binding(binding) if binding else "nobody yet"),
        ("plan", plan.digest or _NO_DIGEST),
    ]
    show_table((), lines)
    if plan.duplicates.count or notices:
        echo_err("worth a look:")
    for each in plan.duplicates.first:
        echo_err(f"  suspected duplicate: {describe_duplicate(each)}")
    if plan.duplicates.count > len(plan.duplicates.first):
        echo_err(f"  and {plan.duplicates.count - len(plan.duplicates.first)} more suspected duplicates")
    for notice in notices:
        echo_err(f"  {notice}")
    return ExitCode.ACCEPTED


def _record(plan: BatchPlan, notices: Sequence[str], errors: Sequence[RowError]) -> dict[str, Any]:
    return {
        "digest": plan.digest,
        "count": plan.count,
        "control_sum": f"{plan.control_sum:f}",
        "totals": [
            {"currency": total.currency, "count": total.count, "amount": f"{total.amount:f}"} for total in plan.totals
        ],
        "duplicates": [
            {"reference": each.reference, "line": each.line, "batch": each.of_batch, "of": each.of_reference}
            for each in plan.duplicates.first
        ],
        "worth_a_look": list(notices),
        "errors": [
            {"line": each.line, "column": each.column, "problem": each.problem, "remedy": each.remedy}
            for each in errors
        ],
    }
