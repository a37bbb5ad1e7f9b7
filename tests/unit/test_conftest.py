"""The tests' own surroundings: the guard of the network, the search for what was left."""

import socket

import pytest

from tests.support.places import ROOT

pytest_plugins = ["pytester"]


def test_a_name_that_is_not_ours_does_not_resolve() -> None:
    """A foreign name gets the resolver's own answer for unknown names, without the resolver being asked."""
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("caxton.test", 443)


def test_our_own_names_resolve() -> None:
    """This machine's own names and numbers pass the guard."""
    addresses = {info[4][0] for host in ("localhost", "127.0.0.1") for info in socket.getaddrinfo(host, 80)}

    assert "127.0.0.1" in addresses


LEAKS = {
    "task": "asyncio.get_running_loop().leak = asyncio.create_task(asyncio.Event().wait())",
    "socket": "asyncio.get_running_loop().leak = socket.socket()",
    "stray": "socket.socket().connect_ex(('192.0.2.1', 443))",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_what_is_left_behind_fails_the_test_that_left_it(pytester: pytest.Pytester, leak: str) -> None:
    """A task, a socket and a connection to elsewhere each fail the test that made it; a clean test passes."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(f"""
        import asyncio, contextlib, socket

        async def test_leaks():
            with contextlib.suppress(ConnectionRefusedError):
                {LEAKS[leak]}

        async def test_is_clean():
            await asyncio.create_task(asyncio.sleep(0))
    """)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")

    result.assert_outcomes(passed=2, errors=1)
