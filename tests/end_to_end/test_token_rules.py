"""The token after something went wrong, counted at the server: revoked, refused, held back, kept, rotated."""

import asyncio
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from attrs import evolve

from caxton_async import (
    ApiError,
    AuthenticationFailed,
    CaxtonClient,
    ConfigurationError,
    DeadlineExceeded,
    LoginRefused,
    NotAuthorised,
    NotSent,
    OutcomeUnknown,
)
from caxton_async.auth.stores import MemoryStore, SqliteTokenStore
from caxton_async.emulator import Emulator, Fault
from caxton_async.models import GeneratedPassword
from tests.support.harness import assert_clean, client, failure, hold, outcomes, virtual

LOGIN, WALLET = "get_access_token", "create_wallet"
FORMS = ("message", "empty", "html", "problem_json", "header_only", "errors")


async def wallet(caxton: CaxtonClient) -> Any:
    """Make a call that must not be repeated."""
    return await caxton.wallets.create("w")


async def rate(caxton: CaxtonClient) -> Any:
    """Make a call that may be repeated."""
    return await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1)


# --- J: a revoked token is never used twice ---


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("call", [wallet, rate])
async def test_a_401_in_any_form_drops_the_token(call, form: str) -> None:
    """The next call logs in; this one is sent again if the API said it in its words, or if it may be repeated."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        emulator.faults.add(Fault("unauthorised", variant=form))
        is_replayed = call is rate or form == "message"

        [first] = await outcomes([call(caxton)])
        await call(caxton)

        assert isinstance(first, OutcomeUnknown) != is_replayed
        assert emulator.logins == 2
        assert len(emulator.requests) == 2 + 1 + 1 + is_replayed


# --- K: the view that is to blame ---


@pytest.mark.parametrize("form", ["message", "html"])
async def test_a_view_that_is_refused_costs_one_login(form: str) -> None:
    """A hundred calls of a user whose token has ended make two logins in all, and the error names the view."""
    async with Emulator() as emulator, client(emulator) as caxton:
        bad = caxton.for_user("ended")
        emulator.faults.add(Fault("unauthorised", acting_for="ended", times=None, variant=form))

        errors = [(await outcomes([bad.banks.list()]))[0] for _ in range(100)]

        assert emulator.logins == 2
        assert emulator.count("list_banks") == 101
        if form == "message":
            assert {type(error) for error in errors} == {NotAuthorised}
            assert all("the user token" in str(error) for error in errors)
            assert_clean(errors[-1], ["ended\n"])


async def test_other_views_never_fail_for_the_one_that_is_refused() -> None:
    """Where a new token voids the old one, the payments of twenty others go through beside ten refused callers."""
    bad_user = Fault("unauthorised", acting_for="ended", times=None)
    async with Emulator(faults=[bad_user], revokes_old=True) as emulator, client(emulator) as caxton:
        await caxton.auth.access_token()
        bad = caxton.for_user("ended")

        async def good() -> list[Any]:
            return [await wallet(caxton) for _ in range(20)]

        results = await outcomes([*(good() for _ in range(20)), *(bad.banks.list() for _ in range(100))])

        assert {type(result) for result in results[:20]} == {list}
        assert {type(result) for result in results[20:]} == {NotAuthorised}
        assert emulator.logins == 2


async def test_a_view_that_was_served_since_is_not_to_blame() -> None:
    """A second revocation costs a second login, also where all calls are made for one account."""
    async with Emulator() as emulator, client(emulator) as caxton:
        emulator.ledger.accounts.add_sub_account("Sub")
        view = caxton.for_account("ID-1").with_options(deadline_s=0.2)
        for _ in range(3):
            [outcome] = await outcomes([wallet(view)])
            emulator.ledger.accounts.revoke_tokens()

        assert isinstance(outcome, DeadlineExceeded)  # it waits for the login, five seconds after the one before
        assert emulator.logins == 2


async def test_rejections_make_one_login_in_five_seconds() -> None:
    """A call whose token goes soon after such a login waits for the next one, and no longer than its deadline."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        for _ in range(2):
            emulator.ledger.accounts.revoke_tokens()
            outcome = (await outcomes([wallet(caxton.with_options(deadline_s=0.2))]))[0]

        assert isinstance(outcome, DeadlineExceeded)
        assert emulator.logins == 2
        assert emulator.count(WALLET) == 1 + 2 + 1


