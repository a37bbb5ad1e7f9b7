"""A worker on a journal in a file: claims that are shared by concurrent calls, and outcomes that are never dropped."""

import asyncio
import copy
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from attrs import define, field

from caxton_async.errors import JournalError, Sent
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.sqlite import claims
from caxton_async.journal.sqlite.checks import check_batch
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.sqlite.writer import GroupWriter
from caxton_async.journal.states import Binding, NewBatch, PlannedRow, RowState, RowStatus

Waiting = deque["asyncio.Future[Taken | None]"]


@define(eq=False)
class _Queue:
    """Who waits for a row of a batch; `after` is the position past which the next is looked for."""

    after: int = 0
    waiting: Waiting = field(factory=deque)
    is_claiming: bool = False
    asked: int = 0

    def come_back_to(self, taken: Taken) -> None:
        """Let the next claim find a row that was given back."""
        self.after = min(self.after, (taken.id & claims.LAST) - 1)


class SqliteWorker:
    """See `journal.protocol.Worker`."""

    def __init__(self, database: Database, writer: GroupWriter, number: int, concurrency: int) -> None:
        self.id = number
        self._database = database
        self._writer = writer
        self._concurrency = concurrency
        self._queues: dict[int, _Queue] = {}
        self._beginning = asyncio.Lock()
        self._singles: dict[tuple[str, Binding], int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        locks = self._database.locks
        # In one commit: nothing is taken after it, and what was taken before is unknown.
        leaving = self._writer.submit(lambda tx: claims.leave(tx, locks, self.id))
        try:
            await asyncio.shield(leaving)
        except JournalError:
            if error is None:
                raise

    async def take(self, batch: int) -> Taken | None:
        """Take the next row that waits to be sent."""
        queue = self._queues.get(batch) or await self._begin(batch)
        future: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
        queue.waiting.append(future)
        self._claim(batch, queue)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and (taken := future.result()):
                self._give_back(taken)
                queue.come_back_to(taken)
            raise

    async def _begin(self, batch: int) -> _Queue:
        """Check a batch before the first of its rows is taken."""
        async with self._beginning:
            if batch not in self._queues:
                await self._writer.submit(lambda tx: claims.begin(tx, batch))
                await asyncio.to_thread(check_batch, self._database, batch)
                self._queues[batch] = _Queue()
            return self._queues[batch]

    def _claim(self, batch: int, queue: _Queue) -> None:
        """Ask for as many rows as there are waiting, unless a claim is under way, which asks again at its end."""
        if queue.is_claiming or not queue.waiting:
            return
        queue.is_claiming = True
        after = queue.after

        def work(tx: Transaction) -> list[Taken]:
            # As late as possible, so that one claim serves all who came by now.
            queue.asked = min(len(queue.waiting), self._concurrency)
            return claims.take(tx, self.id, batch, after, queue.asked)

        self._writer.submit(work).add_done_callback(lambda done: self._hand_out(batch, queue, after, done))

    def _hand_out(self, batch: int, queue: _Queue, after: int, done: "asyncio.Future[list[Taken]]") -> None:
        queue.is_claiming = False
        if done.cancelled():  # the loop is closing
            return
        if (error := done.exception()) is not None:
            while queue.waiting:
                future = queue.waiting.popleft()
                if not future.done():
                    future.set_exception(copy.copy(error))
            return
        taken = deque(done.result())
        if taken and queue.after == after:  # it was not rewound meanwhile
            queue.after = taken[-1].id & claims.LAST
        found_all = len(taken) == queue.asked
        while queue.waiting and (taken or not found_all):
            future = queue.waiting.popleft()
            if not future.done():
                future.set_result(taken.popleft() if taken else None)
        for left in taken:
            self._give_back(left)
            queue.come_back_to(left)
        self._claim(batch, queue)

    def _give_back(self, taken: Taken) -> None:
        """Record that a row was not sent, whose taker was cancelled."""
        status = RowStatus(state=RowState.NOT_SENT, sent=Sent.NO, started_at=taken.started_at)
        _ = self._writer.submit(lambda tx: claims.record(tx, taken, status, None))

    def rewind(self, batch: int) -> None:
        """Let `take` begin at the first row again."""
        if batch in self._queues:
            self._queues[batch].after = 0

    async def take_all(self, batch: int) -> Sequence[Taken]:
        """Take all rows of a payroll, or none."""
        await asyncio.to_thread(check_batch, self._database, batch)
        return await self._taking(self._writer.submit(lambda tx: claims.take_all(tx, self.id, batch)))

    async def take_again(self, taken: Taken) -> Taken | None:
        """Take a row that this worker recorded as not sent once more."""
        return next(iter(await self._taking(self._writer.submit(lambda tx: self._again(tx, taken)))), None)

    def _again(self, tx: Transaction, taken: Taken) -> list[Taken]:
        again = claims.take_again(tx, self.id, taken)
        return [again] if again else []

    async def _taking(self, claim: "asyncio.Future[list[Taken]]") -> list[Taken]:
        """Wait for a claim; whoever is cancelled meanwhile gives back what it brings."""
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            claim.add_done_callback(self._give_all_back)
            raise

    def _give_all_back(self, claim: "asyncio.Future[list[Taken]]") -> None:
        if not claim.cancelled() and claim.exception() is None:
            for taken in claim.result():
                self._give_back(taken)

    async def take_one(self, new: NewBatch, row: PlannedRow) -> Taken | Known:
        """Take a single payment by its reference; plan it if it is new."""
        known: list[Known] = []

        def work(tx: Transaction) -> list[Taken]:
            key = (new.endpoint, new.binding)
            batch = self._singles.get(key)
            if batch is None:
                batch = self._singles[key] = claims.batch_of_singles(tx, new)
            found = claims.take_one(tx, self.id, batch, row)
            if isinstance(found, Taken):
                return [found]
            known.append(found)
            return []

        taken = await self._taking(self._writer.submit(work))
        return taken[0] if taken else known[0]

    async def record(self, taken: Taken, status: RowStatus, answer: bytes | None = None) -> Recorded:
        """Record an outcome, durably."""
        return await self._writer.submit(lambda tx: claims.record(tx, taken, status, answer))

    async def record_all(self, taken: Sequence[Taken], status: RowStatus) -> Recorded:
        """Record the one outcome of rows that share a money step."""
        results = await self._writer.submit(lambda tx: [claims.record(tx, row, status, None) for row in taken])
        return next((result for result in results if result is not Recorded.TAKEN), Recorded.TAKEN)
