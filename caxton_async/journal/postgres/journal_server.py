"""The journal in PostgreSQL: reading it, planning, and what people decide."""

import asyncio
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from attrs import evolve

from caxton_async.encryption import Keyring
from caxton_async.errors import JournalRefused
from caxton_async.journal.owned import OwnedPayments
from caxton_async.journal.postgres import adopting, deciding, migrations, repeats, row_claims, statements
from caxton_async.journal.postgres.connecting import Server, failing
from caxton_async.journal.postgres.copying import BatchCopy, Invite
from caxton_async.journal.postgres.last_claim import ClaimMemory
from caxton_async.journal.postgres.pg_moves import PostgresMoves
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.query_session import QuerySession
from caxton_async.journal.postgres.shared_pace import SharedPace
from caxton_async.journal.postgres.worker_session import WorkerSession
from caxton_async.journal.protocol import Check
from caxton_async.journal.row_worker import RowWorker
from caxton_async.journal.seal import Seal
from caxton_async.journal.states import (
    LAST,
    Adopted,
    BatchInfo,
    Decision,
    Duplicates,
    JournalRow,
    KeptDecision,
    NewBatch,
    PlannedRow,
    Reason,
    RowState,
    row_id,
)
from caxton_async.secret import Secret

_ALL: Final = [state.value for state in RowState]
_PATIENCE_S: Final = 10.0  # a program that sends waits so long for a server that starts again
_REASONS: Final = (
    "SELECT state, coalesce(api_status, error), count(*) FROM rows WHERE id > %s AND id <= %s "
    "AND state IN ('rejected', 'not_sent', 'unknown') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
)
_DECISIONS: Final = (
    "SELECT d.id, r.reference, d.paid, d.note, d.who, d.at, d.alarm FROM decisions d JOIN rows r ON r.id = d.row "
    "WHERE d.id > %s AND d.row > %s AND d.row <= %s ORDER BY d.id LIMIT 1000"
)


class PostgresReader:
    """See `journal.protocol.JournalReader`."""

    def __init__(self, dsn: Secret, keyring: Keyring) -> None:
        self._server = Server(dsn)
        self.where = self._server.where  # without a password
        self._keyring = keyring
        self._opened: QuerySession | None = None
        self.is_encrypted = True

    @property
    def _session(self) -> QuerySession:
        if self._opened is None:
            raise JournalRefused(f"the journal {self.where} is not open: use it in a `with` or `async with` block")
        return self._opened

    @property
    def salt(self) -> bytes:
        """What the digests of requests are made with."""
        return self._session.salt

    def batches(self) -> Sequence[BatchInfo]:
        """Return all batches, the newest first."""
        found = self._session.ask(f"{statements.BATCHES} ORDER BY id DESC")
        return [_with_total(self, statements.to_batch(values)) for values in found]

    def batch(self, batch: int) -> BatchInfo:
        """Return a batch."""
        found = self._session.ask(f"{statements.BATCHES} WHERE id = %s", batch)
        if not found:
            raise JournalRefused(f"the journal {self.where} has no batch {batch}")
        return _with_total(self, statements.to_batch(found[0]))

    def counts(self, batch: int) -> Mapping[RowState, int]:
        """Return how many rows of a batch are in each state."""
        found: dict[str, int] = dict(self._session.ask(statements.COUNTS, batch))
        return {state: found.get(state.value, 0) for state in RowState}

    def reasons(self, batch: int) -> Sequence[Reason]:
        """Return the rows that were refused, not sent or unknown by state and reason."""
        found = self._session.ask(_REASONS, row_id(batch, 0), row_id(batch, LAST))
        return [Reason(state=RowState(state), reason=reason, rows=rows) for state, reason, rows in found]

    def rows(self, batch: int, states: Collection[RowState] = (), *, after: int = 0) -> Iterator[JournalRow]:
        """Yield the rows of a batch in the order of the input."""
        wanted = [state.value for state in states] or _ALL
        for values in self._session.rows(statements.ROWS, row_id(batch, after), row_id(batch, LAST), wanted):
            yield statements.to_row(values, self._keyring)

    def row(self, batch: int, reference: str) -> JournalRow:
        """Return one row."""
        found = self._session.ask(statements.BY_REFERENCE, batch, reference)
        if not found:
            raise JournalRefused(f"batch {batch} has no reference {reference!r}")
        return statements.to_row(found[0], self._keyring)

    def decisions(self, batch: int) -> Iterator[KeptDecision]:
        """Yield what was decided about the rows of a batch, and every alarm, the oldest first."""
        last = 0
        while found := self._session.ask(_DECISIONS, last, row_id(batch, 0), row_id(batch, LAST)):
            last = found[-1][0]
            for _, reference, paid, note, who, at, alarm in found:
                yield KeptDecision(reference=reference, paid=paid, note=note, who=who, at=at, alarm=alarm)

    def same_requests(self, asked: Iterable[PlannedRow], *, since: float) -> Duplicates:
        """Find rows that ask for the same as another."""
        with self._session.connected() as connection:
            return repeats.find_repeats_of(connection, asked, since=since)

    def check(self) -> None:
        """Look at everything in the journal."""
        for (batch,) in self._session.ask(statements.MISCOUNTED):
            raise JournalRefused(
                f"the journal {self.where} is damaged: the number of rows of batch {batch} is not as it was written"
            )
        for info in self.batches():
            for _ in self.rows(info.id):  # which decrypts them
                pass

    def seal(self, batch: int) -> str:
        """Return the digest of the batch's rows as they are in the journal."""
        seal = Seal()
        for row in self.rows(batch):
            seal.add(row.reference, row.request or b"")
        return seal.hexdigest()


