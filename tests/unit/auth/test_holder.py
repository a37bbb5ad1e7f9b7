"""The holder of the token by itself: clocks that are moved by hand, logins that answer when they are told to."""

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from caxton_async import AuthenticationFailed, ConfigurationError, LoginRefused, NotSent, OutcomeUnknown, Secret
from caxton_async.auth.hold import FailedLogin, Hold
from caxton_async.auth.holder import TokenHolder
from caxton_async.auth.stores import MemoryStore
from caxton_async.auth.token import Clocks, Token
from caxton_async.events import CallProgress
from caxton_async.protocol.request import Caller
from tests.support.harness import VirtualLoop, assert_clean, failure, outcomes, virtual

LIFE_S = 10_000  # ages 1,000 s and expires 30 s before its end


class Clock:
    """Two clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.monotonic_s = 50.0
        self.wall_s = 1_000_000.0
        self.clocks = Clocks(lambda: self.monotonic_s, lambda: self.wall_s)

    def move(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds


class Login:
    """Counts the logins, and ends each as it is told: with the next token, or with an error."""

    def __init__(self, clock: Clock, life_s: int = LIFE_S) -> None:
        self.clock = clock
        self.life_s = life_s
        self.count = 0
        self.holds: list[Hold | None] = []
        self.error: BaseException | None = None
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()
        self.seen: dict[contextvars.ContextVar[Any], Any] = {}

    async def __call__(self, hold: Hold | None = None) -> Token | FailedLogin:
        self.holds.append(hold)
        self.count += 1
        number = self.count
        self.seen = dict(contextvars.copy_context())
        self.started.set()
        if self.gate is not None:
            await self.gate.wait()
        if type(self.error) in {AuthenticationFailed, LoginRefused, ConfigurationError}:
            refused = "digest" if type(self.error) is LoginRefused else None
            return FailedLogin(
                type(self.error), str(self.error), type(self.error) is not ConfigurationError, refused=refused
            )
        if self.error is not None:
            raise self.error
        return Token(Secret(f"token-{number}"), "bearer", self.life_s, self.clock.wall_s)

    def hold(self) -> asyncio.Event:
        self.started.clear()
        self.gate = asyncio.Event()
        return self.gate


class Shared(MemoryStore):
    """A store that counts what is asked of it, and fails where it is told to."""

    def __init__(self, failing: str | None = None, error: BaseException | None = None) -> None:
        super().__init__()
        self.failing = failing
        self.error = error or RuntimeError("the store is down")
        self.held = 0
        self.log: list[str] = []

    def lock(self, key: str):
        self._note("lock")
        inner = super().lock(key)

        @asynccontextmanager
        async def lock():
            async with inner:
                self.held += 1
                try:
                    yield
                finally:
                    self.held -= 1
            self._note("unlock")

        return lock()

    async def load(self, key: str) -> Token | None:
        self._note("load")
        return await super().load(key)

    async def save(self, key: str, token: Token) -> None:
        self._note("save")
        await super().save(key, token)

    async def load_now(self) -> Token | None:
        return await super().load("key")

    def _note(self, what: str) -> None:
        self.log.append(what)
        assert self.held or "lock" in what
        if what == self.failing:
            raise self.error


def call() -> CallProgress:
    """Return a call that waits as long as it takes."""
    return CallProgress("create_wallet", "id-1", started=0, deadline=math.inf)


def holder(
    login: Callable[[Hold | None], Awaitable[Token | FailedLogin]], clock: Clock, store: MemoryStore | None = None
) -> TokenHolder:
    """Make a holder whose clocks stand still."""
    return TokenHolder(login, store or MemoryStore(), "key", timeout_s=600, clocks=clock.clocks)


async def get(tokens: TokenHolder) -> str:
    """Return the value of the token that a caller gets."""
    return (await tokens.get(call())).access_token.reveal()


async def background_login() -> None:
    """Let a login that nobody waits for come to its end, if there is one."""
    logins = {task for task in asyncio.all_tasks() if task.get_name() == "caxton token"}
    await asyncio.gather(*logins, return_exceptions=True)


# --- life ---


@pytest.mark.parametrize(
    ("life_s", "ageing_s", "expired_s"),
    [
        pytest.param(100_000, 96_400, 99_970, id="an-hour-and-30-s"),
        pytest.param(36_000, 32_400, 35_970, id="a-tenth-is-an-hour"),
        pytest.param(10_000, 9_000, 9_970, id="a-tenth-and-30-s"),
        pytest.param(600, 540, 570, id="a-twentieth-is-30-s"),
        pytest.param(100, 90, 95, id="a-tenth-and-a-twentieth"),
        pytest.param(1, 0.9, 0.95, id="a-second"),
        pytest.param(10**400, 315_356_400, 315_359_970, id="for-ever-is-ten-years"),
    ],
)
@pytest.mark.parametrize("which", ["both", "monotonic", "wall"])
async def test_a_token_ages_and_expires_by_whichever_clock_is_first(life_s, ageing_s, expired_s, which) -> None:
    """A token is renewed when a tenth of its life is left, and not used in its last seconds, by either clock."""
    clock = Clock()
    login = Login(clock, life_s)
    tokens = holder(login, clock)
    start = clock.monotonic_s, clock.wall_s

    def at(seconds: float) -> Token | None:
        clock.monotonic_s, clock.wall_s = start
        clock.monotonic_s += seconds if which in {"both", "monotonic"} else 0
        clock.wall_s += seconds if which in {"both", "wall"} else 0
        return tokens.ready()

    await get(tokens)
    login.error = AuthenticationFailed("not now")

    assert at(ageing_s - 0.01) is not None
    await background_login()
    assert login.count == 1
    assert at(expired_s - 0.01) is not None
    await background_login()
    assert login.count == 2
    assert at(expired_s) is None
    assert at(expired_s + 1) is None


async def test_a_clock_that_was_set_back_lengthens_no_life() -> None:
    """A token from the future, as the wall clock has it, lives as long as it says from now on, and no longer."""
    clock = Clock()
    login = Login(clock)
    tokens = holder(login, clock)
    login.clock = Clock()
    login.clock.wall_s = clock.wall_s + 500_000

    await get(tokens)
    clock.monotonic_s += LIFE_S - 30

    assert tokens.ready() is None


async def test_a_login_that_gives_an_expired_token_is_an_error() -> None:
    """A token whose life was over when it came is not used, and the error names the clock."""
    clock = Clock()
    login = Login(clock)
    login.clock = Clock()
    login.clock.wall_s -= LIFE_S

    error = await failure(get(holder(login, clock)), AuthenticationFailed)

    assert "check the clock" in str(error)


# --- holds ---


async def test_logins_are_held_back_longer_after_each_failure() -> None:
    """After a failed login none is tried for 1, 5, 30 and then always 300 seconds; callers are told how long."""
    clock = Clock()
    login = Login(clock)
    login.error = AuthenticationFailed("no such luck")
    tokens = holder(login, clock)

    for number, hold_s in enumerate([1, 5, 30, 300, 300], 1):
        errors = await outcomes(get(tokens) for _ in range(10))
        clock.move(hold_s - 0.01)
        late = await failure(get(tokens), AuthenticationFailed)

        assert login.count == number
        assert {error.retry_after_s for error in errors} == {hold_s}
        assert len({id(error) for error in errors}) == 10
        assert "no login is tried for 0 s" in str(late)
        assert late.retry_after_s == pytest.approx(0.01)
        clock.move(0.01)
    login.error = None
    await get(tokens)
    tokens.invalidate(tokens.ready())
    login.error = AuthenticationFailed("again")
    error = await failure(get(tokens), AuthenticationFailed)

    assert error.retry_after_s == 1


@pytest.mark.parametrize(
    ("error", "holds_s"),
    [
        pytest.param(AuthenticationFailed("x"), [1, 5, 30, 300], id="failed"),
        pytest.param(LoginRefused("x"), [300, 3600], id="refused"),
        pytest.param(ConfigurationError("x"), [1, 5, 30, 30], id="no-password"),
        pytest.param(OSError("x"), [1, 5, 30, 30], id="error-of-the-provider"),
    ],
)
async def test_a_refresh_is_tried_once_in_each_hold(error, holds_s) -> None:
    """While the refresh of a token fails, each caller gets the old token, and each hold sees one attempt."""
    clock = Clock()
    login = Login(clock)
    tokens = holder(login, clock)
    await get(tokens)
    login.error = error
    clock.move(LIFE_S - 900)
    clock.wall_s = login.clock.wall_s

    for number, hold_s in enumerate(holds_s, 2):
        for _ in range(5):
            assert await get(tokens) == "token-1"
            await background_login()
        assert login.count == number
        clock.move(hold_s)
        if tokens.ready() is None:
            return  # it has expired
    if sum(holds_s) > 900:
        return
    login.error = None
    assert await get(tokens) == "token-1"
    await background_login()
    assert await get(tokens) == "token-6"


async def test_a_login_that_succeeds_ends_the_waits_after_earlier_failures() -> None:
    """A token that ages soon after a row of failures is renewed at once: what failed before counts no more."""
    clock = Clock()
    login = Login(clock, life_s=100)
    login.error = LoginRefused("x")
    tokens = holder(login, clock)
    for _ in range(4):  # the next wait would be of 300 s
        await failure(get(tokens))
    login.error = None
    await get(tokens)

    clock.move(90)
    tokens.ready()
    await background_login()

    assert login.count == 6
    assert await get(tokens) == "token-6"


@pytest.mark.parametrize("kind", [LoginRefused, ConfigurationError])
async def test_what_the_password_decides_is_asked_again_at_once(kind) -> None:
    """A refused or missing password is not waited out: each call asks for the password again."""
    clock = Clock()
    login = Login(clock)
    login.error = kind("no")
    tokens = holder(login, clock)

    errors = [await failure(get(tokens), kind) for _ in range(3)]
    login.error = None
    value = await get(tokens)

    assert [getattr(error, "retry_after_s", None) for error in errors] == [None] * 3
    assert value == "token-4"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RuntimeError("s3cret"), id="any-error"),
        pytest.param(TimeoutError(), id="timeout"),
        pytest.param(asyncio.CancelledError(), id="cancellation"),
        pytest.param(GeneratorExit(), id="generator-exit"),
        pytest.param(OutcomeUnknown("of a vault that is another client"), id="outcome-of-something-else"),
        pytest.param(NotSent("of a vault that is another client"), id="not-sent-of-something-else"),
        pytest.param(ExceptionGroup("s3cret", [ValueError()]), id="group"),
    ],
)
async def test_whatever_a_login_raises_reaches_those_who_wait_as_a_failed_login(error) -> None:
    """A password provider or a store that raises anything at all hangs nobody, and its error is not shown."""
    clock = Clock()
    login = Login(clock)
    login.error = error
    tokens = holder(login, clock)

    errors = await outcomes(get(tokens) for _ in range(5))

    assert {type(each) for each in errors} == {AuthenticationFailed}
    assert login.count == 1
    for each in errors:
        assert_clean(each, ["s3cret"])
    clock.move(1)
    login.error = None
    assert await get(tokens) == "token-2"


async def test_a_login_that_takes_too_long_is_ended() -> None:
    """A login has its own deadline, whoever waits for it."""
    clock = Clock()
    login = Login(clock)
    login.hold()
    tokens = TokenHolder(login, MemoryStore(), "key", timeout_s=0.001, clocks=clock.clocks)

    error = await failure(get(tokens), AuthenticationFailed)

    assert "in time" in str(error)


# --- cancellation, closing, forgetting ---


async def test_a_login_that_somebody_cancels_before_its_first_step_hangs_nobody() -> None:
    """A sweep that cancels every task of the program ends a login that has not begun; the next call makes another."""
    clock = Clock()
    login = Login(clock)
    tokens = holder(login, clock)
    waiting = asyncio.create_task(get(tokens))
    await asyncio.sleep(0)

    for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
        task.cancel()
    error = await failure(waiting, AuthenticationFailed)
    clock.move(1)

    assert "cancelled" in str(error)
    assert await get(tokens) == "token-1"


async def test_a_login_that_somebody_cancels_tells_those_who_wait() -> None:
    """A login that is cancelled under way is a failed login."""
    clock = Clock()
    login = Login(clock)
    login.hold()
    tokens = holder(login, clock)
    waiting = asyncio.create_task(get(tokens))
    await login.started.wait()

    for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
        task.cancel()
    error = await failure(waiting, AuthenticationFailed)

    assert "cancelled" in str(error)


async def test_a_login_runs_in_a_context_of_its_own() -> None:
    """What the first caller has set in its context does not cling to the login."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the first caller's")
    clock = Clock()
    login = Login(clock)

    await get(holder(login, clock))

    assert variable not in login.seen


