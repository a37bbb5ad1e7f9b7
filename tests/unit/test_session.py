"""What the calls of a client share: its password, its token, and what it warns of."""

import asyncio
import hashlib
import time
import warnings

import aiohttp
import pytest
import time_machine
from attrs import evolve

from caxton_async import (
    AssumedPathWarning,
    AuthenticationFailed,
    ConfigurationError,
    Event,
    InvalidRequest,
    LoginRefused,
    NotAuthorised,
    OutcomeUnknown,
    Secret,
)
from caxton_async.auth.stores import MemoryStore
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import CREATE_WALLET
from caxton_async.models import CreateWallet, GetCountry
from tests.support.harness import assert_clean, client, failure, hold, outcomes, virtual

LOGIN = "get_access_token"


# --- the password ---


@pytest.mark.parametrize("kind", [str, Secret])
async def test_a_password_may_be_given_by_a_callable(kind: type) -> None:
    """A provider is asked before each login, and may give a string or a Secret."""
    asked = []
    async with Emulator() as emulator:

        async def password() -> object:
            asked.append(kind)
            return kind(emulator.credentials.password.reveal())

        async with client(emulator, credentials=evolve(emulator.credentials, password=password)) as caxton:
            await caxton.wallets.create("w")
            emulator.ledger.accounts.revoke_tokens()
            await caxton.wallets.create("w")

        assert len(asked) == emulator.logins == 2


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(None, ConfigurationError, id="nothing"),
        pytest.param("", ConfigurationError, id="an-empty-string"),
        pytest.param("canary\n", ConfigurationError, id="a-line-break"),
        pytest.param(7, AuthenticationFailed, id="a-number"),
        pytest.param(OSError("canary"), AuthenticationFailed, id="an-error"),
        pytest.param(TimeoutError(), AuthenticationFailed, id="a-timeout"),
        pytest.param(asyncio.CancelledError(), AuthenticationFailed, id="a-cancellation"),
        pytest.param(ConfigurationError("the file is empty"), ConfigurationError, id="an-error-of-ours"),
    ],
)
async def test_a_callable_without_a_password_fails_those_who_wait(given: object, kind: type[Exception]) -> None:
    """A provider that gives none, or raises whatever it likes, fails each caller, and nothing is sent."""

    async def password() -> object:
        if isinstance(given, BaseException):
            raise given
        return given

    async with (
        Emulator() as emulator,
        client(emulator, credentials=evolve(emulator.credentials, password=password)) as caxton,
    ):
        errors = await outcomes(caxton.wallets.create("w") for _ in range(10))

        assert {type(error) for error in errors} == {kind}
        assert emulator.requests == []
        for error in errors:
            assert_clean(error, ["canary"])


