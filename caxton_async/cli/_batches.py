"""What the commands on batches share: the journal, the batch that is meant, and telling how it stands."""

import getpass
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from caxton_async.batch.outcome import BatchSummary, summarise
from caxton_async.cli._client import state_folder
from caxton_async.cli._exit_codes import ExitCode
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.errors import AuthenticationFailed, JournalError, JournalRefused, NotAuthorised
from caxton_async.journal.protocol import Journal, JournalReader
from caxton_async.journal.states import SENDABLE, BatchInfo, RowState

_MAX_REASONS: Final = 10
_MAX_ALARMS: Final = 10
_COLUMNS: Final = (
    "reference",
    "line",
    "state",
    "amount",
    "currency",
    "beneficiary",
    "upload_record_id",
    "sent",
    "error",
)


def default_location() -> str:
    """Return where the journal of this user is: `CAXTON_JOURNAL`, else a file in the state folder."""
    return os.environ.get("CAXTON_JOURNAL") or str(state_folder() / "journal.sqlite")


def location_of(journal: str | None) -> str:
    """Return the journal that is meant: the one that was named, else this user's."""
    return journal or default_location()


def exists(where: str) -> bool:
    """Tell whether there is a journal; one in a database server is taken to be there."""
    return "://" in where or Path(where).exists()


@contextmanager
def existing_journal(journal: str | None) -> Iterator[Journal]:
    """Open a journal that is there, to read it and to record decisions.

    Raises:
        JournalRefused: there is none.
    """
    from caxton_async.journal.opening import check_missing, open_journal

    where = location_of(journal)
    if not exists(where):
        check_missing(where)
        raise JournalRefused(f"there is no journal {where} yet: caxton run makes it, and --journal names another one")
    with open_journal(where) as opened:
        with suppress(JournalError):  # a copy, or one on a full disk, can be looked at; whatever writes is refused
            opened.sweep()
        yield opened


def find_batch(journal: JournalReader, text: str) -> BatchInfo:
    """Return the batch that is meant, and say which one where several are.

    Raises:
        JournalRefused: there is none.
    """
    from caxton_async.batch.lookup import find_batches

    found = find_batches(journal, text)
    if len(found) > 1:
        others = ", ".join(str(info.id) for info in found[1:6])
        echo_err(f"note: {text} stands for several batches; this is {found[0].id}, and there are {others}")
    return found[0]


def who_decides(by: str | None) -> str:
    """Return who makes a decision: the name that was given, else the user's."""
    return by or getpass.getuser()


def code_of_counts(counts: Mapping[RowState, int]) -> ExitCode:
    """Return the exit code of a batch that stands like this."""
    if counts[RowState.UNKNOWN] or counts[RowState.SENDING]:
        return ExitCode.UNKNOWN
    if any(counts[state] for state in SENDABLE):
        return ExitCode.LEFT
    return ExitCode.REJECTED if counts[RowState.REJECTED] else ExitCode.ACCEPTED


def code_of_summary(summary: BatchSummary) -> ExitCode:
    """Return the exit code of a run that ended like this."""
    code = code_of_counts(summary.counts)
    was_refused = isinstance(summary.error, AuthenticationFailed | NotAuthorised)
    return ExitCode.AUTHENTICATION if code is ExitCode.LEFT and was_refused else code


