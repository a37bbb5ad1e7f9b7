"""A call that must not be repeated reaches the server once at most, and its error says what is known."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from attrs import frozen

from caxton_async import (
    CaxtonClient,
    Credentials,
    Endpoint,
    Event,
    NotSent,
    OutcomeUnknown,
    Sent,
    Settings,
    UnreadableReply,
)
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import RESET_CREDENTIALS
from caxton_async.models import ResetCredentials
from tests.faults.server import Request, Script, Server
from tests.support.harness import assert_clean, client, failure, kinds, virtual
from tests.support.replies import VALID, envelope


@frozen
class Thing:
    thing_id: int


ONE_GET = Endpoint("one_get", "GET", "things/{thing_id}", Thing)
ONE_DELETE = Endpoint("one_delete", "DELETE", "things/{thing_id}", Thing)
MANY_GETS = Endpoint("many_gets", "GET", "things/{thing_id}", Thing, repeatable=True)

CALLS: dict[str, Callable[[CaxtonClient], Awaitable[object]]] = {
    "post": lambda caxton: caxton.wallets.create("w"),
    "put": lambda caxton: caxton.call(RESET_CREDENTIALS, ResetCredentials()),
    "get": lambda caxton: caxton.call(ONE_GET, Thing(1)),
    "delete": lambda caxton: caxton.call(ONE_DELETE, Thing(1)),
}
NAMES = {"post": "create_wallet", "put": "reset_credentials", "get": None, "delete": None}

# What the server records of a call: those that end before it has read the request are not recorded.
FAULTS = {
    "reset_on_accept": 0,
    "reset_before_read": 0,
    "reset_after_read": 1,
    "reset_after_work": 1,
    "close_after_read": 1,
    "close_after_work": 1,
    "black_hole": 1,
    "black_hole_after_work": 1,
    "slow_head": 1,
    "slow_body": 1,
    "truncated_body": 1,
    "truncated_chunked": 1,
    "garbage": 1,
    "html": 1,
    "gzip_bomb": 1,
    "huge_body": 1,
    "redirect": 1,
    "server_error_before": 1,
    "server_error_after": 1,
    "mangled": 1,
}


# A connection can be reset as soon as it is made only when it is made.
CASES = [(fault, use) for fault in FAULTS for use in ("fresh", "used-before")]
CASES.remove(("reset_on_accept", "used-before"))


@pytest.mark.parametrize(("fault", "connection"), CASES)
@pytest.mark.parametrize("method", CALLS)
@virtual
async def test_an_unknown_outcome_is_not_sent_again(fault: str, method: str, connection: str) -> None:
    """Whatever ends a call without an answer, the server sees it once, and the error says that nobody knows."""
    events: list[Event] = []
    async with (
        Emulator() as emulator,
        client(emulator, max_reply_bytes=65_536, attempt_timeout_s=7.5, on_event=events.append) as caxton,
    ):
        if connection == "fresh":
            emulator.faults.add(Fault("close_after_answer", endpoint="get_access_token"))
        await caxton.auth.access_token()
        slow = {"seconds": 1.0} if fault.startswith("slow") else {}
        armed = emulator.faults.add(Fault(fault, times=None, **slow))

        error = await failure(CALLS[method](caxton), OutcomeUnknown)
        events.clear()
        second = await failure(CALLS[method](caxton), OutcomeUnknown)

        assert emulator.count(NAMES[method]) == 2 * FAULTS[fault]
        assert armed.hits == 2
        assert (error.sent, error.safe_to_retry, second.sent) == (Sent.UNKNOWN, False, Sent.UNKNOWN)
        assert [kind for _, kind in kinds(events)] == ["attempt", "outcome_unknown"]
        assert_clean(error, secrets_of(emulator))


def secrets_of(emulator: Emulator) -> list[str]:
    """Return what no text may show: the password and the tokens."""
    return [emulator.credentials.password.reveal(), *emulator.ledger.accounts.tokens]


@virtual
async def test_a_refused_connection_is_tried_again_and_was_not_sent() -> None:
    """While nothing listens a call is tried again, and then fails as not sent; when something does, it is sent once."""
    events: list[Event] = []
    async with Emulator() as emulator, client(emulator, on_event=events.append) as caxton:
        await caxton.auth.access_token()
        deaf = emulator.faults.add(Fault("refuse"))
        events.clear()

        error = await failure(caxton.wallets.create("w"), NotSent)
        deaf.release()
        await caxton.wallets.create("w")

        assert (error.sent, error.safe_to_retry) == (Sent.NO, True)
        assert_clean(error, secrets_of(emulator))
        assert [kind for _, kind in kinds(events)] == [
            *["attempt", "retry"] * 2,
            "attempt",
            "failed",
            "attempt",
            "answered",
        ]
        assert emulator.count("create_wallet") == 1


@pytest.mark.parametrize("method", CALLS)
async def test_a_redirect_is_not_followed_to_another_host(method: str) -> None:
    """A redirect to another host, which must not see the headers or the body, makes no connection there."""
    async with Emulator(seed=1) as other, Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("redirect", location=f"{other.base_url}wallets"))

        error = await failure(CALLS[method](caxton.for_account("ID-1").for_user("user-token")), OutcomeUnknown)

        assert error.http_status == 307
        assert emulator.count(NAMES[method]) == 1
        assert (other.requests, other.connections) == ([], 0)


@pytest.mark.parametrize("fault", ["reset_after_read", "close_after_read", "reset_before_read"])
@pytest.mark.parametrize("connection", ["fresh", "used-before"])
@virtual
async def test_a_repeatable_call_is_repeated_by_our_count_alone(fault: str, connection: str) -> None:
    """A look-up is sent as often as the policy says, and not once more by the HTTP library behind its back."""
    async with Emulator() as emulator, client(emulator, max_attempts=2) as caxton:
        if connection == "fresh":
            emulator.faults.add(Fault("close_after_answer", endpoint="get_access_token"))
        await caxton.auth.access_token()
        armed = emulator.faults.add(Fault(fault, times=None))

        error = await failure(caxton.call(MANY_GETS, Thing(1)), UnreadableReply)

        assert armed.hits == 2
        assert (error.sent, error.safe_to_retry) == (Sent.UNKNOWN, True)
        assert_clean(error, secrets_of(emulator))


# --- answers that nobody asked for ---

STALE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="a-second-answer"),
        pytest.param(STALE, id="a-bare-answer"),
        pytest.param(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", id="408"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="100"),
        pytest.param(STALE[:30], id="half-a-head"),
        pytest.param(b"\r\n", id="a-line-break"),
        pytest.param(b"x", id="a-byte"),
    ],
)
@pytest.mark.parametrize("moment", ["read-by-the-loop", "still-in-the-socket"])
async def test_bytes_on_an_idle_connection_never_reach_the_next_call(raw: bytes | None, moment: str) -> None:
    """What comes unasked on an idle connection, read by the loop or not, is not taken for the next call's answer."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.wallets.create("first")
        for number in range(5):
            stale = emulator.faults.add(Fault("stale_bytes", endpoint="create_wallet", held=True, raw=raw))
            first = await caxton.wallets.create(f"early {number}")
            stale.release()
            await stale.applied()  # handed to the socket; the client's side of the loop has not looked yet
            for _ in range(5 if moment == "read-by-the-loop" else 0):
                await asyncio.sleep(0)

            second = await caxton.wallets.create(f"late {number}")

            assert (first.name, second.name) == (f"early {number}", f"late {number}")
        assert emulator.count("create_wallet") == 11


