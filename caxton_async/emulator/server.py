"""The emulated API on a loopback socket: it listens, records what it reads, and answers."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, deque
from functools import partial
from typing import cast

from aiohttp import web

from caxton_async.emulator.app import App
from caxton_async.emulator.connection import Connection, apply, send
from caxton_async.emulator.faults import Armed, Faults
from caxton_async.emulator.kinds import LISTEN, READ
from caxton_async.emulator.page import PREFIX, Page
from caxton_async.emulator.request import Request

HOST = "127.0.0.1"
_BACKLOG = 1024  # connections that wait to be accepted; a test may open hundreds at once


class Server:
    """Serves an `App` and keeps what it has read: the requests (the last `history`, or all) and their numbers."""

    def __init__(self, app: App, faults: Faults, address: tuple[str, int], history: int | None) -> None:
        self.ledger = app.ledger
        self.faults = faults
        self.host, self.port = address
        self.requests: deque[Request] = deque(maxlen=history)
        self.counts: Counter[str | None] = Counter()
        self.connections: set[Connection] = set()
        self._app = app
        self._clock = app.ledger.accounts.clock
        self._page = Page(self, faults, app.conditions)
        self._changed = asyncio.Event()
        self._listener: socket.socket | None = None
        self._accepting: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        """Listen; a port in use is an OSError."""
        self._manager = web.Server(self._handle)
        self._listen()
        self.faults.start(self._refuse)

    async def close(self) -> None:
        """End everything, also what is held; when this returns no task and no socket is left."""
        self.faults.refuse = None
        self._stop_listening()
        await asyncio.gather(*self._accepting)
        for connection in self.connections:
            connection.reset()
        await self.disconnected()
        await self._manager.shutdown()

    async def seen(self, endpoint: str | None, times: int) -> None:
        """Wait until so many requests for this call were read."""
        while self.counts[endpoint] < times:
            await self._changed.wait()

    async def disconnected(self) -> None:
        """Wait until no connection is open."""
        while self.connections:
            await asyncio.wait([connection.lost for connection in self.connections])

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", incoming.protocol)
        if incoming.path.startswith(PREFIX):
            connection.is_page = True  # it outlives a refusal, so that the page can end it
            return await self._page.answer(incoming)
        connection.is_busy = True
        try:
            return await self._serve(incoming)
        except (web.RequestPayloadError, ConnectionError):
            return web.Response()  # the client went away; no answer would reach it
        finally:
            connection.is_busy = False

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        content = incoming.content
        body = content.read_nowait() if content.is_eof() else await content.read()
        match = self._app.find(incoming.method, incoming.raw_path)
        name = match.name if match else None
        request = Request(name, incoming.method, incoming.raw_path, incoming.headers, body, self._clock())
        self._record(request)
        armed = self.faults.take(READ, name, request.acting_for) if self.faults else None
        if armed is None:
            return send(incoming, request, self._app.answer(match, request))
        request.fault = armed.fault.kind
        try:
            answers = [self._app.answer(match, request) for _ in range(armed.kind.work)]
            return await apply(armed, answers[0] if answers else None, request, incoming)
        finally:
            request.is_open = False
            armed.mark_applied()

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        self.counts[request.endpoint] += 1
        self._changed.set()  # wakes all who wait now, and is ready for the next wait at once
        self._changed.clear()
        refusing = self.faults.take(LISTEN, request.endpoint)
        if refusing is not None:
            self._refuse(refusing)

    def _refuse(self, armed: Armed) -> None:
        """Close the listening socket, and connections once they are idle, until the fault is released."""
        self._stop_listening()
        for connection in self.connections:
            if not connection.is_page:
                connection.retire()
        armed.when_released(self._listen)
        if armed.fault.seconds:
            asyncio.get_running_loop().call_later(armed.fault.seconds, armed.release)

    def _listen(self) -> None:
        """Let connections in, from this instant on."""
        if self._listener is not None:
            return
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((self.host, self.port))
        except OSError:
            self._listener.close()
            raise
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        accepted.setblocking(False)
        loop = asyncio.get_running_loop()
        factory = partial(Connection, self._manager, self.faults, self.connections, self._app.name_of)
        task: asyncio.Task[object] = loop.create_task(loop.connect_accepted_socket(factory, accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
