"""Batches that can be killed at any instant: rows in, a journal on disk, a report out."""

from caxton_async.batch.input import InputFile, InputOptions, Row, RowErrors, input_digest, read_rows, template_of
from caxton_async.batch.journal import Journal
from caxton_async.batch.payroll import BULK_PAYMENTS, run_bulk_payments
from caxton_async.batch.reader import JournalReader, check_not_run_before, default_path, read_journal
from caxton_async.batch.runner import BatchSummary, RowOutcome, run_batch
from caxton_async.batch.states import (
    STATES,
    DuplicateReference,
    JournalError,
    JournalFailed,
    JournalRefused,
    JournalRow,
    RowState,
    RowStatus,
    TransitionRefused,
)

__all__ = [
    "BULK_PAYMENTS",
    "STATES",
    "BatchSummary",
    "DuplicateReference",
    "InputFile",
    "InputOptions",
    "Journal",
    "JournalError",
    "JournalFailed",
    "JournalReader",
    "JournalRefused",
    "JournalRow",
    "Row",
    "RowErrors",
    "RowOutcome",
    "RowState",
    "RowStatus",
    "TransitionRefused",
    "check_not_run_before",
    "default_path",
    "input_digest",
    "read_journal",
    "read_rows",
    "run_batch",
    "run_bulk_payments",
    "template_of",
]
