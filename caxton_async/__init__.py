"""The asyncio client of the Caxton payments API: the public names, and nothing else."""

from importlib import import_module
from typing import TYPE_CHECKING

from caxton_async.config import Configuration, Credentials, Environment, Settings
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.errors import (
    AlreadyResolved,
    ApiError,
    AssumedPathWarning,
    AuthenticationFailed,
    CaxtonError,
    CertificateRejected,
    ConfigurationError,
    DeadlineExceeded,
    DuplicateReference,
    DuplicatesSuspected,
    InProgress,
    InvalidRequest,
    JournalError,
    JournalFailed,
    JournalRefused,
    LoginRefused,
    NotAuthorised,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    ReferenceConflict,
    Sent,
    ServerFailed,
    TransitionRefused,
    UnreadableReply,
)
from caxton_async.events import Event
from caxton_async.models import BulkSource, Envelope, WebhookEvent
from caxton_async.secret import Secret

if TYPE_CHECKING:
    from caxton_async.batch import BatchSummary, run_batch
    from caxton_async.client import CaxtonClient
    from caxton_async.journal.once import Once, once
    from caxton_async.journal.opening import open_journal

__all__ = [
    "CATALOGUE",
    "AlreadyResolved",
    "ApiError",
    "AssumedPathWarning",
    "AuthenticationFailed",
    "BatchSummary",
    "BulkSource",
    "CaxtonClient",
    "CaxtonError",
    "CertificateRejected",
    "Configuration",
    "ConfigurationError",
    "Credentials",
    "DeadlineExceeded",
    "DuplicateReference",
    "DuplicatesSuspected",
    "Endpoint",
    "Envelope",
    "Environment",
    "Event",
    "InProgress",
    "InvalidRequest",
    "JournalError",
    "JournalFailed",
    "JournalRefused",
    "LoginRefused",
    "NotAuthorised",
    "NotFound",
    "NotSent",
    "Once",
    "OutcomeUnknown",
    "RateLimited",
    "ReferenceConflict",
    "Secret",
    "Sent",
    "ServerFailed",
    "Settings",
    "TransitionRefused",
    "UnreadableReply",
    "WebhookEvent",
    "once",
    "open_journal",
    "run_batch",
]


# These bring aiohttp with them, for which `caxton --version` must not wait.
_HOMES = {
    "BatchSummary": "caxton_async.batch",
    "CaxtonClient": "caxton_async.client",
    "Once": "caxton_async.journal.once",
    "once": "caxton_async.journal.once",
    "open_journal": "caxton_async.journal.opening",
    "run_batch": "caxton_async.batch",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
