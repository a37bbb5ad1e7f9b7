"""What a worker does to the rows of a journal in a file, in commits that concurrent calls share."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from caxton_async.journal.group_writer import GroupWriter
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.sqlite import claims
from caxton_async.journal.sqlite.checks import check_counts
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import Binding, NewBatch, PlannedRow, RowStatus

_Claim = asyncio.Future[list[Taken]]


class SqliteMoves:
    """See `journal.row_worker.Moves`."""

    def __init__(self, database: Database, writer: GroupWriter[Transaction], worker: int) -> None:
        self.worker = worker
        self._database = database
        self._writer = writer
        self._singles: dict[tuple[str, Binding], int] = {}

    async def begin(self, batch: int) -> None:
        """Check a batch, and note that work on it begins."""
        await self._writer.submit(lambda tx: claims.begin(tx, batch))
        await asyncio.to_thread(check_counts, self._database, batch)

    def claim(self, batch: int, after: int, wanted: Callable[[], int]) -> _Claim:
        """Take the next rows past a position."""
        return self._writer.submit(lambda tx: claims.take(tx, self.worker, batch, after, wanted()))

    async def claim_all(self, batch: int) -> _Claim:
        """Take all rows of a batch, or none."""
        await asyncio.to_thread(check_counts, self._database, batch)
        return self._writer.submit(lambda tx: claims.take_all(tx, self.worker, batch))

    def claim_again(self, taken: Taken) -> _Claim:
        """Take a row once more, if it still waits where this worker left it."""

        def work(tx: Transaction) -> list[Taken]:
            again = claims.take_again(tx, self.worker, taken)
            return [again] if again else []

        return self._writer.submit(work)

    def claim_one(self, new: NewBatch, row: PlannedRow, known: Callable[[Known], None]) -> _Claim:
        """Take a single payment by its reference."""

        def work(tx: Transaction) -> list[Taken]:
            key = (new.endpoint, new.binding)
            batch = self._singles.get(key)
            if batch is None:
                batch = self._singles[key] = claims.batch_of_singles(tx, new)
            found = claims.take_one(tx, self.worker, batch, row)
            if isinstance(found, Taken):
                return [found]
            known(found)
            return []

        return self._writer.submit(work)

    def record(
        self, taken: Sequence[Taken], status: RowStatus, answer: bytes | None
    ) -> "asyncio.Future[Sequence[Recorded]]":
        """Record the one outcome of rows."""
        return self._writer.submit(lambda tx: [claims.record(tx, row, status, answer) for row in taken])

    def leave(self) -> Awaitable[None]:
        """End the worker."""
        locks = self._database.locks
        return self._writer.submit(lambda tx: claims.leave(tx, locks, self.worker))
