"""The asyncio client of the Caxton payments API: the public names, and nothing else."""

from typing import TYPE_CHECKING, Final

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
from caxton_async.lazy import load_when_named

if TYPE_CHECKING:
    from caxton_async.batch import BatchSummary, resume_batch, run_batch
    from caxton_async.client import CaxtonClient
    from caxton_async.config import Configuration, Credentials, Environment, Settings, load_configuration
    from caxton_async.endpoints import CATALOGUE, Endpoint
    from caxton_async.events import Event
    from caxton_async.journal.once import Once, once
    from caxton_async.journal.opening import open_journal
    from caxton_async.models import BulkSource, Envelope, WebhookEvent
    from caxton_async.protocol.encoding import to_jsonable
    from caxton_async.secret import Secret

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
    "load_configuration",
    "once",
    "open_journal",
    "resume_batch",
    "run_batch",
    "to_jsonable",
]

# Where each name is: the command line, and an import of the package alone, wait for nothing that they do not use.
_NAMES: Final = {
    "batch": "BatchSummary resume_batch run_batch",
    "client": "CaxtonClient",
    "config": "Configuration Credentials Environment Settings load_configuration",
    "endpoints": "CATALOGUE Endpoint",
    "events": "Event",
    "journal.once": "Once once",
    "journal.opening": "open_journal",
    "models": "BulkSource Envelope WebhookEvent",
    "protocol.encoding": "to_jsonable",
    "secret": "Secret",
}
__getattr__ = load_when_named(__name__, _NAMES)


def __dir__() -> list[str]:
    return __all__