async def test_a_healthy_connection_is_used_again() -> None:
    """Calls one after the other go over one connection: the check of idle connections throws no good one away."""
    async with Emulator() as emulator, client(emulator) as caxton:
        connects = emulator.faults.add(Fault("reset_on_accept", after=10**6))

        for number in range(20):
            await caxton.wallets.create(f"w {number}")

        assert connects.offered == 1
        assert emulator.count("create_wallet") == 20


@pytest.mark.parametrize(
    ("first", "outcomes"),
    [
        pytest.param(
            (200, envelope({"WalletId": 1, "Name": "0"} | VALID)), ["Wallet", "OutcomeUnknown", "Wallet"], id="accepted"
        ),
        pytest.param((400, {"Message": "No."}), ["ApiError", "Wallet", "Wallet"], id="refused"),
    ],
)
async def test_an_answer_that_comes_twice_answers_no_further_call(
    first: tuple[int, object] | None, outcomes: list[str]
) -> None:
    """A second copy of an answer that meets the next request costs that call at most, and none after it."""
    late: list[bytes] = []  # what the first connection still has to send: its answers lag behind by one

    def answer(request: Request) -> Script:
        if request.target.endswith("token"):
            return (as_http(200, {"access_token": "t", "token_type": "bearer", "expires_in": 3600}),)
        own = as_http(200, envelope({"WalletId": 1, **json.loads(request.body)} | VALID))
        if request.connection > 1:
            return (own,)
        late.extend([as_http(*first) if first else own] * 2 if not late else [own])
        return (late.pop(0),)

    async with Server(answer) as server:
        settings = Settings(base_url=f"{server.origin}/api/", paths={"get_access_token": "token"})
        async with CaxtonClient(Credentials("u", "c", "password"), settings) as caxton:
            said = [
                type(outcome).__name__
                for number in range(3)
                for outcome in await asyncio.gather(caxton.wallets.create(str(number)), return_exceptions=True)
            ]

    assert said == outcomes
    assert len(server.requests) == 4


def as_http(status: int, body: object) -> bytes:
    """Write a whole reply."""
    content = json.dumps(body).encode()
    return b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%b" % (status, len(content), content)
