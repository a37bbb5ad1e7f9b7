"""Promises that no fault of the network puts to the test: each is kept by one setting, and is lost without it."""

import asyncio
import itertools
from pathlib import Path

import pytest
from attrs import frozen

from caxton_async import CaxtonClient, CaxtonError, Credentials, Endpoint, OutcomeUnknown, Settings
from caxton_async.auth.stores import MemoryStore
from caxton_async.auth.token import Token
from caxton_async.errors import ApiError, NotFound, ServerFailed
from tests.faults.bench import Bench, GivenToken
from tests.faults.kinds import KINDS, LOGIN, LOOK_UP, PASSWORD, PATHS, PAYMENT, RESET, UPLOAD
from tests.faults.scripts import DENIED, INVALID, PAGE, VALID, envelope
from tests.faults.server import Connection, Request, Script, reply, reset
from tests.support import canary


@frozen
class Named:
    """What stands in a path."""

    name: str


async def test_a_path_is_sent_as_it_was_checked() -> None:
    """What a path may carry reaches the server with every other character escaped, and is not undone on its way."""
    endpoint = Endpoint("get_named", "GET", "named/{name}", Named, repeatable=True)
    async with Bench(LOOK_UP) as bench:
        bench.server.answer = lambda _: (reply(RESET.ok),)
        caxton = await bench.open()
        await caxton.call(endpoint, Named("a~b:c@d+e f"))
    assert bench.server.requests[0].target == "/api/named/a~b%3Ac%40d%2Be%20f"


async def test_nothing_compressed_is_asked_for() -> None:
    """Every request says that it takes plain bodies only."""
    async with Bench(PAYMENT) as bench:
        await bench.call(token_store=None)
    assert [request.headers["accept-encoding"] for request in bench.server.requests] == ["identity"] * 2


async def test_the_login_is_for_nobody_but_the_client() -> None:
    """A login and a new password carry no account, no user and no token, whoever needs them."""
    async with Bench(PAYMENT) as bench:
        caxton = await bench.open(token_store=None)
        view = caxton.for_account("ID-1").for_user(canary.USER_TOKEN)
        await PAYMENT.call(view)
        await PASSWORD.call(caxton.for_user(canary.USER_TOKEN))
    personal = {"identitynumber", "userapitoken", "authorization"}
    carried = {request.target: personal & set(request.headers) for request in bench.server.requests}
    assert carried == {LOGIN.path: set(), PAYMENT.path: personal, PASSWORD.path: set()}


@pytest.mark.parametrize("answer", [b'{"Errors": [1]}', b"{}", b'{"Message": null}', PAGE])
async def test_a_refusal_in_other_words_is_no_answer(answer: bytes) -> None:
    """A 4xx that neither the API nor its framework can have written leaves the outcome of a payment unknown."""
    async with Bench(PAYMENT) as bench:
        bench.arm(reply(answer, "404 Not Found"))
        with pytest.raises(OutcomeUnknown):
            await bench.call()


async def test_a_404_of_the_framework_is_an_answer() -> None:
    """The framework's own 404 says that nothing was done."""
    async with Bench(PAYMENT) as bench:
        bench.arm(reply(b'{"Message": "No HTTP resource was found."}', "404 Not Found"))
        with pytest.raises(NotFound):
            await bench.call()


async def test_the_names_expected_decide() -> None:
    """A status that is not among the responses expected is none of success, also with its code."""
    refusal = UPLOAD.ok.replace(b'"IsValid"\n    ]', b'"Success"\n    ]')
    assert refusal != UPLOAD.ok
    async with Bench(UPLOAD) as bench:
        bench.arm(reply(refusal))
        with pytest.raises(OutcomeUnknown):
            await bench.call()


async def test_a_code_that_says_no_is_seen() -> None:
    """A code other than success is a refusal where no name says otherwise."""
    async with Bench(RESET) as bench:
        bench.arm(reply(b'{"Content": {"Model": {"ApiStatusCode": 4711}}}'))
        with pytest.raises(ApiError):
            await bench.call()


@pytest.mark.parametrize("kind", [PAYMENT, LOGIN], ids=["payment", "login"])
async def test_a_secret_that_the_server_echoes_is_masked(kind) -> None:
    """Whatever secret of the request a refusal repeats, the error does not."""
    echoed = f"{canary.TOKEN} {canary.USER_TOKEN} {canary.PASSWORD}" if kind is PAYMENT else canary.PASSWORD
    refusal = INVALID.replace(b"Not enough", echoed.encode())
    async with Bench(kind) as bench:
        bench.arm(reply(envelope(refusal)))
        with pytest.raises(CaxtonError) as raised:
            await bench.call()
    sent = {PAYMENT: {canary.TOKEN, canary.USER_TOKEN}, LOGIN: {canary.PASSWORD}}[kind]
    assert not sent & set(canary.found_in(*canary.texts_of(raised.value)))
    assert ("***" in str(raised.value)) == (kind is PAYMENT)  # of a login's answer no word is quoted


