"""Pure: an endpoint and its request to what is sent, but for the access token.  Source: the guide, headers."""

import hashlib
import math
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define, field, frozen

from caxton_async.config import Settings
from caxton_async.endpoints import Endpoint, placeholders
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.protocol import codec, encoding
from caxton_async.protocol.reply import HttpReply, read_reply
from caxton_async.secret import Secret
from caxton_async.syntax import HEADER_VALUE

__all__ = [
    "Caller",
    "HttpReply",
    "HttpRequest",
    "Route",
    "build_request",
    "check_header_value",
    "check_request",
    "fits_header",
    "read_reply",
    "route",
]

# What a path may carry of a value: anything else would be decoded, normalised or cut off somewhere on its way, as are
# dots and spaces at the end of a segment by some servers.
_PATH_VALUE = re.compile(r"(?![. ])[A-Za-z0-9._~:@+ -]{1,128}(?<![. ])")

_CONTENT_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "json": {"Content-Type": "application/json", "Accept": "application/json"},
    "text_json": {"Content-Type": "text/json", "Accept": "application/json"},
    "form": {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"},
}


@define(eq=False)
class HttpRequest:
    """One attempt to send one call.

    `secret_headers` are revealed by the transport alone; `dispatched` becomes true when a connection is about to take
    the request: from then on nobody can say that it was not sent.  `distrust`, set by then, keeps that connection from
    being used again.
    """

    endpoint: str
    correlation_id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    secret_headers: dict[str, Secret]
    body: bytes | None = field(default=None, repr=False)
    timeout_s: float = math.inf
    dispatched: bool = False
    distrust: Callable[[], None] | None = None


@frozen
class Caller:
    """For whom calls are made: the headers of a view."""

    identity_number: str | None = None
    user_token: Secret | None = None
    user_id: str | None = None  # the vendor's name of the user, which outlives the token

    @property
    def user_name(self) -> str | None:
        """What the user is known by: its id, else a digest of its token; None where no user is named."""
        if self.user_id is not None or self.user_token is None:
            return self.user_id
        return f"token {hashlib.sha256(self.user_token.reveal().encode()).hexdigest()[:16]}"

    @property
    def name(self) -> str:
        """The account and the user: tells one caller from another, and reveals no secret."""
        return f"{self.identity_number or 'the main account'}, {self.user_name or 'no user'}"


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


@frozen
class Route:
    """Where an endpoint's requests go under some settings; made once, used for each call."""

    url: str
    headers: Mapping[str, str]
    not_in_body: frozenset[str]
    path_fields: tuple[str, ...] = ()


def route(endpoint: Endpoint[Any, Any], settings: Settings, user_agent: str) -> Route:
    """Work out what all requests of `endpoint` have in common.

    **Raises** ConfigurationError when its path in the settings does not take the same attributes, or an answer could
    not be read: better now than when money has moved.
    """
    path = settings.paths.get(endpoint.name, endpoint.path)
    in_path = placeholders(path)
    dropped = set() if endpoint.method != "GET" else set(endpoint.path_fields) - set(in_path)  # they go to the query
    if sorted((*in_path, *dropped)) != sorted(endpoint.path_fields):
        wanted = " and ".join(f"{{{name}}}" for name in endpoint.path_fields) or "no {attribute}"
        raise ConfigurationError(
            f"the path of {endpoint.name} in the settings must have {wanted}, like {endpoint.path}",
            endpoint=endpoint.name,
        )
    if not codec.can_read(endpoint.returns):
        raise ConfigurationError(
            f"{endpoint.name} returns {endpoint.returns}, of which a part cannot be read", endpoint=endpoint.name
        )
    base = settings.root_url
    if path.startswith("/"):
        parts = urllib.parse.urlsplit(base)
        base = f"{parts.scheme}://{parts.netloc}/"
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", **_CONTENT_HEADERS[endpoint.body]}
    return Route(base + path.lstrip("/"), headers, frozenset((*in_path, *endpoint.headers)), in_path)


def build_request(
    endpoint: Endpoint[Any, Any], request: object, route: Route, caller: Caller, correlation_id: str
) -> HttpRequest:
    """Build what is sent for one call, but for its access token.

    **Raises** InvalidRequest when `request` is not what the endpoint sends, or a value of it cannot be sent.
    """
    name = endpoint.name
    if (endpoint.sends is None) != (request is None) or (endpoint.sends and not isinstance(request, endpoint.sends)):
        check_request(endpoint, request)
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


def check_request(endpoint: Endpoint[Any, Any], request: object) -> None:
    """Check that a request is of the class that an endpoint sends.

    **Raises** InvalidRequest when it is not.
    """
    if not isinstance(request, endpoint.sends or type(None)):
        wanted = endpoint.sends.__name__ if endpoint.sends else "no request"
        raise InvalidRequest(f"{endpoint.name} takes {wanted}, not {type(request).__name__}", endpoint=endpoint.name)


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
        url = _fill(route, endpoint, request) if route.path_fields else route.url
        if endpoint.method == "GET":
            query = encoding.query(request, route.not_in_body)
            return f"{url}?{query}" if query else url, None
        if endpoint.body == "form":
            return url, encoding.form(request, route.not_in_body)
        return url, encoding.encode(request, route.not_in_body)
    except encoding.EncodeError as error:
        problem = f"{error.where(type(request).__name__)} {error.problem}"
    raise InvalidRequest(f"{endpoint.name} cannot be sent: {problem}", endpoint=endpoint.name)


def _fill(route: Route, endpoint: Endpoint[Any, Any], request: object) -> str:
    url = route.url
    for attribute in route.path_fields:
        text = encoding.as_text(getattr(request, attribute), attribute)
        if not _PATH_VALUE.fullmatch(text):
            raise InvalidRequest(
                f"{attribute} cannot stand in the path of {endpoint.name}: use letters, digits and . _ ~ : @ + -",
                endpoint=endpoint.name,
            )
        url = url.replace(f"{{{attribute}}}", urllib.parse.quote(text, safe=""))
    return url
