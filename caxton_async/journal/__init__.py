"""The journal: one store of batches and single payments, of what was sent and what came of it."""

from caxton_async.journal.opening import open_journal, state_folder
from caxton_async.journal.protocol import Check, Journal, JournalReader, Known, Recorded, Taken, Worker
from caxton_async.journal.states import (
    STATES,
    Adopted,
    BatchInfo,
    Binding,
    Decision,
    Duplicates,
    JournalRow,
    KeptDecision,
    NewBatch,
    PlannedRow,
    Reason,
    RowState,
    RowStatus,
    SameRequest,
)

__all__ = [
    "STATES",
    "Adopted",
    "BatchInfo",
    "Binding",
    "Check",
    "Decision",
    "Duplicates",
    "Journal",
    "JournalReader",
    "JournalRow",
    "KeptDecision",
    "Known",
    "NewBatch",
    "PlannedRow",
    "Reason",
    "Recorded",
    "RowState",
    "RowStatus",
    "SameRequest",
    "Taken",
    "Worker",
    "open_journal",
    "state_folder",
]
