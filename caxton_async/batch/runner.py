"""Carries out a batch: rows from the journal, calls through the client, every step durable before the next."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
from attrs import define, field

from caxton_async.batch.brake import Brake
from caxton_async.batch.cooldown import LONGEST_S, MAX_IN_A_ROW, Cooldown
from caxton_async.batch.lookup import BULK_PAYMENTS, find_batches, find_endpoint
from caxton_async.batch.outcome import BatchSummary, RowOutcome, summarise
from caxton_async.batch.pace import Pace, paced
from caxton_async.batch.payroll import PayrollRun
from caxton_async.batch.plan import PlanOptions, check_approval, plan_batch
from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, ConfigurationError, JournalError, JournalRefused, RateLimited, Sent
from caxton_async.journal import open_journal
from caxton_async.journal.binding import binding_of, check_binding
from caxton_async.journal.opening import hide_dsn
from caxton_async.journal.protocol import Journal, Taken, Worker
from caxton_async.journal.states import SENDABLE, BatchInfo, RowState, RowStatus
from caxton_async.journal.step import Step, make_call, say_what_was_sent
from caxton_async.journal.stored import decode_request
from caxton_async.journal.verdict import readable
from caxton_async.secret import Secret

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

Request = TypeVar("Request")
Result = TypeVar("Result")
logger: Final = logging.getLogger("caxton_async")

STOPPED: Final = "stopped before all rows were sent"
_FIRST: Final = 4  # calls in flight at the start: an outage that is there already costs no more than these
_TRIES: Final = 3  # of a row in one run, each with the client's own attempts; then it waits for the next run
_WATCH_S: Final = 2.0  # within which a run notices that another process paused the batch


async def run_batch(  # noqa: PLR0913 -- a contract: what a run is made of
    caxton: "CaxtonClient",
    endpoint: Endpoint[Request, Result],
    rows: Iterable[Any],
    *,
    journal: Journal | str | Path | Secret,
    name: str | None = None,
    concurrency: int = 64,
    allow_duplicates: bool = False,
    on_progress: Callable[[RowOutcome[Result]], None] | None = None,
    stop: anyio.Event | None = None,
    approved: str | None = None,
    approved_by: str | None = None,
) -> BatchSummary:
    """Plan a batch of `rows`, pairs of reference and request, send every one of them, and return how it stands.

    `journal` is an open one, a path or a DSN.  `concurrency` is how many calls are in flight at most; a run begins with
    four and doubles as calls are accepted.  `on_progress` is called, in the event loop, with each row's outcome once
    that is durable.  After `stop` is set nothing more is sent, and what is in flight ends.  `approved` is the digest of
    the plan that `approved_by` allowed.

    Raises:
        InvalidRequest: a row cannot be sent, or the plan is not the approved one; nothing was sent.
        DuplicatesSuspected: rows ask for what may have been paid in the last ten days; nothing was sent.
        JournalError: the journal cannot be used, or could not be written: what was in flight is then unknown.
    """
    options = PlanOptions(name=name, allow_duplicates=allow_duplicates, approved=approved, approved_by=approved_by)
    async with opened(journal := hide_dsn(journal)) as journal_:
        info = await plan_batch(journal_, endpoint, rows, binding=binding_of(caxton), options=options)
        return await resume_batch(
            caxton,
            info.id,
            journal=journal_,
            endpoint=endpoint,
            concurrency=concurrency,
            on_progress=on_progress,
            stop=stop,
        )


async def resume_batch(  # noqa: PLR0913 -- as for `run_batch`
    caxton: "CaxtonClient",
    batch: int | str,
    *,
    journal: Journal | str | Path | Secret,
    endpoint: Endpoint[Request, Result] | None = None,
    concurrency: int = 64,
    on_progress: Callable[[RowOutcome[Any]], None] | None = None,
    stop: anyio.Event | None = None,
    approved: str | None = None,
    approved_by: str | None = None,
) -> BatchSummary:
    """Send every row of a batch that is left to send, and return how the batch stands; `stop` ends this run alone.

    `batch` is an id, a name, or the path of the input; of several the newest unfinished one goes on.  `endpoint` is
    needed only where it is not one of the catalogue.

    Raises:
        JournalRefused: there is no such batch, it belongs to another company, account, user or origin, or its rows are
            not those that were approved.
        JournalError: the journal could not be written: what was in flight is then unknown.
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency is at least 1, not {concurrency}")
    async with opened(journal := hide_dsn(journal)) as journal_:
        journal_.sweep()
        info = find_batches(journal_, batch)[0]
        endpoint = endpoint or find_endpoint(info.endpoint)
        if endpoint.name != info.endpoint:
            raise ConfigurationError(f"batch {info.id} calls {info.endpoint}, not {endpoint.name}")
        check_binding(info.id, info.binding, binding_of(caxton))
        check_approval(journal_, info, approved=approved, approved_by=approved_by)
        journal_.pause(info.id, None)
        async with paced(journal_, caxton.settings) as pace:
            run = BatchRun(caxton, endpoint, info, _shielded(on_progress), pace=pace)
            await run.carry_out(journal_, concurrency, stop or anyio.Event())
        journal_.sweep()
        if run.paused not in {None, STOPPED}:
            journal_.pause(info.id, run.paused)
        return summarise(journal_, info.id, ended=run.paused, error=run.error)


