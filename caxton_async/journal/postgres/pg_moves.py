"""What a worker does to the rows of a journal in PostgreSQL, in commits that concurrent calls share."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from caxton_async.journal.postgres import row_claims
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.row_claims import Outcome
from caxton_async.journal.postgres.worker_session import WorkerSession
from caxton_async.journal.protocol import Known, Recorded, Taken
from caxton_async.journal.states import Binding, NewBatch, PlannedRow, RowStatus

_Claim = asyncio.Future[list[Taken]]


class PostgresMoves:
    """See `journal.row_worker.Moves`."""

    def __init__(self, session: WorkerSession, drain_s: float) -> None:
        self._session = session
        self._drain_s = drain_s
        self._singles: dict[tuple[str, Binding], int] = {}

    @property
    def worker(self) -> int:
        """What names the worker in the journal: another number after others gave it up."""
        return self._session.worker

    async def begin(self, batch: int) -> None:
        """Check a batch, and note that work on it begins."""
        await self._session.submit(lambda tx: row_claims.begin(tx, batch))

    def claim(self, batch: int, after: int, wanted: Callable[[], int]) -> _Claim:
        """Take the next rows past a position."""
        return self._session.submit(lambda tx: row_claims.take(tx, batch, after, wanted()))

    async def claim_all(self, batch: int) -> _Claim:
        """Take all rows of a batch, or none."""
        return self._session.submit(lambda tx: row_claims.take_all(tx, batch))

    def claim_again(self, taken: Taken) -> _Claim:
        """Take a row once more, if it still waits where this worker left it."""
        return self._session.submit(lambda tx: row_claims.take_again(tx, taken))

    def claim_one(self, new: NewBatch, row: PlannedRow, known: Callable[[Known], None]) -> _Claim:
        """Take a single payment by its reference."""

        def work(tx: PgTransaction) -> list[Taken]:
            key = (new.endpoint, new.binding)
            if key not in self._singles:
                row_claims.check_alive(tx)
            batch = self._singles.get(key) or row_claims.batch_of_singles(tx, new)
            taken = row_claims.take_one(tx, batch, row, known)
            self._singles[key] = batch
            return taken

        return self._session.submit(work)

    def record(
        self, taken: Sequence[Taken], status: RowStatus, answer: bytes | None
    ) -> "asyncio.Future[Sequence[Recorded]]":
        """Record the one outcome of rows."""
        return self._submit(Outcome(tuple(taken), status, answer))

    def _submit(self, outcome: Outcome) -> "asyncio.Future[Any]":
        return self._session.submit(outcome)

    async def leave(self) -> None:
        """End the worker, and its session."""
        leaving = self._session.submit(row_claims.leave)
        # Once the time is up the session gives up on a server that does not come back.
        await asyncio.to_thread(self._session.leave, self._drain_s)
        await leaving
