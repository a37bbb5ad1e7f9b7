"""Connections that are checked before use, and cut off when the time of their request is up."""

import asyncio
import functools
import math
import select
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from caxton_async.protocol.request import HttpRequest

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

Probe = Callable[[], object]
# From so many bytes in the buffer of a TLS connection, and above so many in another's, its writing is paused: as long
# as the socket has not taken the last byte.
_TLS_BUFFER_BYTES: Final = 1
_BUFFER_BYTES: Final = 0
# asyncio asks for 256 KiB with each read, which C libraries map anew each time; aiohttp takes 64 before it pauses.
_READ_BYTES: Final = 2**16


class Connector(aiohttp.TCPConnector):
    """Gives out connections on which nothing unasked has come, and ends each request at its deadline.

    One timer serves all requests: aiohttp's own takes one for each, and with it a fourteenth of the CPU of a call.
    """

    def __init__(self, *, limit: int, ssl_context: ssl.SSLContext | bool, reuse: bool) -> None:
        super().__init__(limit=limit, ssl=ssl_context, force_close=not reuse)
        # The connections that have been in use, each with what tells whether something unasked has come on it.
        self._probes: dict[ResponseHandler, Probe] = {}
        self.in_flight: dict[HttpRequest, tuple[float, Connection]] = {}
        self._timer_ends_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    async def dispatch(
        self,
        request: HttpRequest,
        deadline: float,
        client_request: aiohttp.ClientRequest,
        connecting: aiohttp.ClientTimeout,
    ) -> "Connection":
        """Return a connection for `request`, which counts as sent from here on; `deadline` is in the loop's time."""
        while True:
            connection = await super().connect(client_request, [], connecting)
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
        request.dispatched, request.distrust = True, protocol.force_close
        self.in_flight[request] = deadline, connection
        if deadline < self._timer_ends_at:
            self._set_timer(deadline)
        return connection

    def _remember(self, protocol: "ResponseHandler", transport: asyncio.Transport) -> None:
        self._probes = {known: probe for known, probe in self._probes.items() if known.transport is not None}
        self._probes[protocol] = _probe(transport.get_extra_info("socket").fileno())
        is_tls = transport.get_extra_info("ssl_object") is not None
        transport.set_write_buffer_limits(_TLS_BUFFER_BYTES if is_tls else _BUFFER_BYTES, 0)
        plain: Any = transport
        if hasattr(plain, "max_size"):  # asyncio's own, without TLS
            plain.max_size = _READ_BYTES

    def _set_timer(self, ends_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ends_at, self._timer = ends_at, asyncio.get_running_loop().call_at(ends_at, self._on_deadline)

    def _on_deadline(self) -> None:
        """Cut off each request whose time is up, and set the timer for the next."""
        overdue = [request for request, (ends_at, _) in self.in_flight.items() if ends_at <= self._timer_ends_at]
        for request in overdue:
            _, connection = self.in_flight.pop(request)
            # A connection that has been given back already may serve another request.
            if connection.transport is not None:
                connection.transport.abort()
        self._timer_ends_at, self._timer = math.inf, None
        if self.in_flight:
            self._set_timer(min(ends_at for ends_at, _ in self.in_flight.values()))

    def cancel_timer(self) -> None:
        """Cut off no more requests: the pool is being closed."""
        if self._timer is not None:
            self._timer.cancel()


def _probe(file_number: int) -> Probe:
    """Return what tells whether a socket is readable: there are bytes on it, or its end."""
    if not hasattr(select, "poll"):  # Windows, where `select` knows no limit of file numbers
        return lambda: select.select([file_number], [], [], 0)[0]
    poll = select.poll()
    poll.register(file_number, select.POLLIN)
    return functools.partial(poll.poll, 0)
