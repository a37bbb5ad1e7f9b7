"""`caxton run`: a batch from a file, which can be stopped at any instant."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from caxton_async.batch.input import InputFile, InputOptions
from caxton_async.batch.lookup import BULK_PAYMENTS, INPUT, find_endpoint, path_text
from caxton_async.batch.plan import DUPLICATE_DAYS, PlanOptions, plan_batch
from caxton_async.bulk import check_payment_date
from caxton_async.cli._batches import location_of, who_decides
from caxton_async.cli._client import check_production, read_environment
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err
from caxton_async.cli._planning import find_elsewhere, show_file_plan
from caxton_async.cli._running import CONCURRENCY, RunOptions, carry_out
from caxton_async.cli.call import holds_secret
from caxton_async.endpoints import Endpoint
from caxton_async.errors import ConfigurationError
from caxton_async.journal.binding import binding_of, make_binding
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import BatchInfo, Binding
from caxton_async.protocol.request import Caller

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient


def run(  # noqa: PLR0913 -- each is an option of the command
    endpoint: str,
    file: Path,
    /,
    *,
    journal: str | None = None,
    name: str | None = None,
    concurrency: int = CONCURRENCY,
    dry_run: bool = False,
    approved: str | None = None,
    by: str | None = None,
    allow_duplicates: bool = False,
    duplicate_days: float = DUPLICATE_DAYS,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    column: tuple[str, ...] = (),
    yes: bool = False,
    json: bool = False,
) -> int:
    """Make one call for each row of a file.  It can be stopped, or killed, at any instant and resumed.

    Args:
        endpoint: The name of a call, as `caxton endpoints` lists it, or bulk_payments.
        file: A CSV, JSON Lines or xlsx file with a column `reference`, and one for each field of the call.
        journal: Where to keep what was sent and what came of it; CAXTON_JOURNAL, or a file in the state folder, if not
            given.
        name: What to call the batch; the name of the file, if not given.
        concurrency: How many calls are in flight at once.
        dry_run: Send nothing: check the file, and print what would be sent and the digest of this plan.
        approved: Carry out only the plan of this digest.
        by: Who approved it; you, if not given.
        allow_duplicates: Carry out rows too that ask for what may have been paid already.
        duplicate_days: How many days back payments of the same are looked for.
        sheet: The sheet of a workbook.
        delimiter: What stands between the cells of a CSV file, such as ";".
        encoding: The encoding of a CSV file, such as cp1252.
        column: The header of a field that is not found by itself, such as amount=Betrag.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    call = find_endpoint(endpoint)
    options = InputOptions(delimiter=delimiter, encoding=encoding, sheet=sheet, columns=dict(map(split_pair, column)))
    rows = InputFile(file, call, options, check_of(call))
    plan = PlanOptions(
        name=path_text(Path(name or file.stem)),
        allow_duplicates=allow_duplicates,
        duplicate_days=duplicate_days,
        approved=approved,
        approved_by=None if approved is None else who_decides(by),
        details={INPUT: path_text(file.absolute())},
    )
    where = location_of(journal)
    if dry_run:
        return show_file_plan(where, rows, binding_if_known(), plan, as_json=json)
    configuration = read_environment()
    check_production(configuration, call, yes=yes)
    if holds_secret(call.returns):
        raise Failure(f"the result of {endpoint} holds a secret, which a batch does not keep: use caxton call for each")
    return carry_out(configuration, RunOptions(where=where, concurrency=concurrency, as_json=json), _begin(rows, plan))


def _begin(rows: InputFile, plan: PlanOptions) -> "Callable[[Journal, CaxtonClient], Any]":
    async def begin(journal: Journal, client: "CaxtonClient") -> BatchInfo:
        options = evolve(plan, elsewhere=find_elsewhere(journal.where, rows, plan))
        info = await plan_batch(journal, rows.endpoint, rows, binding=binding_of(client), options=options)
        for notice in rows.notices:
            echo_err(f"worth a look: {notice}")
        return info

    return begin


def binding_if_known() -> Binding | None:
    """Return for whom calls would be made, None without credentials."""
    try:
        configuration = read_environment()
    except ConfigurationError:
        return None
    caller = Caller(configuration.identity_number, configuration.user_token, configuration.user_id)
    return make_binding(configuration.settings.origin, configuration.credentials, caller)


def check_of(endpoint: Endpoint[Any, Any]) -> Callable[[Any], None] | None:
    """Return what a row of this endpoint has to stand beyond the checks of its class."""
    if endpoint is not BULK_PAYMENTS:
        return None
    now = dt.datetime.now(dt.UTC)
    return lambda payment: check_payment_date(payment, now)


def split_pair(text: str) -> tuple[str, str]:
    """Return the two sides of `FIELD=HEADER`.

    Raises:
        Failure: it has not two sides.
    """
    name, _, header = text.partition("=")
    if not name or not header:
        raise Failure("a column is named like --column amount=Betrag")
    return name, header
