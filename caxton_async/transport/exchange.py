"""One request and its reply over aiohttp, in two kinds: aiohttp's parts used directly, or `ClientSession.request`."""

import asyncio
import functools
import inspect
import logging
import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from caxton_async.config import Settings
from caxton_async.protocol.reply import HttpReply
from caxton_async.protocol.request import HttpRequest
from caxton_async.transport.connector import Connector

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

logger: Final = logging.getLogger("caxton_async")

# aiohttp would call no body at all a stream of octets.
_NO_BODY: Final = ("Content-Type",)
# Gateways add cookies and policies of up to 16 KiB in one header; aiohttp's own limit is 8,190 bytes.
_MAX_HEADER_BYTES: Final = 64 * 1024
_SWITCHING: Final = 101
NO_HEADERS: Final[Mapping[str, str]] = {}
# What is given to the socket in one piece: a larger body is written as fast as the socket takes it.
_MAX_PIECE_BYTES: Final = 2**20
# What aioresponses and others put a function of theirs in the place of.
_OWN_REQUEST: Final = aiohttp.ClientSession._request


class Exchange(Protocol):
    """One way to send a request over a connector's connection and to read the whole reply."""

    async def send(self, request: HttpRequest, deadline: float) -> HttpReply:
        """Send `request` once, with `request.dispatched` set from the moment in which a connection takes it."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class ReplyTooLarge(Exception):
    """The reply has more bytes than the settings allow."""


class _Body(aiohttp.Payload):
    """The bytes of a request of `ClientSession`; `is_written` becomes true when the socket has taken all."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)
        self.is_written = False

    async def write(
        self,
        writer: "AbstractStreamWriter",
        content_length: int | None = None,  # noqa: ARG002  # it is the body's
    ) -> None:
        """Write the body, and wait until the socket has taken it."""
        body: bytes = self._value
        for start in range(0, len(body), _MAX_PIECE_BYTES):
            await writer.write(body[start : start + _MAX_PIECE_BYTES])
            await writer.drain()
        self.is_written = True

    write_with_length = write

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return cast("bytes", self._value).decode(encoding, errors)


class DirectExchange:
    """Uses aiohttp's connections, writer and parser directly: nothing repeats, redirects or decompresses."""

    def __init__(self, settings: Settings, connector: Connector) -> None:
        self._settings = settings
        self._connector = connector
        self._loop = asyncio.get_running_loop()
        proxy = None if settings.proxy is None else URL(settings.proxy)
        # What a connection is found by: it is the same for all requests, so that errors hold nothing of any.
        self._origin = aiohttp.ClientRequest("GET", URL(settings.root_url), loop=self._loop, proxy=proxy)
        self._is_forwarded = proxy is not None and not self._origin.is_ssl()
        self._limit = settings.max_reply_bytes
        self._target_at = settings.root_url.index("/", len("https://"))  # a host has a letter at least
        self._fixed = {"Host": self._origin.headers["Host"]}
        if not settings.reuse_connections:
            self._fixed["Connection"] = "close"
        self._timeout = _timeouts()

    async def send(self, request: HttpRequest, deadline: float) -> HttpReply:
        """Send `request` once and return its reply.

        **Raises** the errors of aiohttp and of the operating system.
        """
        timeout = self._timeout(min(self._settings.connect_timeout_s, request.timeout_s))
        connection = await self._connector.dispatch(request, deadline, self._origin, timeout)
        try:
            # Between this line and the last there is no other request on this connection.
            protocol: ResponseHandler = connection.protocol  # type: ignore[assignment]  # `dispatch` has looked
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
            )
            self._write(request, protocol)
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != _SWITCHING:  # what comes before the reply
                message, content = await protocol.read()
            early = protocol.writing_paused
            body = content.read_nowait() if content.is_eof() else await _read_on(content, self._limit)
            if len(body) > self._limit:
                raise ReplyTooLarge
        except BaseException:
            connection.close()
            raise
        if early:
            connection.close()  # the rest of the request may still be on its way
        else:
            connection.release()
        return HttpReply(message.code, message.headers, body, early=early)

    def _write(self, request: HttpRequest, protocol: "ResponseHandler") -> None:
        """Hand the whole request over; until the socket has taken the last of it, the protocol's writing is paused."""
        body = request.body or b""
        headers = revealed_headers(request, self._fixed)
        if body or request.method != "GET":
            headers["Content-Length"] = str(len(body))
        if self._is_forwarded and "Proxy-Authorization" in self._origin.headers:
            headers["Proxy-Authorization"] = self._origin.headers["Proxy-Authorization"]
        target = request.url if self._is_forwarded else request.url[self._target_at :]
        lines = [f"{request.method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
        if not all(map(str.isprintable, lines)):
            raise ValueError("a line of the head holds a character that would end it")
        transport: asyncio.Transport = protocol.transport  # type: ignore[assignment]  # `dispatch` has looked
        transport.write("\r\n".join((*lines, "\r\n")).encode() + body)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connector.close()


class SessionConnector(Connector):
    """Hands a request that `ClientSession.request` sends to one connection, once."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list["Trace"],  # noqa: ARG002  # there are none
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the signature is aiohttp's
    ) -> "Connection":
        """Return a connection for `req`: called in the task of the request, at each try of aiohttp's."""
        request, deadline = _in_hand.get()
        if request.dispatched:
            raise DispatchedTwice
        return await self.dispatch(request, deadline, req, timeout)


class DispatchedTwice(aiohttp.ClientError):
    """aiohttp wanted to send a request again that a connection already has: to repeat it, or to follow a redirect."""


# What the current task is sending, and its deadline: `ClientSession` has no argument that reaches the connector.
_in_hand: ContextVar[tuple[HttpRequest, float]] = ContextVar("caxton_async_request_in_hand")


class SessionExchange:
    """Sends through `ClientSession.request`, with each of its conveniences switched off.

    It costs more CPU, and serves where aiohttp's parts are not those that were tested, and under aioresponses.
    """

    def __init__(self, settings: Settings, connector: Connector) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        self._timeout = _timeouts()

    async def send(self, request: HttpRequest, deadline: float) -> HttpReply:
        """Send `request` once and return its reply.

        **Raises** the errors of aiohttp and of the operating system.
        """
        settings = self._settings
        body = None if request.body is None else _Body(request.body)
        token = _in_hand.set((request, deadline))
        try:
            response = await self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=revealed_headers(request),
                data=body,
                skip_auto_headers=_NO_BODY if body is None else None,
                allow_redirects=False,
                proxy=settings.proxy,
                timeout=self._timeout(min(settings.connect_timeout_s, request.timeout_s)),
            )
        finally:
            _in_hand.reset(token)
        try:
            early = request.dispatched and body is not None and not body.is_written
            read = await _read_on(response.content, settings.max_reply_bytes)
            return HttpReply(response.status, response.headers, read, early=early)
        except BaseException:
            response.close()
            raise

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


