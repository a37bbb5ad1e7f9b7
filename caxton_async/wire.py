"""Pure: an endpoint and its request to what is sent, and what came back to an envelope or an error.

What belongs here: the bytes of a request, and the rules of what an answer means.  What does not: sockets, waiting, and
whether to try again.  Source: Caxton developer guide, headers and envelope; what it leaves open is read with suspicion
wherever money may have moved: only a whole and consistent answer counts as one.
"""

import email.utils
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar, cast

from attrs import define, field, frozen

from caxton_async import codec
from caxton_async.config import HEADER_VALUE, Settings
from caxton_async.endpoints import Endpoint
from caxton_async.errors import (
    ApiError,
    InvalidRequest,
    NotAuthorised,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.models import ApiStatus, AuthorisedClientModel, AuthorisedUserModel, Envelope
from caxton_async.secret import Secret

T = TypeVar("T")

# What a path may carry of a value: anything else would be decoded, normalised or cut off somewhere on its way.
_PATH_VALUE = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~:@+ -]{1,128}")
_SUCCESS_CODES: Final[tuple[int, ...]] = (100, 314)
_SUCCESS_NAMES: Final = ("IsValid", "Success")
_MODEL: Final = "$.Content.Model"
_MAX_DESCRIPTION = 300  # characters; more than a sentence is not a description

_CONTENT_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "json": {"Content-Type": "application/json", "Accept": "application/json"},
    "text_json": {"Content-Type": "text/json", "Accept": "application/json"},
    "form": {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"},
}


@define
class HttpRequest:
    """One attempt to send one call.

    `secret_headers` are revealed by the transport alone; `handed` becomes true when a connection is about to take the
    request: from then on nobody can say that it was not sent.
    """

    endpoint: str
    correlation_id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    secret_headers: dict[str, Secret]
    body: bytes | None = field(default=None, repr=False)
    timeout_s: float = 0.0
    handed: bool = False


@frozen
class HttpReply:
    """What came back.  `flaw` says what is wrong with a reply that did not arrive whole; it has no status then.

    `headers` are looked up without regard to case; `timed_out` marks the flaw that a longer wait might have mended.
    """

    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    flaw: str | None = None
    timed_out: bool = False


@frozen
class Caller:
    """For whom calls are made: the headers of a view."""

    identity_number: str | None = None
    user_token: Secret | None = None


def check_header_value(value: object, name: str) -> None:
    """Check that a header can carry `value`.

    **Raises** InvalidRequest, which never shows the value, when it is not text of visible ASCII characters.
    """
    if not fits_header(value):
        raise InvalidRequest(f"{name} must be text of visible ASCII characters that a header can carry")


def fits_header(value: object) -> bool:
    """Tell whether a header can carry `value`; apart from the check, so that no traceback holds what is revealed."""
    text = value.reveal() if isinstance(value, Secret) else value
    return isinstance(text, str) and HEADER_VALUE.fullmatch(text) is not None


# --- what is sent ---


@frozen
class Route:
    """Where an endpoint's requests go under some settings; made once, used for each call."""

    url: str
    headers: Mapping[str, str]
    not_in_body: frozenset[str]


def route(endpoint: Endpoint[Any, Any], settings: Settings, user_agent: str) -> Route:
    """Work out what all requests of `endpoint` have in common."""
    path = settings.paths.get(endpoint.name, endpoint.path)
    base = settings.root_url
    if path.startswith("/"):
        parts = urllib.parse.urlsplit(base)
        base = f"{parts.scheme}://{parts.netloc}/"
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", **_CONTENT_HEADERS[endpoint.body]}
    return Route(base + path.lstrip("/"), headers, frozenset((*endpoint.path_fields, *endpoint.headers)))


