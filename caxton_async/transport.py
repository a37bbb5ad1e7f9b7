"""HttpRequest to HttpReply over aiohttp: the only module that knows aiohttp's client.

What belongs here: sockets, and the settings that keep aiohttp's conveniences away from payments.  What does not: what
an answer means (`wire`).  A request counts as sent from the moment in which a connection takes it; whatever goes wrong
after that is a flaw of the reply, whatever goes wrong before is `NotSent`.
"""

import asyncio
import select
import ssl
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from caxton_async.config import Settings
from caxton_async.errors import CertificateRejected, ConfigurationError, NotSent
from caxton_async.wire import HttpReply, HttpRequest

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# The request that the current task is sending; the connector reads it to say when a connection takes it.
_in_hand: ContextVar[HttpRequest] = ContextVar("caxton_async_request_in_hand")


def own_ssl_context() -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer with the system's certificates.

    Not `ssl.create_default_context()`, which writes the session keys to wherever `SSLKEYLOGFILE` points.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    return context


class _SentTwice(aiohttp.ClientError):
    """aiohttp wanted to send a request that a connection already has: to repeat it, or to follow a redirect."""


class _Connector(aiohttp.TCPConnector):
    """Hands a request to one connection, once, and only to one on which nothing unasked has come."""

    def __init__(self, *, limit: int, ssl_context: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl_context)
        self._used: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()

    async def connect(
        self,
        req: "ClientRequest",
        traces: list["Trace"],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the signature is aiohttp's
    ) -> "Connection":
        """Return a connection for `req`: called in the task of the request, at each try of aiohttp's."""
        request = _in_hand.get()
        if request.handed:
            raise _SentTwice
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None:
                continue
            if protocol not in self._used:
                self._used.add(protocol)
                if not protocol.should_close:
                    break
                connection.close()
                raise aiohttp.ClientConnectionError("the server spoke before it was asked")
            # An answer that came late, or unasked, would be read as the answer to this request.
            if not protocol.should_close and not _has_unread_bytes(protocol):
                break
            connection.close()
        request.handed = True
        return connection


def _has_unread_bytes(protocol: "ResponseHandler") -> bool:
    """Tell whether the socket of an idle connection is readable: bytes, or the end, that nobody asked for."""
    sock = protocol.transport.get_extra_info("socket") if protocol.transport else None
    if sock is None or sock.fileno() < 0:
        return True
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    return bool(poller.poll(0))


class Transport:
    """Sends requests to one origin; opened and closed with `async with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool of connections; nothing is connected yet."""
        settings = self._settings
        context = settings.ssl_context or (own_ssl_context() if settings.root_url.startswith("https") else True)
        # One connection more than calls: a login never waits for a call that waits for a login.
        connector = _Connector(limit=settings.max_connections + 1, ssl_context=context)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
        )
        return self

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send `request` once and return what came back, whole or flawed.

        **Raises** NotSent or CertificateRejected when no connection took it; ConfigurationError when closed.
        """
        session = self._session
        if session is None or session.closed:
            raise ConfigurationError(
                "the client is closed: make calls inside its `async with`", endpoint=request.endpoint
            )
        token = _in_hand.set(request)
        flaw = failure = ""
        timed_out = rejected = False
        try:
            return await self._exchange(session, request)
        except asyncio.CancelledError as cancellation:
            # The frames below hold revealed headers, which a crash reporter would show.
            raise cancellation.with_traceback(None)  # noqa: B904  # it is the same exception
        except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError):
            rejected = True
        except TimeoutError:
            timed_out = True
        except _TooLarge:
            flaw = f"the reply is larger than {self._settings.max_reply_bytes} bytes"
        except Exception as error:  # noqa: BLE001  # once a connection has the request, any failure leaves it unknown
            failure = type(error).__name__
        finally:
            _in_hand.reset(token)
        # Raised and returned here, since the errors above hold headers and bodies.
        if request.handed:
            flaw = flaw or ("no whole reply came in time" if timed_out else f"the connection failed ({failure})")
            return HttpReply(flaw=flaw, timed_out=timed_out)
        kind, why = NotSent, f"no connection could be made {'in time' if timed_out else f'({failure})'}"
        if rejected:
            kind, why = CertificateRejected, "the certificate of the peer is not trusted"
        name = request.endpoint
        raise kind(f"{name} was not sent: {why}", endpoint=name, correlation_id=request.correlation_id)

    async def _exchange(self, session: aiohttp.ClientSession, request: HttpRequest) -> HttpReply:
        settings = self._settings
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            headers={**request.headers, **{name: secret.reveal() for name, secret in request.secret_headers.items()}},
            data=request.body,
            allow_redirects=False,
            proxy=settings.proxy,
            timeout=aiohttp.ClientTimeout(total=request.timeout_s, connect=settings.connect_timeout_s),
        ) as response:
            body = await _read(response.content, settings.max_reply_bytes)
            return HttpReply(response.status, response.headers, body)


class _TooLarge(Exception):
    """The reply is larger than anybody should answer."""


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size <= limit:
        chunks.append(await content.readany())
        size += len(chunks[-1])
        if content.at_eof():
            break
    if size > limit:
        raise _TooLarge
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
