"""What keeps a row from being sent twice by many machines, and its outcome from being lost between them."""

from tests.mutations import Mutation, returning
from tests.mutations.journal import replacing

MACHINES, SERVER, PROCESSES = "test_machines.py", "test_server.py", "unit/journal/test_processes.py"
STATEMENTS = "caxton_async.journal.postgres.statements"
CLAIMS = "caxton_async.journal.postgres.row_claims"
CONNECTING = "caxton_async.journal.postgres.connecting"

MUTATIONS = (
    Mutation(
        "only the session that holds the lock of a worker claims",
        f"{STATEMENTS}:NEXT",
        replacing("AND backend = pg_backend_pid()", ""),
        (f"{MACHINES}::test_only_the_session_with_the_lock_claims",),
    ),
    Mutation(
        "nothing is claimed for a worker on a server that others gave up",
        f"{STATEMENTS}:NEXT",
        replacing("AND ended_at IS NULL", ""),
        (f"{MACHINES}::test_a_worker_that_others_gave_up_takes_nothing_more",),
    ),
    Mutation(
        "who holds a lock of the server is not gone",
        f"{STATEMENTS}:GONE",
        replacing("AND l.granted", "AND false"),
        (f"{PROCESSES}::test_a_stopped_process_is_not_given_up",),
    ),
    Mutation(
        "a sweep leaves calls that may be under way alone",
        f"{STATEMENTS}:LEFT_BEHIND",
        replacing("r.started_at + w.grace_s", "r.started_at"),
        (f"{MACHINES}::test_rows_of_a_lost_session_are_given_up_after_the_grace",),
    ),
    Mutation(
        "a sweep has a second statement",
        f"{CLAIMS}:give_up",
        returning(0),
        (f"{MACHINES}::test_no_row_stays_in_flight_behind_a_sweep",),
    ),
    Mutation(
        "an outcome that comes late over the network replaces unknown",
        f"{CLAIMS}:replaces",
        returning(False),
        (f"{MACHINES}::test_rows_of_a_lost_session_are_given_up_after_the_grace",),
    ),
    Mutation(
        "not paid waits for the end of the worker",
        "caxton_async.journal.postgres.deciding:check_end",
        returning(None),
        (f"{MACHINES}::test_not_paid_waits_until_the_end_of_the_worker_is_certain",),
    ),
    Mutation(
        "a claim whose answer was lost is given back",
        "caxton_async.journal.postgres.worker_session:WorkerSession._drop_dangling",
        returning(None),
        (f"{MACHINES}::test_a_claim_whose_answer_was_lost_is_given_back",),
    ),
    Mutation(
        "a restored database is told from the journal that it was",
        "caxton_async.journal.postgres.last_claim:_is_known",
        returning(True),
        ("unit/journal/test_restored.py::test_a_restored_backup_sends_nothing_until_it_is_adopted",),
    ),
    Mutation(
        "what a restored database would send needs a decision",
        "caxton_async.journal.postgres.adopting:_UNDECIDED",
        replacing("'planned', 'not_sent', ", ""),
        ("unit/journal/test_restored.py::test_a_restored_backup_sends_nothing_until_it_is_adopted",),
    ),
    Mutation(
        "a pooler is looked for",
        f"{CONNECTING}:is_pooled",
        returning(False),
        (f"{SERVER}::test_a_pooler_in_transaction_mode_is_refused",),
    ),
    Mutation(
        "a server that loses commits is refused",
        f"{CONNECTING}:check_safety",
        returning(None),
        (
            f"{SERVER}::test_a_server_without_fsync_is_refused",
            f"{SERVER}::test_replicas_of_which_none_is_synchronous_are_refused",
        ),
    ),
    Mutation(
        "a 429 slows the workers of all machines",
        "caxton_async.journal.postgres.shared_pace:SharedPace.keep_quiet",
        returning(None),
        ("test_shared_pace.py::test_what_one_is_told_slows_all",),
    ),
    Mutation(
        "workers of all machines share one pace",
        "caxton_async.journal.postgres.shared_pace:_RESERVE",
        replacing("greatest(next_at, quiet_until, now.t)", "greatest(quiet_until, now.t)"),
        ("test_shared_pace.py::test_eight_workers_together_keep_to_the_rate",),
    ),
    Mutation(
        "an encrypted value is bound to its row",
        "caxton_async.journal.row_values:context",
        returning(b""),
        (f"{SERVER}::test_a_value_that_stands_in_another_place_is_refused",),
    ),
)