# --- L, M: what a login may answer ---


PAGE_OF_A_GATEWAY = b"HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 13\r\n\r\n<html></html>"


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down", "invalid_request"])
async def test_a_login_that_could_not_be_made_is_held_and_heals(code: str) -> None:
    """What says nothing of the password is tried again after the hold, without a restart."""
    fault = Fault("login_error", endpoint=LOGIN, variant=code)
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
            await failure(wallet(caxton), AuthenticationFailed)
            await failure(wallet(caxton), AuthenticationFailed)
            clock.shift(1)
            await wallet(caxton)

            assert emulator.count(LOGIN) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault("rate_limited", endpoint=LOGIN, retry_after="60"),
        Fault("server_error_before", endpoint=LOGIN, retry_after="60"),
        Fault("mangled", endpoint=LOGIN, raw=PAGE_OF_A_GATEWAY),
    ],
    ids=["rate limited", "server error", "page of a gateway"],
)
async def test_a_login_is_held_for_as_long_as_the_api_asks(fault: Fault) -> None:
    """`Retry-After` of a login is kept to, whatever its status and body, and callers are told."""
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
            error = await failure(wallet(caxton), AuthenticationFailed)
            clock.shift(58)
            await failure(wallet(caxton), AuthenticationFailed)
            clock.shift(3)
            await wallet(caxton)

            assert error.retry_after_s == pytest.approx(60, abs=1)
            assert emulator.count(LOGIN) == 2


@pytest.mark.parametrize(
    ("variant", "life_s"),
    [
        ("expires_in_text", 2_591_999),
        ("expires_in_float", 2_591_999),
        ("expires_in_padded", 2_591_999),
        ("expires_in_null", 300),
        ("expires_in_missing", 300),
        ("token_line_end", 2_591_999),
        ("type_line_end", 2_591_999),
        ("upper_case_type", 2_591_999),
    ],
)
async def test_an_odd_answer_to_a_login_is_good(variant: str, life_s: int) -> None:
    """A life with a point, in digits or missing, and line breaks around the token or its type, stop nobody."""
    fault = Fault("login_reply", endpoint=LOGIN, variant=variant, times=None)
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        await wallet(caxton)
        token = await caxton.auth.access_token()

        assert token.expires_in == pytest.approx(life_s, abs=2)
        assert emulator.logins == 1


# --- N: a store slows, and never stops ---


class Faulty(MemoryStore):
    """A store of which one step raises, hangs or gives rubbish."""

    def __init__(self, step: str, how: object) -> None:
        super().__init__()
        self.step, self.how = step, how

    async def fail(self) -> Any:
        if isinstance(self.how, BaseException):
            raise self.how
        if self.how == "hangs":
            await asyncio.Event().wait()
        return self.how

    def lock(self, key: str) -> Any:
        return FaultyLock(self) if self.step in {"lock", "unlock"} else super().lock(key)

    async def load(self, key: str) -> Any:
        return await (self.fail() if self.step == "load" else super().load(key))

    async def save(self, key: str, token: Any) -> Any:
        return await (self.fail() if self.step == "save" else super().save(key, token))

    async def load_hold(self, key: str) -> Any:
        return await (self.fail() if self.step == "load_hold" else super().load_hold(key))


class FaultyLock:
    """The lock of such a store."""

    def __init__(self, store: Faulty) -> None:
        self.store = store

    async def __aenter__(self) -> None:
        if self.store.step == "lock":
            await self.store.fail()

    async def __aexit__(self, *error: object) -> None:
        if self.store.step == "unlock":
            await self.store.fail()