async def test_a_login_that_the_http_library_fails_is_said_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TypeError inside the HTTP library is neither a refused password nor a failure of the network."""

    def broken(*_: object, **__: object) -> None:
        raise TypeError("missing 1 required keyword-only argument")

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", broken)
    async with Emulator() as emulator, client(emulator) as caxton:
        error = await failure(caxton.wallets.create("w"), ConfigurationError)

    assert "missing 1 required" in str(error)


async def test_without_a_password_a_login_says_what_to_do() -> None:
    """Credentials without a password can generate one, and log in with it from then on."""
    async with Emulator() as emulator:
        async with client(emulator, credentials=evolve(emulator.credentials, password=None)) as caxton:
            error = await failure(caxton.wallets.create("w"), ConfigurationError)
            generated = await caxton.auth.generate_password()
            await caxton.wallets.create("w")

        assert "CAXTON_PASSWORD" in str(error)
        assert [request.endpoint for request in emulator.requests] == ["generate_password", LOGIN, "create_wallet"]
        assert generated.client_password.reveal() in emulator.requests[1].body.decode()


async def test_a_generated_password_replaces_the_one_that_a_login_is_being_made_with() -> None:
    """A login that is under way with the old password serves nobody once there is a new one."""
    async with Emulator(revokes_old=True) as emulator, client(emulator) as caxton:
        refusal = emulator.faults.add(Fault("unauthorised", endpoint=LOGIN, held=True))
        waiting = asyncio.create_task(caxton.wallets.create("w"))
        await refusal.hit()

        await caxton.auth.generate_password()
        refusal.release()
        wallet = await waiting

        assert wallet.name == "w"
        assert emulator.logins == 2


async def test_after_a_reset_there_is_no_password() -> None:
    """Reset credentials do not work any more, and are not tried; those of a sub-account are not the client's own."""
    async with Emulator() as emulator, client(emulator) as caxton:
        sub = emulator.ledger.accounts.add_sub_account("Sub")
        await caxton.auth.reset_credentials(sub.identity_number)
        await caxton.for_account(sub.identity_number).auth.reset_credentials()
        await caxton.wallets.create("w")

        await caxton.auth.reset_credentials()
        error = await failure(caxton.wallets.create("w"), ConfigurationError)

        assert "generate one" in str(error)
        assert emulator.logins == 1
        headers = [r.headers.get("IdentityNumber") for r in emulator.requests if r.endpoint == "reset_credentials"]
        assert headers == ["ID-1", "ID-1", None]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *(
            pytest.param(Fault("login_error", endpoint=LOGIN, variant=code), LoginRefused, id=code)
            for code in ("invalid_grant", "invalid_client", "unauthorized_client")
        ),
        *(
            pytest.param(Fault("login_error", endpoint=LOGIN, variant=code), AuthenticationFailed, id=code)
            for code in ("temporarily_unavailable", "server_error", "slow_down", "invalid_request")
        ),
        pytest.param(Fault("unauthorised", endpoint=LOGIN), AuthenticationFailed, id="401"),
        pytest.param(Fault("failing_envelope", endpoint=LOGIN, status=403), AuthenticationFailed, id="403"),
        pytest.param(Fault("failing_envelope", endpoint=LOGIN), AuthenticationFailed, id="failing-envelope"),
        pytest.param(Fault("html", endpoint=LOGIN, status=403), AuthenticationFailed, id="html"),
        pytest.param(Fault("redirect", endpoint=LOGIN), AuthenticationFailed, id="redirect"),
    ],
)
async def test_only_three_words_refuse_a_password(fault: Fault, kind: type[Exception]) -> None:
    """A password is taken for wrong where RFC 6749 says so, and for nothing that a proxy or an outage may say."""
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        error = await failure(caxton.wallets.create("w"), kind)

        assert emulator.count(LOGIN) == 1
        assert error.retry_after_s == (None if kind is LoginRefused else pytest.approx(1, abs=0.5))
        assert "told to refuse" not in str(error)  # the words of the endpoint may be an echo
        assert_clean(error, [emulator.credentials.password.reveal()])


@pytest.mark.parametrize("token", ["", "a b\\r\\nc", "\\u00e9", "a\\u0000b"])
async def test_a_token_that_no_header_can_carry_is_not_used(token: str) -> None:
    """A token with line breaks or other letters than ASCII ends the login, and goes into no header."""
    body = f'{{"access_token": "{token}", "token_type": "bearer", "expires_in": 3600}}'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with (
        Emulator(faults=[Fault("mangled", endpoint=LOGIN, raw=head + body)]) as emulator,
        client(emulator) as caxton,
    ):
        error = await failure(caxton.wallets.create("w"), AuthenticationFailed)

        assert emulator.count("create_wallet") == 0
        assert token.strip() == "" or token not in str(error)


# --- the token ---


async def test_the_token_in_use_is_given_with_what_is_left_of_it() -> None:
    """The token is the one that calls carry; its life is counted from its login."""
    with time_machine.travel(time.time(), tick=False) as clock:
        async with Emulator(token_life_s=100_000) as emulator, client(emulator) as caxton:
            first = await caxton.auth.access_token()
            clock.shift(1000)
            second = await caxton.auth.access_token()
            await caxton.wallets.create("w")

            assert (first.expires_in, second.expires_in) == (100_000, 99_000)
            assert first.access_token == second.access_token
            assert emulator.requests[-1].headers["Authorization"] == f"Bearer {first.access_token.reveal()}"
            assert emulator.logins == 1


