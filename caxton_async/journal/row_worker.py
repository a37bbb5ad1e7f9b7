"""A worker of any kind of journal: claims that concurrent calls share, and outcomes that are never dropped."""

import asyncio
import copy
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from attrs import define, field

from caxton_async.errors import JournalError, Sent
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.states import LAST, NewBatch, PlannedRow, RowState, RowStatus

Waiting = deque["asyncio.Future[Taken | None]"]
Claim = asyncio.Future[list[Taken]]
_PATIENCE_S: Final = 1.0  # of a worker that leaves, with a journal that does not answer
Recording = asyncio.Future[Sequence[Recorded]]


class Moves(Protocol):
    """What a kind of journal does for a worker; whatever a future says is durable.

    Each is carried out, in the order in which they are asked for, also when nobody waits for it any more.
    """

    @property
    def worker(self) -> int:
        """What names the worker in the journal."""
        ...

    async def begin(self, batch: int) -> None:
        """Check a batch, and note that work on it begins."""
        ...

    def claim(self, batch: int, after: int, wanted: Callable[[], int]) -> Claim:
        """Take the next rows past a position; `wanted` is asked how many as late as possible."""
        ...

    async def claim_all(self, batch: int) -> Claim:
        """Take all rows of a batch, or none."""
        ...

    def claim_again(self, taken: Taken) -> Claim:
        """Take a row once more, if it still waits where this worker left it."""
        ...

    def claim_one(self, new: NewBatch, row: PlannedRow, known: Callable[[Known], None]) -> Claim:
        """Take a single payment by its reference; `known` is told of one that its reference names already."""
        ...

    def record(self, taken: Sequence[Taken], status: RowStatus, answer: bytes | None) -> Recording:
        """Record the one outcome of rows, in one commit."""
        ...

    def leave(self) -> Awaitable[None]:
        """End the worker in one commit: nothing is taken after it, and what was taken before is unknown."""
        ...


@define(eq=False)
class _Ask:
    """A claim that is under way; `asked` is how many rows it looks for, None until that is decided."""

    after: int
    turn: int
    asked: int | None = None


@define(eq=False)
class _Queue:
    """Who waits for a row of a batch; `after` is the position past which the next is looked for."""

    most: int  # rows of one claim
    after: int = 0
    turn: int = 0  # raised when `after` goes back: claims that were under way then move it no more
    waiting: Waiting = field(factory=deque)
    asks: list[_Ask] = field(factory=list)
    is_gathering: bool = False  # who records an outcome in this turn of the loop, to be served by one claim
    _deciding: threading.Lock = field(factory=threading.Lock)  # the writer decides in a thread of its own

    def come_back_to(self, position: int) -> None:
        """Let the next claim find a row again, and those behind it."""
        self.after, self.turn = min(self.after, position - 1), self.turn + 1

    def ask(self) -> _Ask | None:
        """Begin another claim; None where one that is under way will see all who wait now."""
        with self._deciding:
            if not self.waiting or any(ask.asked is None for ask in self.asks):
                return None
            self.asks.append(_Ask(self.after, self.turn))
            return self.asks[-1]

    def end(self, ask: _Ask) -> None:
        """Forget a claim that is done."""
        with self._deciding:
            self.asks.remove(ask)

    def decide(self, ask: _Ask) -> int:
        """Return how many rows a claim looks for: one for each who waits and whom no earlier claim serves."""
        with self._deciding:
            if ask.asked is None:
                served = sum(other.asked or 0 for other in self.asks)
                ask.asked = max(0, min(len(self.waiting) - served, self.most))
            return ask.asked

    def decide_all(self) -> None:
        """Let no claim that is under way serve those who come from now on."""
        for ask in self.asks:
            self.decide(ask)


