"""The cases that take more than one scripted answer: networks, idle connections, storms, and what is refused here.

Each play makes the call that is judged, and asserts by itself only what the judgement cannot see.
"""

import asyncio
import socket
from collections.abc import Callable

from attrs import evolve

from caxton_async import Credentials, Settings
from caxton_async.endpoints import BANKS_FOR_CURRENCY
from caxton_async.models import BanksForCurrency
from tests.faults.bench import Bench
from tests.faults.kinds import LOGIN, PASSWORD, Kind
from tests.faults.outcomes import CALLERS
from tests.faults.scripts import DENIED, Play, answers
from tests.faults.server import HOST, Connection, Script, Server, end, reply, silence

SILENT_S = 0.2  # how long a case about silence lasts


# --- connecting ---


async def refused(bench: Bench) -> object:
    """Connect to a port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return await bench.call(base_url=f"http://{HOST}:{bound.getsockname()[1]}/api/")


async def no_such_host(bench: Bench) -> object:
    """Name a host that does not resolve; the tests' own resolver answers, and no packet leaves."""
    return await bench.call(base_url="https://api.invalid/api/")


async def no_room_to_connect(bench: Bench) -> object:
    """Connect to a port whose queue is full: nobody answers."""
    with socket.create_server((HOST, 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        return await bench.call(base_url=f"http://{HOST}:{port}/api/", connect_timeout_s=SILENT_S)


async def no_free_place(bench: Bench) -> object:
    """Call while another call holds the only place."""
    released = asyncio.Event()

    async def held(_: Connection) -> None:
        await released.wait()

    bench.arm(held, reply(PASSWORD.ok), kind=PASSWORD)
    caxton = await bench.open(max_connections=1)
    first = asyncio.create_task(PASSWORD.call(caxton))
    await bench.server.until(lambda: bench.server.requests)
    bench.forget()
    try:
        return await bench.kind.call(caxton.with_options(deadline_s=SILENT_S))
    finally:
        released.set()
        assert PASSWORD.is_right(await first)


# --- connections that were used before ---


async def dies_when_used_again(bench: Bench) -> object:
    """End a connection that was used before, once the next request was read."""
    caxton = await bench.warm_up()
    bench.arm(end, times=1)
    try:
        return await bench.kind.call(caxton)
    finally:
        assert bench.server.requests[0].connection == 1, "the call was not made on the idle connection"


async def ended_while_idle(bench: Bench) -> object:
    """End the idle connection before the call."""
    caxton = await bench.warm_up()
    await bench.server.hang_up()
    return await bench.kind.call(caxton)


def pushed(build: Callable[[Kind], bytes], *, turns: int = 0) -> Play:
    """Push bytes onto the idle connection, some turns of the event loop before the call."""

    async def play(bench: Bench) -> object:
        caxton = await bench.warm_up()
        bench.server.push(build(bench.kind))
        for _ in range(turns):
            await asyncio.sleep(0)
        return await bench.kind.call(caxton)

    return play


async def sets_a_cookie(bench: Bench) -> object:
    """Have the answer before set a cookie, and see that it is not sent back."""
    bench.arm(reply(PASSWORD.ok, "200 OK", "Set-Cookie: session=1; Path=/"), kind=PASSWORD)
    caxton = await bench.warm_up()
    bench.heal()
    result = await bench.kind.call(caxton)
    assert "cookie" not in bench.server.requests[0].headers
    return result


async def redirects_elsewhere(bench: Bench) -> object:
    """Send the call to another origin, and see that nothing goes there."""
    async with Server(lambda _: (reply(bench.kind.ok),)) as elsewhere:
        bench.arm(reply(b"", "307 Temporary Redirect", f"Location: {elsewhere.origin}{bench.kind.path}"))
        try:
            return await bench.call()
        finally:
            assert elsewhere.connections == 0


# --- time ---


async def cancelled(bench: Bench) -> object:
    """Cancel the caller once the request was read."""
    bench.arm(silence)
    call = asyncio.create_task(bench.kind.call(await bench.open()))
    await bench.server.until(lambda: bench.requests)
    call.cancel()
    return await call


def slow(build: Callable[[Kind], Script]) -> Play:
    """Carry out a script that does not come to an end in time; the connection is there, so that the time is its own."""

    async def play(bench: Bench) -> object:
        caxton = await bench.warm_up(token_timeout_s=SILENT_S)
        bench.arm(*build(bench.kind))
        return await bench.kind.call(caxton.with_options(attempt_timeout_s=SILENT_S))

    return play


async def deadline(bench: Bench) -> object:
    """Let the deadline of the whole call pass in silence."""
    caxton = await bench.warm_up()
    bench.arm(silence)
    return await bench.kind.call(caxton.with_options(deadline_s=SILENT_S))


# --- tokens ---


async def storm(bench: Bench) -> object:
    """Refuse the token of many calls at once: each is made again, after one login for all of them."""
    everybody_is_here = asyncio.Event()

    async def held(_: Connection) -> None:
        if bench.requests == CALLERS:
            everybody_is_here.set()
        await everybody_is_here.wait()

    bench.arm(held, DENIED, times=CALLERS)
    caxton = await bench.open()
    results = await asyncio.gather(*(bench.kind.call(caxton) for _ in range(CALLERS)))
    assert all(bench.kind.is_right(result) for result in results)
    assert bench.logins == 1
    return results[0]


async def nobody_gets_in(bench: Bench) -> object:
    """Refuse the one login that many calls wait for: each gets an error of its own."""
    bench.arm(reply(b'{"error": "invalid_grant", "error_description": "no"}', "400 Bad Request"), kind=LOGIN)
    caxton = await bench.open(token_store=None)
    errors = await asyncio.gather(*(bench.kind.call(caxton) for _ in range(CALLERS)), return_exceptions=True)
    assert len({id(error) for error in errors}) == CALLERS
    assert {type(error) for error in errors} == {type(errors[0])}
    assert bench.logins == 1
    raise errors[0]


async def token_with_line_break(bench: Bench) -> object:
    """Answer the login with a token that would break out of its header."""
    return await answers(lambda kind: (reply(kind.ok.replace(b"canary", b"canary\\r\\nX: ")),))(bench)


# --- what is refused before anything is sent ---


def bad_header(value: str) -> Play:
    """Give a value that no header can carry."""

    async def play(bench: Bench) -> object:
        caxton = await bench.open()
        return await bench.kind.call(caxton.for_account(value))

    return play


def bad_name(value: str) -> Play:
    """Give a user name that is none."""

    async def play(bench: Bench) -> object:
        return Credentials(value, "client")

    return play


def bad_path(value: str) -> Play:
    """Give a value that a path cannot carry: as an argument where the path has one, else as the path."""

    async def play(bench: Bench) -> object:
        caxton = await bench.open()
        if bench.kind.column == "look_up":
            return await caxton.call(BANKS_FOR_CURRENCY, BanksForCurrency(value))
        return evolve(caxton.settings, paths={bench.kind.endpoint: value})

    return play


def bad_url(url: str) -> Play:
    """Give a base URL that would lead credentials astray."""

    async def play(bench: Bench) -> object:
        return Settings(base_url=url)

    return play
