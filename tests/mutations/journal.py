"""What keeps a row from being sent twice, and an outcome from being lost or believed where it is damaged."""

from contextlib import nullcontext

from tests.mutations import Around, Mutation, returning

FILES, PROCESSES, CONFORMANCE = "unit/journal/test_files.py", "unit/journal/test_processes.py", "test_conformance.py"
CLAIMS = "caxton_async.journal.sqlite.claims"
OPEN_FILE = "caxton_async.journal.sqlite.open_file"
DUPLICATES = "caxton_async.journal.sqlite.duplicates"
TABLES = "caxton_async.journal.sqlite.tables"


def replacing(old: str, new: str) -> Around:
    """Replace a part of a statement."""

    def make(statement: str) -> str:
        assert old in statement
        return statement.replace(old, new)

    return Around(make)


async def _taken_from_the_caller(awaitable: object) -> object:
    return await awaitable  # type: ignore[misc]  # what is awaited is cancelled with its caller


MUTATIONS = (
    Mutation(
        "commits are synced",
        "caxton_async.journal.sqlite.handle:_SETTINGS",
        ("journal_mode=PERSIST", "synchronous=NORMAL"),
        (f"{FILES}::test_every_commit_is_synced",),
    ),
    Mutation(
        "a worker that was given up takes nothing",
        f"{CLAIMS}:check_alive",
        returning(None),
        (f"{PROCESSES}::test_a_worker_that_was_given_up_takes_nothing_more",),
    ),
    Mutation(
        "a row moves from where it was believed to be",
        f"{TABLES}:MOVE",
        replacing("AND state = ? AND attempt = ? AND worker IS ?", "AND ? NOTNULL AND ? NOTNULL AND ifnull(?, 0) >= 0"),
        (f"{CONFORMANCE}::test_a_late_outcome_that_contradicts_a_decision_is_an_alarm",),
    ),
    Mutation(
        "a row is given up only when its worker is gone",
        "caxton_async.journal.sqlite.locks:Locks.is_gone",
        returning(True),
        (f"{PROCESSES}::test_a_stopped_process_is_not_given_up",),
    ),
    Mutation(
        "a child closes the locks of its parent",
        "caxton_async.journal.sqlite.locks:Locks.close",
        returning(None),
        (f"{PROCESSES}::test_a_forked_child_keeps_no_lock_of_its_parent",),
    ),
    Mutation(
        "a late outcome is kept",
        f"{CLAIMS}:_record_late",
        returning(None),
        (f"{CONFORMANCE}::test_a_late_outcome_replaces_unknown",),
    ),
    Mutation(
        "a late outcome that contradicts a decision is an alarm",
        f"{CLAIMS}:_contradict",
        returning(None),
        (f"{CONFORMANCE}::test_a_late_outcome_that_contradicts_a_decision_is_an_alarm",),
    ),
    Mutation(
        "a file that takes the journal's place is noticed",
        f"{OPEN_FILE}:OpenFile._check_in_place",
        returning(None),
        (f"{FILES}::test_a_file_that_takes_its_place_stops_it",),
    ),
    Mutation(
        "a lock that was removed is noticed",
        "caxton_async.journal.sqlite.locks:Locks._check_in_place",
        returning(None),
        (f"{FILES}::test_a_lock_that_is_removed_stops_it",),
    ),
    Mutation(
        "a copy is noticed",
        "caxton_async.journal.sqlite.copies:Register.find_problem",
        returning(None),
        (f"{FILES}::test_a_copy_sends_nothing_until_it_is_adopted",),
    ),
    Mutation(
        "what a copy would send needs a decision",
        "caxton_async.journal.sqlite.resolving:give_up",
        returning(0),
        (f"{FILES}::test_a_copy_sends_nothing_until_it_is_adopted",),
    ),
    Mutation(
        "a checksum stands for each row",
        f"{TABLES}:verify",
        returning(None),
        (f"{FILES}::test_a_journal_that_was_edited_is_not_sent",),
    ),
    Mutation(
        "rows are counted before work begins",
        "caxton_async.journal.sqlite.taker:check_counts",
        returning(None),
        (f"{FILES}::test_a_journal_that_was_edited_is_not_sent",),
    ),
    Mutation(
        "journals are private",
        f"{OPEN_FILE}:check_private",
        returning(None),
        (f"{FILES}::test_a_file_that_is_not_its_own_is_refused",),
    ),
    Mutation(
        "of two plans one finds the other",
        f"{DUPLICATES}:_may_be_paid",
        returning(()),
        (f"{CONFORMANCE}::test_of_two_plans_at_once_one_finds_the_other",),
    ),
    Mutation(
        "plans are compared one after the other",
        "caxton_async.journal.sqlite.planning:Planner._held",
        returning(nullcontext()),
        (f"{CONFORMANCE}::test_of_two_plans_at_once_one_finds_the_other",),
    ),
    Mutation(
        "what may have been paid is not tried again",
        "caxton_async.journal.sqlite.planning:_WRONG_SOURCES",
        replacing("SELECT count(*)", "SELECT 0 * count(*)"),
        (f"{CONFORMANCE}::test_a_row_is_tried_again_once",),
    ),
    Mutation(
        "a payment is its journal's, not its caller's",
        "caxton_async.journal.once:asyncio.shield",
        _taken_from_the_caller,
        ("test_once.py::test_a_cancelled_caller_does_not_cut_its_payment_off",),
    ),
)
