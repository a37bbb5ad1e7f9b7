"""`caxton resume`: a batch that was stopped, paused or killed goes on, from its journal alone."""

from typing import TYPE_CHECKING

from caxton_async.batch.lookup import find_endpoint
from caxton_async.cli._batches import existing_journal, find_batch, location_of, who_decides
from caxton_async.cli._client import check_production, read_environment
from caxton_async.cli._running import CONCURRENCY, RunOptions, carry_out
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import BatchInfo

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient


def resume(  # noqa: PLR0913 -- each is an option of the command
    batch: str,
    /,
    *,
    journal: str | None = None,
    concurrency: int = CONCURRENCY,
    approved: str | None = None,
    by: str | None = None,
    rows: bool = False,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Go on with a batch: rows that were not sent are sent; those whose outcome is unknown never are.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        journal: The journal of the batch.
        concurrency: How many calls are in flight at once.
        approved: Carry out only the plan of this digest.
        by: Who approved it; you, if not given.
        rows: Show each row at the end.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    configuration = read_environment()
    with existing_journal(journal) as opened:
        found = find_batch(opened, batch)
    check_production(configuration, find_endpoint(found.endpoint), yes=yes)

    async def begin(_journal: Journal, _client: "CaxtonClient") -> BatchInfo:
        return found

    where, who = location_of(journal), None if approved is None else who_decides(by)
    options = RunOptions(
        where=where, concurrency=concurrency, approved=approved, approved_by=who, as_json=json, rows=rows
    )
    return carry_out(configuration, options, begin)
