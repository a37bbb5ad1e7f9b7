"""What a run would do, worked out before anything is sent: the plan, its digest, and what looks like a double."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from caxton_async.batch import (
    BULK_PAYMENTS,
    InputFile,
    InputOptions,
    JournalReader,
    JournalRefused,
    RowState,
    read_journal,
)
from caxton_async.batch.plan import Plan, make_plan, plan_digest, row_digest
from caxton_async.batch.reader import SUFFIX
from caxton_async.bulk import check_payment_date
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.cli.call import find_endpoint
from caxton_async.config import Configuration
from caxton_async.endpoints import Endpoint
from caxton_async.protocol.request import Caller

# What may have been carried out, so that the same again looks like a double.
_DONE = (RowState.SENDING, RowState.ACCEPTED, RowState.UNKNOWN, RowState.SETTLED)
_MAX_DOUBLES = 100  # that are listed


@frozen
class Prepared:
    """A batch that is ready to be sent: its file, what it comes to, and the digest by which it is approved."""

    file: InputFile
    configuration: Configuration
    plan: Plan
    input_digest: str
    digest: str
    elsewhere: tuple[str, ...]


def find_batch_endpoint(name: str) -> Endpoint[Any, Any]:
    """Return the call, or the kind of payroll, of which a batch is made.

    **Raises** InvalidRequest when there is none of this name.
    """
    return BULK_PAYMENTS if name == BULK_PAYMENTS.name else find_endpoint(name)


def input_of(journal: JournalReader) -> Path:
    """Return where the input of a batch is: where it was, or beside the journal.

    **Raises** JournalRefused when it is at neither place.
    """
    noted = Path(journal.details.get("input", "-"))
    for place in (noted, journal.path.parent / noted.name):
        if place.is_file():
            return place
    raise JournalRefused(f"the input of the journal {journal.path} is not there any more: {noted}")


def open_input(file: Path, endpoint: Endpoint[Any, Any], options: InputOptions) -> InputFile:
    """Return the file of a batch, whose rows have to be right as of now."""
    return InputFile(file, endpoint, options, _check_of(endpoint))


def split_columns(named: Sequence[str]) -> dict[str, str]:
    """Return what `--column FIELD=HEADER` says, by field.

    **Raises** Failure when one of them is written otherwise.
    """
    pairs = [text.partition("=") for text in named]
    if not all(equals for _, equals, _ in pairs):
        raise Failure("a column is named like --column reference=Narrative")
    return {field: header for field, _, header in pairs}


def prepare(file: InputFile, configuration: Configuration) -> Prepared:
    """Read a file from end to end and return what it comes to.

    **Raises** RowErrors with every error of the file.
    """
    plan = make_plan(file)
    digest = file.digest
    endpoint, settings = file.endpoint, configuration.settings
    context = {
        "endpoint": endpoint.name,
        "path": settings.paths.get(endpoint.name, endpoint.path),
        "base_url": settings.root_url,
        "input": digest,
        "acting_for": acting_for(configuration),
    }
    elsewhere = tuple(_doubles_elsewhere(file, settings.origin))
    return Prepared(file, configuration, plan, digest, plan_digest(plan, **context), elsewhere)


def _check_of(endpoint: Endpoint[Any, Any]) -> Callable[[Any], None] | None:
    if endpoint is not BULK_PAYMENTS:
        return None
    now = dt.datetime.now(dt.UTC)
    return lambda payment: check_payment_date(payment, now)


def acting_for(configuration: Configuration) -> str:
    """Say for which account and user calls are made, as the client does."""
    return Caller(configuration.identity_number, configuration.user_token).name


def _doubles_elsewhere(file: InputFile, origin: str) -> Iterator[str]:
    """Say which rows ask for what a journal beside the file shows as done."""
    for path in sorted(file.path.absolute().parent.glob(f"*{SUFFIX}")):
        try:
            with read_journal(path) as journal:
                if (journal.endpoint, journal.origin) != (file.endpoint.name, origin):
                    continue
                found = (row for state in _DONE for row in journal.rows(state))
                done = {row.digest: row.reference for row in found if row.status.settled_as_paid is not False}
                salt = journal.salt
        except JournalRefused as error:
            yield f"{path.name} cannot be compared: {error}"
            continue
        for row in file:
            earlier = done.get(row_digest(row.request, salt))
            if earlier is not None:
                yield f"line {row.line} ({row.reference}) asks for the same as {earlier} of {path.name}"


def show_plan(prepared: Prepared, *, as_json: bool) -> None:
    """Print what would be sent."""
    plan = prepared.plan
    inside = [
        f"line {each.line} ({each.reference}) asks for the same as line {each.first_line} ({each.first_reference})"
        for each in plan.doubles
    ]
    doubles = [*inside, *prepared.elsewhere]
    if as_json:
        totals = {total.currency: {"count": total.count, "amount": f"{total.amount:f}"} for total in plan.totals}
        show_json(
            {
                "endpoint": prepared.file.endpoint.name,
                "origin": prepared.configuration.settings.origin,
                "count": plan.count,
                "totals": totals,
                "control_sum": f"{plan.control_sum:f}",
                "suspected_doubles": doubles,
                "worth_a_look": list(map(str, prepared.file.notices)),
                "digest": prepared.digest,
            }
        )
        return
    rows: list[tuple[str, object]] = [("calls", f"{plan.count} x {prepared.file.endpoint.name}")]
    rows += [(f"total {total.currency}", f"{total.amount:f} in {total.count}") for total in plan.totals]
    rows += [
        ("control sum", f"{plan.control_sum:f}"),
        ("sent to", prepared.configuration.settings.root_url),
        ("acting for", acting_for(prepared.configuration)),
        ("plan", prepared.digest),
    ]
    show_table((), rows)
    for notice in prepared.file.notices:
        echo_err(f"worth a look: {notice}")
    for text in doubles[:_MAX_DOUBLES]:
        echo_err(f"suspected double: {text}")
    hidden = plan.double_count - len(plan.doubles) + max(0, len(doubles) - _MAX_DOUBLES)
    if hidden:
        echo_err(f"and {hidden} more suspected doubles")
