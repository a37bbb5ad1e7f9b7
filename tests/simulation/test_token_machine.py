"""The holder of the token against a model of it: any order of calls, logins, rejections, cancellations and clocks."""

import asyncio
import math

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from caxton_async import AuthenticationFailed, ConfigurationError, LoginRefused, Secret
from caxton_async.auth.hold import FailedLogin, Hold
from caxton_async.auth.holder import TokenHolder
from caxton_async.auth.stores import MemoryStore
from caxton_async.auth.token import Clocks, Token
from caxton_async.events import CallProgress
from tests.support.scale import scaled

HOLDS_S = (1, 5, 30, 300)
ERRORS = {"fails": AuthenticationFailed, "is refused": LoginRefused, "has no password": ConfigurationError}


@define
class Expected:
    """What the model knows of the token in use: its number, and when it is refreshed and expires on either clock."""

    number: int
    refreshed: tuple[float, float]
    expires: tuple[float, float]


@define
class Held:
    """What the model knows of a failed login: until when on the wall clock, the how manieth, whether refused."""

    until: float
    failures: int
    refused: bool = False


@define
class Model:
    """What a holder has to do, told without a task, a lock or a future."""

    now: tuple[float, float] = (50.0, 1_000_000.0)  # monotonic, wall
    token: Expected | None = None
    logins: int = 0
    runs: bool = False
    outdated: bool = False
    shared: Held | None = None  # in the store
    loaded: Held | None = None  # from there by the login that runs
    own: Held | None = None
    lifted: bool = False
    clears: bool = False  # the login that runs, should it succeed
    failed: type[Exception] | None = None
    retry_at: tuple[float, float] = (-math.inf, -math.inf)
    closed: bool = False

    def is_past(self, marks: tuple[float, float]) -> bool:
        return self.now[0] >= marks[0] or self.now[1] >= marks[1]

    def start(self) -> None:
        if self.runs or self.closed:
            return
        is_credible = self.shared is not None and self.shared.until - self.now[1] <= 3660
        self.loaded = self.shared if is_credible and not self.lifted else None
        self.clears, self.lifted = self.lifted or self.loaded is not None, False
        if self.loaded is not None and not self.loaded.refused and self.now[1] < self.loaded.until:
            self.failed, self.retry_at = AuthenticationFailed, self.both(self.loaded.until)
            return
        self.runs = True
        self.logins += 1

    def ready(self) -> int | None:
        if self.token is None or self.is_past(self.token.expires):
            return None
        if self.is_past(self.token.refreshed) and self.is_past(self.retry_at):
            self.start()
        return self.token.number

    def call(self) -> object:
        """Return what a call gets at once: the number of its token, an error, or None if it has to wait."""
        if (number := self.ready()) is not None:
            return number
        if self.closed:
            return ConfigurationError
        if self.is_held():
            return AuthenticationFailed
        self.start()
        return None if self.runs or not self.is_held() else AuthenticationFailed

    def is_held(self) -> bool:
        return self.failed is AuthenticationFailed and not self.is_past(self.retry_at)

    def both(self, until: float) -> tuple[float, float]:
        return self.now[0] + (until - self.now[1]), until  # in this order, or the last digit is another

    def reset(self) -> None:
        self.token, self.outdated = None, self.runs
        self.own, self.failed, self.retry_at, self.lifted = None, None, (-math.inf, -math.inf), True

    def end_login(self, outcome: str, life_s: float, *, waited_for: bool) -> object:
        """Return what those who wait get: a number, an error, or None if they wait on."""
        self.runs = False
        held = None if outcome == "gives a token" else self.hold(outcome)
        if held is None:
            self.own, self.shared = None, None if self.clears else self.shared
        elif outcome == "has no password":
            self.own = held
        else:
            self.own = self.shared = held
        if self.outdated:
            self.outdated = False
            if waited_for:
                self.start()
            return None
        if held is None:
            early, expired = life_s - min(3600, life_s * 0.1), life_s - min(30, life_s * 0.05)
            refreshed, expires = [tuple(clock + mark for clock in self.now) for mark in (early, expired)]
            self.token = Expected(self.logins, refreshed, expires)
            self.failed, self.retry_at = None, (-math.inf, -math.inf)
            return self.logins
        self.failed, self.retry_at = ERRORS[outcome], self.both(held.until)
        return self.failed

    def hold(self, outcome: str) -> Held:
        now, before = self.now[1], self.own if outcome == "has no password" else self.loaded
        if outcome == "is refused":
            return Held(now + (3600 if before and before.refused else 300), 0, refused=True)
        counts = before is not None and not before.refused and now - before.until < 3600
        failures = before.failures if counts else 0
        wait = HOLDS_S[min(failures, 3)]
        return Held(now + (min(wait, 30) if outcome == "has no password" else wait), failures + 1)