async def test_clients_that_share_a_store_share_its_token() -> None:
    """Sixteen clients with one store make one login; those of another user, client or origin make their own."""
    store = MemoryStore()
    async with Emulator() as emulator, Emulator() as elsewhere:
        async with client(emulator, store=store) as first:
            login = hold(emulator)
            tasks = [asyncio.create_task(first.wallets.create("w"))]
            others = [client(emulator, store=store) for _ in range(15)]
            clients = [await other.__aenter__() for other in others]
            tasks += [asyncio.create_task(caxton.wallets.create("w")) for caxton in clients]
            await login.hit()
            login.release()
            await asyncio.gather(*tasks)
            for other in others:
                await other.__aexit__(None, None, None)
        stranger = evolve(emulator.credentials, client_name="another")
        async with client(emulator, store=store, credentials=stranger) as caxton:
            await caxton.wallets.create("w")
        async with client(elsewhere, store=store) as caxton:
            await caxton.wallets.create("w")

        assert (emulator.logins, elsewhere.logins) == (2, 1)
        assert emulator.count("create_wallet") == 17


async def test_the_key_of_a_stored_token_names_no_user() -> None:
    """A store is asked by a digest of origin, user and client: what it is kept under shows neither."""
    keys = []

    class Noting(MemoryStore):
        async def load(self, key: str):
            keys.append(key)
            return await super().load(key)

    async with Emulator() as emulator, client(emulator, store=Noting()) as caxton:
        await caxton.wallets.create("w")
        names = f"{caxton.settings.origin}\n{emulator.credentials.username}\n{emulator.credentials.client_name}"

    assert keys == [hashlib.sha256(names.encode()).hexdigest()]


async def test_a_rejected_token_of_the_store_is_not_used_again() -> None:
    """When the API rejects the token that the store gave, the client logs in, and the others get the new one."""
    store = MemoryStore()
    async with Emulator() as emulator:
        for number in (1, 2, 2):
            async with client(emulator, store=store) as caxton:
                await caxton.wallets.create("w")
                assert emulator.logins == number
            if number == 1:
                emulator.ledger.accounts.revoke_tokens()


# --- assumed paths ---


