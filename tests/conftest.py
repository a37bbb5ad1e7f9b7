"""What every test has around it: loopback and nothing else, and nothing left open behind it."""

import asyncio
import ipaddress
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import pytest_asyncio

from tests.support.database_server import Databases, OwnServer
from tests.support.redis_server import redis_server

# Whoever started the tests in the background has them, and the programs that they start, pass over Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes is this machine's affair.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def is_loopback(host: str | bytes | None) -> bool:
    """Say whether a host, as the socket functions take it, is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every name and address that is not this machine's, and fail the test if a connection went astray.

    A name that does not resolve is an ordinary answer, which a test may want; a connection to another machine never is.
    """
    strayed: list[object] = []
    resolve = socket.getaddrinfo

    def guarded(method: str):
        real = getattr(socket.socket, method)

        def connect(sock: socket.socket, address):
            if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
                strayed.append(address)
                raise ConnectionRefusedError(f"tests connect to loopback only, not to {address}")
            return real(sock, address)

        return connect

    def getaddrinfo(host, *args, **kwargs):
        if not is_loopback(host):
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return resolve(host, *args, **kwargs)

    for method in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, guarded(method))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    assert strayed == []


def open_sockets() -> set[tuple[int, int]]:
    """List this process's open sockets as descriptor and inode: a number that is used again counts as new."""
    found = set()
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 -- `iterdir` yields the same names, wrapped
        try:
            status = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself, closed by now
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add((int(name), status.st_ino))
    return found


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Give a PostgreSQL server, and on it as many databases as are wanted."""
    folder = tmp_path_factory.mktemp("postgres")
    if dsn := os.environ.get("CAXTON_TEST_DSN"):
        yield Databases(dsn, folder)
        return
    server = OwnServer()
    yield Databases(server.dsn, folder)
    server.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give a Redis server; `CAXTON_TEST_REDIS` names another one."""
    if url := os.environ.get("CAXTON_TEST_REDIS"):
        yield url
        return
    with redis_server() as url:
        yield url


@pytest_asyncio.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fail the test if a task of its own still runs, or a socket that it opened is still open, when all is closed."""
    before = open_sockets()
    yield
    for _ in range(100):  # the loop closes sockets, and ends cancelled tasks, some turns after it was told to
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        sockets = open_sockets() - before
        if not tasks and not sockets:
            return
        await asyncio.sleep(0.001)
    pytest.fail(f"left behind: {len(sockets)} open sockets, and these tasks: {tasks}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put `nothing_left` around every asynchronous test, outermost, so that it looks when all else is torn down."""
    for item in items:
        if pytest_asyncio.is_async_test(item):
            item.fixturenames.insert(0, "nothing_left")
