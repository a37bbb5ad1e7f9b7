"""`caxton status`: how a batch stands, or all of them, also while they run."""

import time
from typing import Final

from caxton_async.cli._batches import (
    batch_entry,
    code_of_counts,
    existing_journal,
    exists,
    find_batch,
    location_of,
    raise_alarms,
    show_batch,
)
from caxton_async.cli._exit_codes import ExitCode
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.journal.opening import check_missing
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, BatchInfo, RowState

_WATCH_S: Final = 1.0


def status(  # noqa: PLR0913 -- each is an option of the command
    batch: str | None = None,
    /,
    *,
    journal: str | None = None,
    rows: bool = False,
    state: RowState | None = None,
    watch: bool = False,
    verify: bool = False,
    json: bool = False,
) -> int:
    """Show how a batch stands, or all batches, also while they run.

    Args:
        batch: The id or the name of the batch, or the path of its input; all batches if not given.
        journal: The journal.
        rows: Show each row.
        state: Show each row in this state.
        watch: Show how it goes on, until no row is left to be sent.
        verify: First read the whole journal, and fail if anything in it is not as it was written.
        json: Print the result as JSON.
    """
    if batch is None:
        return _show_all(journal, verify=verify, as_json=json)
    with existing_journal(journal) as opened:
        if verify:
            opened.check()
        info = find_batch(opened, batch)
        if watch:
            _watch(opened, info)
        states = (state,) if state else () if rows else None
        return show_batch(opened, info, as_json=json, states=states)


def _watch(journal: Journal, info: BatchInfo) -> None:
    """Tell each second how the batch stands, until it is done or paused."""
    said = ""
    while True:
        counts = journal.counts(info.id)
        line = ", ".join(f"{rows} {state.value.replace('_', ' ')}" for state, rows in counts.items() if rows)
        if line != said:
            echo_err(line)
            said = line
        is_open = any(counts[state] for state in (*SENDABLE, RowState.SENDING))
        if not is_open or journal.batch(info.id).paused_reason is not None:
            return
        time.sleep(_WATCH_S)
        journal.sweep()


def _show_all(journal: str | None, *, verify: bool, as_json: bool) -> int:
    where = location_of(journal)
    if not exists(where):
        check_missing(where)
        echo_err(f"there is no journal {where} yet: caxton run makes it")
        if as_json:
            show_json({"journal": where, "batches": []})
        return ExitCode.ACCEPTED
    with existing_journal(journal) as opened:
        if verify:
            opened.check()
        # Single payments are their callers' business, until a person has to decide about one.
        batches = [info for info in opened.batches() if info.kind != "once" or opened.counts(info.id)[RowState.UNKNOWN]]
        entries = [batch_entry(opened, info) for info in batches]
        codes = [code_of_counts(opened.counts(info.id)) for info in batches]
        codes += [ExitCode.UNKNOWN for info in opened.batches() if raise_alarms(opened, info)]
        where = opened.where  # of a database without its password
    if as_json:
        show_json({"journal": where, "batches": entries})
    else:
        names = ("batch", "name", "endpoint", "rows", "states", "paused", "created")
        show_table(names, [_line(entry) for entry in entries])
    worst = (ExitCode.UNKNOWN, ExitCode.LEFT, ExitCode.REJECTED)
    return next((code for code in worst if code in codes), ExitCode.ACCEPTED)


def _line(entry: dict[str, object]) -> list[object]:
    counts = entry["counts"]
    states = (
        ", ".join(f"{count} {state}" for state, count in counts.items() if count) if isinstance(counts, dict) else ""
    )
    return [
        *(entry["batch"], entry["name"], entry["endpoint"], entry["total"], states.replace("_", " ")),
        *("yes" if entry["paused"] else "", str(entry["created_at"])[:16]),
    ]
