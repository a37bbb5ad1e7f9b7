"""The journal in a file: reading it, planning, and what people decide."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalError, JournalRefused
from caxton_async.journal.group_writer import GroupWriter
from caxton_async.journal.owned import OwnedPayments
from caxton_async.journal.protocol import Check
from caxton_async.journal.row_worker import RowWorker
from caxton_async.journal.sqlite import claims, planning, resolving
from caxton_async.journal.sqlite.copies import Register
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.handle import create
from caxton_async.journal.sqlite.queries import SqliteRows
from caxton_async.journal.sqlite.taker import SqliteMoves
from caxton_async.journal.sqlite.transaction import Transaction
from caxton_async.journal.states import (
    Adopted,
    BatchInfo,
    Decision,
    NewBatch,
    PlannedRow,
)


class SqliteJournal(SqliteRows):
    """See `journal.protocol.Journal`."""

    # The simulation of the tests replaces it by one without a thread.
    writer_class: type[GroupWriter[Transaction]] = GroupWriter[Transaction]

    def __init__(self, path: Path, state_folder: Path, cipher: Cipher | None, *, drain_s: float = 5.0) -> None:
        super().__init__(path, state_folder, cipher)
        self._group_writer: GroupWriter[Transaction] | None = None
        self._comparing = asyncio.Lock()
        self.payments = OwnedPayments(lambda: self.join(name="once"), drain_s)

    def __enter__(self) -> Self:
        if not self._path.exists():
            Register(self._state_folder).check_new(self._path)
            try:
                create(self._path, self._state_folder, self._cipher)
            except JournalRefused:
                if not self._path.exists():  # or another process made it at the same moment
                    raise
        self._opened = Database(self._path, self._state_folder, self._cipher)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._group_writer is not None:
            self._group_writer.close()
            self._group_writer = None
        if self._opened is not None:
            try:
                self._opened.close()
            except JournalError:
                if error is None:
                    raise
            finally:
                self._opened = None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.payments.drain()
        finally:
            self.__exit__(kind, error, traceback)

    @property
    def _writer(self) -> GroupWriter[Transaction]:
        if self._group_writer is None:
            self._group_writer = self.writer_class(self._database.transaction)
        return self._group_writer

    # --- sending ---

    async def join(self, *, name: str = "", concurrency: int = 64, deadline_s: float = 300.0) -> RowWorker:  # noqa: ARG002 -- of other kinds
        """Make a worker."""
        locks = self._database.locks

        def work(tx: Transaction) -> int:
            claims.sweep(tx, locks)
            planning.discard_left_behind(tx)
            return claims.join(tx, locks, name)

        return RowWorker(SqliteMoves(self._database, self._writer, await self._writer.submit(work)), concurrency)

    async def plan(self, new: NewBatch, rows: Iterable[PlannedRow], *, since: float, check: Check) -> BatchInfo:
        """Write a batch whole, or not at all."""
        async with await self.join(name="plan") as planner:
            plan = planning.Planner(self._database, self._writer, planner.id)
            return await plan.write(new, rows, since=since, check=check, comparing=self._comparing)

    # --- people ---

    def sweep(self) -> int:
        """Give up what dead processes had in flight."""
        locks = self._database.locks
        with self._database.transaction() as tx:
            given_up = claims.sweep(tx, locks)
            planning.discard_left_behind(tx)
            return given_up

    def resolve(self, batch: int, decisions: Iterable[Decision], *, who: str) -> int:
        """Record decisions about rows that are unknown, or were resolved: all or none."""
        locks, info = self._database.locks, self.batch(batch)
        with self._database.transaction() as tx:
            claims.sweep(tx, locks)
            return resolving.resolve(tx, info, decisions, who)

    def note(self, batch: int, **details: str | None) -> None:
        """Note facts among the details of a batch, durably."""
        with self._database.transaction() as tx:
            resolving.change_batch(tx, batch, details=details)

    def pause(self, batch: int, reason: str | None) -> None:
        """Say why the run of a batch paused; None when it goes on."""
        with self._database.transaction() as tx:
            resolving.change_batch(tx, batch, details={}, paused_reason=reason)

    def approve(self, batch: int, *, plan_digest: str, approved_by: str) -> None:
        """Keep who approved the plan of a batch."""
        with self._database.transaction() as tx:
            resolving.change_batch(tx, batch, details={}, plan_digest=plan_digest, approved_by=approved_by)

    def prune(self, *, before: float) -> int:
        """Remove the requests and answers of finished batches that were created before."""
        return resolving.prune(self._database, before)

    def adopt(self, *, who: str, note: str) -> Adopted:
        """Make a copy a journal of its own; what it would send needs a decision of a person.

        Raises:
            JournalRefused: another process has it open.
            InvalidRequest: `who` or `note` is empty.
        """
        locks = self._database.locks
        return self._database.adopt(lambda tx: resolving.adopt(tx, locks, who, note))

    def export(self, target: Path) -> None:
        """Write a copy of the journal as it is now into a new file, which nobody uses before it is adopted.

        Raises:
            JournalRefused: the file exists, or cannot be written.
        """
        resolving.export(self._database, target)
