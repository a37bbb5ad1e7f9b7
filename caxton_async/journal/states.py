"""The states of a row, the moves between them, and the values that pass through a journal."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal

from attrs import Attribute, field, frozen

from caxton_async.errors import InvalidRequest, Sent, TransitionRefused


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
    RESOLVED = "resolved"


@frozen
class StateRule:
    """What a state means, which states may follow it, and which may follow it when an outcome comes late."""

    meaning: str
    then: tuple[RowState, ...] = ()
    late: tuple[RowState, ...] = ()


_OUTCOMES: Final = (RowState.ACCEPTED, RowState.REJECTED, RowState.NOT_SENT, RowState.UNKNOWN)
STATES: Final[Mapping[RowState, StateRule]] = MappingProxyType(
    {
        RowState.PLANNED: StateRule(
            "In the journal with its request; nothing was done yet.",
            (RowState.SENDING, RowState.UNKNOWN),  # unknown: only in a copy of a journal that a person adopts
        ),
        RowState.SENDING: StateRule(
            "On disk before the request leaves; when its process is gone, it becomes unknown.", _OUTCOMES
        ),
        RowState.ACCEPTED: StateRule("The API answered that it was carried out."),
        RowState.REJECTED: StateRule("The API, or the client, refused the request as it is; `retry` plans it anew."),
        RowState.NOT_SENT: StateRule(
            "Nothing was carried out, or repeating it is safe; it goes on when the batch is resumed.",
            (RowState.SENDING, RowState.UNKNOWN),
        ),
        RowState.UNKNOWN: StateRule(
            "The request may or may not have been carried out; it is not sent again until a person decides.",
            (RowState.RESOLVED,),
            late=_OUTCOMES,
        ),
        RowState.RESOLVED: StateRule(
            "A person, or a statement of the bank, decided whether it was paid; a later decision corrects it.",
            # Sending: a single payment that was resolved as not paid may be made again under its reference.
            (RowState.RESOLVED, RowState.SENDING),
        ),
    }
)
# The states from which a batch sends.
SENDABLE: Final = (RowState.PLANNED, RowState.NOT_SENT)


def check_transition(before: RowState, after: RowState) -> None:
    """Check that one state may follow the other.

    Raises:
        TransitionRefused: the table of states does not say so.
    """
    if after not in STATES[before].then:
        raise TransitionRefused(f"a row that is {before.value} cannot become {after.value}")


@frozen(kw_only=True)
class Binding:
    """To whom a batch belongs: it is sent to no other origin, and for no other company, account or user.

    `account` and `user` are None for the main account and where no user is named; a user is known by the `UserId`, not
    by a token that is renewed.
    """

    origin: str
    username: str
    client_name: str
    account: str | None = None
    user: str | None = None


Kind = Literal["batch", "payroll", "once"]


@frozen(kw_only=True)
class NewBatch:
    """What a batch is planned with.

    The rows of a `payroll` share one money step, so they are taken and resolved together.  `input_digest` and
    `plan_digest` are hexadecimal; `details` is for the caller's own facts (the input's path, the digest of an approved
    plan's duplicates) and holds no secret.  `follows` is the batch whose rows are retried.
    """

    name: str
    endpoint: str
    binding: Binding
    kind: Kind = "batch"
    input_digest: str | None = None
    plan_digest: str | None = None
    approved_by: str | None = None
    follows: int | None = None
    details: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class BatchInfo(NewBatch):
    """A batch as the journal holds it; `created_at` is in seconds since the epoch.

    `total` is None while the batch is being planned; nothing of it is sent by then.  `paused_reason` says why the last
    run paused.
    """

    id: int
    created_at: float
    total: int | None = None
    paused_reason: str | None = None


def _storable(_instance: object, attribute: "Attribute[str]", value: str | None) -> None:
    if value is not None and (not value.isascii() or "\0" in value) and to_storable(value) != value:
        raise InvalidRequest(f"the {attribute.name} of a row holds half a character, or NUL: write it anew")


def to_storable(text: str) -> str:
    """Return a text that every database keeps: half characters, as of a name that is not UTF-8, and NUL written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


@frozen(kw_only=True)
class PlannedRow:
    """A row as the journal first takes it.

    `request` holds the bytes of `journal.stored.encode_request`, `digest` those of `journal.stored.request_digest` with
    the journal's salt; `line` is the line of the input.  `amount` is the decimal as text.  `follows` is the id of the
    row that this one tries anew: a row is followed by one other at most.
    """

    reference: str = field(validator=_storable)
    request: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    line: int | None = None
    amount: str | None = None
    currency: str | None = None
    beneficiary: str | None = field(default=None, validator=_storable)
    follows: int | None = None


@frozen(kw_only=True)
class RowStatus:
    """The outcome of a row, or where it stands; times are seconds since the epoch, `elapsed_s` the length of the call.

    `paid` is the decision on a row that is resolved.
    """

    state: RowState
    sent: Sent | None = None
    error: str | None = None
    http_status: int | None = None
    api_status_code: int | None = None
    api_status: str | None = None
    started_at: float | None = None
    elapsed_s: float | None = None
    paid: bool | None = None


@frozen(kw_only=True)
class JournalRow:
    """A row as the journal holds it; `position` counts from 1 in the order of the input.

    `request` and `answer` are None where they were pruned or never kept.  `worker` and `attempt` say who sent it last,
    `followed_by` is the id of the row of a later batch that tries it anew.
    """

    batch: int
    position: int
    reference: str
    request: bytes | None = field(repr=False)
    digest: bytes = field(repr=False)
    line: int | None
    amount: str | None
    currency: str | None
    beneficiary: str | None
    status: RowStatus
    worker: int | None = None
    attempt: int = 0
    answer: bytes | None = field(default=None, repr=False)
    followed_by: int | None = None

    @property
    def id(self) -> int:
        """What names the row in its journal."""
        return row_id(self.batch, self.position)

    @property
    def state(self) -> RowState:
        """Where the row stands."""
        return self.status.state


LAST: Final = 0xFFFFFFFF  # the last position of a batch


def row_id(batch: int, position: int) -> int:
    """Return what names a row in its journal: one number, in the order of planning."""
    return batch << 32 | position


@frozen
class Decision:
    """What a person, or a statement, says of a row: whether it was paid, and how that is known."""

    reference: str
    paid: bool
    note: str


@frozen(kw_only=True)
class KeptDecision:
    """A decision as the journal keeps it; none is ever changed or removed.

    `alarm` marks an answer that came late and contradicts the person who had decided.
    """

    reference: str
    paid: bool
    note: str
    who: str
    at: float
    alarm: bool = False


@frozen(kw_only=True)
class SameRequest:
    """A row that asks for the same as another: of an earlier batch, or earlier in the same input (`batch` is None)."""

    reference: str
    line: int | None
    of_batch: int | None
    of_reference: str
    of_line: int | None
    of_state: RowState | None


@frozen
class Duplicates:
    """Suspected duplicates: the first hundred in the order of the input, and how many there are."""

    first: tuple[SameRequest, ...] = ()
    count: int = 0


@frozen(kw_only=True)
class Reason:
    """Rows of a batch that share a state and a reason: the API's status, else the error."""

    state: RowState
    reason: str | None
    rows: int


@frozen(kw_only=True)
class Adopted:
    """What a copy of a journal held when a person adopted it.

    `in_flight` are batch and reference of what was being sent; `undecided` counts the rows that became unknown.
    """

    in_flight: tuple[tuple[int, str], ...]
    undecided: int
