"""The rows of a batch beside what its journal knows of them: each is sent only as it was planned.

What belongs here: going through the input, planning it and comparing it.  What does not: reading files (`rows`) and
sending (`runner`).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any

import anyio.lowlevel

from caxton_async.batch.journal import Entry, Journal
from caxton_async.batch.plan import row_digest
from caxton_async.batch.states import SENDABLE, JournalRefused, PlannedRow
from caxton_async.client import CaxtonClient
from caxton_async.errors import InvalidRequest
from caxton_async.journal.stored import money_of

# Pairs of reference and request (or `Row`s): a collection, or what returns a new iterator at each call.
Rows = Iterable[Any] | Callable[[], Iterable[Any]]

_ACCOUNT = "acting_for"  # among the details of a journal
_GIVE_WAY = 500  # rows that are passed over before others get their turn


def check_pinned(journal: Journal, endpoint: str, caxton: CaxtonClient) -> None:
    """Check that the journal is of this endpoint, origin and account; a new one is pinned to the account.

    **Raises** JournalRefused when it is of another.
    """
    origin = caxton.settings.origin
    if (journal.endpoint, journal.origin) != (endpoint, origin):
        raise JournalRefused(
            f"the journal {journal.path} is of {journal.endpoint} at {journal.origin}, not of {endpoint} at {origin}: "
            "nothing was sent"
        )
    begun_for = journal.details.get(_ACCOUNT)
    if begun_for is None:
        journal.note(**{_ACCOUNT: caxton.acting_for})
    elif begun_for != caxton.acting_for:
        raise JournalRefused(
            f"the batch of {journal.path} was begun for {begun_for}, not for {caxton.acting_for}: nothing was sent"
        )


def restartable(rows: Rows) -> Callable[[], Iterable[Any]]:
    """Return a function that gives the rows from their beginning each time."""
    if callable(rows):
        return rows
    kept = list(rows) if isinstance(rows, Iterator) else rows
    return lambda: kept


async def plan_or_compare(journal: Journal, rows: Callable[[], Iterable[Any]]) -> None:
    """Write every row into a new journal, or compare each with what the journal knows of it.

    **Raises** InvalidRequest for a wrong reference, JournalRefused when a row is not what it was.
    """
    if journal.total is None:
        await journal.plan(_planned(journal, rows()))
        return
    for entry, _ in pinned_rows(journal, rows):
        if entry.position % _GIVE_WAY == 0:
            await anyio.lowlevel.checkpoint()


def _planned(journal: Journal, rows: Iterable[Any]) -> Iterator[PlannedRow]:
    salt = journal.salt
    for number, row in enumerate(rows, 1):
        reference, request = row
        if not isinstance(reference, str) or not reference.isprintable() or not reference.strip():
            raise InvalidRequest(f"the reference of row {number} must be text that can be printed")
        money = money_of(request)
        yield PlannedRow(
            reference,
            row_digest(request, salt),
            getattr(row, "line", None),
            f"{money.amount:f}" if money else None,
            money.currency if money else None,
        )


def pinned_rows(journal: Journal, rows: Callable[[], Iterable[Any]]) -> Iterator[tuple[Entry, Any]]:
    """Yield each row of the journal with its request, which is the same that was planned.

    **Raises** JournalRefused where it is not.
    """
    salt = journal.salt
    for number, (entry, row) in enumerate(zip_longest(journal.entries(), rows()), 1):
        if entry is not None and row is not None:
            reference, request = row
            if entry.reference == reference and entry.digest == row_digest(request, salt):
                yield entry, request
                continue
        raise JournalRefused(
            f"row {number} of the input is not what it was when the batch was planned: restore the input, then resume"
        )


def sendable_rows(journal: Journal, rows: Callable[[], Iterable[Any]]) -> Iterator[tuple[Entry, Any] | None]:
    """Yield the rows that may be sent, and now and then None, so that passing over the others holds nobody up."""
    passed_over = 0
    for entry, request in pinned_rows(journal, rows):
        if entry.state in SENDABLE:
            yield entry, request
        elif (passed_over := passed_over + 1) % _GIVE_WAY == 0:
            yield None
