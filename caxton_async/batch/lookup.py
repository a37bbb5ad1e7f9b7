"""Finding a batch by what a person calls it, and the endpoint by its name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from caxton_async import endpoints
from caxton_async.bulk import BulkPaymentRow
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.errors import JournalRefused
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import SENDABLE, BatchInfo

INPUT: Final = "input"  # among the details of a batch: the path of its input
# What the rows of a payroll file are; it is not called itself, but names the batch and the class of its rows.
BULK_PAYMENTS: Final[Endpoint[BulkPaymentRow, None]] = Endpoint(
    "bulk_payments", "POST", "payments", BulkPaymentRow, acts_for="user"
)


def find_endpoint(name: str) -> Endpoint[Any, Any]:
    """Return the call of this name, or the payroll.

    Raises:
        InvalidRequest: there is none of this name.
    """
    return endpoints.find_endpoint(name, {**CATALOGUE, BULK_PAYMENTS.name: BULK_PAYMENTS})


def find_batches(journal: JournalReader, text: str | int) -> Sequence[BatchInfo]:
    """Return the batches of this id, name or input; the newest unfinished one first, then the others by age.

    Raises:
        JournalRefused: there is none.
    """
    batches = journal.batches()
    found = [info for info in batches if str(info.id) == str(text)]
    if not found:
        path = path_text(Path(str(text)).absolute())
        found = [info for info in batches if str(text) == info.name or info.details.get(INPUT) == path]
    if not found:
        known = ", ".join(f"{info.id} ({info.name})" for info in batches[:3])
        raise JournalRefused(
            f"the journal {journal.where} has no batch {text!s}: "
            + (f"its newest are {known}" if known else "it has none at all")
        )
    return sorted(found, key=lambda info: (not _is_unfinished(journal, info), -info.id))


def _is_unfinished(journal: JournalReader, info: BatchInfo) -> bool:
    counts = journal.counts(info.id)
    return any(counts[state] for state in SENDABLE)


def path_text(path: Path) -> str:
    """Return a path as text that every journal and terminal can hold, also where its name is not UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()
