"""Carries out a batch: rows from an iterable, calls through the client, every step in the journal.

What belongs here: which row is next, and when to stop.  What does not: what one call takes (`step`), what an error
means (`verdict`), what is on disk (`journal`), and signals (the command line sets `stop`).

Memory does not grow with the rows: they are read as they are needed, twice in all, first to plan (or, in a batch that
goes on, to compare) every one of them, then to send.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
from attrs import define, evolve, field, frozen

from caxton_async.batch.journal import Entry, Journal
from caxton_async.batch.pinned import Rows, check_pinned, plan_or_compare, restartable, sendable_rows
from caxton_async.batch.states import SENDABLE, RowState
from caxton_async.batch.step import Step, take_step
from caxton_async.batch.verdict import readable
from caxton_async.client import CaxtonClient
from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, ConfigurationError, RateLimited

Request = TypeVar("Request")
Result = TypeVar("Result")

_TRIES = 3  # of a row in one run, each with the client's own attempts; then it waits for the next run
_OUTAGE = 10  # calls in a row that did not reach the API, or got no readable answer: more of them would not either
_LONGEST_WAIT_S = 300.0  # for an API that says "later"; beyond it the run pauses, and a person decides when to go on
_MAX_BACKOFF_S = 60.0


@frozen
class RowOutcome(Generic[Result]):
    """What came of a row, once that is on disk; `result` is what the call returned."""

    reference: str
    state: RowState
    result: Result | None = None
    error: CaxtonError | None = None


@frozen
class BatchSummary:
    """How a batch stands after a run: how many rows are in each state, and why the run paused, if it did."""

    counts: Mapping[RowState, int]
    paused: str | None = None

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


async def run_batch(  # noqa: PLR0913 -- what a run is made of; a value around them would be one more thing to learn
    caxton: CaxtonClient,
    endpoint: Endpoint[Request, Result],
    rows: Rows,
    *,
    journal: Journal | Path | str,
    concurrency: int = 64,
    on_progress: Callable[[RowOutcome[Result]], None] | None = None,
    stop: anyio.Event | None = None,
) -> BatchSummary:
    """Send every row that is left to send, at most `concurrency` at a time, and return how the batch stands.

    `journal` is an open one, or a path: a journal that is there is gone on with, and closed at the end.

    `rows` are pairs of reference and request.  They are gone through twice: give a collection, or a function that
    returns a new iterator at each call; a plain iterator is kept in memory.  `on_progress` is called, in the event
    loop, with each row's outcome once that is durable.  After `stop` is set nothing more is sent, and what is in flight
    ends.

    **Raises** InvalidRequest (or one of its kind) for wrong rows, before anything is sent; JournalRefused when the
    journal is of another endpoint, origin or input; JournalFailed when it could not be written: what was in flight is
    then unknown.
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency is at least 1, not {concurrency}")
    with _opened(journal, endpoint.name, caxton.settings.origin) as opened:
        check_pinned(opened, endpoint.name, caxton)
        run = _Run(caxton, endpoint, opened, on_progress or _ignore)
        return await run.carry_out(restartable(rows), concurrency, stop)


def _opened(journal: Journal | Path | str, endpoint: str, origin: str) -> AbstractContextManager[Journal]:
    if isinstance(journal, Journal):
        return nullcontext(journal)  # whoever opened it closes it
    if Path(journal).exists():
        return Journal.open(journal)
    return Journal.create(journal, endpoint=endpoint, origin=origin)


def _ignore(_: object) -> None:
    pass


@define
class _Run(Generic[Request, Result]):
    """One run: what its workers share."""

    caxton: CaxtonClient
    endpoint: Endpoint[Request, Result]
    journal: Journal
    on_progress: Callable[[RowOutcome[Result]], None]
    paused: str | None = None
    failure: Exception | None = None
    _halted: anyio.Event = field(factory=anyio.Event)
    _quiet_until: float = 0.0
    _rate_limited: int = 0
    _unreached: int = 0

    async def carry_out(
        self, source: Callable[[], Iterable[Any]], concurrency: int, stop: anyio.Event | None
    ) -> BatchSummary:
        """Plan the rows or compare them with the plan, send what is left to send, and say how the batch stands."""
        await plan_or_compare(self.journal, source)
        self.journal.start()
        async with anyio.create_task_group() as watching:
            if stop is not None:
                watching.start_soon(self.halt_with, stop)
            work = sendable_rows(self.journal, source)
            async with anyio.create_task_group() as workers:
                for _ in range(concurrency):
                    workers.start_soon(self.work_through, work)
            watching.cancel_scope.cancel()
        if self.failure is not None:
            raise self.failure
        return BatchSummary(self.journal.counts(), self.paused)

    async def halt_with(self, stop: anyio.Event) -> None:
        """Send nothing more once `stop` is set."""
        await stop.wait()
        self._halted.set()

    async def work_through(self, rows: Iterator[tuple[Entry, Request] | None]) -> None:
        """Take rows and send them until there are none, or the run halts.

        One worker's failure does not cancel the calls of the others: their outcomes are still to be learnt.
        """
        try:
            for item in rows:
                if item is None:
                    await anyio.lowlevel.checkpoint()
                else:
                    await self._send_row(*item)
                if self._halted.is_set():
                    return
        except Exception as error:  # noqa: BLE001 -- kept for the end of the run, which raises it
            self.failure = self.failure or error
            self._halted.set()

    async def _send_row(self, entry: Entry, request: Request) -> None:
        outcome = None
        for _ in range(_TRIES):
            if self._quiet_until:
                await self._keep_quiet()
            if self._halted.is_set():
                break
            step = await take_step(self.caxton, self.endpoint, request, journal=self.journal, rows=(entry,))
            outcome = RowOutcome(entry.reference, step.verdict.state, step.result, step.error)
            self._learn(step)
            if not step.verdict.again:
                break
            entry = evolve(entry, state=outcome.state)
        if outcome is not None:
            self.on_progress(outcome)

    def _learn(self, step: Step[Result]) -> None:
        """Draw conclusions from one call for all that follow."""
        verdict, error = step.verdict, step.error
        if isinstance(error, RateLimited):
            self._slow_down(error)
        elif verdict.again:
            self._unreached += 1
        else:
            self._unreached = self._rate_limited = 0
        if error is not None and (verdict.pauses or self._unreached >= _OUTAGE):
            self._pause(readable(error))

    def _slow_down(self, error: RateLimited) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            return  # sent before the others heard of it
        self._rate_limited += 1
        delay = error.retry_after_s
        if delay is None:
            delay = min(2.0 ** (self._rate_limited - 1), _MAX_BACKOFF_S)
        if delay > _LONGEST_WAIT_S or self._rate_limited > _OUTAGE:
            self._pause(f"the API asks for a pause: {readable(error)}")
        self._quiet_until = now + delay

    async def _keep_quiet(self) -> None:
        """Wait until calls may be made again, or the run halts."""
        clock = asyncio.get_running_loop().time
        while (left := self._quiet_until - clock()) > 0 and not self._halted.is_set():
            with anyio.move_on_after(left):
                await self._halted.wait()

    def _pause(self, reason: str) -> None:
        self.paused = self.paused or reason
        self._halted.set()
