"""Pure: what came back to an envelope or an error.

What belongs here: the rules of what counts as an answer, and the words of the errors.  What does not: what statuses
mean (`statuses`), and whether to try again (`retry`).  What the guides leave open is read with suspicion wherever
money may have moved: only a whole and consistent answer counts as one.
"""

import email.utils
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar, cast

from attrs import field, frozen

from caxton_async.endpoints import Endpoint
from caxton_async.errors import (
    ApiError,
    CaxtonError,
    NotAuthorised,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.models import ApiStatus, AuthorisedClientModel, AuthorisedUserModel, Envelope
from caxton_async.protocol import codec
from caxton_async.protocol.status import MODEL, Finding, Objection, find_objection, own_status, respell
from caxton_async.secret import Secret

T = TypeVar("T")

_MAX_QUOTED: Final = 300  # characters; more than a sentence is not a description
_KINDS: Final[Mapping[int, type[ApiError]]] = {
    401: NotAuthorised,
    403: NotAuthorised,
    404: NotFound,
    429: RateLimited,
}


@frozen
class HttpReply:
    """What came back.  `flaw` says what is wrong with a reply that did not arrive whole; it has no status then.

    `headers` are looked up without regard to case; `timed_out` marks the flaw that a longer wait might have mended.
    `early` says that its first byte came before the last byte of the request was handed over.
    """

    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    flaw: str | None = None
    timed_out: bool = False
    early: bool = False


@frozen
class _Reading:
    """One reply being read: what it answers, and what must not be quoted from it."""

    endpoint: Endpoint[Any, Any]
    reply: HttpReply
    correlation_id: str
    request: object
    secrets: Iterable[Secret]

    def unanswered(self, problem: str, path: str | None = None, status: ApiStatus | None = None) -> CaxtonError:
        """Make the error of a reply that says nothing for certain; `problem` is said of `path`, if there is one."""
        name, http_status, status = self.endpoint.name, self.reply.status, status or ApiStatus()
        if self.endpoint.repeatable and (http_status == 429 or http_status >= 500):
            return self.refused(status, path or "$")
        known: dict[str, Any] = {
            "endpoint": name,
            "correlation_id": self.correlation_id,
            "http_status": http_status or None,
            "api_status_code": status.api_status_code,
            "api_status": self.quoted(status.api_status),
            "path": self.quoted(path),
        }
        if path is not None:
            problem = f"{self.quoted(path)} of the reply {problem}"
        if self.endpoint.repeatable:
            sent = Sent.YES if self.reply.flaw is None else Sent.UNKNOWN
            return UnreadableReply(f"{name}: {problem}; it is safe to call again", sent=sent, **known)
        return OutcomeUnknown(
            f"{name} may or may not have been carried out: {problem}; find out at the API before you call again",
            **known,
        )

    def refused(self, status: ApiStatus, path: str, kind: type[ApiError] | None = None) -> ApiError:
        """Make the error of an answer that says no."""
        http_status, code = self.reply.status, status.api_status_code
        said = self.quoted(status.api_status) or (f"HTTP {http_status}" if code is None else f"status {code}")
        description = self.quoted(status.api_status_description)
        return (kind or _KINDS.get(http_status, ServerFailed if http_status >= 500 else ApiError))(
            f"{self.endpoint.name} was refused: {said}" + (f" ({description})" if description else ""),
            endpoint=self.endpoint.name,
            correlation_id=self.correlation_id,
            http_status=http_status,
            api_status_code=code,
            api_status=self.quoted(status.api_status),
            description=description,
            path=self.quoted(path),
            retry_after_s=_retry_after(self.reply.headers) if http_status >= 429 else None,
        )

    def objected(self, finding: Finding) -> CaxtonError:
        """Make the error of an answer whose statuses do not plainly say success."""
        if finding.objection is Objection.REFUSED or (
            finding.objection is Objection.CONTRADICTS and self.endpoint.repeatable
        ):
            return self.refused(finding.status, finding.path)
        if finding.objection is Objection.CALLER_REFUSED:
            return self.refused(finding.status, finding.path, NotAuthorised)
        return self.unanswered(f"{finding.objection.value} (HTTP {self.reply.status})", finding.path, finding.status)

    def quoted(self, text: str | None) -> str | None:
        """Return text of the server's on one line that can be printed, without any secret that it may echo."""
        if text is None:
            return None
        for secret in (*self.secrets, *_secrets_of(self.request)):
            text = text.replace(secret.reveal().removeprefix("Bearer "), "***")
        printable = "".join(character if character.isprintable() else " " for character in text)
        return " ".join(printable.split())[:_MAX_QUOTED]


def _secrets_of(request: object) -> Iterator[Secret]:
    names = () if request is None else codec.spellings(type(request))
    return (value for name in names if isinstance(value := getattr(request, name), Secret) and value)


def read_reply(
    endpoint: Endpoint[Any, T],
    reply: HttpReply,
    *,
    request: object = None,
    correlation_id: str = "",
    secrets: Iterable[Secret] = (),
) -> Envelope[T]:
    """Read what came back for `request`.

    **Raises** ApiError or one of its kind for an answer that says no; OutcomeUnknown (UnreadableReply for a repeatable
    call) for a reply that is not whole, not an answer, or contradicts itself.
    """
    flaw = _flaw(reply)
    if flaw is None and 200 <= reply.status < 300 and not endpoint.path_fields:
        envelope = codec.read_plain(reply.body, endpoint.returns, endpoint.at_steps)
        if envelope is not None:
            return envelope
    reading = _Reading(endpoint, reply, correlation_id, request, secrets)
    if flaw is not None:
        raise reading.unanswered(flaw)
    return cast("Envelope[T]", _read_carefully(reading, _decoded(reading)))


def _read_carefully(reading: _Reading, raw: Mapping[str, object]) -> Envelope[Any]:
    status, content = reading.reply.status, raw.get("Content")
    model = content.get("Model") if isinstance(content, dict) else None
    if not (200 <= status < 300 or 400 <= status < 500):
        raise reading.unanswered(f"the reply has HTTP status {status}", status=own_status(model)[1])
    if isinstance(content, dict) and isinstance(model, (dict, list)):
        return _read_envelope(reading, raw, content)
    if status >= 400:
        raise _framework_refusal(reading, raw)
    if reading.endpoint.body == "form":
        return Envelope(_structure(reading, raw, "$"))
    raise reading.unanswered("has no Model", "$.Content")


def _flaw(reply: HttpReply) -> str | None:
    """Return what is wrong with a reply as a whole, None where it can be read."""
    if reply.flaw is not None:
        return reply.flaw
    headers = reply.headers
    if "Content-Encoding" in headers:
        return "the reply is compressed, which was not asked for"
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        return "the reply does not say how long it is, so it may be cut off"
    return None


def _decoded(reading: _Reading) -> dict[str, object]:
    """Return the JSON object of a reply, with every member of the envelope in its documented case."""
    problem = "the reply is not a JSON object"
    try:
        raw = codec.decode(reading.reply.body)
        if isinstance(raw, dict):
            respell(raw)
            return raw
    except codec.Misfit as misfit:
        problem = f"the body of the reply (HTTP {reading.reply.status}) {misfit.problem}"
    raise reading.unanswered(problem)


def _framework_refusal(reading: _Reading, raw: Mapping[str, object]) -> Exception:
    """Return the error of a 4xx with no envelope: the framework refused before any work, or it is no answer."""
    for name in ("error_description", "error", "Message"):
        said = codec.member(raw, name)
        if isinstance(said, str):
            error = codec.member(raw, "error")
            return reading.refused(ApiStatus(None, error if isinstance(error, str) else None, said), "$")
    return reading.unanswered(f"the reply (HTTP {reading.reply.status}) is not an answer of the API")


def _read_envelope(reading: _Reading, raw: Mapping[str, object], content: Mapping[str, object]) -> Envelope[Any]:
    model, expected = content["Model"], content.get("ExpectedResponses")
    names = tuple(name for name in expected if isinstance(name, str)) if isinstance(expected, list) else ()
    if (finding := find_objection(raw, model, names, reading.reply.status)) is not None:
        raise reading.objected(finding)
    _check_echo(reading, model)
    result = None if reading.endpoint.returns is None else _structure(reading, model, MODEL)
    return _enveloped(result, names, raw)


def _enveloped(result: T, expected: tuple[str, ...], raw: Mapping[str, object]) -> Envelope[T]:
    """Put around a result what stands around it; that only describes, so a wrong part of it is None."""
    client, user = raw.get("AuthorisedClientModel"), raw.get("AuthorisedUserModel")
    holder = raw.get("MainAccountHolderName")
    return Envelope(
        result,
        expected,
        codec.structure(client, AuthorisedClientModel) if isinstance(client, dict) else None,
        codec.structure(user, AuthorisedUserModel) if isinstance(user, dict) else None,
        holder if isinstance(holder, str) else None,
    )


def _structure(reading: _Reading, value: object, path: str) -> object:
    """Return the result that stands at the endpoint's place in the Model."""
    problem = "is missing"
    for step in reading.endpoint.at_steps:
        path += f".{step}"
        value = codec.member(value, step) if isinstance(value, dict) else None
    if value is not None and reading.endpoint.returns is not None:
        try:
            return codec.structure(value, reading.endpoint.returns)
        except codec.Misfit as misfit:
            path, problem = misfit.where(path), misfit.problem
    raise reading.unanswered(problem, path)


def _check_echo(reading: _Reading, model: object) -> None:
    """Raise when the answer names another thing than the path of the request did: it is not the answer to it."""
    request = reading.request
    if not isinstance(model, dict) or request is None:
        return
    names = codec.spellings(type(request))
    for attribute in reading.endpoint.path_fields:
        echoed = codec.member(model, names[attribute])
        if (
            isinstance(echoed, (str, int))
            and str(echoed).casefold() != codec.as_text(getattr(request, attribute), attribute).casefold()
        ):
            raise reading.unanswered("is not the one that was asked for", f"{MODEL}.{names[attribute]}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, None where it says nothing sensible.

    A date counts from the reply's own `Date`, so that no clock of ours matters.  Source: RFC 9110, 10.2.3.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    until, now = (_http_date(text) for text in (value, headers.get("Date", "")))
    return max(0.0, until - now) if until is not None and now is not None else None


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