class TokenMachine(RuleBasedStateMachine):
    """Does the same to a holder and to the model, and compares."""

    @initialize(life_s=st.sampled_from([1, 100, 10_000, 2_591_999]))
    def begin(self, life_s: int) -> None:
        """Make a holder whose logins answer when they are told to."""
        self.runner = asyncio.Runner()
        self.model = Model()
        self.life_s = life_s
        self.logins: list[asyncio.Future[Token | FailedLogin]] = []
        self.waiting: list[asyncio.Task[Token]] = []
        self.tokens: list[Token] = []
        self.runner.run(self.open())

    async def open(self) -> None:
        """Make the holder, inside its loop."""
        clocks = Clocks(lambda: self.model.now[0], lambda: self.model.now[1])
        self.holder = TokenHolder(self.log_in, MemoryStore(), "key", timeout_s=1e6, clocks=clocks)

    async def log_in(self, hold: Hold | None) -> Token | FailedLogin:
        """Wait to be told how the login ends."""
        self.logins.append(asyncio.get_running_loop().create_future())
        return await self.logins[-1]

    async def turns(self) -> None:
        """Let the loop go round until nothing moves any more."""
        for _ in range(12):
            await asyncio.sleep(0)

    def compare(self, tasks: list[asyncio.Task[Token]], expected: object) -> None:
        """Check that these callers got what the model says, each an error of its own; None: they still wait."""
        for task in tasks:
            assert task.done() == (expected is not None)
            if isinstance(expected, int):
                token = task.result()
                assert token.access_token.reveal() == f"token-{expected}"
                self.tokens.append(token)
            elif expected is not None:
                assert type(task.exception()) is expected
        errors = [task.exception() for task in tasks if task.done()]
        assert len({id(error) for error in errors if error}) == len([error for error in errors if error])

    @rule(number=st.integers(1, 5))
    def callers_come(self, number: int) -> None:
        """Some callers ask for a token at once."""
        expected = [self.model.call() for _ in range(number)]

        async def come() -> list[asyncio.Task[Token]]:
            tasks = [
                asyncio.create_task(self.holder.get(CallProgress("create_wallet", "id", 0, math.inf)))
                for _ in range(number)
            ]
            await self.turns()
            return tasks

        tasks = self.runner.run(come())
        for task, each in zip(tasks, expected, strict=True):
            self.compare([task], each)
        self.waiting += [task for task in tasks if not task.done()]

    @rule()
    def a_call_looks(self) -> None:
        """A call on the warm path looks whether there is a token."""
        expected = self.model.ready()

        async def look() -> Token | None:
            token = self.holder.ready()
            await self.turns()
            return token

        token = self.runner.run(look())
        assert (None if token is None else token.access_token.reveal()) == (expected and f"token-{expected}")

    @precondition(lambda self: self.model.runs)
    @rule(outcome=st.sampled_from(["gives a token", "fails", *ERRORS]))
    def the_login_ends(self, outcome: str) -> None:
        """The login that runs ends in one way or another."""
        waited_for = bool(self.waiting)
        login, number = self.logins[-1], self.model.logins
        expected = self.model.end_login(outcome, self.life_s, waited_for=waited_for)

        async def end() -> None:
            if outcome == "gives a token":
                token = Token(Secret(f"token-{number}"), "bearer", self.life_s, self.model.now[1])
                login.set_result(token)
            else:
                refused = "digest" if outcome == "is refused" else None
                login.set_result(FailedLogin(ERRORS[outcome], "no", outcome != "has no password", refused=refused))
            await self.turns()

        self.runner.run(end())
        self.compare(self.waiting, expected)
        if expected is not None:
            self.waiting = []

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def callers_are_cancelled(self, data: st.DataObject) -> None:
        """Some of those who wait are cancelled; nobody else is."""
        victims = data.draw(st.lists(st.sampled_from(self.waiting), min_size=1, unique=True))

        async def cancel() -> None:
            for task in victims:
                task.cancel()
            await self.turns()

        self.runner.run(cancel())
        assert all(task.cancelled() for task in victims)
        self.waiting = [task for task in self.waiting if task not in victims]
        assert not any(task.done() for task in self.waiting)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def a_token_is_rejected(self, data: st.DataObject) -> None:
        """The token in use is found to be void, or late an old one."""
        token = data.draw(st.sampled_from(self.tokens))
        in_use = self.model.token
        if in_use is not None and token.access_token.reveal() == f"token-{in_use.number}":
            self.model.token = None
        self.holder.invalidate(token)

    @rule()
    def the_password_changes(self) -> None:
        """The password changes, also while a login with the old one runs."""
        self.model.reset()
        self.holder.reset()

    @rule(seconds=st.sampled_from([0.5, 1, 4, 30, 299, 300, 5_000, 10_000, 2_591_000]))
    def time_passes(self, seconds: float) -> None:
        """Both clocks move on together."""
        self.model.now = (self.model.now[0] + seconds, self.model.now[1] + seconds)

    @precondition(lambda self: self.model.token)
    @rule(
        mark=st.sampled_from(["refreshed", "expires"]),
        clock=st.sampled_from([0, 1]),
        early_s=st.sampled_from([0, 0.001]),
    )
    def the_token_grows_old(self, mark: str, clock: int, early_s: float) -> None:
        """One clock comes to where the token ages or expires, or to just before it."""
        now = list(self.model.now)
        now[clock] = max(now[clock], getattr(self.model.token, mark)[clock] - early_s)
        self.model.now = (now[0], now[1])

    @precondition(lambda self: not self.model.is_past(self.model.retry_at))
    @rule(early_s=st.sampled_from([0, 0.001]))
    def the_hold_ends(self, early_s: float) -> None:
        """Time comes to the end of a hold, or to just before it."""
        self.time_passes(min(at - now for at, now in zip(self.model.retry_at, self.model.now, strict=True)) - early_s)

    @rule(seconds=st.sampled_from([-100_000, -60, 60, 9_000, 100_000]))
    def the_clock_is_set(self, seconds: float) -> None:
        """The wall clock jumps, or the machine was asleep and the other clock stood still."""
        self.model.now = (self.model.now[0], self.model.now[1] + seconds)

    @invariant()
    def logins_agree(self) -> None:
        """There were as many logins as the model says."""
        assert len(self.logins) == self.model.logins

    def teardown(self) -> None:
        """Close the holder in whatever state it is: whoever waits is told, and so is whoever comes later."""
        if hasattr(self, "runner"):
            self.model.closed, self.model.runs, self.model.outdated = True, False, False
            self.runner.run(self.holder.aclose())
            self.runner.run(self.turns())
            self.compare(self.waiting, ConfigurationError)
            self.waiting = []
            self.callers_come(1)
            self.logins_agree()
            self.runner.close()


TestTokenMachine = TokenMachine.TestCase
TestTokenMachine.settings = settings(max_examples=scaled(200, 10_000), stateful_step_count=50, deadline=None)
