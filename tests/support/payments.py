"""Journals of any kind, and what the tests plan and record in them."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from caxton_async.errors import Sent
from caxton_async.journal import (
    BatchInfo,
    Binding,
    Check,
    Duplicates,
    Journal,
    NewBatch,
    PlannedRow,
    RowState,
    RowStatus,
    Taken,
    Worker,
)
from caxton_async.journal.opening import is_database, open_journal

BINDING = Binding(origin="http://127.0.0.1:1", username="ada", client_name="ACME")
PAYROLL = NewBatch(name="may", endpoint="move_funds", binding=BINDING, kind="payroll")
MAY = NewBatch(name="may", endpoint="move_funds", binding=BINDING, details={"input": "may.csv"})


@frozen
class Place:
    """Where a test has a journal; `environ` names its state folder, and its key if it has one."""

    where: str
    environ: dict[str, str]
    grace_s: float | None = 0.0  # of a database: with 0 it gives up as soon as a file does

    @property
    def path(self) -> Path:
        """The file, of those kinds that have one."""
        return Path(self.where)

    def open(self, *, drain_s: float = 5.0) -> Journal:
        """Return the journal, to be opened by `with` or `async with`."""
        journal = open_journal(self.where, drain_s=drain_s, environ=self.environ)
        if self.is_database:
            journal.grace_s = self.grace_s
        return journal

    @property
    def is_database(self) -> bool:
        """Tell whether it is a database on a server."""
        return is_database(self.where)


def row(reference: str, request: bytes | None = None, **more) -> PlannedRow:
    """Make a row whose request is its own unless it is given."""
    request = request or b'"%s"' % reference.encode()
    digest = hashlib.blake2b(request, digest_size=16).digest()
    return PlannedRow(reference=reference, request=request, digest=digest, **more)


def rows(number: int) -> list[PlannedRow]:
    """Make rows of ten pounds each."""
    return [row(f"row-{n}", line=n + 1, amount="10.00", currency="GBP") for n in range(1, number + 1)]


def outcome(state: RowState = RowState.ACCEPTED, **more) -> RowStatus:
    """Make an outcome."""
    sent = {RowState.NOT_SENT: Sent.NO, RowState.UNKNOWN: Sent.UNKNOWN}.get(state, Sent.YES)
    return RowStatus(state=state, sent=sent, started_at=1_780_000_000.5, elapsed_s=0.25, **more)


def allow(_: Duplicates) -> None:
    """Let a plan pass whatever it resembles."""


async def plan(
    journal: Journal, planned: int | Iterable[PlannedRow] = 1, new: NewBatch = MAY, *, check: Check = allow
) -> BatchInfo:
    """Plan a batch."""
    return await journal.plan(new, rows(planned) if isinstance(planned, int) else planned, since=0.0, check=check)


async def take(worker: Worker, batch: int, number: int) -> list[Taken]:
    """Take some rows, one after the other."""
    found = [await worker.take(batch) for _ in range(number)]
    return [taken for taken in found if taken]


async def planned_with(place: Place, *states: RowState) -> int:
    """Plan a batch with one row in each state, planned ones last, and return its id; what is sending is given up."""
    async with place.open() as journal:
        batch = (await plan(journal, len(states))).id
        async with await journal.join() as worker:
            for state in states:
                if state is RowState.PLANNED:
                    break
                taken = await worker.take(batch)
                assert taken is not None
                if state is not RowState.SENDING:
                    await worker.record(taken, outcome(state))
        return batch


def states_of(journal: Journal, batch: int) -> Sequence[str]:
    """Return the states of all rows in their order."""
    found = [found.state.value for found in journal.rows(batch)]
    counted = {state.value: number for state, number in journal.counts(batch).items() if number}
    assert counted == {state: found.count(state) for state in set(found)}
    return found
