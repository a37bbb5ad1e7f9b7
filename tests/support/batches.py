"""Batches for the tests: a client whose calls end as told, rows for it, and journals with rows in given states."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from attrs import frozen

from caxton_async.batch.plan import PlanOptions, plan_batch
from caxton_async.endpoints import CREATE_WALLET, Endpoint
from caxton_async.errors import Sent
from caxton_async.journal import Decision, Journal, NewBatch, PlannedRow, RowState, RowStatus, open_journal
from caxton_async.journal.stored import encode_request
from caxton_async.models import CreateWallet, MoveFunds
from caxton_async.protocol.request import Caller
from tests.support.payments import BINDING, MAY, plan

Answer = Callable[[str], Awaitable[object]]


class FakeCaxton:
    """A client whose calls end as `answer` says; it counts what was sent, by name."""

    def __init__(self, answer: Answer, *, account: str | None = None) -> None:
        self.settings = SimpleNamespace(origin=BINDING.origin, deadline_s=60.0)
        self.credentials = SimpleNamespace(username=BINDING.username, client_name=BINDING.client_name)
        self.caller = Caller(account)
        self.answer = answer
        self.sent: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0

    def with_options(self, **_: object) -> "FakeCaxton":
        """Return a view, which is as patient."""
        return self

    async def call(self, endpoint: Endpoint, request: object) -> object:
        name = getattr(request, "name", endpoint.name)
        self.sent[name] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.answer(name)
        finally:
            self.in_flight -= 1


def raising(error: Exception | None, *, times: int = 10**6) -> Answer:
    """Answer with an error, and with success after so many times."""
    left = times

    async def answer(name: str) -> str:
        nonlocal left
        await asyncio.sleep(0)
        left -= 1
        if error is not None and left >= 0:
            raise error
        return f"made {name}"

    return answer


def wallets(count: int, first: int = 1) -> list[tuple[str, CreateWallet]]:
    """Make rows that differ."""
    return [(f"ref-{n}", CreateWallet(f"w{n}")) for n in range(first, first + count)]


def journal_in(folder: Path) -> Journal:
    """Return the journal of a folder, to be opened."""
    return open_journal(folder / "journal.sqlite", environ={"CAXTON_STATE_DIR": str(folder / "state")})


async def planned(journal: Journal, rows: object, endpoint: Endpoint = CREATE_WALLET, **options: object) -> int:
    """Plan a batch and return its id."""
    options = {"allow_duplicates": True, **options}
    return (await plan_batch(journal, endpoint, rows, binding=BINDING, options=PlanOptions(**options))).id


@frozen(kw_only=True)
class RowHistory:
    """What became of one row."""

    reference: str
    state: RowState = RowState.ACCEPTED
    amount: str | None = "10.00"
    currency: str | None = "GBP"
    beneficiary: str | None = None
    error: str | None = None
    started_at: float = 1_780_000_000.0
    elapsed_s: float | None = 0.25
    paid: bool = True  # of a resolved row
    who: str = "ada"
    note: str = "seen on the statement"


async def write_batch(folder: Path, *rows: RowHistory, new: NewBatch = MAY) -> int:
    """Plan moves of money that have that history, in the journal of a folder, and return the id of the batch."""
    async with journal_in(folder) as journal:
        batch = (await plan(journal, (_planned(row, line) for line, row in enumerate(rows, 2)), new)).id
        async with await journal.join() as worker:
            for row in rows:
                if row.state is RowState.PLANNED:
                    continue
                taken = await worker.take(batch)
                assert taken is not None
                state = RowState.UNKNOWN if row.state is RowState.RESOLVED else row.state
                times = {"started_at": row.started_at, "elapsed_s": row.elapsed_s}
                await worker.record(taken, RowStatus(state=state, sent=Sent.YES, error=row.error, **times))
        for row in rows:
            if row.state is RowState.RESOLVED:
                journal.resolve(batch, [Decision(row.reference, row.paid, row.note)], who=row.who)
    return batch


def _planned(row: RowHistory, line: int) -> PlannedRow:
    move = MoveFunds("GBP", "POT-GBP", Decimal(row.amount or 1))
    return PlannedRow(
        reference=row.reference,
        request=encode_request(move, is_encrypted=False),
        digest=row.reference.encode()[-16:].rjust(16),
        line=line,
        amount=row.amount,
        currency=row.currency,
        beneficiary=row.beneficiary,
    )
