"""What keeps a batch from being paid twice, for others, or unapproved, and its reports from doing harm."""

from collections.abc import Callable
from typing import Any

from tests.mutations import Around, Mutation, returning


def never_unknown(judge: Callable[..., Any]) -> Callable[..., Any]:
    """Take what is unknown for what was not sent."""

    def call(error: Exception, *, repeatable: bool) -> Any:
        return judge(error, repeatable=True)

    return call


def whoever_has_them(take_all: Callable[..., Any]) -> Callable[..., Any]:
    """Take the rows of a payroll also where another process is paying them."""

    def call(tx: Any, worker: int, batch: int) -> Any:
        from caxton_async.journal import Taken
        from caxton_async.journal.sqlite import tables
        from caxton_async.journal.states import LAST

        found = tx.ask(tables.ROWS, batch << 32, (batch + 1) << 32, tables.ALL_STATES, LAST)
        rows = [tables.to_row(values, None) for values in found]
        return take_all(tx, worker, batch) or [
            Taken(id=row.id, worker=worker, attempt=2, reference=row.reference, request=b"", started_at=0.0)
            for row in rows
        ]

    return call


async def until_it_is_told(run: Any, _journal: Any, stop: Any) -> None:
    """Halt a run when it is told to stop, whatever becomes of its batch."""
    await stop.wait()
    run._halted.set()


def returning_itself(text: str) -> str:
    """Compare texts as they are."""
    return text


MUTATIONS = (
    Mutation(
        "a payment in other letters is the same",
        "caxton_async.journal.stored:_fold",
        returning_itself,
        ("test_plan.py::test_the_same_payments_are_found_in_disguise",),
    ),
    Mutation(
        "calls in flight leave files for the journal",
        "caxton_async.cli._running:_DESCRIPTORS",
        0,
        ("test_cli.py::test_calls_in_flight_leave_files_for_the_journal",),
    ),
    Mutation(
        "what one process pauses, no other goes on with",
        "caxton_async.batch.runner:BatchRun._halt_with",
        until_it_is_told,
        ("unit/batch/test_runner.py::test_what_another_process_pauses_halts_the_run",),
    ),
    Mutation(
        "of two processes one pays a payroll",
        "caxton_async.journal.sqlite.claims:take_all",
        Around(whoever_has_them),
        ("test_kill.py::test_processes_that_race_for_a_payroll_pay_it_once",),
    ),
    Mutation(
        "an outage pauses a run",
        "caxton_async.batch.brake:MAX_UNANSWERED",
        10**9,
        ("test_brake.py", "test_runner.py::test_an_outage_pauses_the_run"),
    ),
    Mutation(
        "refusals alike pause a run",
        "caxton_async.batch.brake:MAX_REFUSALS_ALIKE",
        10**9,
        ("test_runner.py::test_refusals_alike_pause_the_run",),
    ),
    Mutation(
        "a run begins with few calls",
        "caxton_async.batch.runner:_FIRST",
        64,
        ("test_runner.py::test_a_run_starts_with_four_and_doubles_as_calls_are_accepted",),
    ),
    Mutation(
        "an unknown outcome is unknown",
        "caxton_async.journal.step:judge",
        Around(never_unknown),
        ("test_runner.py::test_an_error_decides_what_becomes_of_its_row",),
    ),
    Mutation(
        "duplicates stop a run",
        "caxton_async.batch.plan:_check_duplicates",
        returning(None),
        ("test_runner.py::test_duplicates_stop_a_run_unless_they_are_allowed",),
    ),
    Mutation(
        "the approval is compared with the rows in the journal at each start",
        "caxton_async.batch.runner:check_approval",
        returning(None),
        ("test_plan.py::test_rows_that_are_not_the_approved_ones_are_not_sent",),
    ),
    Mutation(
        "a plan's digest covers for whom it is sent",
        "caxton_async.batch.plan:astuple",
        returning(()),
        ("test_plan.py::test_the_digest_covers_rows_and_for_whom_they_are_sent",),
    ),
    Mutation(
        "a batch goes on for those for whom it was begun",
        "caxton_async.batch.runner:check_binding",
        returning(None),
        ("test_runner.py::test_a_batch_goes_on_for_those_for_whom_it_was_begun",),
    ),
    Mutation(
        "progress that fails stops nothing",
        "caxton_async.batch.runner:_shielded",
        lambda on_progress: on_progress,
        ("test_runner.py::test_progress_that_fails_does_not_stop_the_run",),
    ),
    Mutation(
        "no cell of a report is a formula",
        "caxton_async.batch.report.export:_defused_cell",
        lambda text: text,
        ("test_export.py::test_a_spreadsheet_runs_no_cell",),
    ),
    Mutation(
        "a report overwrites neither journal nor input",
        "caxton_async.batch.report.export:_check_target",
        returning(None),
        ("test_export.py::test_neither_journal_nor_input_is_ever_overwritten",),
    ),
    Mutation(
        "text is escaped in a page",
        "caxton_async.batch.report.markup:escape",
        str,
        ("report/test_page.py::test_whatever_a_journal_holds_is_shown_and_not_obeyed",),
    ),
)