def build_request(
    endpoint: Endpoint[Any, Any], request: object, route: Route, caller: Caller, correlation_id: str
) -> HttpRequest:
    """Build what is sent for one call, but for its access token.

    **Raises** InvalidRequest when `request` is not what the endpoint sends, or a value of it cannot be sent.
    """
    name = endpoint.name
    if (endpoint.sends is None) != (request is None) or (endpoint.sends and not isinstance(request, endpoint.sends)):
        wanted = endpoint.sends.__name__ if endpoint.sends else "no request"
        raise InvalidRequest(f"{name} takes {wanted}, not {type(request).__name__}", endpoint=name)
    headers = route.headers
    secret_headers = _headers_of_values(endpoint, request) if endpoint.headers else {}
    if endpoint.authorised:
        if caller.identity_number is not None:
            headers = {**headers, "IdentityNumber": caller.identity_number}
        if caller.user_token is not None:
            secret_headers["userapitoken"] = caller.user_token
    url, body = _target_and_body(endpoint, request, route)
    if body is None:
        headers = {key: value for key, value in headers.items() if key != "Content-Type"}
    return HttpRequest(name, correlation_id, endpoint.method, url, headers, secret_headers, body)


def _headers_of_values(endpoint: Endpoint[Any, Any], request: object) -> dict[str, Secret]:
    """Return the headers that carry values of the request; they are secrets, as nobody says that they are not."""
    headers = {}
    for attribute, header in endpoint.headers.items():
        if (value := getattr(request, attribute)) is not None:
            check_header_value(value, attribute)
            headers[header] = value if isinstance(value, Secret) else Secret(value)
    return headers


def _target_and_body(endpoint: Endpoint[Any, Any], request: object, route: Route) -> tuple[str, bytes | None]:
    if request is None:
        return route.url, None
    try:
        url = _fill(route.url, endpoint, request) if endpoint.path_fields else route.url
        if endpoint.method == "GET":
            return url + _query(request, route.not_in_body), None
        if endpoint.body == "form":
            return url, codec.form(request, route.not_in_body)
        return url, codec.encode(request, route.not_in_body)
    except codec.Misfit as misfit:
        problem = f"{misfit.where(type(request).__name__)} {misfit.problem}"
    raise InvalidRequest(f"{endpoint.name} cannot be sent: {problem}", endpoint=endpoint.name)


def _fill(url: str, endpoint: Endpoint[Any, Any], request: object) -> str:
    for attribute in endpoint.path_fields:
        text = codec.as_text(getattr(request, attribute))
        if not _PATH_VALUE.fullmatch(text):
            raise InvalidRequest(
                f"{attribute} cannot stand in the path of {endpoint.name}: use letters, digits and . _ ~ : @ + -",
                endpoint=endpoint.name,
            )
        url = url.replace(f"{{{attribute}}}", urllib.parse.quote(text, safe=""))
    return url


def _query(request: object, leave_out: frozenset[str]) -> str:
    values = codec.texts(request, leave_out)
    return "?" + urllib.parse.urlencode(values) if values else ""


# --- what came back ---


@frozen
class _Reading:
    """One reply being read: what it answers, and what must not be quoted from it."""

    endpoint: Endpoint[Any, Any]
    reply: HttpReply
    correlation_id: str
    request: object
    secrets: Iterable[Secret]

    def unanswered(
        self, problem: str, *, path: str | None = None, status: ApiStatus | None = None
    ) -> OutcomeUnknown | UnreadableReply:
        """Make the error of a reply that says nothing for certain."""
        known: dict[str, Any] = {
            "endpoint": self.endpoint.name,
            "correlation_id": self.correlation_id,
            "http_status": self.reply.status or None,
            "path": path,
        }
        if status is not None:
            known["api_status_code"] = status.api_status_code
            known["api_status"] = self.quoted(status.api_status)
        if self.endpoint.repeatable:
            sent = Sent.YES if self.reply.flaw is None else Sent.UNKNOWN
            return UnreadableReply(f"{self.endpoint.name}: {problem}; it is safe to call again", sent=sent, **known)
        return OutcomeUnknown(
            f"{self.endpoint.name} may or may not have been carried out: {problem}; "
            "find out at the API before you call again",
            **known,
        )

    def refused(self, status: ApiStatus, path: str, kind: type[ApiError] | None = None) -> ApiError:
        """Make the error of an answer that says no."""
        http_status = self.reply.status
        said = status.api_status or (f"status {status.api_status_code}" if status.api_status_code is not None else "")
        said = self.quoted(said or f"HTTP {http_status}") or ""
        description = self.quoted(status.api_status_description)
        return (kind or _kind(http_status))(
            f"{self.endpoint.name} was refused: {said}" + (f" ({description})" if description else ""),
            endpoint=self.endpoint.name,
            correlation_id=self.correlation_id,
            http_status=http_status,
            api_status_code=status.api_status_code,
            api_status=self.quoted(status.api_status),
            description=description,
            path=path,
            retry_after_s=_retry_after(self.reply.headers) if http_status >= 429 else None,
        )

    def quoted(self, text: str | None) -> str | None:
        """Return text of the server's on one line, without any secret that it may echo."""
        if text is None:
            return None
        for secret in (*self.secrets, *_secrets_of(self.request)):
            text = text.replace(secret.reveal().removeprefix("Bearer "), "***")
        return " ".join(text.split())[:_MAX_DESCRIPTION] if len(text) > _MAX_DESCRIPTION or "\n" in text else text


