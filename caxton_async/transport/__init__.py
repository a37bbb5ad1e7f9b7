"""HttpRequest to HttpReply over aiohttp: sockets, and what a failure of theirs says about the request.

A request counts as sent from the moment in which a connection takes it.  What goes wrong after that is a flaw of the
reply; what goes wrong before is `NotSent`.
"""

import asyncio
import re
import ssl
from typing import ClassVar, Final

import aiohttp

from caxton_async.config import Settings
from caxton_async.errors import CaxtonError, CertificateRejected, ConfigurationError, NotSent
from caxton_async.protocol.masking import mask
from caxton_async.protocol.reply import HttpReply
from caxton_async.protocol.request import HttpRequest
from caxton_async.transport.connector import Connector
from caxton_async.transport.exchange import (
    DirectExchange,
    Exchange,
    ReplyTooLarge,
    SessionConnector,
    SessionExchange,
    can_be_direct,
    is_session_replaced,
)

_AUTHENTICATION_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,30}")
# Raised only on a connection that has taken a request, or by what stands in for aiohttp in tests, which knows of none.
_AFTER_DISPATCH: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)


def own_ssl_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer with the system's certificates, and those of `ca_file`.

    **Raises** ConfigurationError when the file cannot be read.

    Not `ssl.create_default_context()`, which writes the session keys to wherever `SSLKEYLOGFILE` points.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # an `SSLError` is one
            problem = error.strerror or "it holds no certificate"
            raise ConfigurationError(f"ca_file {ca_file!r} cannot be used ({problem}): name a PEM file") from None
    return context


class Transport:
    """Sends requests to one origin, between `open` and `aclose`."""

    # Tests that fake `ClientSession` switch this on; see `caxton_async.testing.aioresponses_shim`.
    through_session: ClassVar[bool] = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exchange: Exchange | None = None
        self._closed = False

    def open(self) -> None:
        """Open the pool of connections in the running event loop; nothing is connected yet."""
        settings = self._settings
        is_https = settings.root_url.startswith("https")
        is_direct = not (self.through_session or is_session_replaced()) and can_be_direct()
        self._loop = asyncio.get_running_loop()
        self._connector: Connector = (Connector if is_direct else SessionConnector)(
            # One connection more than calls: a login never waits for a call that waits for a login.
            limit=settings.max_connections + 1,
            ssl_context=settings.ssl_context or (own_ssl_context(settings.ca_file) if is_https else True),
            reuse=settings.reuse_connections,
        )
        self._exchange = (DirectExchange if is_direct else SessionExchange)(settings, self._connector)

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        self._closed = True
        if self._exchange is not None:
            self._connector.cancel_timer()
            await self._exchange.aclose()

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send `request` once and return what came back, whole or flawed.

        **Raises** NotSent or CertificateRejected when no connection took it; ConfigurationError when closed, or when
        the HTTP library itself is at fault.
        """
        exchange = self._exchange
        if exchange is None or self._closed:
            raise ConfigurationError(
                "the client is closed: make calls inside its `async with`", endpoint=request.endpoint
            )
        flaw = ""
        failure: Exception | None = None
        try:
            return await exchange.send(request, self._loop.time() + request.timeout_s)
        except asyncio.CancelledError as cancellation:
            if self._is_meant_for_the_caller():
                # The frames below hold revealed headers, which a crash reporter would show.
                raise cancellation.with_traceback(None)  # noqa: B904  # it is the same exception
            flaw = "the client was closed"
        except ReplyTooLarge:
            flaw = f"the reply is larger than {self._settings.max_reply_bytes} bytes"
        except Exception as error:  # noqa: BLE001  # once a connection has the request, any failure leaves it unknown
            failure = error
        finally:
            was_cut_off = self._connector.in_flight.pop(request, None) is None and request.dispatched
        # Raised and returned here, since the errors above hold headers and bodies.
        is_direct = isinstance(exchange, DirectExchange)  # where a proxy that breaks off has not been given the request
        if request.dispatched or (isinstance(failure, _AFTER_DISPATCH) and not is_direct):
            request.dispatched = True
            failed = f"the connection failed ({_name(failure)})"
            return HttpReply(
                flaw=flaw or ("no whole reply came in time" if was_cut_off else failed), timed_out=was_cut_off
            )
        raise _not_sent(request, failure, flaw)

    def _is_meant_for_the_caller(self) -> bool:
        """Tell whose a cancellation is: a connector that is closed cancels look-ups of names, and who waits there."""
        task = asyncio.current_task()
        return not self._closed or task is None or task.cancelling() > 0


def _name(failure: Exception | None) -> str:
    """Return the name of an error that is not ours: a name that nobody can look up says nothing."""
    return next(kind.__name__ for kind in type(failure).__mro__ if not kind.__module__.startswith("caxton_async"))


def _not_sent(request: HttpRequest, failure: Exception | None, flaw: str) -> CaxtonError:
    """Return the error of a request that no connection took."""
    name, correlation_id, kind = request.endpoint, request.correlation_id, NotSent
    match failure:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            kind, why = CertificateRejected, "the certificate of the peer is not trusted"
        case aiohttp.ClientHttpProxyError():
            why = f"the proxy answered {failure.status}{_scheme_wanted(failure)}"
        case aiohttp.ClientProxyConnectionError():
            why = f"the proxy could not be reached ({_reason(failure.os_error)})"
        case aiohttp.ClientConnectorDNSError():
            why = "the name of the host was not found"
        case aiohttp.ClientConnectorError():
            why = f"no connection could be made ({_reason(failure.os_error)})"
        case TimeoutError():
            why = "no connection could be made in time"
        case None | OSError() | EOFError() | aiohttp.ClientError():
            why = f"no connection could be made ({flaw or _name(failure)})"
        case _:
            # No failure of the network, and no use in trying again.
            said = mask(repr(failure), request.secret_headers.values())
            fault = f"{name} was not sent: the HTTP library failed ({said})"
            return ConfigurationError(fault, endpoint=name, correlation_id=correlation_id)
    return kind(f"{name} was not sent: {why}", endpoint=name, correlation_id=correlation_id)


def _reason(error: OSError) -> str:
    """Return what the operating system calls an error, without the address that its text may hold."""
    kind = type(error)
    if kind in {ConnectionRefusedError, ConnectionResetError, TimeoutError} or error.errno is None:
        return kind.__name__
    return error.strerror.lower() if error.strerror and "[" not in error.strerror else kind.__name__


def _scheme_wanted(failure: aiohttp.ClientHttpProxyError) -> str:
    """Return the kind of login that a proxy asks for, on one line: it is what a person looks for next."""
    headers = failure.headers
    scheme = _AUTHENTICATION_SCHEME.match("" if headers is None else headers.get("Proxy-Authenticate", ""))
    return f" (it wants {scheme[0]})" if failure.status == 407 and scheme else ""
