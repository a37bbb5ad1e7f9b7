"""`caxton retry`: a new batch from the rows of another that were rejected, or resolved as not paid."""

from typing import TYPE_CHECKING

from attrs import evolve

from caxton_async.batch.follow_up import Retried, follow_up_rows, next_name
from caxton_async.batch.lookup import find_endpoint
from caxton_async.batch.plan import DUPLICATE_DAYS, PlanOptions, make_plan, plan_batch
from caxton_async.cli._batches import existing_journal, find_batch, location_of, option_for, show_batch, who_decides
from caxton_async.cli._client import check_production, read_environment
from caxton_async.cli._exit_codes import ExitCode
from caxton_async.cli._output import echo_err
from caxton_async.cli._planning import find_elsewhere, show_plan
from caxton_async.cli._running import CONCURRENCY, RunOptions, carry_out
from caxton_async.journal.binding import binding_of, check_binding
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, BatchInfo
from caxton_async.journal.stored import decode_request

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient


def retry(  # noqa: PLR0913 -- each is an option of the command
    batch: str,
    /,
    *,
    state: Retried,
    journal: str | None = None,
    concurrency: int = CONCURRENCY,
    dry_run: bool = False,
    approved: str | None = None,
    by: str | None = None,
    allow_duplicates: bool = False,
    duplicate_days: float = DUPLICATE_DAYS,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Send rows anew that were rejected, or resolved as not paid: each at most once, in a batch of their own.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        state: Which rows: rejected, or not-paid.
        journal: The journal of the batch.
        concurrency: How many calls are in flight at once.
        dry_run: Send nothing: print what would be sent, and the digest of this plan.
        approved: Carry out only the plan of this digest.
        by: Who approved it; you, if not given.
        allow_duplicates: Carry out rows too that ask for what may have been paid already.
        duplicate_days: How many days back payments of the same are looked for.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    with existing_journal(journal) as opened:
        source = find_batch(opened, batch)
        endpoint = find_endpoint(source.endpoint)
        # Read to the end here: while a plan is written nothing else can be read of some journals.
        rows = list(follow_up_rows(opened, source, endpoint, state))
        options = PlanOptions(
            name=next_name(source.name),
            allow_duplicates=allow_duplicates,
            duplicate_days=duplicate_days,
            approved=approved,
            approved_by=None if approved is None else who_decides(by),
            follows=source.id,
        )
        if not rows:
            echo_err(f"batch {source.id} has no {state.replace('-', ' ')} row that was not retried already")
            show_batch(opened, source, as_json=json, beside={"new_batch": None})
            return _name_unfinished(opened, source)
        asked = [(row.reference, decode_request(row.request, endpoint.sends)) for row in rows]
        options = evolve(options, elsewhere=find_elsewhere(location_of(journal), endpoint, asked, options))
        if dry_run:
            plan = make_plan(opened, endpoint, rows, binding=source.binding, options=options)
            return show_plan(plan, endpoint.name, source.binding, as_json=json)
    configuration = read_environment()
    check_production(configuration, endpoint, yes=yes)

    async def begin(journal_: Journal, client: "CaxtonClient") -> BatchInfo:
        check_binding(source.id, source.binding, binding_of(client))
        return await plan_batch(journal_, endpoint, rows, binding=source.binding, options=options)

    run = RunOptions(where=location_of(journal), concurrency=concurrency, as_json=json, retries=True)
    return carry_out(configuration, run, begin)


def _name_unfinished(journal: Journal, source: BatchInfo) -> ExitCode:
    """Say how earlier retries of a batch go on that were stopped or killed."""
    code = ExitCode.ACCEPTED
    for info in journal.batches():
        left = sum(journal.counts(info.id)[state] for state in SENDABLE) if info.follows == source.id else 0
        if left:
            again = f"caxton resume {info.id}{option_for(journal.where)}"
            echo_err(f"{left} of its rows wait in batch {info.id} ({info.name}); go on with: {again}")
            code = ExitCode.LEFT
    return code
