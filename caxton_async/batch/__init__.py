"""Batches that can be killed at any instant: rows in, a journal of what was sent, a report out."""

from typing import TYPE_CHECKING, Final

from caxton_async.lazy import load_when_named

if TYPE_CHECKING:
    from caxton_async.batch.input import InputFile, InputOptions, Row, RowErrors, read_rows
    from caxton_async.batch.lookup import BULK_PAYMENTS, find_batches
    from caxton_async.batch.outcome import BatchSummary, RowOutcome
    from caxton_async.batch.plan import BatchPlan, PlanOptions, make_plan, plan_batch
    from caxton_async.batch.runner import resume_batch, run_batch

__all__ = [
    "BULK_PAYMENTS",
    "BatchPlan",
    "BatchSummary",
    "InputFile",
    "InputOptions",
    "PlanOptions",
    "Row",
    "RowErrors",
    "RowOutcome",
    "find_batches",
    "make_plan",
    "plan_batch",
    "read_rows",
    "resume_batch",
    "run_batch",
]

# Where each name is: to look at a journal needs no reader of files.
_NAMES: Final = {
    "input": "InputFile InputOptions Row RowErrors read_rows",
    "lookup": "BULK_PAYMENTS find_batches",
    "outcome": "BatchSummary RowOutcome",
    "plan": "BatchPlan PlanOptions make_plan plan_batch",
    "runner": "resume_batch run_batch",
}
__getattr__ = load_when_named(__name__, _NAMES)
