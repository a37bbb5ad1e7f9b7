"""A server of scripted bytes: it reads HTTP as it should, counts what it reads, and answers as it is told.

What belongs here: sockets, and the ways of misbehaving on them.  What does not: which of them is which fault
(`matrix`).  It shares no code with the client, and none with the emulator, which only ever speaks proper HTTP first.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from typing import Self

from attrs import define, field

HOST = "127.0.0.1"
_TLS_HELLO = b"\x16"  # the first byte of TLS, which no request begins with


class At(Enum):
    """The moment at which a script begins."""

    FIRST_BYTE = auto()
    HEAD = auto()
    WHOLE = auto()


@define
class Request:
    """What was read of a request; `target` is the path with its query, `connection` the number of its connection."""

    connection: int
    method: str = ""
    target: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""


class Connection:
    """One connection, by its number, and the ways to end it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.is_over = False
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def end(self) -> None:
        """Send the end in good order, whatever has not been read yet; a full close could become a reset."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()
        await self.lost()

    def reset(self) -> None:
        """End with an RST."""
        self.is_over = True
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def lost(self) -> None:
        """Wait until the client is gone; what it still sends is thrown away."""
        self.is_over = True
        while await self.reader.read(65536):
            pass

    async def hang_up(self) -> None:
        """Close, and return when the end is on its way."""
        self.is_over = True
        self._writer.close()
        await self._writer.wait_closed()


Step = bytes | Callable[[Connection], Awaitable[None]]
Script = tuple[Step, ...]


async def end(connection: Connection) -> None:
    """Send the end of the stream."""
    await connection.end()


async def reset(connection: Connection) -> None:
    """Send an RST."""
    connection.reset()


async def silence(connection: Connection) -> None:
    """Say nothing until the client gives up."""
    await connection.lost()


def drip(data: bytes) -> Step:
    """Write a byte now and then, until the client gives up."""

    async def steps(connection: Connection) -> None:
        gone = asyncio.ensure_future(connection.lost())
        for index in range(len(data)):
            connection.write(data[index : index + 1])
            if (await asyncio.wait({gone}, timeout=0.01))[0]:
                break
        await gone

    return steps


class Server:
    """Listens on a port of loopback; `answer` gives the script of each request, which begins `at` some moment.

    `requests` holds what was read, `connections` how many were made.
    """

    def __init__(self, answer: Callable[[Request], Script], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.at = At.WHOLE
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls, limit=2**20)
        scheme = "https" if self._tls else "http"
        self.origin = f"{scheme}://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._open.values():
            connection.reset()
        await asyncio.gather(*self._open)
        await self._server.wait_closed()

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._open)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a request, or the end of a connection, brings about."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def push(self, data: bytes) -> None:
        """Write bytes on every connection, unasked."""
        for connection in self._open.values():
            connection.write(data)

    async def hang_up(self) -> None:
        """Close every connection, and return when their ends are on their way."""
        for connection in list(self._open.values()):
            await connection.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, task = Connection(self.connections, reader, writer), asyncio.current_task()
        self._open[task] = connection
        try:
            while not connection.is_over:
                await self._exchange(connection)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            del self._open[task]
            await self._tell()

    async def _exchange(self, connection: Connection) -> None:
        """Read one request, as far as its script wants, and carry the script out."""
        data = await connection.reader.readexactly(1)
        request = Request(connection.number)
        if data != _TLS_HELLO:
            self.requests.append(request)
        if self.at is not At.FIRST_BYTE:
            data += await connection.reader.readuntil(b"\r\n\r\n")
            request.method, request.target, request.headers = _head(data)
        if self.at is At.WHOLE:
            request.body = await connection.reader.readexactly(int(request.headers.get("content-length", 0)))
        await self._tell()
        for step in self.answer(request):
            if isinstance(step, bytes):
                connection.write(step)
            else:
                await step(connection)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _head(data: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def reply(
    body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = None, media: str = "application/json"
) -> bytes:
    """Write an answer; `length` lies about how long its body is."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *([f"Content-Type: {media}"] if media else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def bare(body: bytes, *headers: str) -> bytes:
    """Write an answer of status 200 with these headers and no other."""
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode("latin-1") + body