@pytest.mark.parametrize("step", ["lock", "load", "load_hold", "save", "unlock"])
@pytest.mark.parametrize("how", [OSError("s3cret"), asyncio.CancelledError(), "hangs", "rubbish"], ids=repr)
def test_a_store_that_fails_stops_no_call(step: str, how: object, caplog: pytest.LogCaptureFixture) -> None:
    """Seventy-nine calls are served by one login, and a warning names the step that failed, not what it held."""

    @virtual
    async def serve() -> None:
        async with Emulator() as emulator, client(emulator, store=Faulty(step, how)) as caxton:
            await asyncio.gather(*(wallet(caxton) for _ in range(79)))

            assert emulator.logins == 1

    serve()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    is_harmless = how == "rubbish" and step in {"lock", "save", "unlock"}
    assert [f"at {step} " in warning for warning in warnings] == ([] if is_harmless else [True])
    assert "s3cret" not in caplog.text


async def test_a_store_without_holds_shares_tokens_alone() -> None:
    """A hold that the store does not take holds back this process."""
    memory = MemoryStore()
    store: Any = SimpleNamespace(lock=memory.lock, load=memory.load, save=memory.save)
    fault = Fault("login_error", endpoint=LOGIN, variant="invalid_grant", times=None)
    async with Emulator(faults=[fault]) as emulator, client(emulator, store=store) as caxton:
        for _ in range(3):
            await failure(wallet(caxton), LoginRefused)

        assert emulator.count(LOGIN) == 1


@virtual
async def test_closing_waits_for_no_store(caplog: pytest.LogCaptureFixture) -> None:
    """A store that hangs is left, and not warned of, when the client is closed."""
    async with Emulator() as emulator:
        async with client(emulator, store=Faulty("load", "hangs")) as caxton:
            waiting = asyncio.create_task(wallet(caxton))
            await asyncio.sleep(1)
        await failure(waiting, ConfigurationError)

    assert "the token store" not in caplog.text


# --- O: holds are shared ---


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (Fault("server_error_before", endpoint=LOGIN, times=None), 3),
        (Fault("login_error", endpoint=LOGIN, times=None, variant="slow_down"), 3),
        (Fault("login_error", endpoint=LOGIN, times=None, variant="invalid_grant"), 1),
    ],
    ids=["fails", "refuses", "wrong-password"],
)
async def test_sixteen_clients_keep_to_one_hold(store: str, fault: Fault, attempts: int, tmp_path: Path) -> None:
    """Sixteen that share a store and call for eight seconds make three attempts; with a wrong password one."""
    shared = MemoryStore()
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator(faults=[fault]) as emulator:
            stores = [shared if store == "memory" else SqliteTokenStore(tmp_path / "tokens") for _ in range(16)]
            clients = [CaxtonClient(emulator.credentials, emulator.settings, token_store=each) for each in stores]
            for caxton in clients:
                await caxton.open()
            for _ in range(8):
                errors = await outcomes(wallet(caxton) for caxton in clients)
                clock.shift(1)
            for caxton in clients:
                await caxton.aclose()

            assert emulator.count(LOGIN) == attempts
            assert {type(error) for error in errors} == {LoginRefused if attempts == 1 else AuthenticationFailed}
            assert emulator.count(WALLET) == 0


async def test_a_refused_password_is_asked_again_after_five_minutes_and_then_each_hour() -> None:
    """An account that is unblocked heals without a shell, and a wrong password does not block it again."""
    fault = Fault("login_error", endpoint=LOGIN, variant="invalid_grant", times=3)
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
            asked = []
            for seconds in (0, 298, 3, 3590, 12, 3590):
                clock.shift(seconds)
                await failure(wallet(caxton), LoginRefused)
                asked.append(emulator.count(LOGIN))
            clock.shift(12)
            await wallet(caxton)

            assert asked == [1, 1, 2, 2, 3, 3]
            assert emulator.count(LOGIN) == 4


async def test_a_hold_can_be_lifted_for_all() -> None:
    """Who asks at once, once it is mended, lifts the hold for every client of the store."""
    fault = Fault("login_error", endpoint=LOGIN, variant="invalid_grant")
    store = MemoryStore()
    async with (
        Emulator(faults=[fault]) as emulator,
        client(emulator, store=store) as first,
        client(emulator, store=store) as second,
    ):
        await failure(wallet(first), LoginRefused)
        await failure(wallet(second), LoginRefused)

        second.auth.lift_hold()
        await second.auth.access_token()
        await wallet(first)

        assert emulator.count(LOGIN) == 2


