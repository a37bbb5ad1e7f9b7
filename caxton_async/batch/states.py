"""The states of a row, the moves between them, and the errors of a journal.

What belongs here: values without I/O, shared by every kind of journal.  `STATES` is the one table of states: the code
obeys it and the documentation shows it.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import frozen

from caxton_async.errors import DuplicateReference, JournalError, JournalFailed, JournalRefused, Sent, TransitionRefused

__all__ = [
    "SENDABLE",
    "STATES",
    "DuplicateReference",
    "JournalError",
    "JournalFailed",
    "JournalRefused",
    "JournalRow",
    "PlannedRow",
    "RowState",
    "RowStatus",
    "StateRule",
    "TransitionRefused",
    "check_transition",
]


class RowState(Enum):
    """Where a row stands; `STATES` says what each means and what may follow."""

    # Enum's own hash is a call into Python, at each look into a table of states: a tenth of a row's time in all.
    __hash__ = object.__hash__

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    SETTLED = "settled"


@frozen
class StateRule:
    """What a state means, and which states may follow it."""

    meaning: str
    then: tuple[RowState, ...] = ()


STATES: Final[Mapping[RowState, StateRule]] = MappingProxyType(
    {
        RowState.PLANNED: StateRule("Read from the input; nothing was done yet.", (RowState.SENDING,)),
        RowState.SENDING: StateRule(
            "On disk before the request leaves; found at the start of a run, it becomes unknown.",
            (RowState.ACCEPTED, RowState.REJECTED, RowState.NOT_SENT, RowState.UNKNOWN),
        ),
        RowState.ACCEPTED: StateRule("The API answered that it was carried out."),
        RowState.REJECTED: StateRule("The API, or the client, refused the request as it stands; it is not sent again."),
        RowState.NOT_SENT: StateRule(
            "Nothing was carried out, or repeating it is safe; it goes on when the batch is resumed.",
            (RowState.SENDING,),
        ),
        RowState.UNKNOWN: StateRule(
            "The request may or may not have been carried out; it is never sent again.", (RowState.SETTLED,)
        ),
        RowState.SETTLED: StateRule("A person, or a statement of the bank, said whether it was paid."),
    }
)

# The states from which a run sends.
SENDABLE: Final = tuple(state for state, rule in STATES.items() if RowState.SENDING in rule.then)


def check_transition(before: RowState, after: RowState) -> None:
    """Check that one state may follow the other.

    **Raises** TransitionRefused when the table does not say so.
    """
    if after not in STATES[before].then:
        raise TransitionRefused(f"a row that is {before.value} cannot become {after.value}")


@frozen
class PlannedRow:
    """A row as the journal first takes it: `digest` stands for its request, which is not stored."""

    reference: str
    digest: bytes
    line: int | None = None
    amount: str | None = None
    currency: str | None = None


@frozen(kw_only=True)
class RowStatus:
    """All that changes about a row; times are seconds since the epoch, `elapsed_s` the length of the call."""

    state: RowState
    sent: Sent | None = None
    error: str | None = None
    http_status: int | None = None
    api_status_code: int | None = None
    started_at: float | None = None
    elapsed_s: float | None = None
    settled_as_paid: bool | None = None
    settled_by: str | None = None
    settled_note: str | None = None
    settled_at: float | None = None


@frozen
class JournalRow:
    """A row as the journal holds it; `position` counts from 1 in the order of the input."""

    position: int
    reference: str
    line: int | None
    amount: str | None
    currency: str | None
    digest: bytes
    status: RowStatus

    @property
    def state(self) -> RowState:
        """Where the row stands."""
        return self.status.state
