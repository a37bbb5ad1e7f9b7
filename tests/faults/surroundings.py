"""The cases about what surrounds a call: certificates, and what the environment of the process says."""

import datetime as dt
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme

from tests.faults.bench import Bench
from tests.faults.scripts import Play
from tests.faults.server import HOST, At, Server, end, reply
from tests.support import canary


@contextmanager
def _named_by(variable: str, content: bytes) -> Iterator[Path]:
    """Have an environment variable name a file of this content."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder, "file")
        file.write_bytes(content)
        patch.setenv(variable, str(file))
        yield file


def tls(identity: str = HOST, *, trusted: bool = True, expired: bool = False, given: bool = False) -> Play:
    """Serve over TLS with a certificate for `identity`; its authority is trusted by the system, or a context given."""

    async def play(bench: Bench) -> object:
        authority = trustme.CA()
        end_of_life = dt.datetime(2001, 1, 1, tzinfo=dt.UTC) if expired else None
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(identity, not_after=end_of_life).configure_cert(theirs)
        system = authority.cert_pem.bytes() if trusted and not given else b""
        with _named_by("SSL_CERT_FILE", system), _named_by("SSLKEYLOGFILE", b"") as keys:
            ours = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode()) if given else None
            async with Server(bench.server.answer, theirs) as server:
                try:
                    return await bench.call(base_url=f"{server.origin}/api/", ssl_context=ours)
                finally:
                    bench.server.requests += server.requests
                    await bench.close_clients()
                    assert given or keys.stat().st_size == 0, "the keys of TLS were written down"

    return play


async def plain_on_a_tls_port(bench: Bench) -> object:
    """Speak plain HTTP to a port of TLS."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(theirs)
    async with Server(bench.server.answer, theirs) as server:
        try:
            return await bench.call(base_url=f"{server.origin.replace('https', 'http')}/api/")
        finally:
            assert server.requests == []
            await bench.close_clients()


async def tls_on_a_plain_port(bench: Bench) -> object:
    """Speak TLS to a port of plain HTTP."""
    async with Server(lambda _: (reply(b"", "400 Bad Request"), end)) as server:
        server.at = At.FIRST_BYTE
        try:
            return await bench.call(base_url=f"{server.origin.replace('http', 'https')}/api/")
        finally:
            assert server.requests == []
            await bench.close_clients()


async def proxies_in_the_environment(bench: Bench) -> object:
    """Name proxies in the environment, and see that nothing goes there."""
    async with Server(lambda _: (reply(bench.kind.ok),)) as proxy:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
                patch.setenv(name, proxy.origin)
                patch.setenv(name.upper(), proxy.origin)
            patch.delenv("no_proxy", raising=False)
            patch.delenv("NO_PROXY", raising=False)
            try:
                return await bench.call()
            finally:
                assert proxy.connections == 0


async def netrc_in_the_environment(bench: Bench) -> object:
    """Name a password for the host in a netrc file, and see that it is not sent."""
    with _named_by("NETRC", f"machine {HOST} login somebody password {canary.PASSWORD}\n".encode()):
        result = await bench.call()
    assert "basic" not in bench.server.requests[0].headers.get("authorization", "").lower()
    return result