async def test_a_caller_cancelled_in_the_moment_the_token_comes_stays_cancelled() -> None:
    """Who is cancelled between the end of the login and its own turn is cancelled; the others are served."""
    clock = Clock()
    login = Login(clock)
    almost = asyncio.Event()

    async def log_in(hold: Hold | None) -> Token | FailedLogin:
        token = await login()
        almost.set()  # wakes this test before the end of the login is seen to
        return token

    tokens = holder(log_in, clock)
    tasks = [asyncio.create_task(get(tokens)) for _ in range(3)]
    await almost.wait()
    tasks[0].cancel()
    outcome = await outcomes(tasks)

    assert tasks[0].cancelled()
    assert outcome[1:] == ["token-1", "token-1"]


@virtual
async def test_a_caller_cancelled_as_its_time_runs_out_stays_cancelled() -> None:
    """Where the cancellation and the deadline are seen in one turn of the loop, the first of them counts."""
    login = Login(Clock())
    login.hold()
    tokens = holder(login, login.clock)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    waiting = asyncio.create_task(tokens.get(CallProgress("create_wallet", "id-1", started=0, deadline=2.0)))
    loop.call_at(1.0, waiting.cancel)
    await login.started.wait()
    loop.now = 3.0  # the loop was blocked

    [outcome] = await outcomes([waiting])
    await tokens.aclose()

    assert isinstance(outcome, asyncio.CancelledError)


