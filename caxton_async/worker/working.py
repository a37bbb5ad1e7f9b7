"""A worker: it sends rows of a batch beside others, until none of them may still be sent."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import frozen

from caxton_async.batch.lookup import find_endpoint
from caxton_async.batch.outcome import BatchSummary, RowOutcome, summarise
from caxton_async.batch.pace import Pace, paced
from caxton_async.batch.plan import check_approval
from caxton_async.batch.runner import STOPPED, BatchRun
from caxton_async.errors import AuthenticationFailed, CaxtonError, ConfigurationError, LoginRefused
from caxton_async.journal import open_journal
from caxton_async.journal.binding import binding_of, check_binding
from caxton_async.journal.postgres.journal_server import PostgresJournal
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, RowState

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

_log: Final = logging.getLogger("caxton_async")
_LOOK_S: Final = 1.0  # between two looks at a batch whose last rows other workers are sending
_BACKOFFS_S: Final = (1.0, 5.0, 15.0, 60.0)  # after a round that was cut short by what passes


async def work_on(
    batch: int,
    *,
    caxton: "CaxtonClient",
    journal: Journal | str,
    concurrency: int = 64,
    stop: anyio.Event | None = None,
) -> BatchSummary:
    """Send rows of a batch beside other workers, and return when none may still be sent, or a person has to decide.

    This is what every launcher calls.  `journal` is an open one, or a DSN; `stop` ends the work gracefully: what is in
    flight ends, its outcomes are written, and the rest is left to others.  A 429 or a network that is away is waited
    out.  A batch that paused is left alone until `caxton resume` lets it go on.

    Raises:
        JournalRefused: there is no such batch, it belongs to another company, account, user or origin, or its rows are
            not those that were approved.
        ConfigurationError: the journal is none that machines can share.
    """
    if isinstance(journal, str):
        async with open_journal(journal) as opened:
            return await work_on(batch, caxton=caxton, journal=opened, concurrency=concurrency, stop=stop)
    if not isinstance(journal, PostgresJournal):
        raise ConfigurationError("workers share a journal in PostgreSQL: for one in a file, use `caxton resume`")
    # One attempt a turn: a 429 is for all workers, so no call waits for its repetition by itself.
    view = caxton.with_options(max_attempts=1)
    async with paced(journal, caxton.settings) as pace:
        return await _Shift(view, journal, batch, concurrency, stop or anyio.Event(), pace).carry_out()


@frozen
class _Shift:
    """The work of one worker on one batch."""

    caxton: "CaxtonClient"
    journal: PostgresJournal
    batch: int
    concurrency: int
    stop: anyio.Event
    pace: Pace | None

    async def carry_out(self) -> BatchSummary:
        rounds_cut_short = 0
        while not self.stop.is_set():
            counts = await asyncio.to_thread(self._look)
            is_sendable = any(counts[state] for state in SENDABLE)
            if self._is_paused() or not (is_sendable or counts[RowState.SENDING]):
                break
            if not is_sendable:  # others may give back what they have
                await self._sleep(_LOOK_S)
                continue
            reason, error = await self._send()
            if reason is None:
                rounds_cut_short = 0
                continue
            unknown = self.journal.counts(self.batch)[RowState.UNKNOWN] - counts[RowState.UNKNOWN]
            if unknown or not is_passing(error):
                await asyncio.to_thread(self.journal.pause, self.batch, reason)
                break
            wait_s = _BACKOFFS_S[min(rounds_cut_short, len(_BACKOFFS_S) - 1)]
            _log.warning("batch %s goes on in %g s: %s", self.batch, wait_s, reason)
            rounds_cut_short += 1
            await self._sleep(wait_s)
        return await asyncio.to_thread(summarise, self.journal, self.batch)

    def _look(self) -> Any:  # noqa: ANN401 -- counts by state
        self.journal.sweep()
        return self.journal.counts(self.batch)

    def _is_paused(self) -> bool:
        return self.journal.batch(self.batch).paused_reason is not None

    async def _sleep(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.stop.wait()

    async def _send(self) -> tuple[str | None, CaxtonError | None]:
        """Send what is there to be sent, and return why it was cut short, if it was."""
        info = self.journal.batch(self.batch)
        check_binding(info.id, info.binding, binding_of(self.caxton))
        check_approval(self.journal, info, approved=None, approved_by=None)
        run = BatchRun(self.caxton, find_endpoint(info.endpoint), info, _tell_nobody, pace=self.pace)
        await run.carry_out(self.journal, self.concurrency, self.stop)
        return (None if run.paused == STOPPED else run.paused), run.error


def _tell_nobody(_: RowOutcome[Any]) -> None:
    """Pass over an outcome: the journal has it."""


def is_passing(error: CaxtonError | None) -> bool:
    """Tell whether an error that cut a run short passes without a person."""
    if isinstance(error, AuthenticationFailed):
        return not isinstance(error, LoginRefused)
    return error is not None and error.safe_to_retry