def opened(journal: Journal | str | Path | Secret) -> AbstractAsyncContextManager[Journal]:
    """Return a block in which the journal is open; one that was open already stays so after it."""
    return open_journal(journal) if isinstance(journal, str | Path | Secret) else nullcontext(journal)


def _shielded(on_progress: Callable[[RowOutcome[Any]], None] | None) -> Callable[[RowOutcome[Any]], None]:
    """Return what tells of an outcome: where that fails, it is said once in the log, and the run goes on."""
    is_told = on_progress is not None

    def tell(outcome: RowOutcome[Any]) -> None:
        nonlocal is_told
        if is_told and on_progress is not None:
            try:
                on_progress(outcome)
            except Exception:
                is_told = False
                logger.exception("on_progress failed, and is not called again; the batch goes on")

    return tell


@define
class BatchRun(Generic[Request, Result]):
    """One run: what its tasks share."""

    caxton: "CaxtonClient"
    endpoint: Endpoint[Request, Result]
    info: BatchInfo
    tell: Callable[[RowOutcome[Result]], None]
    paused: str | None = None
    error: CaxtonError | None = None
    failure: Exception | None = None
    pace: Pace | None = None
    _brake: Brake = field(factory=Brake)
    _halted: anyio.Event = field(factory=anyio.Event)
    _room: int = 0  # tasks that may still be started
    _cooldown: Cooldown = field(factory=Cooldown)

    async def carry_out(self, journal: Journal, concurrency: int, stop: anyio.Event) -> None:
        """Send what is left to send, until nothing is, or the run halts."""
        if self.endpoint.name == BULK_PAYMENTS.name:
            payroll = PayrollRun(self.caxton, journal, self.info, self.tell, stop)
            await payroll.carry_out()
            self.paused, self.error = payroll.paused, payroll.error
        else:
            deadline_s = self.caxton.settings.deadline_s
            joining = journal.join(name=self.info.name, concurrency=concurrency, deadline_s=deadline_s)
            async with await joining as worker:
                await self._send_rows(journal, worker, concurrency, stop)
        counts, was_halted = journal.counts(self.info.id), self._halted.is_set() or stop.is_set()
        if self.paused is None and was_halted and any(counts[state] for state in SENDABLE):
            self.paused = STOPPED

    async def _send_rows(self, journal: Journal, worker: Worker, concurrency: int, stop: anyio.Event) -> None:
        async with anyio.create_task_group() as watching:
            watching.start_soon(self._halt_with, journal, stop)
            async with anyio.create_task_group() as tasks:
                self._room = concurrency
                for _ in range(min(_FIRST, concurrency)):
                    self._start(worker, tasks)
            watching.cancel_scope.cancel()
        if self.failure is not None:
            raise self.failure

    async def _halt_with(self, journal: Journal, stop: anyio.Event) -> None:
        """Halt when the run is to stop, or when another process paused the batch."""
        is_paused = False
        while not (is_paused or stop.is_set()):
            with anyio.move_on_after(_WATCH_S):
                await stop.wait()
                break
            with suppress(JournalError):  # while it is away nothing is taken
                is_paused = (await asyncio.to_thread(journal.batch, self.info.id)).paused_reason is not None
        self._halted.set()

    def _start(self, worker: Worker, tasks: anyio.abc.TaskGroup) -> None:
        if self._room:
            self._room -= 1
            tasks.start_soon(self._work, worker, tasks)

    async def _work(self, worker: Worker, tasks: anyio.abc.TaskGroup) -> None:
        """Take rows and send them until there are none, or the run halts.

        The failure of one task does not cancel the calls of the others: their outcomes are still to be learnt.
        """
        try:
            taken = await self._take(worker)
            while taken is not None:
                step, following = await self._send(worker, taken)
                if step.verdict.state is RowState.ACCEPTED:
                    self._start(worker, tasks)  # one more for each accepted row doubles them with each round
                taken = following or await self._take(worker)
        except Exception as error:  # noqa: BLE001 -- kept for the end of the run, which raises it
            self.failure = self.failure or error
            self._halted.set()

    async def _take(self, worker: Worker) -> Taken | None:
        if not await self._may_send():
            return None
        taken = await worker.take(self.info.id)
        if taken is None:
            self._room = 0
        return taken

    async def _may_send(self) -> bool:
        """Wait until another row may be sent; False when the run halts."""
        while self._cooldown.is_on and not self._halted.is_set():
            await self._cooldown.wait(self._halted)
        return not self._halted.is_set() and (self.pace is None or await self.pace.wait(self._halted))

    async def _send(self, worker: Worker, taken: Taken) -> tuple[Step[Result], Taken | None]:
        """Send a row, again where that is safe; return what came of it, and the row that was taken in its place.

        The next row is taken in the commit that makes the outcome durable, so that a place waits for one and not two.
        """
        request = await self._request_of(worker, taken)
        following, tries = None, 0
        while True:
            step = await make_call(self.caxton, self.endpoint, request, worker=worker, rows=(taken,))
            self._learn(step)
            tries += 1
            is_last = not step.verdict.again or tries == _TRIES
            try:
                if is_last and self.pace is None and not self._cooldown.is_on and not self._halted.is_set():
                    following = await worker.record_and_take(taken, step.status)
                else:
                    await worker.record(taken, step.status)
            except JournalError as error:
                say_what_was_sent(error, step.status)
                raise
            if is_last or not await self._may_send() or (again := await worker.take_again(taken)) is None:
                break
            taken = again
        self.tell(RowOutcome(taken.reference, step.verdict.state, step.result, step.error))
        return step, following

    async def _request_of(self, worker: Worker, taken: Taken) -> Any:  # noqa: ANN401 -- of the endpoint's class
        try:
            return decode_request(taken.request, self.endpoint.sends)
        except JournalRefused as error:
            said = readable(error)
            await worker.record(taken, RowStatus(state=RowState.NOT_SENT, sent=Sent.NO, error=said))
            raise

    def _learn(self, step: Step[Result]) -> None:
        """Draw conclusions from one call for all that follow."""
        verdict, error = step.verdict, step.error
        if verdict.state is RowState.ACCEPTED:
            self._cooldown.in_a_row = 0
        if isinstance(error, RateLimited):
            self._slow_down(error)
        reason = self._brake.observe(verdict.state, error)
        if error is not None and (reason or verdict.pauses):
            self._pause(": ".join(filter(None, (reason, readable(error)))), error)

    def _slow_down(self, error: RateLimited) -> None:
        delay_s = self._cooldown.begin(error.retry_after_s)
        if delay_s is None:
            return
        if delay_s > LONGEST_S or self._cooldown.in_a_row > MAX_IN_A_ROW:
            self._pause(f"the API asks for a pause: {readable(error)}", error)
        if self.pace:
            self.pace.keep_quiet(delay_s)

    def _pause(self, reason: str, error: CaxtonError) -> None:
        if self.paused is None:
            self.paused, self.error = reason, error
        self._halted.set()
