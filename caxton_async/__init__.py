"""The asyncio client of the Caxton payments API: the public names, and nothing else."""

from typing import TYPE_CHECKING

from caxton_async.config import Configuration, Credentials, Environment, Event, Settings
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.errors import (
    ApiError,
    AssumedPathWarning,
    AuthenticationFailed,
    CaxtonError,
    CertificateRejected,
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    LoginRefused,
    NotAuthorised,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.models import BulkSource, Envelope, WebhookEvent
from caxton_async.secret import Secret

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

__all__ = [
    "CATALOGUE",
    "ApiError",
    "AssumedPathWarning",
    "AuthenticationFailed",
    "BulkSource",
    "CaxtonClient",
    "CaxtonError",
    "CertificateRejected",
    "Configuration",
    "ConfigurationError",
    "Credentials",
    "DeadlineExceeded",
    "Endpoint",
    "Envelope",
    "Environment",
    "Event",
    "InvalidRequest",
    "LoginRefused",
    "NotAuthorised",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "RateLimited",
    "Secret",
    "Sent",
    "ServerFailed",
    "Settings",
    "UnreadableReply",
    "WebhookEvent",
]


def __getattr__(name: str) -> object:
    # The client brings aiohttp with it, for which `caxton --version` must not wait.
    if name == "CaxtonClient":
        from caxton_async.client import CaxtonClient  # noqa: PLC0415

        return CaxtonClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
