"""Bank statements beside rows whose outcome is unknown: what they prove, and what a person has to look at."""

from caxton_async.batch.reconcile.entries import StatementEntry
from caxton_async.batch.reconcile.matching import Proposals, Proposed, SentRow, Undecided, match_statement
from caxton_async.batch.reconcile.statement import Statement, read_statement

__all__ = [
    "Proposals",
    "Proposed",
    "SentRow",
    "Statement",
    "StatementEntry",
    "Undecided",
    "match_statement",
    "read_statement",
]