@virtual
async def test_no_login_is_made_later_for_callers_who_are_gone() -> None:
    """When the next login after a rejection may be made, and nobody waits for it any more, none is."""
    login = Login(Clock())
    tokens = holder(login, login.clock)
    for name in ("one", "two"):
        tokens.reject(await tokens.get(call()), Caller(identity_number=name))
    waiting = asyncio.create_task(tokens.get(call()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(10)

    assert waiting.cancelled()
    assert login.count == 2


@pytest.mark.parametrize("begun", [False, True], ids=["before-its-first-step", "under-way"])
async def test_closing_ends_the_login_and_tells_those_who_wait(begun: bool) -> None:
    """Who waits for a login at the time of closing, and who asks later, is told that the client is closed."""
    clock = Clock()
    login = Login(clock)
    login.hold()
    tokens = holder(login, clock)
    tasks = [asyncio.create_task(get(tokens)) for _ in range(3)]
    if begun:
        await login.started.wait()
    else:
        await asyncio.sleep(0)

    await tokens.aclose()
    errors = [*await outcomes(tasks), await failure(get(tokens))]

    assert {type(error) for error in errors} == {ConfigurationError}
    assert login.count == begun


async def test_closing_lets_itself_be_cancelled() -> None:
    """Who is cancelled while closing stays cancelled; those who wait are told all the same."""
    clock = Clock()
    ending, allowed = asyncio.Event(), asyncio.Event()

    async def stubborn(hold: Hold | None) -> Token:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await allowed.wait()

    tokens = holder(stubborn, clock)
    waiting = asyncio.create_task(get(tokens))
    await asyncio.sleep(0)
    closing = asyncio.create_task(tokens.aclose())
    await ending.wait()

    closing.cancel()
    await asyncio.wait({closing})
    allowed.set()
    error = await failure(waiting, ConfigurationError)

    assert closing.cancelled()
    assert "closed" in str(error)


async def test_a_login_that_fails_while_it_is_closed_goes_unnoticed() -> None:
    """An error in the clean-up of a login that was stopped is not reported as forgotten."""
    clock = Clock()
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def breaking(hold: Hold | None) -> Token:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("broken")

    tokens = holder(breaking, clock)
    waiting = asyncio.create_task(get(tokens))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await tokens.aclose()

    assert type(await failure(waiting)) is ConfigurationError
    del tokens
    await asyncio.sleep(0)
    assert reported == []


async def test_a_changed_password_voids_the_login_that_is_under_way() -> None:
    """Whoever waits while the password changes gets the token of the new one, and the old one's outcome is lost."""
    clock = Clock()
    login = Login(clock)
    gate = login.hold()
    tokens = holder(login, clock)
    waiting = asyncio.create_task(get(tokens))
    await login.started.wait()

    tokens.reset()
    gate.set()

    assert await waiting == "token-2"
    assert await get(tokens) == "token-2"


async def test_a_changed_password_voids_a_login_that_nobody_waits_for() -> None:
    """A renewal in the background that was begun with the old password is neither used nor held against the new."""
    clock = Clock()
    login = Login(clock)
    tokens = holder(login, clock)
    await get(tokens)
    clock.move(LIFE_S - 900)
    gate = login.hold()
    tokens.ready()
    await login.started.wait()
    login.error = LoginRefused("the old password")

    tokens.reset()
    gate.set()
    await background_login()
    login.error = None

    assert tokens.ready() is None
    assert await get(tokens) == "token-3"


async def test_a_changed_password_ends_a_hold() -> None:
    """What failed with the old password does not hold back a login with the new one."""
    clock = Clock()
    login = Login(clock)
    login.error = AuthenticationFailed("x")
    tokens = holder(login, clock)
    await failure(get(tokens))

    login.error = None
    tokens.reset()

    assert await get(tokens) == "token-2"


async def test_only_the_token_in_use_is_dropped() -> None:
    """A rejection of a token that has been replaced drops nothing."""
    clock = Clock()
    login = Login(clock)
    tokens = holder(login, clock)
    old = await tokens.get(call())
    tokens.invalidate(old)
    await get(tokens)

    tokens.invalidate(old)
    token = tokens.ready()

    assert token is not None
    assert token.access_token.reveal() == "token-2"


# --- stores ---


async def test_holders_of_one_store_make_one_login() -> None:
    """Sixteen holders that share a store log in once, and all use that token."""
    clock = Clock()
    login = Login(clock)
    gate = login.hold()
    store = Shared()
    tasks = [asyncio.create_task(get(holder(login, clock, store))) for _ in range(16)]
    await login.started.wait()

    gate.set()
    values = await asyncio.gather(*tasks)

    assert set(values) == {"token-1"}
    assert login.count == 1
    assert store.log.count("load") == 16
    assert store.log.count("save") == 1


async def test_holders_of_one_store_renew_an_ageing_token_once() -> None:
    """When the token that several processes share ages, the first renews it and the others take it from the store."""
    clock = Clock()
    login = Login(clock)
    store = Shared()
    holders = [holder(login, clock, store) for _ in range(4)]
    for tokens in holders:
        await get(tokens)
    clock.move(LIFE_S - 900)

    for tokens in holders:
        tokens.ready()
    for _ in holders:
        await background_login()

    assert [await get(tokens) for tokens in holders] == ["token-2"] * 4
    assert login.count == 2


async def test_a_stored_token_that_was_rejected_is_not_used_again() -> None:
    """After a 401 the token that the store still has is passed over, by a holder that got it from there as well."""
    clock = Clock()
    login = Login(clock)
    store = Shared()
    await get(holder(login, clock, store))
    tokens = holder(login, clock, store)
    rejected = await tokens.get(call())

    tokens.invalidate(rejected)

    assert rejected.access_token.reveal() == "token-1"
    assert await get(tokens) == "token-2"
    assert (await store.load_now()).access_token.reveal() == "token-2"


async def test_a_stored_token_that_another_process_has_renewed_is_used() -> None:
    """After a 401 a newer token of the store saves the login."""
    clock = Clock()
    login = Login(clock)
    store = Shared()
    first, second = holder(login, clock, store), holder(login, clock, store)
    used = [(tokens, await tokens.get(call())) for tokens in (first, second)]

    for tokens, rejected in used:
        tokens.invalidate(rejected)
        await get(tokens)

    assert await get(first) == await get(second) == "token-2"
    assert login.count == 2


@pytest.mark.parametrize("seconds", [LIFE_S - 1000, LIFE_S - 30, LIFE_S, 10 * LIFE_S])
async def test_a_stored_token_that_ages_or_has_expired_is_renewed(seconds: float) -> None:
    """A token of the store of whose life too little is left is not taken."""
    clock = Clock()
    login = Login(clock)
    store = Shared()
    await get(holder(login, clock, store))
    clock.move(seconds)

    assert await get(holder(login, clock, store)) == "token-2"


async def test_a_stored_token_keeps_its_age() -> None:
    """A token that was stored some time ago ends when it would have ended for the process that got it."""
    clock = Clock()
    login = Login(clock)
    store = Shared()
    await get(holder(login, clock, store))
    clock.move(5000)
    tokens = holder(login, clock, store)
    await get(tokens)

    clock.monotonic_s += LIFE_S - 30 - 5000 - 1
    last = tokens.ready()
    clock.monotonic_s += 1

    assert last is not None
    assert tokens.ready() is None
