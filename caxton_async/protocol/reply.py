"""Pure: what came back to an envelope or an error; `status` has the rule of what counts as an answer."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from attrs import define, field, frozen

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
from caxton_async.models import ApiStatus, Envelope
from caxton_async.protocol import codec, encoding
from caxton_async.protocol.masking import mask_each
from caxton_async.protocol.retry_after import retry_after_s
from caxton_async.protocol.signs import Signs, path_to, read_signs
from caxton_async.protocol.spelling import DecodeError, find_member, place, spellings
from caxton_async.protocol.status import Meaning, Rule, decide
from caxton_async.secret import Secret

T = TypeVar("T")

_ACCEPTED: Final = Meaning.ACCEPTED  # a name of the module is found in a third of the time
MODEL: Final = "$.Content.Model"
_MAX_QUOTED: Final = 300  # characters; more than a sentence is not a description
_MAX_MASKED: Final = 1000  # characters; masks and white space may make a text shorter
_NO_STATUS: Final = ApiStatus()
_KINDS: Final[Mapping[int, type[ApiError]]] = {
    401: NotAuthorised,
    403: NotAuthorised,
    404: NotFound,
    429: RateLimited,
}
# The words of the token endpoint that are quoted; its descriptions may repeat what was sent.  Source: RFC 6749.
_TOKEN_ERRORS: Final = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
    ]
)


@define  # not frozen, which takes twice the time to make, once for each call
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


def read_reply(
    endpoint: Endpoint[Any, T],
    reply: HttpReply,
    *,
    request: object = None,
    correlation_id: str = "",
    secrets: Iterable[Secret | None] = (),
) -> Envelope[T]:
    """Read what came back for `request`; no error quotes one of the `secrets`, nor a secret of the request.

    **Raises** ApiError or one of its kind for an answer that says no; OutcomeUnknown (UnreadableReply for a repeatable
    call) for a reply that is not whole, not an answer, or contradicts itself.  **Source**: the table `status.RULES`.
    """
    problem, raw = _open(reply)
    if problem is None:
        containers = reply.body.count(b"{") + reply.body.count(b"[")
        signs = read_signs(raw, is_token=endpoint.body == "form", containers=containers)
    else:
        signs = Signs("unreadable" if reply.flaw is None else "cut")
    early = reply.early and not endpoint.repeatable
    rule = decide(reply.status, signs.body, signs.content, signs.around, early)
    if rule.meaning is _ACCEPTED:
        result = _accept(endpoint, request, raw)
        if isinstance(result, Envelope):
            return result
        problem, path = result
        raise _Reading(endpoint, reply, correlation_id, request, secrets).unknown(problem, path)
    raise _Reading(endpoint, reply, correlation_id, request, secrets).error_of(rule, signs, raw, problem)


def _open(reply: HttpReply) -> tuple[str | None, object]:
    """Return what is wrong with a reply as a whole, or None and the JSON value in it."""
    flaw = reply.flaw or _flaw(reply.headers)
    if flaw is not None:
        return flaw, None
    try:
        return None, codec.decode(reply.body)
    except DecodeError as error:
        return f"the body of the reply (HTTP {reply.status}) {error.problem}", None


def _flaw(headers: Mapping[str, str]) -> str | None:
    """Return why a reply with these headers cannot be trusted to be whole and readable, None where it can."""
    if "Content-Encoding" in headers and headers["Content-Encoding"].strip().casefold() not in {"identity", ""}:
        return "the reply is compressed, which was not asked for"
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        return "the reply does not say how long it is, so it may be cut off"
    return None


def _accept(endpoint: Endpoint[Any, Any], request: object, raw: object) -> Envelope[Any] | tuple[str, str]:
    """Return the envelope of an answer that says yes; else what is wrong in it, and where."""
    returns: Any = endpoint.returns
    has_envelope = endpoint.body != "form"
    read = codec.envelope_reader(returns, endpoint.at_steps)
    try:
        envelope = read(raw if has_envelope else {"Content": {"Model": raw}})
    except DecodeError as error:
        return error.problem, place("$", error.path if has_envelope else error.path[2:])
    foreign = _foreign_member(endpoint, request, raw) if endpoint.path_fields else None
    if foreign is None and (endpoint.confirms is None or _is_confirmed(endpoint, request, envelope.content.model)):
        return envelope
    path = foreign or ".".join((MODEL, *endpoint.at_steps))
    return "does not name what was asked for, so that it may answer another request", path


def _foreign_member(endpoint: Endpoint[Any, Any], request: object, raw: object) -> str | None:
    """Return the path to a member that repeats a value of the request's path, and repeats another one."""
    model = raw
    for step in ("Content", "Model"):
        key = find_member(model, step) if isinstance(model, dict) else None
        model = model[key] if isinstance(model, dict) and key is not None else None
    if not isinstance(model, dict) or request is None:
        return None
    kind: Any = type(request)
    names = spellings(kind)
    for attribute in endpoint.path_fields:
        key = find_member(model, names[attribute])
        echoed = None if key is None else model[key]
        sent = encoding.as_text(getattr(request, attribute), attribute)
        if isinstance(echoed, (str, int)) and str(echoed).strip().casefold() != sent.strip().casefold():
            return f"{MODEL}.{key}"
    return None


