"""What keeps a call within its time, and its outcome from being lost."""

import math
from collections.abc import Callable
from typing import Any

from tests.mutations import Around, Mutation, returning


async def _nothing(*_args: object) -> None:
    """Do nothing, where something was to be waited for."""


def _without_deadline(acquire: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, _deadline=math.inf: acquire(self)


MUTATIONS = (
    Mutation(
        "the deadline covers the queue",
        "caxton_async.limiter:Limiter.acquire",
        Around(_without_deadline),
        ("faults/test_faults.py::test_fault_has_its_outcome[4-all_places_taken-payment]",),
    ),
    Mutation(
        "the view that is to blame is named",
        "caxton_async.attempts:_blame",
        lambda _caller, error: error,
        ("test_token_rules.py::test_a_view_that_is_refused_costs_one_login",),
    ),
    Mutation(
        "an unknown outcome is told",
        "caxton_async.events:Reporter.report",
        returning(None),
        ("end_to_end/test_events.py::test_unknown_outcomes_and_refusals_are_logged_by_default",),
    ),
    Mutation(
        "a failing hook harms no call",
        "caxton_async.events:Reporter._tell",
        lambda _self, on_event, event: on_event(event),
        ("end_to_end/test_events.py::test_a_hook_that_fails_harms_no_call",),
    ),
    Mutation(
        "a client belongs to one event loop",
        "caxton_async.session:Session.check_open",
        returning(None),
        ("test_rules.py::test_a_second_event_loop_is_refused",),
    ),
    Mutation(
        "closing waits for calls that were sent",
        "caxton_async.limiter:Limiter.drain",
        _nothing,
        ("unit/test_session.py::test_closing_waits_for_calls_that_were_sent",),
    ),
)