async def test_an_assumed_path_is_warned_of_once() -> None:
    """The first use of a path that the vendor has not documented warns, by name; the next uses do not."""
    async with Emulator() as emulator, client(emulator, paths={}) as caxton:
        with pytest.warns(AssumedPathWarning) as caught:
            await asyncio.gather(*(caxton.countries.get("GB") for _ in range(3)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await caxton.with_options(deadline_s=9).countries.get("GB")

    assert [str(warning.message).split(" (")[0] for warning in caught] == [
        "the path of get_country",
        "the path of get_access_token",
    ]
    assert all("CAXTON_PATH_GET_" in str(warning.message) for warning in caught)


async def test_a_path_that_is_named_is_not_warned_of() -> None:
    """A path in the settings, be it the assumed one, is the user's word for it."""
    paths = {LOGIN: "/api/token", "get_country": "reference/lookup/countries/{code}"}
    async with Emulator() as emulator, client(emulator, paths=paths) as caxton:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            country = await caxton.countries.get("GB")

        assert country.alpha2_code == "GB"
        assert [request.path for request in emulator.requests] == ["/api/token", "/api/reference/lookup/countries/GB"]


async def test_a_warning_that_is_an_error_sends_nothing_and_is_given_again() -> None:
    """Under `-W error` a call by an assumed path fails before it is sent, each time, until the path is confirmed."""
    async with Emulator() as emulator, client(emulator, paths={}) as caxton:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(2):
                await failure(caxton.countries.get("GB"), AssumedPathWarning)
                await failure(caxton.wallets.create("w"), AssumedPathWarning)
                await failure(caxton.auth.access_token(), AssumedPathWarning)

        assert emulator.requests == []


# --- wrong requests ---


async def test_a_request_of_another_call_is_refused_before_anything_is_sent() -> None:
    """A request that does not fit its call is an error of the caller's, for which nobody logs in."""
    async with Emulator() as emulator, client(emulator) as caxton:
        error = await failure(caxton.call(CREATE_WALLET, GetCountry("GB")), InvalidRequest)

        assert "CreateWallet" in str(error)
        assert emulator.requests == []


async def test_an_envelope_says_who_answered() -> None:
    """The envelope around a result has what the API says of client and user."""
    async with Emulator() as emulator, client(emulator) as caxton:
        envelope = await caxton.call_envelope(CREATE_WALLET, CreateWallet("w"))

        assert envelope.model.name == "w"
        assert envelope.client is not None


@virtual
async def test_calls_in_flight_end_with_what_is_known_when_the_client_is_closed() -> None:
    """Of a closed client's calls, what was sent is unknown, and what waited was not sent."""
    async with Emulator() as emulator:
        async with client(emulator, max_connections=1, drain_s=0) as caxton:
            await caxton.auth.access_token()
            held = hold(emulator, "create_wallet")
            tasks = [asyncio.create_task(caxton.wallets.create("w")) for _ in range(3)]
            await held.hit()
        errors = await outcomes(tasks)

        assert [type(error) for error in errors] == [OutcomeUnknown, ConfigurationError, ConfigurationError]
        assert emulator.count("create_wallet") == 1


@virtual
async def test_closing_ends_a_call_that_is_to_be_tried_again() -> None:
    """A call that waits for its next attempt is told that the client is closed."""
    retrying = asyncio.Event()

    def hear(event: Event) -> None:
        if event.kind == "retry":
            retrying.set()

    fault = Fault("server_error_before", endpoint="list_banks", times=None)
    async with Emulator(faults=[fault]) as emulator, client(emulator, on_event=hear) as caxton:
        call = asyncio.create_task(caxton.banks.list())
        await retrying.wait()
        await caxton.aclose()

        await failure(call, ConfigurationError)
        assert emulator.count("list_banks") == 1


async def test_closing_waits_for_calls_that_were_sent() -> None:
    """A call in flight may end within `drain_s`; what waits for a place or a login is told at once."""
    async with Emulator() as emulator:
        async with client(emulator, max_connections=1, drain_s=5) as caxton:
            await caxton.auth.access_token()
            emulator.faults.add(Fault("latency", endpoint="create_wallet", seconds=3))
            sent, waiting = (asyncio.create_task(caxton.wallets.create("w")) for _ in range(2))
            await asyncio.sleep(1)
            closing = asyncio.create_task(caxton.aclose())
            error = await failure(waiting, ConfigurationError)
            was_sent = not sent.done()
            await closing

        assert was_sent
        assert "keep it open" in str(error)
        assert sent.result().name == "w"


@virtual
async def test_closing_waits_no_longer_than_it_is_told() -> None:
    """`aclose(drain_s=...)` replaces the setting, and what has not ended by then is unknown."""
    loop = asyncio.get_running_loop()
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        hold(emulator, "create_wallet")
        sent = asyncio.create_task(caxton.wallets.create("w"))
        await asyncio.sleep(1)
        start = loop.time()

        await caxton.aclose(drain_s=2)

        assert loop.time() - start == pytest.approx(2)
        await failure(sent, OutcomeUnknown)


async def test_a_refused_user_is_not_replayed() -> None:
    """A 403, which a new token would not mend, costs no login and no second request."""
    async with Emulator() as emulator, client(emulator) as caxton:
        error = await failure(caxton.for_user("nobody").wallets.create("w"), NotAuthorised)

        assert error.http_status == 403
        assert (emulator.logins, emulator.count("create_wallet")) == (1, 1)