def revealed_headers(request: HttpRequest, fixed: Mapping[str, str] = NO_HEADERS) -> dict[str, str]:
    """Return the headers as they go to the wire; no frame that outlives the call keeps them in a variable."""
    headers = {**fixed, **request.headers}
    for name, secret in request.secret_headers.items():
        headers[name] = secret.reveal()
    return headers


async def _read_on(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Read a reply that has not come to its end."""
    chunks, size = [], 0
    while size <= limit and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    if size > limit:
        raise ReplyTooLarge
    return b"".join(chunks)


def _timeouts() -> Callable[[float], aiohttp.ClientTimeout]:
    """Return what makes a timeout for connecting; nearly every attempt has the same, so that it is made once."""
    # aiohttp would round the end of long timeouts up to a whole second, past the deadline.
    return functools.lru_cache(maxsize=64)(functools.partial(aiohttp.ClientTimeout, None, ceil_threshold=math.inf))


def is_session_replaced() -> bool:
    """Tell whether something answers in place of `ClientSession`, as test tools do: what goes past it goes out."""
    return aiohttp.ClientSession._request is not _OWN_REQUEST


@functools.cache
def can_be_direct() -> bool:
    """Say whether aiohttp's parts take the arguments that `DirectExchange` gives them; one warning where not."""
    try:
        inspect.signature(aiohttp.ClientRequest).bind("GET", URL(), loop=None, proxy=None)
        inspect.signature(ResponseHandler.read).bind(None)
        inspect.signature(aiohttp.StreamReader.is_eof).bind(None)
        inspect.signature(aiohttp.StreamReader.read_nowait).bind(None)
        inspect.signature(aiohttp.TCPConnector.connect).bind(None, None, [], None)
        inspect.signature(ResponseHandler.set_response_params).bind(
            None, read_until_eof=True, auto_decompress=False, max_line_size=1, max_field_size=1
        )
    except (TypeError, AttributeError):
        logger.warning(
            "aiohttp %s is newer than what this library was tested with: calls go through ClientSession.request, "
            "which is slower and as safe",
            aiohttp.__version__,
        )
        return False
    return True
