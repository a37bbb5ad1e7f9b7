"""`caxton worker`: sends rows of the batches of a journal that machines share, beside other workers."""

import asyncio
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio
from attrs import evolve, frozen

from caxton_async.batch.outcome import BatchSummary
from caxton_async.cli._batches import code_of_counts, find_batch, location_of
from caxton_async.cli._client import connect, read_environment, view_for
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err
from caxton_async.cli._running import CONCURRENCY
from caxton_async.config import Configuration
from caxton_async.journal import open_journal
from caxton_async.journal.binding import binding_of
from caxton_async.journal.opening import is_database
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, RowState

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient


def worker(
    dsn: str | None = None,
    /,
    *,
    batch: str | None = None,
    until_done: bool = False,
    concurrency: int = CONCURRENCY,
    yes: bool = False,
) -> int:
    """Send rows of batches that are in a journal on PostgreSQL, beside as many other workers as there are.

    SIGTERM ends it gracefully: what is in flight ends, its outcomes are written, and the rest is left to others.

    Args:
        dsn: The journal, as postgresql://...; CAXTON_JOURNAL, if not given.
        batch: Work on this batch alone.
        until_done: End when no row may be sent any more, in place of waiting for the next batch.
        concurrency: How many calls are in flight at once.
        yes: Do it in production.
    """
    where = location_of(dsn)
    if not is_database(where):
        raise Failure("workers share a journal in PostgreSQL: name it as postgresql://..., or use caxton resume")
    configuration = read_environment()
    if configuration.settings.is_production and not yes:
        raise Failure(f"payments would be made for real at {configuration.settings.origin}: add --yes to do so")
    room = max(configuration.settings.max_connections, concurrency)
    configuration = evolve(configuration, settings=evolve(configuration.settings, max_connections=room))
    return asyncio.run(_Duty(configuration, where, concurrency).carry_out(batch, until_done=until_done))


@frozen
class _Duty:
    configuration: Configuration
    where: str
    concurrency: int

    async def carry_out(self, batch: str | None, *, until_done: bool) -> ExitCode:
        stop, loop = anyio.Event(), asyncio.get_running_loop()

        def on_signal() -> None:
            stop.set()
            echo_err("stopping: nothing more is sent, and the calls in flight may end")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)
        async with open_journal(self.where) as journal, connect(self.configuration, journal=self.where) as client:
            view = view_for(client, self.configuration)
            if batch is not None:
                summary = await self._work_on(find_batch(journal, batch).id, view, journal, stop)
                return code_of_counts(summary.counts)
            if until_done:
                while not stop.is_set() and (found := next(_open_batches(journal, view), None)):
                    await self._work_on(found, view, journal, stop)
                return ExitCode.ACCEPTED
            from caxton_async.worker.launcher import take_invitations

            await take_invitations(
                self.where,
                lambda number: self._work_on(number, view, journal, stop),
                open_batches=lambda: _open_batches(journal, view),
                stop=stop,
            )
        return ExitCode.ACCEPTED

    async def _work_on(self, batch: int, view: "CaxtonClient", journal: Journal, stop: anyio.Event) -> BatchSummary:
        from caxton_async.worker.working import work_on

        echo_err(f"working on batch {batch}")
        summary = await work_on(batch, caxton=view, journal=journal, concurrency=self.concurrency, stop=stop)
        echo_err(f"batch {batch}: " + ", ".join(f"{n} {state.value}" for state, n in summary.counts.items() if n))
        return summary


def _open_batches(journal: Journal, view: "CaxtonClient") -> Iterator[int]:
    """Yield the batches of whom we act for that have rows which may be sent, the oldest first."""
    binding = binding_of(view)
    for info in sorted(journal.batches(), key=lambda info: info.id):
        if info.kind == "once" or info.total is None or info.paused_reason is not None or info.binding != binding:
            continue
        counts = journal.counts(info.id)
        if any(counts[state] for state in (*SENDABLE, RowState.SENDING)):
            yield info.id
