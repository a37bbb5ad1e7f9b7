"""What every kind of journal keeps: the protocol of the journal itself, and that of a worker that sends its rows.

Plain methods are for the commands of people and may be called anywhere; they wait for the disk or the server.
Coroutines are for a program that sends: they give way to the event loop.

    async with open_journal(where) as journal:        # with `with`, it reads, and records what people decide
        info = await journal.plan(new, rows, since=since, check=check)
        async with await journal.join() as worker:
            while taken := await worker.take(info.id):    # durably `sending` from here on
                status = ...                              # the call
                await worker.record(taken, status)        # durable before it is reported
"""

import enum
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from attrs import field, frozen

from caxton_async.journal.owned import OwnedPayments
from caxton_async.journal.states import (
    BatchInfo,
    Decision,
    Duplicates,
    JournalRow,
    KeptDecision,
    NewBatch,
    PlannedRow,
    Reason,
    RowState,
    RowStatus,
)

# What decides about suspected duplicates: it returns to let the plan pass, and raises to have it thrown away.
Check = Callable[[Duplicates], None]


class Recorded(enum.Enum):
    """What became of an outcome that was handed to `Worker.record`."""

    TAKEN = "taken"  # the row was `sending` by this worker and attempt
    LATE = "late"  # the row had been given up as unknown, or resolved, meanwhile: the outcome replaces unknown
    NOT_MINE = "not mine"  # the row is another attempt's by now; the outcome is kept as an alarm


@frozen(kw_only=True)
class Taken:
    """A row that is durably `sending`, and may be sent by the worker that took it, once.

    After `expires_at` (of `time.monotonic`) the call must not begin any more: the row is then recorded as not sent.
    """

    id: int
    worker: int
    attempt: int
    reference: str
    request: bytes = field(repr=False)
    started_at: float
    expires_at: float = math.inf


@frozen(kw_only=True)
class Known:
    """A single payment that its reference names already; `is_in_flight`: it is `sending`, and its process lives."""

    row: JournalRow
    is_in_flight: bool = False


class JournalReader(Protocol):
    """What can be read of a journal, in chunks: no reader keeps a writer waiting, and none needs memory for all rows.

    Every method raises JournalRefused when what it reads is damaged.
    """

    @property
    def where(self) -> str:
        """The path of the journal, or its DSN without a password."""
        ...

    @property
    def salt(self) -> bytes:
        """What the digests of requests are made with, so that those of two journals tell nothing of each other."""
        ...

    @property
    def is_encrypted(self) -> bool:
        """Whether requests and answers are encrypted, so that they may hold secrets."""
        ...

    def batches(self) -> Sequence[BatchInfo]:
        """Return all batches, the newest first."""
        ...

    def batch(self, batch: int) -> BatchInfo:
        """Return a batch.

        Raises:
            JournalRefused: there is none of this id.
        """
        ...

    def counts(self, batch: int) -> Mapping[RowState, int]:
        """Return how many rows of a batch are in each state, every state named; costs the same for any batch."""
        ...

    def reasons(self, batch: int) -> Sequence[Reason]:
        """Return the rows that were refused, not sent or unknown by state and reason, the largest group first."""
        ...

    def rows(self, batch: int, states: Collection[RowState] = (), *, after: int = 0) -> Iterator[JournalRow]:
        """Yield the rows of a batch in the order of the input: those in `states` (all, if empty), past a position."""
        ...

    def row(self, batch: int, reference: str) -> JournalRow:
        """Return one row.

        Raises:
            JournalRefused: the batch has no such reference.
        """
        ...

    def decisions(self, batch: int) -> Iterator[KeptDecision]:
        """Yield what was decided about the rows of a batch, and every alarm, the oldest first."""
        ...

    def same_requests(self, asked: Iterable[PlannedRow], *, since: float) -> Duplicates:
        """Find rows that ask for the same as another, in constant memory; nothing is written.

        Rows of the journal that were planned after `since` (seconds since the epoch) count when they were paid, or may
        still be: all but rejected ones, those resolved as not paid, and those of unfinished plans.
        """
        ...

    def seal(self, batch: int) -> str:
        """Return the digest (hexadecimal) of the batch's rows as they are in the journal, as `seal.Seal` makes it."""
        ...


