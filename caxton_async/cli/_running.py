"""Carrying out a batch from the command line: signals, progress, and what is told at the end."""

import asyncio
import resource
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import evolve, frozen

from caxton_async.batch.outcome import BatchSummary, RowOutcome, summarise
from caxton_async.batch.runner import resume_batch
from caxton_async.cli._batches import code_of_summary, option_for, show_batch
from caxton_async.cli._client import connect, view_for
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err
from caxton_async.cli._progress import Progress
from caxton_async.config import Configuration
from caxton_async.errors import DuplicatesSuspected, JournalFailed, JournalRefused
from caxton_async.journal import open_journal
from caxton_async.journal.opening import is_database
from caxton_async.journal.protocol import Journal
from caxton_async.journal.states import SENDABLE, BatchInfo

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

CONCURRENCY: Final = 64
_DESCRIPTORS: Final = 24  # of the journal, its locks, the token store and the event loop: 12, and as many in reserve
_AT_ONCE: Final = "stopped at once: what was in flight is unknown"
# Makes or finds the batch that is carried out; None when there is nothing to do, which it has said.
Begin = Callable[[Journal, "CaxtonClient"], Awaitable[BatchInfo | None]]


@frozen(kw_only=True)
class RunOptions:
    """How a batch is carried out: where its journal is, how many calls are in flight, and who approved it.

    With `rows` each is shown at the end.  Without `works` it is planned, and left to workers.  With `retries` its JSON
    is that of the batch whose rows it tries anew.
    """

    where: str
    concurrency: int = CONCURRENCY
    approved: str | None = None
    approved_by: str | None = None
    as_json: bool = False
    rows: bool = False
    works: bool = True
    retries: bool = False


def carry_out(configuration: Configuration, options: RunOptions, begin: Begin) -> ExitCode:
    """Carry out the batch that `begin` gives, tell how it stands, and return the exit code.

    The first Ctrl-C, SIGTERM or SIGHUP lets what is in flight end; the second does not wait for it.
    """
    in_flight = within_descriptors(options.concurrency)
    return asyncio.run(_Sending(configuration, evolve(options, concurrency=in_flight), begin).carry_out())


def within_descriptors(concurrency: int) -> int:
    """Return how many calls can be in flight: each has a connection, and the journal needs descriptors as well."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    room = max(limit - _DESCRIPTORS, 1)
    if limit != resource.RLIM_INFINITY and room < concurrency:
        echo_err(f"note: at most {room} calls are in flight, since this process may open few files: see ulimit -n")
        return room
    return concurrency


class _Sending:
    def __init__(self, configuration: Configuration, options: RunOptions, begin: Begin) -> None:
        self._configuration = configuration
        self._options = options
        self._begin = begin
        self._stop = anyio.Event()
        self._progress: Progress | None = None

    async def carry_out(self) -> ExitCode:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def on_signal() -> None:
            if self._progress is not None:
                self._progress.clear()
            if self._stop.is_set() and task is not None:
                task.cancel()
            else:
                self._stop.set()
                echo_err("stopping: nothing more is sent, and the calls in flight may end (once more: stop at once)")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, on_signal)
        options = self._options
        client = connect(self._with_room(), journal=options.where)
        async with open_journal(options.where) as journal, client:
            if is_database(options.where):
                from caxton_async.worker.launcher import attach

                attach(journal)
            view = view_for(client, self._configuration)
            info = await self._plan(journal, view)
            if info is None:
                return ExitCode.ACCEPTED
            states = () if options.rows else None
            if not options.works:
                show_batch(journal, info, as_json=options.as_json, states=states)
                return ExitCode.ACCEPTED
            summary = await self._send(journal, view, info)
            if options.as_json and options.retries and info.follows is not None:
                show_batch(journal, journal.batch(info.follows), as_json=True, beside={"new_batch": info.id})
                return code_of_summary(summary)
            return show_batch(journal, info, as_json=options.as_json, summary=summary, states=states)

    async def _plan(self, journal: Journal, view: "CaxtonClient") -> BatchInfo | None:
        try:
            return await self._begin(journal, view)
        except DuplicatesSuspected as error:
            unfinished = "".join(_unfinished(journal, error.duplicates))
            raise Failure(f"{error}{unfinished}") from None
        except JournalFailed as error:
            problem = str(error)
        raise Failure(f"{problem} by running it again: no batch was planned, and nothing was sent", ExitCode.LEFT)

    async def _send(self, journal: Journal, view: "CaxtonClient", info: BatchInfo) -> BatchSummary:
        with Progress(info.name, Counter(journal.counts(info.id))) as progress:
            self._progress = progress

            def on_progress(outcome: RowOutcome[Any]) -> None:
                progress.add(outcome.state)

            try:
                return await resume_batch(
                    view,
                    info.id,
                    journal=journal,
                    concurrency=self._options.concurrency,
                    on_progress=on_progress,
                    stop=self._stop,
                    approved=self._options.approved,
                    approved_by=self._options.approved_by,
                )
            except asyncio.CancelledError:
                if not self._stop.is_set():
                    raise
            except JournalFailed as error:
                problem = str(error)
                again = f"caxton resume {info.id}{option_for(journal.where)}"
                raise Failure(f"{problem} with: {again}", ExitCode.UNKNOWN) from None
            except JournalRefused as error:
                if not progress.answered:
                    raise
                echo_err(f"caxton: {error}")  # what was sent before counts all the same
                return summarise(journal, info.id)
        journal.sweep()
        return summarise(journal, info.id, ended=_AT_ONCE)

    def _with_room(self) -> Configuration:
        """Let as many connections be open as calls are in flight: a row that waits for one would be `sending` early."""
        settings = self._configuration.settings
        room = max(settings.max_connections, self._options.concurrency)
        return evolve(self._configuration, settings=evolve(settings, max_connections=room))


def _unfinished(journal: Journal, duplicates: Iterable[Any]) -> Iterator[str]:
    """Name the batches of this journal that were cut off, and that the same file was given again for."""
    for number, reference in {each.of_batch: each.of_reference for each in duplicates if each.of_batch}.items():
        with suppress(JournalRefused):  # those of another journal are not found in this one
            counts = journal.counts(journal.row(number, reference).batch)
            if any(counts[state] for state in SENDABLE):
                yield f"; batch {number} is not finished: go on with caxton resume {number}{option_for(journal.where)}"
