"""A batch from a file: how its rows are checked, planned and begun."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import evolve

from caxton_async.batch.input import InputFile
from caxton_async.batch.lookup import BULK_PAYMENTS
from caxton_async.batch.plan import PlanOptions, plan_batch
from caxton_async.bulk import check_payment_date
from caxton_async.cli._client import read_environment
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err
from caxton_async.cli._planning import find_elsewhere
from caxton_async.endpoints import Endpoint
from caxton_async.errors import ConfigurationError
from caxton_async.journal.binding import binding_of, make_binding
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import BatchInfo, Binding
from caxton_async.protocol.request import Caller

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient


def begin_file(where: str, rows: InputFile, plan: PlanOptions) -> "Callable[[Journal, CaxtonClient], Any]":
    """Return what plans the rows into the journal `where`."""

    async def begin(journal: Journal, client: "CaxtonClient") -> BatchInfo:
        options = evolve(plan, elsewhere=find_elsewhere(where, rows.endpoint, rows, plan))
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