class Journal(JournalReader, Protocol):
    """One database of batches, rows, decisions and workers, on which any number of processes work at once.

    Every method that writes raises JournalRefused when the journal is a copy that nobody adopted, or is not as it was
    written, and JournalFailed when the write failed, after which nothing more is written.
    """

    @property
    def payments(self) -> OwnedPayments:
        """The payments of `once` that this process is making."""
        ...

    def __enter__(self) -> Self:
        """Open the journal to read it and to record decisions."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the journal."""
        ...

    async def __aenter__(self) -> Self:
        """Open the journal to plan and to send as well."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait up to `drain_s` for the payments of `once` that are in flight, then close the journal."""
        ...

    async def plan(self, new: NewBatch, rows: Iterable[PlannedRow], *, since: float, check: Check) -> BatchInfo:
        """Write a batch whole, or not at all: `check` gets its duplicates and raises to have it thrown away.

        Plans are checked one after the other, so of two that are the same one finds the other, from any process.
        Rows that `follows` names are marked as followed up in the commit that makes the batch ready to be sent.

        Raises:
            DuplicateReference: two rows have the same reference.
            JournalRefused: a row that `follows` names was followed up already, or may have been paid.
        """
        ...

    async def join(self, *, name: str = "", concurrency: int = 64, deadline_s: float = 300.0) -> "Worker":
        """Make a worker, which lives as long as its process holds its lock; at most `concurrency` rows are its own.

        Across machines nothing is given up before `deadline_s`, which a call may take.
        """
        ...

    def check(self) -> None:
        """Look at everything in the journal, which takes seconds for each million rows.

        Raises:
            JournalRefused: something is not as it was written.
        """
        ...

    def sweep(self) -> int:
        """Give up what dead processes had in flight: their rows become unknown; return how many did.

        What they had not finished planning is removed.
        """
        ...

    def resolve(self, batch: int, decisions: Iterable[Decision], /, *, who: str) -> int:
        """Record decisions about rows that are unknown, or were resolved: all or none; return how many rows changed.

        Raises:
            TransitionRefused: a row has another outcome, or was followed up already.
            InvalidRequest: `who` or a note is empty, or rows of a payroll were to be decided differently.
        """
        ...

    def note(self, batch: int, **details: str | None) -> None:
        """Note facts among the details of a batch, durably; None removes one."""
        ...

    def pause(self, batch: int, reason: str | None) -> None:
        """Say why the run of a batch paused; None when it goes on."""
        ...

    def approve(self, batch: int, *, plan_digest: str, approved_by: str) -> None:
        """Keep who approved the plan of a batch."""
        ...

    def prune(self, *, before: float) -> int:
        """Remove the requests and answers of batches that were created before and have no open row; keep digests.

        Return how many rows were pruned.
        """
        ...


class Worker(Protocol):
    """One taker of rows; it ends with its process, or with `async with`.

    Every method raises JournalRefused when the worker was given up meanwhile, and JournalFailed when the journal could
    not be written; nothing may be sent then.
    """

    async def __aenter__(self) -> Self:
        """Return the worker."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave: what is still `sending` becomes unknown."""
        ...

    @property
    def id(self) -> int:
        """What names the worker in the journal."""
        ...

    async def take(self, batch: int) -> Taken | None:
        """Take the next row that waits to be sent, past all that were taken; None when none is left there.

        Concurrent calls share one claim, in one commit with the outcomes that are recorded meanwhile.  Rows that were
        not sent lie behind by then: `rewind` comes back to them.  A call that is cancelled gives its row back.
        """
        ...

    def rewind(self, batch: int) -> None:
        """Let `take` begin at the first row again."""
        ...

    async def take_all(self, batch: int) -> Sequence[Taken]:
        """Take all rows of a payroll, or none: empty when they do not all wait to be sent."""
        ...

    async def take_again(self, taken: Taken) -> Taken | None:
        """Take a row that this worker recorded as not sent once more; None when another has it."""
        ...

    async def take_one(self, new: NewBatch, row: PlannedRow) -> Taken | Known:
        """Take a single payment by its reference, which is unique by endpoint and binding; plan it if it is new.

        One that was not sent, or was resolved as not paid, is taken as a new attempt.

        Raises:
            ReferenceConflict: the reference stands for another request.
        """
        ...

    async def record(self, taken: Taken, status: RowStatus, answer: bytes | None = None) -> Recorded:
        """Record an outcome, durably; it is written even when the caller is cancelled."""
        ...

    async def record_and_take(self, taken: Taken, status: RowStatus) -> Taken | None:
        """Record an outcome, and `take` the next row of the same batch in the same commit."""
        ...

    async def record_all(self, taken: Sequence[Taken], status: RowStatus) -> Recorded:
        """Record the one outcome of rows that share a money step, in one commit."""
        ...
