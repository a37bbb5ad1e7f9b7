"""What came of a row and of a batch, as a run tells it."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from attrs import frozen

from caxton_async.errors import CaxtonError
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import SENDABLE, Reason, RowState

Result = TypeVar("Result")


@frozen
class RowOutcome(Generic[Result]):
    """What came of a row, once that is durable; `result` is what the call returned."""

    reference: str
    state: RowState
    result: Result | None = None
    error: CaxtonError | None = None


@frozen(kw_only=True)
class BatchSummary:
    """How a batch stands after a run.

    `batch` is its id in the journal, `counts` says how many rows are in each state, `paused` why the run ended before
    all rows were sent, `error` with which error, and `reasons` groups the rows that were not accepted by what the API
    said.
    """

    batch: int
    name: str
    counts: Mapping[RowState, int]
    paused: str | None = None
    reasons: Sequence[Reason] = ()
    error: CaxtonError | None = None

    @property
    def total(self) -> int:
        """How many rows the batch has."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """How many rows the next run would send."""
        return sum(self.counts[state] for state in SENDABLE)

    @property
    def unknown(self) -> int:
        """How many rows may or may not have been carried out."""
        return self.counts[RowState.UNKNOWN] + self.counts[RowState.SENDING]


def summarise(
    journal: JournalReader, batch: int, *, ended: str | None = None, error: CaxtonError | None = None
) -> BatchSummary:
    """Return how a batch stands in the journal; `ended` says why a run did before all rows were sent."""
    info = journal.batch(batch)
    return BatchSummary(
        batch=batch,
        name=info.name,
        counts=journal.counts(batch),
        paused=info.paused_reason or ended,
        reasons=journal.reasons(batch),
        error=error,
    )