def _with_total(journal: PostgresReader, batch: BatchInfo) -> BatchInfo:
    return batch if batch.kind != "once" else evolve(batch, total=sum(journal.counts(batch.id).values()))


class PostgresJournal(PostgresReader):
    """See `journal.protocol.Journal`; `invite`, if set, is told of a batch in the commit that lets it be sent.

    `grace_s` is how long calls of a worker may be under way after its session has ended: where it is None, as long as a
    claim lives and a call may take.  With all workers on the host of the server it may be 0.
    """

    def __init__(self, dsn: Secret, keyring: Keyring, state_folder: Path, *, drain_s: float = 5.0) -> None:
        super().__init__(dsn, keyring)
        self._memory = ClaimMemory(state_folder)
        self._drain_s = drain_s
        self.invite: Invite | None = None
        self.grace_s: float | None = None
        self._workers: weakref.WeakSet[WorkerSession] = weakref.WeakSet()
        self.payments = OwnedPayments(lambda: self.join(name="once"), drain_s)

    def __enter__(self) -> Self:
        self._opened = QuerySession(self._server, self._keyring, 0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in list(self._workers):
            worker.close()
        self._workers.clear()
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    async def __aenter__(self) -> Self:
        self._opened = await asyncio.to_thread(QuerySession, self._server, self._keyring, _PATIENCE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.payments.drain()
        finally:
            self.__exit__(kind, error, traceback)

    def migrate(self) -> int:
        """Bring the journal to the form of this program, making it if there is none; return its version."""
        with failing(self.where), self._server.connect("migrate") as connection:
            return migrations.migrate(connection, self._keyring)

    def shared_pace(self, origin: str, per_second: float | None) -> SharedPace:
        """Return the pace of all workers that call an origin; it is to be closed."""
        return SharedPace(self._server, self._keyring, origin, per_second)

    # --- sending ---

    async def join(self, *, name: str = "", concurrency: int = 64, deadline_s: float = 300.0) -> RowWorker:
        """Make a worker."""
        grace_s = row_claims.CLAIM_LIFE_S + deadline_s if self.grace_s is None else self.grace_s
        session = WorkerSession(self._server, self._keyring, self._memory, name=name, grace_s=grace_s)
        self._workers.add(session)
        # The first commit opens the session, and makes the worker.
        await session.submit(lambda _: None)
        return RowWorker(PostgresMoves(session, self._drain_s), concurrency)

    async def plan(self, new: NewBatch, rows: Iterable[PlannedRow], *, since: float, check: Check) -> BatchInfo:
        """Write a batch whole, or not at all."""
        copy = BatchCopy(self._server, self._keyring, self._memory, self.invite)
        return await copy.write(new, rows, since=since, check=check)

    # --- people ---

    @contextmanager
    def _change(self) -> Iterator[PgTransaction]:
        """Give a transaction that is durable when the block ends.

        Raises:
            JournalRefused: the journal was restored, and nobody has adopted it since.
        """
        with self._session.connected() as connection:
            self._memory.check(connection, self.where)
        with self._session.transaction() as tx:
            yield tx

    def sweep(self) -> int:
        """Give up what dead processes had in flight."""
        with self._change() as tx:
            return row_claims.sweep(tx)

    def resolve(self, batch: int, decisions: Iterable[Decision], /, *, who: str) -> int:
        """Record decisions about rows that are unknown, or were resolved: all or none."""
        info = self.batch(batch)
        with self._change() as tx:
            row_claims.sweep(tx)
            return deciding.resolve(tx, info, decisions, who)

    def note(self, batch: int, **details: str | None) -> None:
        """Note facts among the details of a batch, durably."""
        with self._change() as tx:
            deciding.change_batch(tx, batch, details=details)

    def pause(self, batch: int, reason: str | None) -> None:
        """Say why the run of a batch paused; None when it goes on."""
        with self._change() as tx:
            deciding.change_batch(tx, batch, details={}, paused_reason=reason)

    def approve(self, batch: int, *, plan_digest: str, approved_by: str) -> None:
        """Keep who approved the plan of a batch."""
        with self._change() as tx:
            deciding.change_batch(tx, batch, details={}, plan_digest=plan_digest, approved_by=approved_by)

    def prune(self, *, before: float) -> int:
        """Remove the requests and answers of finished batches that were created before."""
        with self._change() as tx:
            return deciding.prune(tx, before)

    def adopt(self, *, who: str, note: str) -> Adopted:
        """Make a restored database, or a copy, the journal from now on; what it would send needs a decision.

        Raises:
            JournalRefused: workers are at work in it.
            InvalidRequest: `who` or `note` is empty.
        """
        with self._session.transaction() as tx:
            return adopting.adopt(tx, who, note)
