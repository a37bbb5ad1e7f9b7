"""Rows of a batch that are tried anew, as the rows of a batch that follows it."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from attrs import evolve, fields

from caxton_async.batch.plan import plan_row
from caxton_async.endpoints import Endpoint
from caxton_async.errors import JournalRefused
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import BatchInfo, JournalRow, PlannedRow, RowState
from caxton_async.journal.stored import decode_request

Retried = Literal["rejected", "not-paid"]
_SUFFIX: Final = re.compile(r"-r([0-9]{1,6})\Z")


def follow_up_rows(
    journal: JournalReader, info: BatchInfo, endpoint: Endpoint[Any, Any], retried: Retried
) -> Iterator[PlannedRow]:
    """Yield the rows that were rejected, or resolved as not paid, and that no other batch tries anew yet.

    Each gets the next name of its reference, also where the request carries it: `inv-7` becomes `inv-7-r1`.

    Raises:
        JournalRefused: the request of a row was pruned.
    """
    state = RowState.REJECTED if retried == "rejected" else RowState.RESOLVED
    for row in journal.rows(info.id, (state,)):
        if row.followed_by is None and not row.status.paid:
            yield _follow_up(journal, endpoint, row)


def _follow_up(journal: JournalReader, endpoint: Endpoint[Any, Any], row: JournalRow) -> PlannedRow:
    if row.request is None:
        raise JournalRefused(f"the request of {row.reference} was pruned, so it cannot be sent again from the journal")
    request: Any = decode_request(row.request, endpoint.sends)
    reference = next_name(row.reference)
    if request is not None:
        carried = {
            field.alias or field.name: reference
            for field in fields(type(request))
            if field.init and getattr(request, field.name) == row.reference
        }
        request = evolve(request, **carried)
    return plan_row(journal, reference, request, line=row.line, follows=row.id)


def next_name(name: str) -> str:
    """Return the name of the next try: `may`, `may-r1`, `may-r2`."""
    found = _SUFFIX.search(name)
    return f"{name}-r1" if found is None else f"{name[: found.start()]}-r{int(found[1]) + 1}"
