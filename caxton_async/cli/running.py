"""`caxton run` and `caxton resume`: a batch from a file, which can be stopped at any instant."""

import asyncio
import json as json_text
import shlex
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import asdict, define, evolve, field

from caxton_async.batch import (
    BULK_PAYMENTS,
    BatchSummary,
    InputFile,
    InputOptions,
    Journal,
    JournalRefused,
    RowOutcome,
    RowState,
    check_not_run_before,
    default_path,
    input_digest,
    read_journal,
    run_batch,
    run_bulk_payments,
)
from caxton_async.batch.states import SENDABLE
from caxton_async.cli._client import check_production, connect, read_environment, view_for
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, progress, show_json, show_table
from caxton_async.cli.call import holds_secret
from caxton_async.cli.plans import (
    acting_for,
    find_batch_endpoint,
    input_of,
    open_input,
    prepare,
    show_plan,
    split_columns,
)
from caxton_async.config import Configuration
from caxton_async.endpoints import Endpoint
from caxton_async.errors import AuthenticationFailed, NotAuthorised

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

_CONCURRENCY: Final = 64


def run(  # noqa: PLR0913 -- each is an option of the command
    name: str,
    file: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    column: tuple[str, ...] = (),
    journal: Path | None = None,
    concurrency: int = _CONCURRENCY,
    dry_run: bool = False,
    approved: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Make one call for each row of a file.  It can be stopped, or killed, at any instant and resumed.

    Args:
        name: The name of a call, as `caxton endpoints` lists it, or bulk_payments.
        file: A CSV, JSON Lines or xlsx file with a column `reference`, and one for each field of the call.
        delimiter: What stands between the cells of a CSV file, where it is no comma, such as ';'.
        encoding: How a text is encoded, where it is not UTF-8, such as cp1252.
        sheet: The sheet of a workbook, where several have rows.
        column: What the file calls a field, as FIELD=HEADER, where it does not use the field's name.
        journal: Where to keep what was sent and what came of it; beside the file unless told otherwise.
        concurrency: How many calls are in flight at once.
        dry_run: Send nothing: check the file, and print what would be sent and the digest of this plan.
        approved: Carry out only the plan of this digest.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    endpoint = find_batch_endpoint(name)
    configuration = read_environment()
    options = InputOptions(delimiter, encoding, sheet, split_columns(column))
    prepared = prepare(open_input(file, endpoint, options), configuration)
    if dry_run:
        show_plan(prepared, as_json=json)
        return ExitCode.ACCEPTED
    if approved is not None and approved != prepared.digest:
        raise Failure(f"the plan is {prepared.digest}, which is not the one that was approved; nothing was sent")
    check_production(configuration, endpoint, yes=yes)
    if holds_secret(endpoint.returns):
        raise Failure(f"the result of {name} holds a secret, which a batch does not keep: use caxton call for each")
    origin = configuration.settings.origin
    path = journal or default_path(file, endpoint.name)
    for folder in {file.parent, path.parent}:
        check_not_run_before(folder / file.name, endpoint=endpoint.name, origin=origin, digest=prepared.input_digest)
    created = Journal.create(
        path,
        endpoint=endpoint.name,
        origin=origin,
        digest=prepared.input_digest,
        details={
            "input": str(file.absolute()),
            "acting_for": acting_for(configuration),
            "reading": json_text.dumps(asdict(options)),
        },
    )
    return _carry_out(
        _Batch(endpoint, prepared.file, configuration, created, prepared.plan.count, concurrency), as_json=json
    )


def resume(
    journal: Path,
    *,
    concurrency: int = _CONCURRENCY,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Go on with a batch: rows that were not sent are sent; those whose outcome is unknown never are.

    Args:
        journal: The journal of the batch.
        concurrency: How many calls are in flight at once.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    configuration = read_environment()
    with read_journal(journal) as found:
        endpoint, details, total = find_batch_endpoint(found.endpoint), found.details, found.total
        options = InputOptions(**json_text.loads(details.get("reading", "{}")))
        file = open_input(input_of(found), endpoint, options)
    check_production(configuration, endpoint, yes=yes)
    if details.get("acting_for") != acting_for(configuration):
        raise JournalRefused(f"the batch was begun for {details['acting_for']}, not for {acting_for(configuration)}")
    opened = Journal.open(journal, digest=input_digest(file.path))
    total = prepare(file, configuration).plan.count if total is None else total
    return _carry_out(_Batch(endpoint, file, configuration, opened, total, concurrency), as_json=json)


@define
class _Batch:
    """A batch that is about to run, and what is learnt as it does."""

    endpoint: Endpoint[Any, Any]
    file: InputFile
    configuration: Configuration
    journal: Journal
    total: int
    concurrency: int
    seen: Counter[RowState] = field(factory=Counter)
    was_refused: bool = False
    stop: anyio.Event = field(factory=anyio.Event)


def _carry_out(batch: _Batch, *, as_json: bool) -> int:
    with batch.journal:
        summary = asyncio.run(_run(batch))
    return _conclude(batch, summary, as_json=as_json)


async def _run(batch: _Batch) -> BatchSummary:
    """Run the batch; the first signal lets what is in flight end, the second does not wait for it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def on_signal() -> None:
        if batch.stop.is_set() and task is not None:
            task.cancel()
        else:
            batch.stop.set()
            echo_err("\nstopping: nothing more is sent, and the calls in flight may end (once more: stop at once)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    finished = sum(batch.journal.counts()[state] for state in RowState if state not in SENDABLE)
    with progress(batch.endpoint.name, batch.total) as bar:

        def on_progress(outcome: RowOutcome[Any]) -> None:
            batch.seen[outcome.state] += 1
            batch.was_refused |= isinstance(outcome.error, AuthenticationFailed | NotAuthorised)
            bar.update(finished + sum(n for state, n in batch.seen.items() if state not in SENDABLE), _note(batch.seen))

        try:
            async with connect(_with_room(batch)) as client:
                return await _send(batch, view_for(client, batch.configuration), on_progress)
        except asyncio.CancelledError:
            if not batch.stop.is_set():
                raise
    return BatchSummary(batch.journal.counts(), "stopped at once")


def _with_room(batch: _Batch) -> Configuration:
    """Let as many connections be open as calls are in flight: a row that waits for one would be `sending` too early."""
    settings = batch.configuration.settings
    room = max(settings.max_connections, batch.concurrency)
    return evolve(batch.configuration, settings=evolve(settings, max_connections=room))


async def _send(batch: _Batch, client: "CaxtonClient", on_progress: Callable[[RowOutcome[Any]], None]) -> BatchSummary:
    rows = evolve(batch.file, check=None)  # the day may have turned since the plan
    common: dict[str, Any] = {"journal": batch.journal, "on_progress": on_progress, "stop": batch.stop}
    if batch.endpoint is BULK_PAYMENTS:
        return await run_bulk_payments(client, rows, description=batch.file.path.stem, **common)
    return await run_batch(client, batch.endpoint, rows, concurrency=batch.concurrency, **common)


def _note(seen: Mapping[RowState, int]) -> str:
    return ", ".join(f"{n} {state.value}" for state, n in seen.items() if state is not RowState.ACCEPTED)


def code_of_counts(counts: Mapping[RowState, int]) -> ExitCode:
    """Return the exit code of a batch that stands like this."""
    if counts[RowState.UNKNOWN] or counts[RowState.SENDING]:
        return ExitCode.UNKNOWN
    if any(counts[state] for state in SENDABLE):
        return ExitCode.LEFT
    return ExitCode.REJECTED if counts[RowState.REJECTED] else ExitCode.ACCEPTED


def _conclude(batch: _Batch, summary: BatchSummary, *, as_json: bool) -> ExitCode:
    """Say how the batch stands, and what to do next."""
    path = shlex.quote(str(batch.journal.path))
    counts = {state.value: n for state, n in summary.counts.items() if n}
    if as_json:
        paused = {"paused": summary.paused} if summary.paused else {}
        show_json({"journal": str(batch.journal.path), "total": summary.total, "counts": counts, **paused})
    else:
        show_table(("state", "rows"), list(counts.items()))
    echo_err(f"the journal is {path}; caxton report tells more")
    if summary.paused:
        echo_err(f"paused: {summary.paused}")
    if summary.left:
        echo_err(f"{summary.left} rows are left; go on with: caxton resume {path}")
    if summary.unknown:
        echo_err(
            f"{summary.unknown} outcomes are unknown, and are not sent again; see: caxton status {path} --state unknown"
        )
    code = code_of_counts(summary.counts)
    return ExitCode.AUTHENTICATION if code is ExitCode.LEFT and batch.was_refused else code