def show_batch(
    journal: JournalReader,
    info: BatchInfo,
    *,
    as_json: bool,
    summary: BatchSummary | None = None,
    states: Collection[RowState] | None = None,
    beside: Mapping[str, object] | None = None,
) -> ExitCode:
    """Tell how a batch stands and what to do next; `states` are of the rows that are listed, all if it is empty.

    `beside` stands in the JSON beside the batch.
    """
    from caxton_async.batch.report.export import Records, batch_record, json_rows

    summary = summary or summarise(journal, info.id)
    info = journal.batch(info.id)
    records = None if states is None else Records(journal, info)(states)
    if as_json:
        data = batch_record(journal, info, summary) | dict(beside or {})
        show_json(data if records is None else data | {"rows": list(json_rows(records))})
    else:
        rows = "still being planned" if info.total is None else f"{info.total} rows"
        echo_err(f"batch {info.id} ({info.name}): {rows} of {info.endpoint} at {info.binding.origin}")
        show_table(("state", "rows"), [(state.value, count) for state, count in summary.counts.items() if count])
        if records is not None:
            show_table(_COLUMNS, [[record[name] for name in _COLUMNS] for record in records])
        _show_reasons(summary)
    _say_next(journal, info, summary)
    return ExitCode.UNKNOWN if raise_alarms(journal, info) else code_of_summary(summary)


def raise_alarms(journal: JournalReader, info: BatchInfo) -> bool:
    """Tell of late answers that contradict a person's decision, until a person has decided anew; True if there are."""
    last_word = {each.reference: each.alarm for each in journal.decisions(info.id)}
    alarms = [reference for reference, is_alarm in last_word.items() if is_alarm]
    if alarms:
        more = ", ..." if len(alarms) > _MAX_ALARMS else ""
        echo_err(
            f"ALARM: in batch {info.id}, an answer that came late contradicts what a person decided about "
            f"{', '.join(alarms[:_MAX_ALARMS])}{more}: find out, then decide anew with caxton resolve"
        )
    return bool(alarms)


def _show_reasons(summary: BatchSummary) -> None:
    for each in summary.reasons[:_MAX_REASONS]:
        echo_err(f"{each.rows} x {each.state.value.replace('_', ' ')}: {each.reason or 'no reason was kept'}")
    if len(summary.reasons) > _MAX_REASONS:
        echo_err(f"and {len(summary.reasons) - _MAX_REASONS} more reasons")


def option_for(where: str) -> str:
    """Return what names the journal `where` in a command: nothing, where it is the one that is used by itself."""
    return "" if where == default_location() else f" --journal {shlex.quote(where)}"


def _say_next(journal: JournalReader, info: BatchInfo, summary: BatchSummary) -> None:
    where = option_for(journal.where)
    counts = summary.counts
    if summary.paused:
        echo_err(f"paused: {summary.paused}")
    if counts[RowState.SENDING]:
        echo_err(f"{counts[RowState.SENDING]} rows are being sent by another process, or were by one that is frozen")
    if counts[RowState.UNKNOWN]:
        echo_err(
            f"{counts[RowState.UNKNOWN]} outcomes are unknown and are not sent again; see: "
            f"caxton status {info.id} --state unknown{where}"
        )
        echo_err(f"once it is found out: caxton resolve {info.id} REFERENCE --paid --note TEXT{where}, or --not-paid")
    if counts[RowState.REJECTED]:
        echo_err(
            f"{counts[RowState.REJECTED]} rows were rejected; see: caxton status {info.id} --state rejected{where}"
        )
        if any(row.followed_by is None for row in journal.rows(info.id, (RowState.REJECTED,))):
            echo_err(f"once the cause is put right: caxton retry {info.id} --state rejected{where}")
    if summary.left and "://" in journal.where and info.paused_reason is None:
        echo_err(f"workers, if there are any, send what is left; to stop them all: caxton pause {info.id}{where}")
    if summary.left:
        echo_err(f"{summary.left} rows are left; go on with: caxton resume {info.id}{where}")


def batch_entry(journal: JournalReader, info: BatchInfo) -> dict[str, Any]:
    """Return a batch as the list of all batches has it."""
    from caxton_async.batch.report.summary import as_utc

    counts = journal.counts(info.id)
    return {
        "batch": info.id,
        "name": info.name,
        "endpoint": info.endpoint,
        "total": info.total,
        "counts": {state.value: count for state, count in counts.items()},
        "paused": info.paused_reason,
        "created_at": as_utc(info.created_at),
    }
