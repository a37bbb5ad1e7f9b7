"""What a decision of a person has to say, whatever journal keeps it."""

from collections.abc import Iterable

from caxton_async.errors import InvalidRequest
from caxton_async.journal.states import Decision


def check_decision(who: str, decision: Decision) -> None:
    """Check that a decision says whose it is, and why.

    Raises:
        InvalidRequest: it does not.
    """
    if not who.strip() or not decision.note.strip():
        raise InvalidRequest("a decision needs who decided it, and a note that says why")


def shared_decision(decisions: Iterable[Decision]) -> Decision:
    """Return what was decided about all rows of a payroll, which was one money step.

    Raises:
        InvalidRequest: they were to be decided differently.
    """
    given = list(decisions)
    if not given or any(decision.paid is not given[0].paid for decision in given):
        raise InvalidRequest("the rows of a payroll share one step, so they were all paid, or none of them was")
    return given[0]
