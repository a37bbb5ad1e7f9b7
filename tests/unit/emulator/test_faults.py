"""The emulator's faults are real on the socket, hit the requests that they should, and say rightly what was done."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from caxton_async.emulator import Emulator, Fault, read_faults
from caxton_async.emulator.kinds import KINDS, READ
from tests.support.caller import MOVE, TEN_POUNDS, Caller, read

RAW = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator that runs."""
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def caller(emulator: Emulator) -> AsyncIterator[Caller]:
    """A caller with a token, a funded main balance and a pot."""
    async with Caller(emulator) as caller:
        await caller.open_pot()
        yield caller


def move_fault(kind: str, **options) -> Fault:
    """Make a fault of Move Funds, with bytes where its kind wants some."""
    needed = {"mangled": {"raw": RAW}, "slow_head": {"seconds": 1e-6}, "slow_body": {"seconds": 1e-6}}
    return Fault(kind, endpoint="move_funds", **needed.get(kind, {}) | options)


async def talk(caller: Caller, body: bytes | None = None) -> tuple[bytes, str]:
    """Send a move over a socket of our own; return all that comes and how it ended: `end`, `reset` or `open`."""
    body = body or json.dumps(TEN_POUNDS).encode()
    address = caller.emulator.base_url.removeprefix("http://").partition("/")[0]
    reader, writer = await asyncio.open_connection(*address.split(":"))
    head = [f"POST /api/{MOVE} HTTP/1.1", f"Host: {address}", f"Content-Length: {len(body)}"]
    head += ["Content-Type: application/json", f"Authorization: {caller.headers['Authorization']}", "", ""]
    received, ending = b"", "open"
    try:
        writer.write("\r\n".join(head).encode() + body)
        await writer.drain()
        while piece := await reader.read(65536):
            received += piece
            if is_whole(received):
                return received, ending
        ending = "end"
    except ConnectionError:
        ending = "reset"
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return received, ending


