"""One connection to the emulator, and the faults that are carried out on it.

aiohttp's server reads; what is written goes to the transport directly, be it right or not HTTP at all.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import attrs
from aiohttp import web

from caxton_async.emulator.envelope import Answer
from caxton_async.emulator.faults import Armed, Faults
from caxton_async.emulator.kinds import CONNECT, FIRST_BYTES
from caxton_async.emulator.request import Request
from caxton_async.emulator.responses import AFTER, BEFORE, BYTES, SUCCESS, render

_DRIP_S = 0.05  # between two bytes of a slow answer, where the fault does not say
_REQUEST_LINE = re.compile(rb"([A-Z]+) (?!/_emulator/)(\S+) HTTP/1\.1\r\n")  # the page has no faults


class Connection(web.RequestHandler):
    """A connection that knows when it is lost, and may be reset, ended or told to listen no more.

    `family` holds the connections that are open; `name_of` names the call of a method and path.
    """

    __slots__ = ("_faults", "_is_deaf", "_name_of", "_socket", "family", "is_busy", "is_page", "is_retired", "lost")

    def __init__(
        self,
        manager: web.Server,
        faults: Faults,
        family: set[Connection],
        name_of: Callable[[str, str], str | None],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(manager, loop=loop)
        self._faults = faults
        self._is_deaf = False
        self._name_of = name_of
        self._socket: asyncio.Transport
        self.family = family
        self.is_busy = False
        self.is_page = False
        self.is_retired = False
        self.lost: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or be reset at once."""
        self._socket = cast("asyncio.Transport", transport)  # a stream socket has no other
        super().connection_made(transport)
        self.family.add(self)
        armed = self._faults.take(CONNECT)
        if armed is not None:
            self.reset()
            armed.mark_applied()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and wake those that wait for it."""
        super().connection_lost(exc)
        self.family.discard(self)
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a fault takes the request by its first bytes."""
        if not (self._is_deaf or (self._faults and self._apply_at_first_bytes(data))):
            super().data_received(data)

    def _apply_at_first_bytes(self, data: bytes) -> bool:
        line = _REQUEST_LINE.match(data)
        if line is None:
            return False
        armed = self._faults.take(FIRST_BYTES, self._name_of(line[1].decode(), line[2].decode("latin-1")))
        if armed is None:
            return False
        if armed.fault.kind == "reset_before_read":
            self.reset()
        else:
            self._answer_early(armed)
        armed.mark_applied()
        return True

    def _answer_early(self, armed: Armed) -> None:
        self._is_deaf = True
        self.push(armed.fault.raw or render(SUCCESS))
        if armed.fault.held:
            # What the client still sends fills the buffers, so that it cannot have handed over its last byte.
            self._socket.pause_reading()
            armed.when_released(self._socket.resume_reading)
        else:
            # Half-closed: a full close with bytes unread would be a reset, which might overtake the answer.
            self._socket.write_eof()

    def push(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._socket.write(data)

    def end(self) -> None:
        """End the connection in good order, once all that was written is on its way."""
        self._socket.close()

    def retire(self) -> None:
        """End at once when idle, else after the answer that is being made, which then says so."""
        self.is_retired = True
        if not self.is_busy:
            # The transport would do it some turns of the loop later; a call made until then would come in.
            with suppress(OSError):  # the client may have ended it before
                self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection with an RST: what was sent and not yet read is lost."""
        self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.abort()

    async def drip(self, data: bytes, gap_s: float) -> None:
        """Write a byte at a time for as long as the client is there."""
        for index in range(len(data)):
            if self.lost.done():
                return
            self._socket.write(data[index : index + 1])
            await asyncio.wait((self.lost,), timeout=gap_s)


class Written(web.StreamResponse):
    """An answer that was written to the connection already, for aiohttp, which has nothing left to write."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def send(incoming: web.BaseRequest, request: Request, answer: Answer) -> Written:
    """Write an answer whole."""
    connection = cast("Connection", incoming.protocol)
    request.status, request.is_open = answer.status, False
    stays = bool(incoming.keep_alive) and not connection.is_retired
    if incoming.method == "HEAD":
        answer = attrs.evolve(answer, body=b"")
    connection.push(render(answer, closing=not stays, second=int(time.time())))
    return Written(keep_alive=stays)


async def apply(armed: Armed, right: Answer | None, request: Request, incoming: web.BaseRequest) -> web.StreamResponse:
    """Carry out a fault on a request that was read; `right` is the right answer where the work was done."""
    connection, fault = cast("Connection", incoming.protocol), armed.fault
    if fault.kind not in ("slow_head", "slow_body", "stale_bytes"):
        await armed.wait(connection.lost)
    if fault.kind in BEFORE:
        return send(incoming, request, BEFORE[fault.kind](request, fault))
    if right is not None:
        if fault.kind in AFTER:
            return send(incoming, request, AFTER[fault.kind](right, fault))
        if fault.kind in ("latency", "duplicate_delivery"):
            return send(incoming, request, right)
        if fault.kind == "stale_bytes":
            response = send(incoming, request, right)
            await armed.wait(connection.lost)
            connection.push(fault.raw or render(right))
            return response
    await _break_off(connection, armed, right)
    return web.Response()  # never written: the connection has ended


async def _break_off(connection: Connection, armed: Armed, right: Answer | None) -> None:
    """End the connection with something else than a whole answer."""
    fault = armed.fault
    if fault.kind.startswith("reset_"):
        connection.reset()
        return
    if right is not None and fault.kind in BYTES:
        connection.push(BYTES[fault.kind](right, fault))
    if right is not None and fault.kind.startswith("slow_"):
        data = render(right)
        quick = 0 if fault.kind == "slow_head" else len(data) - len(right.body)
        connection.push(data[:quick])
        await connection.drip(data[quick:], fault.seconds or _DRIP_S)
    connection.end()