class Claims:
    """The claims of a worker on batches: concurrent calls share one, and what nobody waits for any more goes back."""

    def __init__(self, moves: Moves, concurrency: int) -> None:
        self._moves = moves
        self._concurrency = concurrency
        self._queues: dict[int, _Queue] = {}
        self._beginning = asyncio.Lock()
        self._under_way: set[Claim] = set()

    async def take(self, batch: int, recorded: Recording | None = None) -> Taken | None:
        """Take the next row that waits to be sent, once what is being recorded is durable."""
        queue = self._queues.get(batch) or await self._begin(batch)
        if recorded is not None:
            queue.decide_all()  # or this row would wait, durably `sending`, for an outcome of a later commit
        future: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
        queue.waiting.append(future)
        if recorded is None:
            self._claim(batch, queue)
        elif not queue.is_gathering:
            queue.is_gathering = True
            asyncio.get_running_loop().call_soon(self._claim_for_gathered, batch, queue)
        try:
            if recorded is not None:
                await recorded
            return await future
        except BaseException:
            if not future.cancel() and not future.cancelled() and not future.exception() and (taken := future.result()):
                self._give_back(taken)
                queue.come_back_to(taken.id & LAST)
            raise

    async def _begin(self, batch: int) -> _Queue:
        """Check a batch before the first of its rows is taken."""
        async with self._beginning:
            if batch not in self._queues:
                await self._moves.begin(batch)
                self._queues[batch] = _Queue(self._concurrency)
            return self._queues[batch]

    def _claim_for_gathered(self, batch: int, queue: _Queue) -> None:
        """Ask once for all who recorded an outcome in this turn of the loop: their outcomes are queued before it."""
        queue.is_gathering = False
        self._claim(batch, queue)

    def _claim(self, batch: int, queue: _Queue) -> None:
        """Ask for as many rows as there are waiting, unless a claim that has not begun yet does so.

        One that has begun is not waited for: the next is then in the commit right after its own.
        """
        ask = queue.ask()
        if ask is None:
            return
        # How many is told as late as possible, so that one claim serves all who came by now.
        claim = self._moves.claim(batch, ask.after, lambda: queue.decide(ask))
        claim.add_done_callback(lambda done: self._hand_out(batch, queue, ask, done))
        self._watch(claim)

    def _hand_out(self, batch: int, queue: _Queue, ask: _Ask, done: Claim) -> None:
        queue.end(ask)
        if done.cancelled():  # the loop is closing
            return
        if (error := done.exception()) is not None:
            while queue.waiting:
                future = queue.waiting.popleft()
                if not future.done():
                    future.set_exception(copy.copy(error))
            return
        taken = deque(done.result())
        if taken and queue.turn == ask.turn:
            queue.after = taken[-1].id & LAST
        found_all = len(taken) == ask.asked
        while queue.waiting and (taken or not found_all):
            future = queue.waiting.popleft()
            if not future.done():
                future.set_result(taken.popleft() if taken else None)
        for left in taken:
            self._give_back(left)
            queue.come_back_to(left.id & LAST)
        self._claim(batch, queue)

    def _give_back(self, taken: Taken) -> None:
        """Record that a row was not sent, whose taker was cancelled."""
        status = RowStatus(state=RowState.NOT_SENT, sent=Sent.NO, started_at=taken.started_at)
        _ = self._moves.record([taken], status, None)

    def rewind(self, batch: int) -> None:
        """Let `take` begin at the first row again."""
        if batch in self._queues:
            self._queues[batch].come_back_to(1)

    async def wait_for(self, claim: Claim) -> list[Taken]:
        """Wait for a claim; whoever is cancelled meanwhile gives back what it brings."""
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            claim.add_done_callback(self._give_all_back)
            self._watch(claim)
            raise

    def _watch(self, claim: Claim) -> None:
        self._under_way.add(claim)
        claim.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Wait until what is being taken for nobody has been given back."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_PATIENCE_S)

    def _give_all_back(self, claim: Claim) -> None:
        if not claim.cancelled() and claim.exception() is None:
            for taken in claim.result():
                self._give_back(taken)


class RowWorker:
    """See `journal.protocol.Worker`."""

    def __init__(self, moves: Moves, concurrency: int) -> None:
        self._moves = moves
        self._claims = Claims(moves, concurrency)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leaving = asyncio.ensure_future(self._leave())
        try:
            await asyncio.shield(leaving)
        except JournalError:
            if error is None:
                raise

    async def _leave(self) -> None:
        await self._claims.end()
        await self._moves.leave()

    @property
    def id(self) -> int:
        """What names the worker in the journal."""
        return self._moves.worker

    async def take(self, batch: int) -> Taken | None:
        """Take the next row that waits to be sent."""
        return await self._claims.take(batch)

    def rewind(self, batch: int) -> None:
        """Let `take` begin at the first row again."""
        self._claims.rewind(batch)

    async def take_all(self, batch: int) -> Sequence[Taken]:
        """Take all rows of a payroll, or none."""
        return await self._claims.wait_for(await self._moves.claim_all(batch))

    async def take_again(self, taken: Taken) -> Taken | None:
        """Take a row that this worker recorded as not sent once more."""
        return next(iter(await self._claims.wait_for(self._moves.claim_again(taken))), None)

    async def take_one(self, new: NewBatch, row: PlannedRow) -> Taken | Known:
        """Take a single payment by its reference; plan it if it is new."""
        known: list[Known] = []
        taken = await self._claims.wait_for(self._moves.claim_one(new, row, known.append))
        return taken[0] if taken else known[-1]

    async def record(self, taken: Taken, status: RowStatus, answer: bytes | None = None) -> Recorded:
        """Record an outcome, durably."""
        return (await self._moves.record([taken], status, answer))[0]

    async def record_and_take(self, taken: Taken, status: RowStatus) -> Taken | None:
        """Record an outcome, and take the next row of the batch in the same commit."""
        recorded = self._moves.record([taken], status, None)
        return await self._claims.take(taken.id >> 32, recorded)

    async def record_all(self, taken: Sequence[Taken], status: RowStatus) -> Recorded:
        """Record the one outcome of rows that share a money step."""
        results = await self._moves.record(taken, status, None)
        return next((result for result in results if result is not Recorded.TAKEN), Recorded.TAKEN)
