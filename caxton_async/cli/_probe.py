"""Looking at a server without the client: name, certificate, clock and where its token call is.

What belongs here: requests that carry no credential at all.  Everything else goes through the client.
"""

import asyncio
import datetime as dt
import http.client
import json
import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from caxton_async.config import Settings

_TIMEOUT_S: Final = 10
_MAX_BYTES: Final = 65_536
# The name of a grant that no server has: the answer tells a token call from any other, and spends no password.
_PROBE: Final = "Grant_Type=caxton_doctor"


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
    """Return the addresses of the server, or what went wrong."""
    parts = urlsplit(settings.root_url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"the host {parts.hostname} has no address ({error.strerror}): check CAXTON_BASE_URL and the network"
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
            connection.request("HEAD", "/")
            date = connection.getresponse().getheader("Date")
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        return f"the certificate is not trusted ({error.verify_message}): is a proxy between you and the server?"
    except (OSError, http.client.HTTPException) as error:
        return f"{settings.origin} cannot be reached ({getattr(error, 'strerror', None) or type(error).__name__})"
    return Greeting(tls, _difference_s(date))


def _connect(settings: Settings) -> http.client.HTTPConnection:
    parts = urlsplit(settings.root_url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=ssl.create_default_context())


def _describe_tls(connected: socket.socket) -> str:
    if not isinstance(connected, ssl.SSLSocket):
        return "none, which is right for this machine alone"
    certificate = connected.getpeercert() or {}
    return f"{connected.version()}, the certificate is trusted until {certificate.get('notAfter', 'an unknown time')}"


def _difference_s(date: str | None) -> float | None:
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    told = told if told.tzinfo else told.replace(tzinfo=dt.UTC)
    return (dt.datetime.now(dt.UTC) - told).total_seconds()


async def probe_token_path(settings: Settings, path: str) -> ProbeAnswer:
    """Ask at `path` for a token by a grant that does not exist."""
    return await asyncio.to_thread(_probe, settings, path)


def _probe(settings: Settings, path: str) -> ProbeAnswer:
    target = path if path.startswith("/") else urlsplit(settings.root_url).path + path
    try:
        connection = _connect(settings)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}
            connection.request("POST", target, _PROBE, headers)
            answer = connection.getresponse()
            status, body = answer.status, answer.read(_MAX_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return ProbeAnswer(is_token_call=False, text=type(error).__name__)
    # A token call names its error (RFC 6749, 5.2); anything else that is there answers in another way.
    return ProbeAnswer(status in {400, 401} and _names_error(body), f"HTTP {status}")


def _names_error(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("error"), str)