def _secrets_of(request: object) -> Iterator[Secret]:
    names = () if request is None else codec.spellings(type(request))
    return (value for name in names if isinstance(value := getattr(request, name), Secret))


def _kind(http_status: int) -> type[ApiError]:
    if http_status >= 500:
        return ServerFailed
    return {401: NotAuthorised, 403: NotAuthorised, 404: NotFound, 429: RateLimited}.get(http_status, ApiError)


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
    reading = _Reading(endpoint, reply, correlation_id, request, secrets)
    problem, raw = _open(reply)
    if problem is None and 200 <= reply.status < 300 and not endpoint.path_fields:
        envelope = _read_plain(endpoint, raw)
        if envelope is not None:
            return envelope
    return cast("Envelope[T]", _read_carefully(reading, problem, codec.respelled(raw)))


def _read_plain(endpoint: Endpoint[Any, T], raw: object) -> Envelope[T] | None:
    """Return the envelope of an answer that is just as documented and says yes throughout; None for all others."""
    if not isinstance(raw, dict) or not codec.is_plain(raw, endpoint.returns, endpoint.at_steps):
        return None
    content = raw["Content"]
    result = content["Model"]
    expected = tuple(content.get("ExpectedResponses", ()))
    if expected and (not isinstance(result, dict) or result.get("ApiStatus") not in expected):
        return None
    for step in endpoint.at_steps:
        result = result[step]
    if endpoint.returns is None:
        result = None
    elif (result := codec.structure_plain(result, endpoint.returns)) is None:
        return None
    if len(raw) == 1:
        return Envelope(result, expected)
    return _enveloped(result, expected, raw)


def _read_carefully(reading: _Reading, problem: str | None, raw: object) -> Envelope[Any]:
    endpoint, status = reading.endpoint, reading.reply.status
    if problem is not None or not isinstance(raw, dict):
        if status >= 500 and endpoint.repeatable:
            raise reading.refused(ApiStatus(), "$")
        raise reading.unanswered(problem or "the reply is not a JSON object")
    content = raw.get("Content")
    model = content.get("Model") if isinstance(content, dict) else None
    if status >= 500 and endpoint.repeatable:
        raise reading.refused(_own_status(model)[1] or ApiStatus(), _MODEL)
    if not (200 <= status < 300 or 400 <= status < 500):
        raise reading.unanswered(f"the reply has HTTP status {status}")
    if isinstance(content, dict) and isinstance(model, (dict, list)):
        return _read_envelope(reading, raw, content)
    if status >= 400:
        raise _framework_refusal(reading, raw)
    if endpoint.body == "form":
        return Envelope(_structure(reading, raw, "$"))
    raise reading.unanswered("the reply has no Content.Model", path="$.Content")


def _open(reply: HttpReply) -> tuple[str | None, object]:
    """Return what is wrong with a reply as a whole, or None and its JSON."""
    if reply.flaw is not None:
        return reply.flaw, None
    headers = reply.headers
    if "Content-Encoding" in headers:
        return "the reply is compressed, which was not asked for", None
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        return "the reply does not say how long it is, so it may be cut off", None
    try:
        return None, codec.decode(reply.body)
    except codec.Misfit as misfit:
        return f"the body of the reply (HTTP {reply.status}) {misfit.problem}", None


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
    _check_statuses(reading, raw, model, names)
    _check_echo(reading, model)
    result = None if reading.endpoint.returns is None else _structure(reading, model, _MODEL)
    return _enveloped(result, names, raw)


