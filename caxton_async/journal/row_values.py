"""The values of a journal on their way into a database and out of it, whatever kind it is."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import asdict, evolve, fields

from caxton_async.errors import Sent
from caxton_async.journal.states import LAST, BatchInfo, Binding, JournalRow, NewBatch, RowState, RowStatus, to_storable

_FACTS: Final = frozenset({*(field.name for field in fields(NewBatch)), "paused_reason"})
# Opens what was stored in a column that may be encrypted: the bytes, and what they are bound to.
Opener = Callable[[bytes, bytes], bytes]


def context(row: int, column: bytes) -> bytes:
    """Return what an encrypted value is bound to: batch and position, and the column."""
    return row.to_bytes(8, "big") + column


def outcome_values(status: RowStatus) -> tuple[Any, ...]:
    """Return the columns of an outcome: sent, error, http_status, api_status_code, api_status, both times, and paid."""
    return (
        None if status.sent is None else status.sent.value,
        None if status.error is None else to_storable(status.error),
        status.http_status,
        status.api_status_code,
        None if status.api_status is None else to_storable(status.api_status),
        _real(status.started_at),
        _real(status.elapsed_s),
        status.paid,
    )


def _real(number: float | None) -> float | None:
    # As a column of reals gives it back, for the sake of checksums.
    return None if number is None else float(number)


def row_of(values: Sequence[Any], opened: Opener, followed_by: int | None) -> JournalRow:
    """Return the row of these columns: id, what was planned, state, worker, attempt, its outcome, and the answer."""
    row, reference, request, digest, line, amount, currency, beneficiary, state, worker, attempt, *rest = values
    sent, error, http_status, api_status_code, api_status, started_at, elapsed_s, paid, answer = rest
    return JournalRow(
        batch=row >> 32,
        position=row & LAST,
        reference=reference,
        request=None if request is None else opened(request, context(row, b"request")),
        digest=digest,
        line=line,
        amount=amount,
        currency=currency,
        beneficiary=beneficiary,
        worker=worker,
        attempt=attempt,
        answer=None if answer is None else opened(answer, context(row, b"answer")),
        followed_by=followed_by,
        status=RowStatus(
            state=RowState(state),
            sent=None if sent is None else Sent(sent),
            error=error,
            http_status=http_status,
            api_status_code=api_status_code,
            api_status=api_status,
            started_at=started_at,
            elapsed_s=elapsed_s,
            paid=None if paid is None else bool(paid),
        ),
    )


def facts_of(batch: NewBatch) -> str:
    """Return the facts of a batch as JSON in ASCII, which holds half characters of a path that is not UTF-8 too."""
    return json.dumps({name: value for name, value in asdict(batch).items() if name in _FACTS})


def batch_of(number: int, facts: str, created_at: float, total: int | None) -> BatchInfo:
    """Return the batch that has these facts."""
    found = json.loads(facts)
    return BatchInfo(id=number, created_at=created_at, total=total, **{**found, "binding": Binding(**found["binding"])})


def changed_batch(batch: BatchInfo, details: dict[str, str | None], facts: dict[str, Any]) -> BatchInfo:
    """Return a batch with other facts; a detail that is None is removed."""
    merged = {name: value for name, value in {**batch.details, **details}.items() if value is not None}
    return evolve(batch, details=merged, **facts)
