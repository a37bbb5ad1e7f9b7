"""The transport by itself: what it takes for sent, what it leaves to nobody, and TLS."""

import asyncio
import contextlib
import contextvars
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme

from caxton_async import CertificateRejected, ConfigurationError, NotSent, Sent, Settings
from caxton_async.protocol.request import HttpReply, HttpRequest
from caxton_async.transport import Transport, own_ssl_context
from caxton_async.transport.exchange import can_be_direct
from tests.support.harness import VirtualLoop, failure, outcomes, virtual

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each request with the next number in its body, over plain HTTP or TLS; says what it saw."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.unasked = b""
        self.writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                body = str(len(self.requests)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def push(self, data: bytes) -> None:
        """Write bytes that nobody asked for on every connection that is open."""
        for writer in self.writers:
            if not writer.is_closing():
                writer.write(data)


@asynccontextmanager
async def served(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback, and give the port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Transport]:
    """Open a transport, and close it."""
    transport = Transport(settings)
    transport.open()
    try:
        yield transport
    finally:
        await transport.aclose()


def request(url: str, **changes: object) -> HttpRequest:
    """Build a request."""
    values: dict[str, object] = {"method": "GET", "headers": {}, "secret_headers": {}, "timeout_s": 10.0} | changes
    return HttpRequest(endpoint="get_thing", correlation_id="id-1", url=url, **values)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make a certificate authority of the tests' own."""
    return trustme.CA()


def contexts(authority: trustme.CA, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the context of a server of this name, and one of a client that trusts its authority."""
    server, mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), own_ssl_context()
    authority.issue_cert(name).configure_cert(server)
    authority.configure_trust(mine)
    return server, mine


# --- TLS ---


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_a_tls_connection_is_used_again(authority: trustme.CA, version: ssl.TLSVersion) -> None:
    """Calls one after the other go over one TLS connection: the tickets of TLS 1.3 are not taken for stale bytes."""
    context, mine = contexts(authority)
    context.minimum_version = context.maximum_version = version
    server = Server()
    async with served(server, context) as port:
        url = f"https://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url, ssl_context=mine)) as transport:
            replies = [await transport.send(request(url, method="POST", body=b"{}")) for _ in range(10)]

    assert not any(reply.early for reply in replies)
    assert [reply.body for reply in replies] == [str(number).encode() for number in range(1, 11)]
    assert server.connections == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("turns", [0, 1, 2, 10])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_unasked_bytes_never_become_an_answer(
    authority: trustme.CA, secure: bool, turns: int, version: ssl.TLSVersion
) -> None:
    """Bytes on an idle connection end it, however many turns of the loop they have been there for."""
    context, mine = contexts(authority)
    context.minimum_version = context.maximum_version = version
    server = Server()
    async with served(server, context if secure else None) as port:
        url = f"{'https' if secure else 'http'}://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url, ssl_context=mine)) as transport:
            for number in range(1, 6):
                first = await transport.send(request(url))
                server.push(ANSWER)
                for _ in range(turns):
                    await asyncio.sleep(0)
                second = await transport.send(request(url))

                assert (first.body, second.body) == (str(2 * number - 1).encode(), str(2 * number).encode())
    assert len(server.requests) == 10


@pytest.mark.parametrize("name", ["other.test", "127.0.0.2"])
async def test_the_name_in_the_certificate_counts(authority: trustme.CA, name: str) -> None:
    """A certificate for another name is refused, and nothing is sent."""
    context, mine = contexts(authority, name)
    server = Server()
    async with served(server, context) as port:
        settings = Settings(base_url=f"https://127.0.0.1:{port}/", ssl_context=mine)
        async with opened(settings) as transport:
            error = await failure(transport.send(request(settings.root_url)), CertificateRejected)

    assert (error.sent, error.safe_to_retry, error.endpoint) == (Sent.NO, False, "get_thing")
    assert server.requests == []


async def test_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    """The client's own context trusts what the system trusts, and no more."""
    context, _ = contexts(authority)
    server = Server()
    async with served(server, context) as port:
        settings = Settings(base_url=f"https://127.0.0.1:{port}/")
        async with opened(settings) as transport:
            await failure(transport.send(request(settings.root_url)), CertificateRejected)

    assert server.requests == []


async def test_a_file_of_certificates_is_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    """The authority in `ca_file` is trusted; a file that is not there, or holds none, is named."""
    context, _ = contexts(authority)
    path, empty = tmp_path / "ca.pem", tmp_path / "empty.pem"
    authority.cert_pem.write_to_path(path)
    empty.touch()
    async with served(Server(), context) as port:
        settings = Settings(base_url=f"https://127.0.0.1:{port}/", ca_file=str(path))
        async with opened(settings) as transport:
            assert (await transport.send(request(settings.root_url))).status == 200
    for bad in (tmp_path / "none.pem", empty):
        with pytest.raises(ConfigurationError, match=bad.name):
            own_ssl_context(str(bad))


async def test_tls_before_1_2_is_refused(authority: trustme.CA) -> None:
    """A server that knows only TLS 1.1 gets no request."""
    context, mine = contexts(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = Server()
    async with served(server, context) as port:
        settings = Settings(base_url=f"https://127.0.0.1:{port}/", ssl_context=mine)
        async with opened(settings) as transport:
            error = await failure(transport.send(request(settings.root_url)), NotSent)

    assert error.sent is Sent.NO
    assert server.requests == []


async def test_session_keys_are_written_nowhere(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSLKEYLOGFILE`, which the standard library's default context honours, gets none of our keys."""
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    context, mine = contexts(authority)
    async with served(Server(), context) as port:
        settings = Settings(base_url=f"https://127.0.0.1:{port}/", ssl_context=mine)
        async with opened(settings) as transport:
            reply = await transport.send(request(settings.root_url))

    assert reply.status == 200
    assert not log.exists()


# --- what counts as sent ---


@pytest.mark.parametrize("state", ["unopened", "closed"])
async def test_a_transport_that_is_not_open_says_so(state: str) -> None:
    """Before it is opened and after it was closed a transport sends nothing."""
    transport = Transport(Settings(base_url="http://127.0.0.1:1/"))
    if state == "closed":
        transport.open()
        await transport.aclose()

    error = await failure(transport.send(request("http://127.0.0.1:1/")), ConfigurationError)

    assert (error.sent, error.endpoint) == (Sent.NO, "get_thing")


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let names resolve only when the second event is set; the first says that somebody asks."""
    asked, answer = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def getaddrinfo(*args: object, **kwargs: object) -> object:
        asked.set()
        answer.wait(30)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked, answer
    answer.set()


async def test_closing_cancels_nobody_who_looks_up_a_name(
    slow_names: tuple[threading.Event, threading.Event],
) -> None:
    """A call whose host name is being looked up when the client is closed was not sent, and is not cancelled."""
    asked, answer = slow_names
    async with served(Server()) as port:
        url = f"http://localhost:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            task = asyncio.create_task(transport.send(request(url)))
            await asyncio.to_thread(asked.wait, 30)

            await transport.aclose()
            answer.set()
            [outcome] = await outcomes([task])

    assert isinstance(outcome, NotSent)


async def test_closing_ends_calls_in_flight_as_flawed() -> None:
    """A request that a connection has when the client is closed gets no whole reply."""
    silent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        silent.set()
        await reader.read(1)
        writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            task = asyncio.create_task(transport.send(request(url)))
            await silent.wait()
            await transport.aclose()
            reply = await task

    assert reply.flaw is not None
    assert "connection failed" in reply.flaw
    assert (reply.status, reply.body, reply.timed_out) == (0, b"", False)


async def test_a_call_leaves_nothing_in_the_context_of_its_caller() -> None:
    """What is sent, with its token, is known to the caller's task only for as long as it is being sent."""
    before = dict(contextvars.copy_context())
    async with served(Server()) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            await transport.send(request(url))
            after = dict(contextvars.copy_context())

    assert after == before


# --- bodies ---


@pytest.fixture(params=[False, True], ids=["direct", "session"])
def through_session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Send in one way and in the other."""
    monkeypatch.setattr(Transport, "through_session", request.param)
    return bool(request.param)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024])
@pytest.mark.parametrize("parts", [1, 2, 7])
async def test_a_body_of_the_largest_size_is_read_whole(size: int, parts: int) -> None:
    """A body up to the limit arrives as it was sent, in however many parts."""
    body = bytes(number % 251 for number in range(size))

    reply = await exchange(body, parts, limit=1024)

    assert (reply.body, reply.flaw) == (body, None)


@pytest.mark.parametrize("size", [1025, 5000, 300_000])
@pytest.mark.parametrize("parts", [1, 2, 7])
async def test_a_body_that_is_too_large_is_a_flaw(size: int, parts: int, through_session: bool) -> None:
    """A body over the limit is not read to its end, and nothing of it is kept."""
    reply = await exchange(b"x" * size, parts, limit=1024)

    assert reply.flaw == "the reply is larger than 1024 bytes"
    assert (reply.status, reply.body) == (0, b"")


async def exchange(body: bytes, parts: int, limit: int) -> HttpReply:
    """Have a body sent in so many parts, and return the reply."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            step = -(-len(body) // parts) or 1
            for start in range(0, len(body), step):
                writer.write(body[start : start + step])
                await writer.drain()
                for _ in range(3):
                    await asyncio.sleep(0)
            await reader.read(1)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url, max_reply_bytes=limit)) as transport:
            reply = await transport.send(request(url))
    return reply


# --- moments ---


async def test_a_server_that_speaks_first_gets_no_request(authority: trustme.CA) -> None:
    """Bytes that are there before anything was sent on a new connection end it: the call was not sent."""
    context, mine = contexts(authority)
    # Up to TLS 1.2 the server has the last word of the handshake, and may go on talking in the same packet.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    received: list[bytes] = []

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(ANSWER)

        def data_received(self, data: bytes) -> None:
            received.append(data)

    server = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with opened(Settings(base_url=url, ssl_context=mine)) as transport:
            error = await failure(transport.send(request(url)), NotSent)

    assert error.sent is Sent.NO
    assert received == []


@pytest.mark.parametrize("parts", [[ANSWER], [ANSWER[:-2], ANSWER[-2:]]], ids=["at-once", "body-later"])
@virtual
async def test_an_answer_that_comes_with_the_end_of_its_time_counts(parts: list[bytes], through_session: bool) -> None:
    """A reply that is whole when the time is up, and has not been looked at yet, is the reply."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            for part in parts:
                await asyncio.sleep(1)
                writer.write(part)
            loop.now += 100  # the loop was blocked: the end of the answer and the alarm are seen in the same turn
        writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            replies = [await transport.send(request(url)) for _ in range(3)]

    assert [(reply.status, reply.body, reply.flaw) for reply in replies] == [(200, b"{}", None)] * 3


@virtual
async def test_each_request_is_cut_off_when_its_own_time_is_up() -> None:
    """Requests with more and less time, begun in any order, each end at their own end, and none with another."""
    loop = asyncio.get_running_loop()
    ends: dict[float, float] = {}

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    async with served(silent) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:

            async def send(seconds: float) -> HttpReply:
                reply = await transport.send(request(url, timeout_s=seconds))
                ends[seconds] = loop.time()
                return reply

            replies = await asyncio.gather(*(send(seconds) for seconds in (7.5, 3.25, 20.0, 3.0, 12.0)))

    assert {seconds: round(end, 6) for seconds, end in ends.items()} == {s: s for s in (7.5, 3.25, 20.0, 3.0, 12.0)}
    assert {(reply.flaw, reply.timed_out) for reply in replies} == {("no whole reply came in time", True)}


@pytest.mark.parametrize("seconds", [(20.0, 6.5), (6.5, 20.0)], ids=["connecting", "the-attempt"])
@virtual
async def test_a_peer_that_does_not_answer_the_connection_is_not_waited_for(seconds: tuple[float, float]) -> None:
    """A connection that is not made in the time for connecting, or for the attempt, was not used: nothing was sent."""
    attempt_s, connect_s = seconds
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        async with opened(Settings(base_url=url, connect_timeout_s=connect_s)) as transport:
            error = await failure(transport.send(request(url, timeout_s=attempt_s)), NotSent)

    assert round(loop.time(), 6) == 6.5
    assert "in time" in str(error)


async def test_stale_bytes_are_seen_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no `poll`, as on Windows, `select` finds the bytes that nobody asked for, and no others."""
    monkeypatch.delattr("select.poll")
    server = Server()
    async with served(server) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            bodies = [(await transport.send(request(url))).body for _ in range(3)]
            server.push(ANSWER)
            bodies.append((await transport.send(request(url))).body)

    assert bodies == [b"1", b"2", b"3", b"4"]
    assert server.connections == 2


async def test_a_header_of_a_gateway_is_read() -> None:
    """A header of 60 KiB above a reply is no flaw of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Policy: %b\r\nContent-Length: 2\r\n\r\n{}" % (b"a" * 60_000))
        writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            reply = await transport.send(request(url))

    assert (reply.flaw, reply.status) == (None, 200)


@pytest.mark.parametrize(
    ("answer_first", "early"), [(True, True), (False, False)], ids=["before-the-body", "after-the-body"]
)
@pytest.mark.parametrize("size", [0, 100, 20_000_000], ids=["no-body", "small", "large"])
async def test_a_reply_that_begins_before_the_request_has_ended_is_early(
    size: int, answer_first: bool, early: bool, through_session: bool
) -> None:
    """A reply is early when it begins while the socket has not yet taken the last byte of the request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not answer_first:
            await reader.readexactly(size)
        writer.write(ANSWER)
        await writer.drain()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readexactly(size)
        writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            reply = await transport.send(request(url, method="POST", body=bytes(size) or None))

    assert (reply.status, reply.early) == (200, early and size > 1_000_000)


async def test_each_request_has_its_connection_where_none_is_used_again() -> None:
    """With `reuse_connections=False` each request is made on a connection of its own."""
    server = Server()
    async with served(server) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url, reuse_connections=False)) as transport:
            for _ in range(3):
                await transport.send(request(url))

    assert server.connections == 3
    assert all(b"Connection: close" in head for head in server.requests)


@pytest.mark.parametrize(
    ("header", "said"),
    [("Proxy-Authenticate: NTLM TlRM", "(it wants NTLM)"), ("X-Other: 1", "answered 407")],
    ids=["kind", "no-kind"],
)
async def test_a_proxy_that_refuses_is_named(header: str, said: str) -> None:
    """The error of a proxy's 407 says so, and which kind of login the proxy wants."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 407 Proxy Authentication Required\r\n{header}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with served(refuse) as port:
        settings = Settings(base_url="https://caxton.invalid/", proxy=f"http://127.0.0.1:{port}")
        async with opened(settings) as transport:
            error = await failure(transport.send(request("https://caxton.invalid/")), NotSent)

    assert "the proxy answered 407" in str(error)
    assert said in str(error)


async def test_a_proxy_that_breaks_off_has_not_been_given_the_request() -> None:
    """A payment that waits for the proxy's way to the host was not sent."""

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with served(break_off) as port:
        settings = Settings(base_url="https://caxton.invalid/", proxy=f"http://127.0.0.1:{port}")
        async with opened(settings) as transport:
            error = await failure(transport.send(request("https://caxton.invalid/")), NotSent)

    assert error.sent is Sent.NO


async def test_a_proxy_is_logged_in_to() -> None:
    """A request over plain HTTP is handed to the proxy itself, with the login that stands in its URL."""
    server = Server()
    async with served(server) as port:
        settings = Settings(base_url="http://127.0.0.1:9/", proxy=f"http://ada:s3cret@127.0.0.1:{port}")
        async with opened(settings) as transport:
            await transport.send(request("http://127.0.0.1:9/"))

    [head] = server.requests
    assert head.startswith(b"GET http://127.0.0.1:9/ HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YWRhOnMzY3JldA==" in head


async def test_the_session_repeats_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a connection that was used before breaks under a GET, `ClientSession` would send it again by itself."""
    monkeypatch.setattr(Transport, "through_session", True)
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        server.requests += [first, await reader.readuntil(b"\r\n\r\n")]
        writer.close()

    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            replies = [await transport.send(request(url)) for _ in range(2)]

    assert [reply.flaw for reply in replies] == [None, "the connection failed (ClientError)"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("value", ["a\r\nHost: elsewhere", "a\nb", "a\0b"], ids=["crlf", "lf", "nul"])
async def test_a_header_that_would_end_its_line_goes_nowhere(value: str) -> None:
    """Whatever let such a value in, nothing of the request is written."""
    server = Server()
    async with served(server) as port:
        url = f"http://127.0.0.1:{port}/"
        async with opened(Settings(base_url=url)) as transport:
            reply = await transport.send(request(url, headers={"IdentityNumber": value}))

    assert reply.flaw == "the connection failed (ValueError)"
    assert server.requests == []


async def test_a_proxy_that_is_not_there_is_named() -> None:
    """A connection that the proxy's host refuses is said to be the proxy's."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        proxy = f"http://127.0.0.1:{gone.getsockname()[1]}"
    async with opened(Settings(base_url="https://caxton.invalid/", proxy=proxy)) as transport:
        error = await failure(transport.send(request("https://caxton.invalid/")), NotSent)

    assert "the proxy could not be reached (ConnectionRefusedError)" in str(error)


async def test_parts_of_aiohttp_that_changed_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where aiohttp's parts take other arguments, calls go through its session, and one warning says so."""
    monkeypatch.setattr(aiohttp.StreamReader, "read_nowait", lambda self, more: None)
    can_be_direct.cache_clear()
    server = Server()
    try:
        async with served(server) as port:
            url = f"http://127.0.0.1:{port}/"
            settings = Settings(base_url=url)
            async with opened(settings), opened(settings) as transport:
                monkeypatch.undo()
                reply = await transport.send(request(url))
    finally:
        can_be_direct.cache_clear()

    assert reply.status == 200
    assert [record.levelname for record in caplog.records if "ClientSession" in record.message] == ["WARNING"]


@pytest.mark.parametrize("kind", [TypeError, AttributeError, NotImplementedError, KeyError, ValueError, RuntimeError])
async def test_a_fault_of_the_http_library_is_not_one_of_the_network(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong inside the HTTP library is said as it is, and nothing suggests to try again."""

    def broken(*_: object, **__: object) -> None:
        raise kind("missing 1 required keyword-only argument")

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", broken)
    async with opened(Settings(base_url="http://127.0.0.1:9/")) as transport:
        error = await failure(transport.send(request("http://127.0.0.1:9/")), ConfigurationError)

    assert (error.sent, error.safe_to_retry) == (Sent.NO, False)
    assert "missing 1 required" in str(error)


async def test_what_answers_in_place_of_the_session_gets_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that fakes `ClientSession` is not gone past: its test would reach the network."""

    async def broken(*_: object, **__: object) -> None:
        raise TypeError("missing 1 required keyword-only argument")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", broken)
    async with opened(Settings(base_url="http://127.0.0.1:9/")) as transport:
        error = await failure(transport.send(request("http://127.0.0.1:9/")), ConfigurationError)

    assert "missing 1 required" in str(error)
