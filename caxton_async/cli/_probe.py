"""Looking at a server without the client and without credentials: name, certificate, clock, and the token call."""

import asyncio
import datetime as dt
import http.client
import json
import re
import socket
import ssl
from base64 import b64encode
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import frozen

from caxton_async.config import Settings

_TIMEOUT_S: Final = 10
_MAX_BYTES: Final = 65_536
# The name of a grant that no server has: the answer tells a token call from any other, and spends no password.
_PROBE: Final = "Grant_Type=caxton_doctor"
_REFUSED_BY_PROXY: Final = re.compile(r"Tunnel connection failed: ([1-5][0-9]{2})")


@frozen
class Greeting:
    """How a server was reached; the difference of the clocks is above zero where this machine's is ahead."""

    tls: str
    clock_difference_s: float | None


@frozen
class ProbeAnswer:
    """What a path answered to a token request that cannot succeed."""

    is_token_call: bool
    text: str


async def resolve(settings: Settings) -> list[str] | str:
    """Return the addresses of the server, or of the proxy where there is one, or what went wrong."""
    parts = urlsplit(settings.proxy or settings.root_url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError as error:
        variable = "CAXTON_PROXY" if settings.proxy else "CAXTON_BASE_URL"
        return f"the host {parts.hostname} has no address ({error.strerror}): check {variable} and the network"
    return [str(address[0]) for *_, address in found]


async def probe_tls(settings: Settings) -> Greeting | str:
    """Connect, look at the certificate and the server's time, and say what went wrong if anything did."""
    return await asyncio.to_thread(_probe_tls, settings)


def _probe_tls(settings: Settings) -> Greeting | str:
    try:
        connection = _connect(settings)
        try:
            connection.connect()
            tls = _describe_tls(connection.sock)
            asked = dt.datetime.now(dt.UTC)
            connection.request("HEAD", _target(settings, "/"))
            date = connection.getresponse().getheader("Date")
            answered = dt.datetime.now(dt.UTC)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        return (
            f"the certificate is not trusted ({error.verify_message}): if a proxy looks into the traffic, "
            "name its authority in CAXTON_CA_FILE"
        )
    except (OSError, http.client.HTTPException) as error:
        return f"{settings.origin} cannot be reached ({_reason(error)})"
    return Greeting(tls, clock_difference_s(date, asked, answered))


def _reason(error: Exception) -> str:
    refusal = _REFUSED_BY_PROXY.match(str(error))
    if refusal:
        return f"the proxy answered {refusal[1]}"
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _connect(settings: Settings) -> http.client.HTTPConnection:
    """Return a connection, to be opened, as the client would make it: through the proxy where there is one."""
    parts = urlsplit(settings.root_url)
    first = urlsplit(settings.proxy or settings.root_url)
    host, port = first.hostname or "", first.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    from caxton_async.transport import own_ssl_context

    context = settings.ssl_context or own_ssl_context(settings.ca_file)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    if settings.proxy:
        connection.set_tunnel(parts.hostname or "", parts.port, _proxy_headers(first))
    return connection


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _target(settings: Settings, path: str) -> str:
    """Return the target of a request: a proxy in front of plain HTTP is told the origin too."""
    return settings.origin + path if settings.proxy and settings.origin.startswith("http://") else path


def _describe_tls(connected: socket.socket) -> str:
    if not isinstance(connected, ssl.SSLSocket):
        return "none, which is right for this machine alone"
    certificate = connected.getpeercert() or {}
    return f"{connected.version()}, the certificate is trusted until {certificate.get('notAfter', 'an unknown time')}"


def clock_difference_s(date: str | None, asked: dt.datetime, answered: dt.datetime) -> float | None:
    """Return by how much this machine's clock is ahead of a `Date` that was given between two times of this machine.

    However long the answer took, a date between the two is no difference.
    """
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    told = told if told.tzinfo else told.replace(tzinfo=dt.UTC)
    return (min(max(told, asked), answered) - told).total_seconds()


async def probe_token_path(settings: Settings, path: str) -> ProbeAnswer:
    """Ask at `path` for a token by a grant that does not exist."""
    return await asyncio.to_thread(_probe, settings, path)


def _probe(settings: Settings, path: str) -> ProbeAnswer:
    target = path if path.startswith("/") else urlsplit(settings.root_url).path + path
    try:
        connection = _connect(settings)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}
            connection.request("POST", _target(settings, target), _PROBE, headers)
            answer = connection.getresponse()
            status, body = answer.status, answer.read(_MAX_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return ProbeAnswer(is_token_call=False, text=_reason(error))
    # A token call names its error (RFC 6749, 5.2); anything else that is there answers in another way.
    return ProbeAnswer(status in {400, 401} and _names_error(body), f"HTTP {status}")


def _names_error(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("error"), str)