def _enveloped(result: T, expected: tuple[str, ...], raw: Mapping[str, object]) -> Envelope[T]:
    """Put around a result what stands around it; that only describes, so a wrong part of it is None."""
    client: Any = AuthorisedClientModel | None
    user: Any = AuthorisedUserModel | None
    holder: Any = str | None
    return Envelope(
        result,
        expected,
        codec.structure(raw.get("AuthorisedClientModel"), client),
        codec.structure(raw.get("AuthorisedUserModel"), user),
        codec.structure(raw.get("MainAccountHolderName"), holder),
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
    raise reading.unanswered(f"{path} of the reply {problem}", path=path)


# --- statuses ---


def _check_statuses(reading: _Reading, raw: Mapping[str, object], model: object, expected: tuple[str, ...]) -> None:
    """Raise unless the Model says success and nothing in the whole answer contradicts it."""
    path, own = _own_status(model)
    found = list(_walk(raw, "$"))
    for place, status in found:
        if place.lower().startswith("$.authorised") and _is_failure(status, expected):
            raise reading.refused(status, place, NotAuthorised)
    http_refused = reading.reply.status >= 400
    says_success = any(place.startswith(_MODEL) and not _is_failure(status, expected) for place, status in found)
    if own is None and http_refused and not says_success:
        raise reading.refused(ApiStatus(), _MODEL)
    if own is not None and not _is_success(own, expected):
        raise reading.refused(own, path)
    for place, status in found:
        if _is_failure(status, expected) and place != path:
            problem = f"{place} of the reply contradicts its success"
            raise (
                reading.refused(status, place)
                if reading.endpoint.repeatable
                else reading.unanswered(problem, path=place, status=status)
            )
    if http_refused:
        problem = f"the reply says success under HTTP status {reading.reply.status}"
        raise (
            reading.refused(own or ApiStatus(), path)
            if reading.endpoint.repeatable
            else reading.unanswered(problem, path=path, status=own)
        )


def _own_status(model: object) -> tuple[str, ApiStatus | None]:
    """Return the status that speaks for the Model, and its path: the Model's own, else that of an object in it."""
    if not isinstance(model, dict):
        return _MODEL, None
    if (own := _status(model)) is not None:
        return _MODEL, own
    for key, value in model.items():
        if isinstance(value, dict) and (nested := _status(value)) is not None:
            return f"{_MODEL}.{key}", nested
    return _MODEL, None


def _status(value: Mapping[str, object]) -> ApiStatus | None:
    """Return the triplet of an object, None where it has none; a member of the wrong type counts as unknown."""
    code, name = value.get("ApiStatusCode"), value.get("ApiStatus")
    if code is None and name is None:
        return None
    description = value.get("ApiStatusDescription")
    return ApiStatus(
        code if type(code) is int else None,
        name if isinstance(name, str) else None,
        description if isinstance(description, str) else None,
    )


def _walk(value: object, path: str) -> Iterator[tuple[str, ApiStatus]]:
    if isinstance(value, dict):
        if (status := _status(value)) is not None:
            yield path, status
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")


def _is_success(status: ApiStatus, expected: tuple[str, ...]) -> bool:
    """Tell whether the Model's own status means success: the names expected decide, without them the code."""
    if expected and status.api_status is not None:
        return status.api_status in expected
    if status.api_status_code is None:
        return status.api_status in _SUCCESS_NAMES
    return status.api_status_code in _SUCCESS_CODES


def _is_failure(status: ApiStatus, expected: tuple[str, ...]) -> bool:
    """Tell whether a status beside the Model's own says no."""
    return not (_is_success(status, ()) or status.api_status in expected)


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
            and str(echoed).casefold() != codec.as_text(getattr(request, attribute)).casefold()
        ):
            path = f"{_MODEL}.{names[attribute]}"
            raise reading.unanswered(f"{path} of the reply is not the one that was asked for", path=path)


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