def is_whole(received: bytes) -> bool:
    """Say whether an answer with a Content-Length is there to its end."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


AT_ONCE = [kind for kind, what in KINDS.items() if what.stage == READ and "black_hole" not in kind and not what.only]


@pytest.mark.parametrize("kind", AT_ONCE)
async def test_the_work_is_done_as_often_as_the_table_says(caller: Caller, emulator: Emulator, kind: str):
    """Each kind moves the money never, once or twice; the server reads the request once; the next one is served."""
    fault = emulator.faults.add(move_fault(kind))

    await talk(caller)
    await fault.applied()
    moves = emulator.ledger.totals().moves
    status, _ = await caller.move()

    assert moves == KINDS[kind].work
    assert emulator.count("move_funds") == 2
    assert (fault.hits, status, emulator.ledger.check()) == (1, 200, ())


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("reset_after_read", "reset"),
        ("reset_after_work", "reset"),
        ("close_after_read", "end"),
        ("close_after_work", "end"),
    ],
)
async def test_a_broken_off_connection_ends_without_a_byte(caller: Caller, emulator: Emulator, kind: str, ending: str):
    """A reset is a reset, an orderly end an orderly end."""
    emulator.faults.add(move_fault(kind))

    assert await talk(caller) == (b"", ending)
    assert emulator.requests[-1].status is None


@pytest.mark.parametrize(
    ("kind", "last"),
    [("truncated_body", b'"Balances"'), ("truncated_chunked", b"}\r\n"), ("garbage", b"\r\n\r\n"), ("mangled", RAW)],
)
async def test_a_spoilt_answer_ends_early(caller: Caller, emulator: Emulator, kind: str, last: bytes):
    """What arrives is less than was promised, or no HTTP at all, and the connection ends in good order."""
    emulator.faults.add(move_fault(kind))
    received, ending = await talk(caller)

    assert last in received
    assert (is_whole(received), ending) == ((True, "open") if kind == "mangled" else (False, "end"))


@pytest.mark.parametrize("kind", ["slow_head", "slow_body"])
async def test_a_slow_answer_comes_byte_by_byte(caller: Caller, emulator: Emulator, kind: str):
    """All of it arrives in the end, and is the right answer."""
    emulator.faults.add(move_fault(kind))

    received, _ = await talk(caller)

    assert is_whole(received)
    assert b'"CcyCode":"POTBC-GBP"' in received


async def test_a_slow_answer_stops_with_its_client(caller: Caller, emulator: Emulator):
    """A client that goes away is not written to for ever."""
    fault = emulator.faults.add(move_fault("slow_head", seconds=3600))
    moving = asyncio.create_task(caller.move())
    await fault.hit()

    moving.cancel()
    await fault.applied()

    assert emulator.ledger.totals().moves == 1


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        (Fault("html"), 200, {"Content-Type": "text/html; charset=utf-8"}),
        (Fault("html", status=502), 502, {"Content-Type": "text/html; charset=utf-8"}),
        (Fault("wrong_content_type"), 200, {"Content-Type": "text/plain; charset=utf-8"}),
        (Fault("redirect"), 307, {"Location": f"/api/{MOVE}"}),
        (Fault("redirect", location="http://127.0.0.1:9/x"), 307, {"Location": "http://127.0.0.1:9/x"}),
        (Fault("unauthorised"), 401, {}),
        (Fault("rate_limited"), 429, {"Retry-After": "1"}),
        (Fault("rate_limited", retry_after="soon"), 429, {"Retry-After": "soon"}),
        (Fault("server_error_before"), 503, {}),
        (Fault("server_error_before", status=500, retry_after="7"), 500, {"Retry-After": "7"}),
        (Fault("server_error_after"), 500, {}),
        (Fault("failing_envelope"), 200, {}),
        (Fault("failing_envelope", status=400), 400, {}),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else None,
)
async def test_a_wrong_answer_has_its_status_and_headers(caller: Caller, emulator: Emulator, fault, status, headers):
    """The answer is whole, and recorded with its status."""
    emulator.faults.add(fault)

    request = caller._session.post(MOVE, json=TEN_POUNDS, headers=caller.headers, allow_redirects=False)
    async with request as response:
        await response.read()

    assert response.status == emulator.requests[-1].status == status
    assert {name: response.headers[name] for name in headers} == headers


async def test_a_failing_envelope_fails_where_its_kind_says(caller: Caller, emulator: Emulator):
    """The Model, the last item, the nested object, or the client beside a successful Model."""
    emulator.faults.add(Fault("failing_envelope"))
    _, envelope = await caller.move()
    emulator.faults.add(Fault("failing_item", times=2))
    _, item = await caller.move()
    _, nested = await caller.text("GET", "reference/lookup/bank-requirements/CA/CAD")
    emulator.faults.add(Fault("failing_authorised"))
    _, authorised = await caller.move()

    assert read(envelope)["Content"]["Model"]["ApiStatus"] == "Failed"
    first, last = read(item)["Content"]["Model"]["Balances"]
    assert (first["ApiStatus"], last["ApiStatus"]) == ("IsValid", "ItemFailed")
    assert read(nested)["Content"]["Model"]["BankRequirements"]["ApiStatus"] == "ItemFailed"
    assert read(authorised)["Content"]["Model"]["ApiStatus"] == "IsValid"
    assert read(authorised)["AuthorisedClientModel"]["ApiStatus"] == "NotAuthorised"


async def test_an_answer_without_items_keeps_its_status(caller: Caller, emulator: Emulator):
    """What has no item cannot have a failing one."""
    emulator.faults.add(Fault("failing_item"))

    _, wallet = await caller.text("POST", "wallets", {"Name": "a"})

    assert read(wallet)["Content"]["Model"]["ApiStatus"] == "IsValid"


async def test_big_answers_are_as_big_as_asked(caller: Caller, emulator: Emulator):
    """A bomb is small until it is opened; a huge body is huge; both hold the right answer."""
    size = 3 * 1024 * 1024
    emulator.faults.add(move_fault("gzip_bomb", size=size))
    emulator.faults.add(move_fault("huge_body", size=size))

    bomb, _ = await talk(caller)
    huge, _ = await talk(caller)
    head, _, packed = bomb.partition(b"\r\n\r\n")

    assert b"Content-Encoding: gzip" in head
    assert len(packed) < size / 100
    opened = gzip.decompress(packed)
    assert len(opened) >= size
    assert len(huge.partition(b"\r\n\r\n")[2]) == size
    assert read(opened.decode())["Content"]
    assert read(huge.partition(b"\r\n\r\n")[2].decode())["Content"]


async def test_a_byte_order_mark_stands_before_the_answer(caller: Caller, emulator: Emulator):
    """The rest is the right answer."""
    emulator.faults.add(move_fault("bom"))

    received, _ = await talk(caller)

    assert received.partition(b"\r\n\r\n")[2].startswith(b"\xef\xbb\xbf{")


async def test_a_held_answer_waits_for_its_release(caller: Caller, emulator: Emulator):
    """The work is done, the answer comes when it is let go, and so do all later ones."""
    fault = emulator.faults.add(Fault("latency", endpoint="move_funds", times=None, held=True))
    moving = [asyncio.create_task(caller.move()) for _ in range(3)]
    await fault.hit(3)
    done_before = [task.done() for task in moving]

    fault.release()
    statuses = [status for status, _ in await asyncio.gather(*moving)]
    statuses.append((await caller.move())[0])

    assert (done_before, statuses) == ([False] * 3, [200] * 4)
    assert (emulator.ledger.totals().moves, fault.hits) == (4, 4)


async def test_a_late_answer_comes_after_its_seconds(caller: Caller, emulator: Emulator):
    """A fault can wait by the clock."""
    fault = emulator.faults.add(Fault("latency", seconds=0.001))

    status, _ = await caller.move()

    assert (status, fault.hits, fault.applied_count) == (200, 1, 1)


@pytest.mark.parametrize(("kind", "moves"), [("black_hole", 0), ("black_hole_after_work", 1)])
async def test_a_black_hole_is_silent_until_it_is_released(caller: Caller, emulator: Emulator, kind: str, moves: int):
    """The request is read and nothing comes; at last the connection ends."""
    fault = emulator.faults.add(move_fault(kind))
    talking = asyncio.create_task(talk(caller))
    await emulator.seen("move_funds")
    was_done = talking.done()

    fault.release()

    assert (was_done, await talking) == (False, (b"", "end"))
    assert emulator.ledger.totals().moves == moves


async def test_an_emulator_ends_though_requests_are_held():
    """Silence does not outlive the emulator, and leaves no task and no socket."""
    async with Emulator(faults=[Fault("black_hole", times=None), Fault("latency", held=True)]) as emulator:
        session = aiohttp.ClientSession(emulator.base_url)
        calling = [asyncio.create_task(session.post("token", data={})) for _ in range(20)]
        await emulator.seen("get_access_token", 20)
    errors = await asyncio.gather(*calling, return_exceptions=True)
    await session.close()

    assert all(isinstance(error, aiohttp.ClientConnectionError) for error in errors)
    assert emulator.connections == 0


async def test_a_lost_client_lets_its_fault_go(caller: Caller, emulator: Emulator):
    """A client that gives up on a silent server leaves no connection behind."""
    fault = emulator.faults.add(Fault("black_hole"))
    moving = asyncio.create_task(caller.move())
    await fault.hit()

    moving.cancel()
    await fault.applied()

    assert emulator.connections == 0


async def test_a_stale_answer_is_pushed_onto_the_idle_connection(caller: Caller, emulator: Emulator):
    """The call gets its own answer; when the fault is released, bytes follow that nobody asked for."""
    fault = emulator.faults.add(Fault("stale_bytes", held=True, raw=RAW))
    status, _ = await caller.move()

    fault.release()
    await fault.applied()
    stale = await caller.text("GET", "reference/lookup/banks")

    assert status == 200
    assert stale == (200, "{}")  # aiohttp as it comes gives the stale bytes to the next request


async def test_a_connection_that_ends_after_its_answer_had_promised_to_stay(caller: Caller, emulator: Emulator):
    """The answer is whole and says nothing of the end."""
    emulator.faults.add(Fault("close_after_answer"))

    received, _ = await talk(caller)

    assert is_whole(received)
    assert b"close" not in received


async def test_early_faults_strike_before_the_request_is_read(caller: Caller, emulator: Emulator):
    """What is reset or answered at the first bytes, or on accept, is not recorded and not carried out."""
    emulator.faults.add(Fault("reset_before_read", endpoint="move_funds"))
    reset = await talk(caller, b"x" * 1_000_000)
    emulator.faults.add(Fault("answer_before_read", endpoint="move_funds", raw=RAW))
    answered = await talk(caller)
    emulator.faults.add(Fault("answer_before_read", endpoint="create_wallet", raw=RAW))
    emulator.faults.add(Fault("reset_on_accept", after=1))
    served, _ = await caller.move()
    refused = [await talk(caller) for _ in range(2)]

    assert reset == (b"", "reset")
    assert answered == (RAW, "open")
    assert served == 200
    assert [ending for _, ending in refused] == ["open", "reset"]
    assert (emulator.count("move_funds"), emulator.ledger.totals().moves) == (2, 2)


async def test_an_early_answer_can_leave_the_request_unread(caller: Caller, emulator: Emulator):
    """A held one says that all went well while most of a large body has not been read; released, it reads on."""
    fault = emulator.faults.add(Fault("answer_before_read", endpoint="move_funds", held=True))
    host, _, port = emulator.base_url.removeprefix("http://").partition("/")[0].partition(":")
    reader, writer = await asyncio.open_connection(host, port)
    size = 64 * 1024 * 1024
    writer.write(f"POST /api/{MOVE} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
    writer.write(b"x" * size)
    head = await reader.readuntil(b"\r\n\r\n")
    unsent = writer.transport.get_write_buffer_size()
    fault.release()
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert unsent > size / 2
    assert emulator.count("move_funds") == 0


async def test_half_a_request_is_none(emulator: Emulator):
    """A client that goes away while it sends is not recorded."""
    _, writer = await asyncio.open_connection(*emulator.base_url.removeprefix("http://").partition("/")[0].split(":"))
    writer.write(b"POST /api/wallets HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")

    async with Caller(emulator):
        connections = emulator.connections
        writer.close()
        await writer.wait_closed()
    await emulator.disconnected()

    assert (connections, emulator.connections) == (2, 0)
    assert [seen.endpoint for seen in emulator.requests] == ["get_access_token"]


async def test_nothing_listens_while_connections_are_refused(caller: Caller, emulator: Emulator):
    """A refusal closes idle connections too; from the instant of its release connections are let in."""
    fault = emulator.faults.add(Fault("refuse"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.move()
    with pytest.raises(ConnectionRefusedError):
        await talk(caller)

    fault.release()
    fault.release()
    status, _ = await caller.move()

    assert (status, emulator.count("move_funds")) == (200, 1)


async def test_a_refusal_may_begin_later_and_end_by_itself(caller: Caller, emulator: Emulator):
    """The request that starts it is answered; clearing all faults ends it."""
    emulator.faults.add(Fault("refuse", endpoint="move_funds", after=1, seconds=3600))
    status, _ = await caller.move()
    with pytest.raises(aiohttp.ClientConnectorError):
        await caller.move()

    emulator.faults.clear()

    assert (status, (await caller.move())[0]) == (200, 200)
    assert not emulator.faults


async def test_a_refusal_can_be_there_from_the_start():
    """An emulator may come up and not listen."""
    async with Emulator(faults=[Fault("refuse")]) as emulator, aiohttp.ClientSession(emulator.base_url) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("token")

        assert (emulator.connections, emulator.logins) == (0, 0)


async def test_a_fault_takes_the_requests_that_it_should(caller: Caller, emulator: Emulator):
    """It passes over the first ones, takes every n-th, and is used up; others go to the next fault, or are served."""
    first = emulator.faults.add(Fault("unauthorised", endpoint="move_funds", after=1, every=2, times=2))
    second = emulator.faults.add(Fault("rate_limited", endpoint="move_funds", every=3, times=None))
    await caller.text("POST", "wallets", {"Name": "a"})

    statuses = [(await caller.move())[0] for _ in range(10)]

    assert statuses == [200, 200, 401, 429, 401, 200, 200, 429, 200, 200]
    assert (first.hits, first.offered, second.hits) == (2, 10, 2)


async def test_a_fault_that_is_removed_lets_go(caller: Caller, emulator: Emulator):
    """What it holds goes on, and the next request is served; the others stay."""
    held = emulator.faults.add(Fault("latency", endpoint="move_funds", held=True, times=None))
    other = emulator.faults.add(Fault("html", endpoint="create_wallet"))
    moving = asyncio.create_task(caller.move())
    await held.hit()

    emulator.faults.remove(held)
    emulator.faults.remove(held)

    assert [(await moving)[0], (await caller.move())[0]] == [200, 200]
    assert list(emulator.faults) == [other]


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "nonsense"}, "kind"),
        ({"endpoint": "move_funds"}, "kind"),
        ({"kind": "latency", "endpoint": "move_fund"}, "endpoint"),
        ({"kind": "latency", "times": 0}, "times"),
        ({"kind": "latency", "every": "2"}, "every"),
        ({"kind": "latency", "after": -1}, "after"),
        ({"kind": "latency", "seconds": "1"}, "seconds"),
        ({"kind": "latency", "held": 1}, "held"),
        ({"kind": "html", "status": 20}, "status"),
        ({"kind": "html", "status": True}, "status"),
        ({"kind": "rate_limited", "retry_after": 1}, "retry_after"),
        ({"kind": "mangled", "raw": 1}, "raw"),
        ({"kind": "latency", "raw": "a"}, "raw"),
        ({"kind": "reset_on_accept", "endpoint": "move_funds"}, "endpoint"),
        ({"kind": "refuse", "every": 2}, "every"),
        ({"kind": "latency", "second": 1}, "second"),
        ({"kind": "latency", "variant": "empty"}, "variant"),
        ({"kind": "unauthorised", "variant": "name"}, "variant"),
        ({"kind": "login_error", "endpoint": "move_funds"}, "endpoint"),
        ({"kind": "latency", "acting_for": 1}, "acting_for"),
        ("latency", "object"),
    ],
    ids=str,
)
async def test_a_wrong_file_of_faults_is_refused_by_entry_and_field(tmp_path: Path, entry, field: str):
    """The message says where the mistake is; nothing of the file is used."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"kind": "latency"}, entry]))
    emulator = Emulator()

    with pytest.raises(ValueError, match=rf"faults\.json: entry 2: .*{field}"):
        emulator.faults.load(path)

    assert not emulator.faults


@pytest.mark.parametrize("text", ["{", "{}"], ids=["no JSON", "no list"])
async def test_a_file_that_is_no_list_is_refused(tmp_path: Path, text: str):
    """The file is named."""
    (tmp_path / "faults.json").write_text(text)

    with pytest.raises(ValueError, match=r"faults\.json: not a"):
        read_faults(tmp_path / "faults.json")


async def test_a_file_of_faults_is_used_in_its_order(tmp_path: Path, caller: Caller, emulator: Emulator):
    """Members are the parameters of a fault; bytes are given as text."""
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"kind": "html", "times": None, "every": 2}, {"kind": "mangled", "raw": RAW.decode()}]))
    emulator.faults.load(path)

    received = [(await talk(caller))[0] for _ in range(2)]

    assert received[0] == RAW
    assert b"text/html" in received[1]