def _is_confirmed(endpoint: Endpoint[Any, Any], request: object, result: object) -> bool:
    if request is None or endpoint.confirms is None:
        return True
    try:
        return bool(endpoint.confirms(request, result))
    except Exception:  # noqa: BLE001  # a function of the user's may raise anything
        return False


@frozen
class _Reading:
    """One reply being read: what it answers, and what must not be quoted from it."""

    endpoint: Endpoint[Any, Any]
    reply: HttpReply
    correlation_id: str
    request: object
    secrets: Iterable[Secret | None]

    def error_of(self, rule: Rule, signs: Signs, raw: object, problem: str | None) -> CaxtonError:
        """Make the error of an answer that does not count as accepted."""
        culprit = signs.culprit
        status = _NO_STATUS if culprit is None else codec.read_status(culprit)
        path = None if culprit is None else path_to(raw, culprit)
        if rule.meaning is Meaning.UNKNOWN or (rule.meaning is Meaning.SERVER_FAILED and not self.endpoint.repeatable):
            said = problem or rule.problem.format(http_status=self.reply.status)
            return self.unknown(said, path, status, is_about_path=rule.content is not None or rule.around is not None)
        if culprit is None and isinstance(raw, dict):
            status, path = _framework_status(raw), "$"
        return self.refused(status, path or "$", NotAuthorised if rule.meaning is Meaning.NOT_AUTHORISED else None)

    def unknown(
        self, problem: str, path: str | None, status: ApiStatus = _NO_STATUS, *, is_about_path: bool = True
    ) -> CaxtonError:
        """Make the error of a reply that says nothing for certain; `problem` is said of `path`, if it is about it."""
        name = self.endpoint.name
        api_status, path = self._quoted(status.api_status, path)
        known: dict[str, Any] = {
            "endpoint": name,
            "correlation_id": self.correlation_id,
            "http_status": self.reply.status or None,
            "api_status_code": status.api_status_code,
            "api_status": api_status,
            "path": path,
            "retry_after_s": retry_after_s(self.reply.headers),
        }
        if is_about_path and path is not None:
            problem = f"{path} of the reply {problem}"
        if self.endpoint.repeatable:
            sent = Sent.YES if self.reply.flaw is None else Sent.UNKNOWN
            return UnreadableReply(f"{name}: {problem}; it is safe to call again", sent=sent, **known)
        return OutcomeUnknown(
            f"{name} may or may not have been carried out: {problem}; find out at the API before you call again",
            **known,
        )

    def refused(self, status: ApiStatus, culprit: str, kind: type[ApiError] | None) -> ApiError:
        """Make the error of an answer that says no."""
        http_status, code = self.reply.status, status.api_status_code
        name, description, path = self._quoted(status.api_status, status.api_status_description, culprit)
        if self.endpoint.body == "form":
            name = name.casefold() if name is not None and name.casefold() in _TOKEN_ERRORS else None
            description = None
        said = name or (f"HTTP {http_status}" if code is None else f"status {code}")
        return (kind or _KINDS.get(http_status, ServerFailed if http_status >= 500 else ApiError))(
            f"{self.endpoint.name} was refused: {said}" + (f" ({description})" if description else ""),
            endpoint=self.endpoint.name,
            correlation_id=self.correlation_id,
            http_status=http_status,
            api_status_code=code,
            api_status=name,
            description=description,
            path=path,
            retry_after_s=retry_after_s(self.reply.headers),
        )

    def _quoted(self, *texts: str | None) -> tuple[str | None, ...]:
        """Return texts of the server's on one line each that can be printed, without any secret that it may echo."""
        masked = mask_each((text[:_MAX_MASKED] for text in texts if text is not None), self._secrets())
        quoted = (" ".join(_printable(text).split())[:_MAX_QUOTED] for text in masked)
        return tuple(None if text is None else next(quoted) for text in texts)

    def _secrets(self) -> Iterator[Secret | None]:
        yield from self.secrets
        yield from _secrets_of(self.request)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def _framework_status(raw: Mapping[str, object]) -> ApiStatus:
    """Return what the framework says under a 4xx, in place of a status."""
    said = {
        name: value
        for name in ("error", "error_description", "Message")
        if (key := find_member(raw, name)) is not None and isinstance(value := raw[key], str)
    }
    description = said.get("error_description") or said.get("error") or said.get("Message")
    return ApiStatus(None, said.get("error"), description)


def _secrets_of(request: object) -> Iterator[Secret]:
    kind: Any = type(request)
    names = () if request is None else spellings(kind)
    return (value for name in names if isinstance(value := getattr(request, name), Secret) and value)
