"""What keeps a payment from being sent again, and an outage from being multiplied."""

from tests.mutations import Mutation, returning

FAULT = "faults/test_faults.py::test_fault_has_its_outcome"

MUTATIONS = (
    Mutation(
        "what may have been carried out is not sent again",
        "caxton_async.retry:delay_s",
        returning(0.0),
        (f"{FAULT}[6-reset-payment]", f"{FAULT}[10-answer-payment]"),
    ),
    Mutation(
        "a call is replayed with another token only after a plain 401",
        "caxton_async.retry:may_replay",
        returning(True),
        ("unit/test_retry.py", "test_rules.py"),
    ),
    Mutation(
        "retries have a budget",
        "caxton_async.retry:RetryBudget.spend",
        returning(True),
        ("test_promises.py::test_an_outage_is_not_multiplied",),
    ),
    Mutation("waits grow", "caxton_async.retry:backoff_s", returning(0.0), ("unit/test_retry.py",)),
)
