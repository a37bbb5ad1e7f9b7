"""`caxton journal`: the journal as a whole: copied, adopted, pruned and migrated."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from caxton_async.cli._batches import existing_journal, location_of, option_for, who_decides
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.journal.opening import adopt_journal, export_journal, is_database, migrate_journal

_DAY_S: Final = 86_400
_DAYS: Final = re.compile(r"([0-9]{1,5})d?")


def export(file: Path, /, *, journal: str | None = None) -> int:
    """Copy the journal as it is now to a new file: the way to back it up, also while batches run.

    Args:
        file: The new file.
        journal: The journal.
    """
    export_journal(location_of(journal), file)
    adopting = f"caxton journal adopt{option_for(str(file))} --note WHY"
    echo_err(f"written: {file}; to use it in place of the journal: {adopting}")
    return ExitCode.ACCEPTED


def adopt(*, note: str, by: str | None = None, journal: str | None = None, json: bool = False) -> int:
    """Use a copy, or a restored backup, as the journal from now on; what it would send needs a decision first.

    What was planned or in flight when the copy was made may have been sent since, so it becomes unknown.

    Args:
        note: Why this copy is the journal from now on.
        by: Who says so; you, if not given.
        journal: The copy.
        json: Print {journal, in_flight, undecided} as JSON.
    """
    where = location_of(journal)
    adopted = adopt_journal(where, who=who_decides(by), note=note)
    if json:
        in_flight = [{"batch": batch, "reference": reference} for batch, reference in adopted.in_flight]
        show_json({"journal": where, "in_flight": in_flight, "undecided": adopted.undecided})
    elif adopted.in_flight:
        show_table(("batch", "in flight when it was copied"), adopted.in_flight)
    echo_err(
        f"{where} is the journal from now on, and knows nothing of what was planned after it was copied; "
        f"{adopted.undecided} rows are unknown: see caxton status{option_for(where)}"
    )
    return ExitCode.UNKNOWN if adopted.undecided else ExitCode.ACCEPTED


def prune(*, older_than: str, journal: str | None = None, json: bool = False) -> int:
    """Remove requests and answers of finished batches; what came of each row stays, and so do the digests.

    Args:
        older_than: The age of the batches in days, such as 90d.
        journal: The journal.
        json: Print {journal, pruned} as JSON.
    """
    days = _DAYS.fullmatch(older_than)
    if days is None:
        raise Failure("an age is a number of days, like --older-than 90d")
    with existing_journal(journal) as opened:
        count = opened.prune(before=time.time() - int(days[1]) * _DAY_S)
        if json:
            show_json({"journal": opened.where, "pruned": count})
    echo_err(f"{count} requests were removed")
    return ExitCode.ACCEPTED


def migrate(*, journal: str | None = None) -> int:
    """Bring the journal to the form of this program; in a database, make it if there is none.

    Args:
        journal: The journal.
    """
    where = location_of(journal)
    form = migrate_journal(where)
    if is_database(where):
        from caxton_async.worker.launcher import migrate_jobs

        asyncio.run(migrate_jobs(where))
    echo_err(f"the journal has form {form}, that of this program")
    return ExitCode.ACCEPTED