@virtual
async def test_what_never_reached_the_endpoint_holds_back_nobody_else() -> None:
    """A process without a network says nothing about the endpoint to the others."""
    store = MemoryStore()
    async with Emulator() as emulator:
        outage = emulator.faults.add(Fault("refuse"))
        async with client(emulator, store=store) as lost:
            error = await failure(wallet(lost), AuthenticationFailed)
        outage.release()
        async with client(emulator, store=store) as found:
            await wallet(found)

        assert "not sent" in str(error)
        assert emulator.logins == 1


# --- P: rotating the password ---

READINGS = [
    pytest.param({}, id="a-reset-voids-the-token"),
    pytest.param({"tokens_survive_reset": True}, id="the-token-outlives-the-reset"),
    pytest.param({"revokes_old": True}, id="a-new-token-voids-the-old"),
    pytest.param({"tokens_survive_reset": True, "revokes_old": True}, id="both"),
]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("is_provided", [False, True], ids=["given", "provider"])
async def test_a_rotation_under_load_harms_nobody(reading: dict[str, Any], is_provided: bool) -> None:
    """Fifty callers and ten who rotate: no error, one reset, one new password for all, kept by each, one login."""
    async with Emulator(**reading) as emulator:
        vault = [emulator.credentials.password]
        kept: list[GeneratedPassword] = []

        async def provider() -> Any:
            return vault[-1]

        async def keep(generated: GeneratedPassword) -> None:
            vault.append(generated.client_password)
            kept.append(generated)
            assert emulator.logins == 1

        credentials = evolve(emulator.credentials, password=provider) if is_provided else None
        async with client(emulator, credentials=credentials) as caxton:
            await wallet(caxton)
            calls = [asyncio.create_task(wallet(caxton)) for _ in range(50)]
            rotations = [asyncio.create_task(caxton.auth.rotate_password(keep=keep)) for _ in range(10)]
            passwords = await asyncio.gather(*rotations)
            calls += [asyncio.create_task(wallet(caxton)) for _ in range(50)]
            await asyncio.gather(*calls)

            assert len({password.client_password for password in passwords}) == 1
            assert kept == list(passwords)
            assert (emulator.count("reset_credentials"), emulator.count("generate_password")) == (1, 1)
            assert emulator.logins == 2
            emulator.ledger.accounts.revoke_tokens()
            await wallet(caxton)
            assert emulator.logins == 3


@pytest.mark.parametrize("lost", ["reset_credentials", "generate_password"])
async def test_a_lost_answer_is_survived_with_the_old_token(lost: str) -> None:
    """Where tokens outlive a reset, a rotation whose answer is lost resets once more, and ends well."""
    async with Emulator(tokens_survive_reset=True) as emulator, client(emulator) as caxton:
        await wallet(caxton)
        emulator.faults.add(Fault("reset_after_work", endpoint=lost))

        generated = await caxton.auth.rotate_password()
        await wallet(caxton)

        again = lost == "generate_password"
        assert (emulator.count("reset_credentials"), emulator.count("generate_password")) == (1 + again, 1 + again)
        assert generated.client_password.reveal() in emulator.ledger.accounts.main.passwords


async def test_a_password_that_is_lost_for_good_says_what_to_ask_for() -> None:
    """Where the reset voids the token and the new password does not arrive, each is told to ask the vendor."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        emulator.faults.add(Fault("reset_after_work", endpoint="generate_password"))

        errors = await outcomes(caxton.auth.rotate_password() for _ in range(3))
        after = await failure(wallet(caxton), ConfigurationError)

        assert {type(error) for error in errors} == {OutcomeUnknown}
        assert len({id(error) for error in errors}) == 3
        assert "ask the vendor to reset the credentials" in str(errors[0])
        assert "generate" in str(after)
        assert emulator.logins == 1


@pytest.mark.parametrize("lost", [0, 2], ids=["reset", "reset-lost"])
async def test_a_password_that_is_refused_leaves_what_the_reset_left(lost: int) -> None:
    """Where no new password is made, its error is raised; after a reset the client says how to get one."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        emulator.faults.add(Fault("failing_envelope", endpoint="generate_password", times=2 if lost else 1))
        if lost:
            emulator.faults.add(Fault("reset_after_read", endpoint="reset_credentials", times=2))

        await failure(caxton.auth.rotate_password(), ApiError)
        [after] = await outcomes([wallet(caxton)])

        assert emulator.count("reset_credentials") == (lost or 1)
        assert ("generate one" in str(after)) != bool(lost)
        await caxton.auth.generate_password()
        await wallet(caxton)