@pytest.mark.parametrize("body", [b"{", b'"' + b"\xff" * 9, b"[" * 9999], ids=["cut", "not-utf-8", "deep"])
async def test_nothing_is_chained_to_an_error(body: bytes) -> None:
    """An error about a body that cannot be read does not carry the library's error, which holds the body."""
    async with Bench(PAYMENT) as bench:
        bench.arm(reply(body))
        with pytest.raises(OutcomeUnknown) as raised:
            await bench.call()
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


async def test_a_token_is_bound_to_its_origin() -> None:
    """Two origins that share a store and a user name do not share a token."""
    store, credentials = MemoryStore(), Credentials("user", "client", canary.PASSWORD)
    async with Bench(PAYMENT) as first, Bench(PAYMENT) as second:
        for bench in (first, second):
            settings = Settings(base_url=f"{bench.server.origin}/api/", paths=PATHS)
            async with CaxtonClient(credentials, settings, token_store=store) as caxton:
                await PAYMENT.call(caxton)
    assert (first.logins, second.logins) == (1, 1)


async def test_a_late_401_drops_no_newer_token() -> None:
    """A 401 for a token that has been replaced by now makes no second login, whatever the store remembers."""
    replaced = asyncio.Event()
    denials = itertools.count()

    async def late(_: Connection) -> None:
        await replaced.wait()

    def answer(request: Request) -> Script:
        if request.headers.get("authorization") == f"Bearer {canary.TOKEN}":
            return (DENIED,) if next(denials) == 0 else (late, DENIED)
        return (reply(LOGIN.ok if request.target == LOGIN.path else PAYMENT.ok),)

    async with Bench(PAYMENT) as bench:
        bench.server.answer = answer
        caxton = await bench.open(token_store=Forgetful())
        calls = [asyncio.create_task(PAYMENT.call(caxton)) for _ in range(2)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        replaced.set()
        assert all(PAYMENT.is_right(result) for result in await asyncio.gather(*calls))
        assert (bench.logins, bench.requests) == (1, 4)


class Forgetful(GivenToken):
    """A store that has a token once, and keeps none."""

    async def load(self, key: str) -> Token | None:
        token, self.token = self.token, None
        return token

    async def save(self, key: str, token: Token) -> None:
        """Keep nothing."""


async def test_no_frame_of_ours_is_shown() -> None:
    """The traceback of an error holds none of the frames in which a request was sent or a reply was read."""
    async with Bench(PAYMENT) as bench:
        bench.arm(reset)
        with pytest.raises(OutcomeUnknown) as raised:
            await bench.call()
    ours = {Path(entry.path).stem for entry in raised.traceback if "caxton_async" in Path(entry.path).parts}
    assert ours == {"attempts", "resources"}


async def test_an_outage_is_not_multiplied() -> None:
    """When every call fails, all of them together are tried again ten times, then once for every ten answers."""
    async with Bench(LOOK_UP) as bench:
        bench.arm(reply(b'{"Message": "down"}', "500 Internal Server Error"))
        caxton = await bench.open()
        errors = await asyncio.gather(*(LOOK_UP.call(caxton) for _ in range(50)), return_exceptions=True)
    assert {type(error) for error in errors} == {ServerFailed}
    assert bench.requests == 60


async def test_a_call_of_every_kind_is_seen_once_when_all_is_well() -> None:
    """Without a fault each call is one request, and all of them share a connection."""
    seen = []
    for kind in KINDS:
        async with Bench(kind) as bench:
            assert kind.is_right(await bench.call())
            seen.append((bench.requests, bench.server.connections))
    assert seen == [(1, 1)] * len(KINDS)


async def test_a_token_given_by_a_store_is_used() -> None:
    """A token that another process has stored is sent as it stands, without a login."""
    async with Bench(PAYMENT) as bench:
        await bench.call()
    assert bench.server.requests[0].headers["authorization"] == f"Bearer {GivenToken.token.access_token.reveal()}"
    assert bench.logins == 0


async def test_a_success_without_its_result_is_unknown() -> None:
    """A Model that says success and lacks what was asked for leaves the outcome of a payment unknown."""
    async with Bench(PAYMENT) as bench:
        bench.arm(reply(envelope(VALID)))
        with pytest.raises(OutcomeUnknown, match="Balances"):
            await bench.call()
