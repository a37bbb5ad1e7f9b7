"""HttpRequest to HttpReply over aiohttp: the only module that knows aiohttp's client.

What belongs here: sockets, and the settings that keep aiohttp's conveniences away from payments.  What does not: what
an answer means (`wire`).  A request counts as sent from the moment in which a connection takes it; whatever goes wrong
after that is a flaw of the reply, whatever goes wrong before is `NotSent`.
"""

import asyncio
import functools
import io
import math
import select
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from caxton_async.config import Settings
from caxton_async.errors import CertificateRejected, ConfigurationError, NotSent
from caxton_async.protocol.request import HttpReply, HttpRequest

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Probe = Callable[[], object]
_NO_BODY: Final = ("Content-Type",)
# aiohttp writes a larger body in one go only under a ResourceWarning, which is an error where warnings are.
_MAX_BYTES_IN_ONE_GO: Final = 2**20

# What the current task is sending, and when its time is up: the connector says when a connection takes it.
_in_hand: ContextVar[tuple[HttpRequest, float]] = ContextVar("caxton_async_request_in_hand")


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
    """Hands a request to one connection, once, and only to one on which nothing unasked has come.

    It cuts the connection off when the time of its request is up.  One timer serves all requests: aiohttp's own takes
    one for each, and with it a fourteenth of the CPU of a call.
    """

    def __init__(self, *, limit: int, ssl_context: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl_context)
        # The connections that have been in use, each with what tells whether something unasked has come on it.
        self._probes: dict[ResponseHandler, Probe] = {}
        self.in_flight: dict[HttpRequest, tuple[float, Connection]] = {}
        self._rings_at = math.inf
        self._alarm: asyncio.TimerHandle | None = None

    async def connect(
        self,
        req: "ClientRequest",
        traces: list["Trace"],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the signature is aiohttp's
    ) -> "Connection":
        """Return a connection for `req`: called in the task of the request, at each try of aiohttp's."""
        request, ends_at = _in_hand.get()
        if request.dispatched:
            raise _SentTwice
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            probe = self._probes.get(protocol) if protocol is not None else None
            if protocol is not None and protocol.transport is not None and not protocol.should_close:
                if probe is None:
                    self._remember(protocol, protocol.transport)
                    break
                # An answer that came late, or unasked, would be read as the answer to this request.
                if not probe():
                    break
            connection.close()
            if probe is None:
                raise aiohttp.ClientConnectionError("the server spoke before it was asked")
        request.dispatched = True
        self.in_flight[request] = ends_at, connection
        if ends_at < self._rings_at:
            self._set_alarm(ends_at)
        return connection

    def _remember(self, protocol: "ResponseHandler", transport: asyncio.Transport) -> None:
        self._probes = {known: probe for known, probe in self._probes.items() if known.transport is not None}
        self._probes[protocol] = _probe(transport.get_extra_info("socket").fileno())

    def _set_alarm(self, rings_at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at, self._alarm = rings_at, asyncio.get_running_loop().call_at(rings_at, self._ring)

    def _ring(self) -> None:
        """Cut off each request whose time is up, and set the alarm for the next."""
        overdue = [request for request, (ends_at, _) in self.in_flight.items() if ends_at <= self._rings_at]
        for request in overdue:
            _, connection = self.in_flight.pop(request)
            # A connection that has been given back already may serve another request.
            if connection.transport is not None:
                connection.transport.abort()
        self._rings_at, self._alarm = math.inf, None
        if self.in_flight:
            self._set_alarm(min(ends_at for ends_at, _ in self.in_flight.values()))

    def silence(self) -> None:
        """Let the alarm ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()


def _probe(file_number: int) -> Probe:
    """Return what tells whether a socket is readable: there are bytes on it, or its end."""
    if not hasattr(select, "poll"):  # Windows, where `select` knows no limit of file numbers
        return lambda: select.select([file_number], [], [], 0)[0]
    poll = select.poll()
    poll.register(file_number, select.POLLIN)
    return functools.partial(poll.poll, 0)


class Transport:
    """Sends requests to one origin, between `open` and `aclose`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        # Nearly every attempt has time enough to connect, so that nearly none makes an object for it.
        self._timeout = functools.lru_cache(maxsize=64)(
            # aiohttp would round the end of long timeouts up to a whole second, past the deadline.
            functools.partial(aiohttp.ClientTimeout, None, ceil_threshold=math.inf)
        )

    def open(self) -> None:
        """Open the pool of connections in the running event loop; nothing is connected yet."""
        settings = self._settings
        context = settings.ssl_context or (own_ssl_context() if settings.root_url.startswith("https") else True)
        self._loop = asyncio.get_running_loop()
        # One connection more than calls: a login never waits for a call that waits for a login.
        self._connector = _Connector(limit=settings.max_connections + 1, ssl_context=context)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
        )

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        self._closed = True
        if self._session is not None:
            self._connector.silence()
            await self._session.close()

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send `request` once and return what came back, whole or flawed.

        **Raises** NotSent or CertificateRejected when no connection took it; ConfigurationError when closed.
        """
        session = self._session
        if session is None or self._closed:
            raise ConfigurationError(
                "the client is closed: make calls inside its `async with`", endpoint=request.endpoint
            )
        token = _in_hand.set((request, self._loop.time() + request.timeout_s))
        flaw = failure = ""
        timed_out = rejected = False
        try:
            return await self._exchange(session, request)
        except asyncio.CancelledError as cancellation:
            if self._is_meant_for_the_caller():
                # The frames below hold revealed headers, which a crash reporter would show.
                raise cancellation.with_traceback(None)  # noqa: B904  # it is the same exception
            failure = "the client was closed"
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
            was_cut_off = self._connector.in_flight.pop(request, None) is None
        # Raised and returned here, since the errors above hold headers and bodies.
        if request.dispatched:
            flaw = flaw or ("no whole reply came in time" if was_cut_off else f"the connection failed ({failure})")
            return HttpReply(flaw=flaw, timed_out=was_cut_off)
        kind, why = NotSent, f"no connection could be made {'in time' if timed_out else f'({failure})'}"
        if rejected:
            kind, why = CertificateRejected, "the certificate of the peer is not trusted"
        name = request.endpoint
        raise kind(f"{name} was not sent: {why}", endpoint=name, correlation_id=request.correlation_id)

    def _is_meant_for_the_caller(self) -> bool:
        """Tell whose a cancellation is: a connector that is closed cancels look-ups of names, and who waits there."""
        task = asyncio.current_task()
        return not self._closed or task is None or task.cancelling() > 0

    async def _exchange(self, session: aiohttp.ClientSession, request: HttpRequest) -> HttpReply:
        body, settings = request.body, self._settings
        is_large = body is not None and len(body) > _MAX_BYTES_IN_ONE_GO
        # Not `async with`, which takes a twentieth of the CPU of a call: at its end a reply gives its connection back.
        response = await session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=_revealed(request),
            data=io.BytesIO(body or b"") if is_large else body,
            # aiohttp would call no body at all a stream of octets.
            skip_auto_headers=_NO_BODY if body is None else None,
            allow_redirects=False,
            proxy=settings.proxy,
            timeout=self._timeout(min(settings.connect_timeout_s, request.timeout_s)),
        )
        try:
            content, limit = response.content, settings.max_reply_bytes
            body = await content.readany()
            if not content.at_eof():
                body = await _read_on(content, body, limit)
            elif len(body) > limit:
                raise _TooLarge
            return HttpReply(response.status, response.headers, body)
        except BaseException:
            response.close()
            raise


def _revealed(request: HttpRequest) -> Mapping[str, str]:
    """Return the headers as they go to the wire; no frame that outlives the call keeps them in a variable."""
    headers = dict(request.headers)
    for name, secret in request.secret_headers.items():
        headers[name] = secret.reveal()
    return headers


class _TooLarge(Exception):
    """The reply is larger than anybody should answer."""


async def _read_on(content: aiohttp.StreamReader, start: bytes, limit: int) -> bytes:
    chunks, size = [start], len(start)
    while size <= limit and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    if size > limit:
        raise _TooLarge
    return b"".join(chunks)