async def test_a_second_answer_that_is_lost_ends_the_rotation() -> None:
    """A rotation is tried in two rounds, also where the old token outlives each reset."""
    async with Emulator(tokens_survive_reset=True) as emulator, client(emulator) as caxton:
        emulator.faults.add(Fault("reset_after_work", endpoint="generate_password", times=2))

        error = await failure(caxton.auth.rotate_password(), OutcomeUnknown)

        assert "ask the vendor" in str(error)
        assert (emulator.count("reset_credentials"), emulator.count("generate_password")) == (2, 2)


async def test_a_password_that_is_refused_is_not_reset() -> None:
    """A rotation that cannot log in raises that, and changes nothing."""
    fault = Fault("login_error", endpoint=LOGIN, variant="invalid_grant")
    async with Emulator(faults=[fault]) as emulator, client(emulator) as caxton:
        await failure(caxton.auth.rotate_password(), LoginRefused)

        assert emulator.count("reset_credentials") == 0


@pytest.mark.parametrize("fault", ["failing_envelope", "refuse"])
@virtual
async def test_a_reset_that_fails_changes_nothing(fault: str) -> None:
    """A reset that is refused, or is never sent, raises that, and calls go on with the old token."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        endpoint = {} if fault == "refuse" else {"endpoint": "reset_credentials"}
        outage = emulator.faults.add(Fault(fault, **endpoint))

        error = await failure(caxton.auth.rotate_password())
        if fault == "refuse":
            outage.release()
        await wallet(caxton)

        assert isinstance(error, NotSent) == (fault == "refuse")
        assert (emulator.count("generate_password"), emulator.logins) == (0, 1)


@pytest.mark.parametrize("error", [OSError("disk full"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_keep_that_fails_fails_its_own_caller_alone(error: BaseException) -> None:
    """Each caller's `keep` is awaited once; one that raises raises to its own caller when all is done."""
    kept = []

    async def keep(generated: GeneratedPassword) -> None:
        kept.append(generated)

    async def broken(_: GeneratedPassword) -> None:
        raise error

    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        good, bad = await outcomes([caxton.auth.rotate_password(keep=keep), caxton.auth.rotate_password(keep=broken)])
        await wallet(caxton)

        assert kept == [good]
        assert type(bad) is type(error)
        assert emulator.logins == 2


async def test_a_keep_that_comes_late_is_awaited() -> None:
    """Who asks while the new password is tried gets it, and has it kept."""
    kept = []

    async def keep(generated: GeneratedPassword) -> None:
        kept.append(generated)

    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        login = hold(emulator)
        first = asyncio.create_task(caxton.auth.rotate_password())
        await login.hit()
        second = asyncio.create_task(caxton.auth.rotate_password(keep=keep))
        login.release()

        assert kept == []
        assert await first == await second
        assert kept == [await second]
        assert emulator.count("generate_password") == 1


async def test_a_cancelled_rotator_leaves_the_rotation_to_the_others() -> None:
    """The rotation belongs to no caller: its `keep` is awaited though the first who asked is gone."""
    kept = []

    async def keep(generated: GeneratedPassword) -> None:
        kept.append(generated)

    async with Emulator() as emulator, client(emulator) as caxton:
        await wallet(caxton)
        held = hold(emulator, "reset_credentials")
        first = asyncio.create_task(caxton.auth.rotate_password(keep=keep))
        second = asyncio.create_task(caxton.auth.rotate_password())
        await held.hit()

        first.cancel()
        held.release()
        generated = await second

        assert kept == [generated]
        assert emulator.count("reset_credentials") == 1


