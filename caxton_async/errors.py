"""The errors of the client, and the one question each of them answers: was the request sent?

    CaxtonError                 sent, safe_to_retry, endpoint, correlation_id
    ├── ConfigurationError      settings, credentials or use of the client are wrong
    ├── InvalidRequest          an argument cannot be sent
    │   ├── ReferenceConflict   the reference of a single payment stands for another request already
    │   ├── DuplicateReference  two rows of a batch have the same reference
    │   └── DuplicatesSuspected rows ask for what was asked for before
    ├── AuthenticationFailed    no token could be had
    │   └── LoginRefused        the API refused the user name and password
    ├── NotSent                 the network failed before the request left
    │   └── CertificateRejected the peer's certificate is not trusted
    ├── ApiError                the API answered, and refused
    │   ├── NotAuthorised       401, 403, or a refused client or user
    │   ├── NotFound            404
    │   ├── RateLimited         429
    │   └── ServerFailed        5xx, for calls that may be repeated
    ├── UnreadableReply         a repeatable call got no whole, trustworthy answer
    ├── OutcomeUnknown          a call that must not be repeated may or may not have been carried out
    ├── DeadlineExceeded        the deadline of the call passed
    ├── InProgress              another process is sending this payment
    ├── AlreadyResolved         a person decided that this payment was made
    └── JournalError            a journal cannot do what is asked of it, so nothing more is sent
        ├── JournalRefused      missing, damaged, copied, or of another batch
        ├── JournalFailed       a write failed
        └── TransitionRefused   a row cannot go from its state to that

What belongs here: the classes and their data.  What does not: deciding which of them a reply means (`wire`),
and whether to try again (`retry`).  Every class can be built from its message alone and carries the rest as
attributes, so that each error survives pickling between processes.
"""

import enum
from collections.abc import Sequence
from typing import Final


class Sent(enum.Enum):
    """Whether a request reached the API: NO (never handed to a connection), YES (answered) or UNKNOWN."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class AssumedPathWarning(UserWarning):
    """An endpoint is used whose path the vendor has not documented; naming it in `Settings.paths` confirms it."""


class CaxtonError(Exception):
    """Base of every error of this library.

    `sent` says whether the request left; `safe_to_retry`, whether sending it again cannot do it twice.
    """

    sent: Sent = Sent.NO
    safe_to_retry: bool = False

    def __init__(
        self,
        message: str,
        *,
        endpoint: str | None = None,
        correlation_id: str | None = None,
        sent: Sent | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint: Final = endpoint
        self.correlation_id: Final = correlation_id
        if sent is not None:
            self.sent = sent


class ConfigurationError(CaxtonError):
    """Settings, credentials or the use of the client are wrong; nothing was sent."""


class InvalidRequest(CaxtonError):
    """An argument cannot be sent as it is; nothing was sent."""


class AuthenticationFailed(CaxtonError):
    """No access token could be had, so the call was not sent.

    `retry_after_s` says for how many seconds no further login is tried, None where waiting does not help.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str | None = None,
        correlation_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, endpoint=endpoint, correlation_id=correlation_id)
        self.retry_after_s: Final = retry_after_s


class LoginRefused(AuthenticationFailed):
    """The API refused the user name and password; no login is tried again until the password changes."""


class NotSent(CaxtonError):
    """The network failed before the request was handed to a connection; it is safe to try again."""

    safe_to_retry = True


class CertificateRejected(NotSent):
    """The peer's certificate is not trusted, so nothing was sent; trying again does not help."""

    safe_to_retry = False


class ApiError(CaxtonError):
    """The API answered, and refused.

    `http_status`, `api_status_code`, `api_status` and `description` are as they came; `path` says where in the
    answer the refusal stands (`$.Content.Model`); `retry_after_s` is what a `Retry-After` header asked for.
    """

    sent = Sent.YES

    def __init__(  # noqa: PLR0913  # the data of the error, each by name
        self,
        message: str,
        *,
        endpoint: str | None = None,
        correlation_id: str | None = None,
        http_status: int | None = None,
        api_status_code: int | None = None,
        api_status: str | None = None,
        description: str | None = None,
        path: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, endpoint=endpoint, correlation_id=correlation_id)
        self.http_status: Final = http_status
        self.api_status_code: Final = api_status_code
        self.api_status: Final = api_status
        self.description: Final = description
        self.path: Final = path
        self.retry_after_s: Final = retry_after_s


class NotAuthorised(ApiError):
    """The API does not accept the token, the user or the account for this call."""


class NotFound(ApiError):
    """What the call names does not exist (HTTP 404)."""


class RateLimited(ApiError):
    """Too many calls (HTTP 429): not carried out; `retry_after_s` is the wait that the API asked for, if any."""

    safe_to_retry = True


class ServerFailed(ApiError):
    """The server failed (HTTP 5xx) on a call that may be repeated."""

    safe_to_retry = True


class _Unanswered(CaxtonError):
    """What the two errors without a trustworthy answer have in common: what is known of the reply."""

    sent = Sent.UNKNOWN

    def __init__(  # noqa: PLR0913  # the data of the error, each by name
        self,
        message: str,
        *,
        endpoint: str | None = None,
        correlation_id: str | None = None,
        sent: Sent | None = None,
        http_status: int | None = None,
        api_status_code: int | None = None,
        api_status: str | None = None,
        path: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, endpoint=endpoint, correlation_id=correlation_id, sent=sent)
        self.http_status: Final = http_status
        self.api_status_code: Final = api_status_code
        self.api_status: Final = api_status
        self.path: Final = path
        self.retry_after_s: Final = retry_after_s


class UnreadableReply(_Unanswered):
    """A repeatable call was sent and got no whole, trustworthy answer."""

    safe_to_retry = True


class OutcomeUnknown(_Unanswered):
    """A call that must not be repeated may or may not have been carried out: find out before doing it again."""


class DeadlineExceeded(CaxtonError):
    """The deadline of the call passed before it was sent, or with a repeatable call in flight."""

    safe_to_retry = True


class ReferenceConflict(InvalidRequest):
    """The reference (the idempotency key) stands for another request already; nothing was sent."""


class DuplicateReference(InvalidRequest):
    """Two rows of a batch have the same reference; nothing was sent."""


class DuplicatesSuspected(InvalidRequest):
    """Rows ask for what was asked for before, and were not allowed to; nothing was sent.

    `duplicates` are the first hundred of them, `count` is how many there are.
    """

    def __init__(self, message: str, *, duplicates: Sequence[object] = (), count: int = 0) -> None:
        super().__init__(message)
        self.duplicates: Final = tuple(duplicates)
        self.count: Final = count


class InProgress(CaxtonError):
    """Another process is sending this payment, and no outcome came within the deadline."""

    sent = Sent.UNKNOWN


class AlreadyResolved(CaxtonError):
    """A person, or a statement, decided that this payment was made, so it is not made again.

    `who`, `note` and `at` (seconds since the epoch) are of the decision.
    """

    sent = Sent.YES

    def __init__(
        self, message: str, *, who: str | None = None, note: str | None = None, at: float | None = None
    ) -> None:
        super().__init__(message)
        self.who: Final = who
        self.note: Final = note
        self.at: Final = at


class JournalError(CaxtonError):
    """Base of the errors of a journal; whatever it is, nothing more is sent."""


class JournalRefused(JournalError):
    """The journal cannot be used as it is: missing, damaged, copied, in use, or of another batch."""


class JournalFailed(JournalError):
    """A write to the journal failed, so nothing that follows can be trusted: the run stops."""


class TransitionRefused(JournalError):
    """A row was to go from one state to another that does not follow from it."""