async def test_closing_waits_for_a_rotation() -> None:
    """A client that is closed between reset and new password waits until the password is there."""
    async with Emulator() as emulator:
        async with client(emulator) as caxton:
            await wallet(caxton)
            held = hold(emulator, "reset_credentials")
            rotation = asyncio.create_task(caxton.auth.rotate_password())
            await held.hit()
            held.release()
        generated = await rotation

        assert generated.client_password.reveal() in emulator.ledger.accounts.main.passwords


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        (LOGIN, ConfigurationError),
        ("reset_credentials", OutcomeUnknown),
        ("generate_password", OutcomeUnknown),
        ("keep", GeneratedPassword),
    ],
)
async def test_closing_at_once_tells_what_is_known_of_the_rotation(moment: str, kind: type) -> None:
    """A client that waits for nothing says whether the old password works, and hangs nobody who rotates."""
    keeping = asyncio.Event()

    async def keep(_: GeneratedPassword) -> None:
        keeping.set()
        await asyncio.Event().wait()

    async with Emulator() as emulator, client(emulator) as caxton:
        if moment == LOGIN:
            held = hold(emulator)
            first = asyncio.create_task(wallet(caxton))  # whose login the rotation waits for
            await held.hit()
        else:
            first = asyncio.create_task(wallet(caxton))
            await first
            held = hold(emulator, moment) if moment != "keep" else None
        rotation = asyncio.create_task(caxton.auth.rotate_password(keep=keep))
        await (keeping.wait() if held is None else held.hit())
        await asyncio.sleep(0)

        await caxton.aclose(drain_s=0)
        [outcome, _] = await outcomes([rotation, first])

        assert type(outcome) is kind


async def test_an_account_has_its_own_way_to_a_password() -> None:
    """In the view of an account neither method changes the main account's password; there is one for sub-accounts."""
    async with Emulator() as emulator, client(emulator) as caxton:
        sub = await caxton.sub_accounts.create("Sub", "sub@example.com")
        view = caxton.for_account("ID-1")

        for method in (view.auth.generate_password, view.auth.rotate_password):
            error = await failure(method(), ConfigurationError)
            assert "main account" in str(error)
        generated = await caxton.sub_accounts.generate_password(sub)

        accounts = emulator.ledger.accounts
        assert generated.client_password.reveal() in accounts.by_username[sub.username].passwords
        assert emulator.credentials.password.reveal() in accounts.main.passwords


# --- Q: the token of the moment ---


async def test_a_call_that_waited_for_a_place_uses_the_token_of_the_moment() -> None:
    """A token that went while a call waited for its place is not sent by it."""
    async with Emulator() as emulator, client(emulator, max_connections=1) as caxton:
        await caxton.auth.access_token()
        rejection = emulator.faults.add(Fault("unauthorised", endpoint=WALLET, held=True))
        tasks = [asyncio.create_task(wallet(caxton)) for _ in range(3)]
        await rejection.hit()

        rejection.release()
        await asyncio.gather(*tasks)

        bearers = [r.headers["Authorization"] for r in emulator.requests if r.endpoint == WALLET]
        assert len(bearers) == 4
        assert bearers[0] not in bearers[1:]
        assert emulator.logins == 2


# --- the end of a user token ---


@pytest.mark.parametrize(("days", "warnings"), [(0, 0), (25, 1)], ids=["a-month-left", "five-days-left"])
async def test_a_user_token_that_ends_soon_is_warned_of_once_a_day(
    days: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The answers say when the user's token ends; a week before that the log says so, and not at each call."""
    async with Emulator(clock=lambda: time.time() - days * 86_400) as emulator, client(emulator) as caxton:
        user = emulator.ledger.accounts.add_user()
        view = caxton.for_user(user.api_token)

        for _ in range(3):
            await wallet(view)

    said = [record.getMessage() for record in caplog.records if "user token" in record.getMessage()]
    assert len(said) == warnings
    assert not any(user.api_token in each for each in said)
