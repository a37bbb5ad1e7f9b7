"""The holder of the token against a model of it: any order of calls, logins, rejections, cancellations and clocks."""

import asyncio
import math

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from caxton_async import AuthenticationFailed, ConfigurationError, LoginRefused, Secret
from caxton_async.auth.holder import Clocks, MemoryStore, StoredToken, Token, TokenHolder
from tests.support.scale import scaled

HOLDS_S = (1, 5, 30, 300)
ERRORS = {"fails": AuthenticationFailed, "is refused": LoginRefused, "has no password": ConfigurationError}


@define
class Expected:
    """What the model knows of the token in use: its number, and when it ages and expires on either clock."""

    number: int
    ages: tuple[float, float]
    expires: tuple[float, float]


@define
class Model:
    """What a holder has to do, told without a task, a lock or a future."""

    now: tuple[float, float] = (50.0, 1_000_000.0)  # monotonic, wall
    token: Expected | None = None
    logins: int = 0
    runs: bool = False
    outdated: bool = False
    failures: int = 0
    retry_at: float = -math.inf
    held: type[Exception] | None = None
    closed: bool = False

    def is_past(self, marks: tuple[float, float]) -> bool:
        return self.now[0] >= marks[0] or self.now[1] >= marks[1]

    def start(self) -> None:
        if not self.runs and not self.closed:
            self.runs = True
            self.logins += 1

    def ready(self) -> int | None:
        if self.token is None or self.is_past(self.token.expires):
            return None
        if self.is_past(self.token.ages) and self.now[0] >= self.retry_at:
            self.start()
        return self.token.number

    def call(self) -> object:
        """Return what a call gets at once: the number of its token, an error, or None if it has to wait."""
        if (number := self.ready()) is not None:
            return number
        if self.closed:
            return ConfigurationError
        if self.held is AuthenticationFailed and self.now[0] < self.retry_at:
            return AuthenticationFailed
        self.start()
        return None

    def forget(self) -> None:
        self.token, self.outdated = None, self.runs
        self.failures, self.held, self.retry_at = 0, None, -math.inf

    def end_login(self, outcome: str, life_s: float, *, waited_for: bool) -> object:
        """Return what those who wait get: a number, an error, or None if they wait on."""
        self.runs = False
        if self.outdated:
            self.outdated = False
            if waited_for:
                self.start()
            return None
        if outcome == "gives a token":
            ageing, expired = life_s - min(3600, life_s * 0.1), life_s - min(30, life_s * 0.05)
            ages, expires = [tuple(clock + mark for clock in self.now) for mark in (ageing, expired)]
            self.token = Expected(self.logins, ages, expires)
            self.failures, self.held, self.retry_at = 0, None, -math.inf
            return self.logins
        self.retry_at = self.now[0] + HOLDS_S[min(self.failures, 3)]
        self.failures += 1
        self.held = ERRORS[outcome]
        return self.held


class TokenMachine(RuleBasedStateMachine):
    """Does the same to a holder and to the model, and compares."""

    @initialize(life_s=st.sampled_from([1, 100, 10_000, 2_591_999]))
    def begin(self, life_s: int) -> None:
        """Make a holder whose logins answer when they are told to."""
        self.runner = asyncio.Runner()
        self.model = Model()
        self.life_s = life_s
        self.logins: list[asyncio.Future[StoredToken]] = []
        self.waiting: list[asyncio.Task[Token]] = []
        self.tokens: list[Token] = []
        self.runner.run(self.open())

    async def open(self) -> None:
        """Make the holder, inside its loop."""
        clocks = Clocks(lambda: self.model.now[0], lambda: self.model.now[1])
        self.holder = TokenHolder(self.log_in, MemoryStore(), "key", timeout_s=1e6, clocks=clocks)

    async def log_in(self) -> StoredToken:
        """Wait to be told how the login ends."""
        self.logins.append(asyncio.get_running_loop().create_future())
        return await self.logins[-1]

    async def turns(self) -> None:
        """Let the loop go round until nothing moves any more."""
        for _ in range(8):
            await asyncio.sleep(0)

    def compare(self, tasks: list[asyncio.Task[Token]], expected: object) -> None:
        """Check that these callers got what the model says, each an error of its own; None: they still wait."""
        for task in tasks:
            assert task.done() == (expected is not None)
            if isinstance(expected, int):
                token = task.result()
                assert token.stored.access_token.reveal() == f"token-{expected}"
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
            tasks = [asyncio.create_task(self.holder.get("create_wallet", "id")) for _ in range(number)]
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
        assert (None if token is None else token.stored.access_token.reveal()) == (expected and f"token-{expected}")

    @precondition(lambda self: self.model.runs)
    @rule(outcome=st.sampled_from(["gives a token", "fails", *ERRORS]))
    def the_login_ends(self, outcome: str) -> None:
        """The login that runs ends in one way or another."""
        waited_for = bool(self.waiting)
        login, number = self.logins[-1], self.model.logins
        expected = self.model.end_login(outcome, self.life_s, waited_for=waited_for)

        async def end() -> None:
            if outcome == "gives a token":
                token = StoredToken(Secret(f"token-{number}"), "bearer", self.life_s, self.model.now[1])
                login.set_result(token)
            else:
                login.set_exception(ERRORS[outcome]("no"))
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
        """A call comes back with 401 for the token in use, or late for an old one."""
        token = data.draw(st.sampled_from(self.tokens))
        in_use = self.model.token
        if in_use is not None and token.stored.access_token.reveal() == f"token-{in_use.number}":
            self.model.token = None
        self.holder.drop(token)

    @rule()
    def the_password_changes(self) -> None:
        """The password changes, also while a login with the old one runs."""
        self.model.forget()
        self.holder.forget()

    @rule(seconds=st.sampled_from([0.5, 1, 4, 30, 299, 300, 5_000, 10_000, 2_591_000]))
    def time_passes(self, seconds: float) -> None:
        """Both clocks move on together."""
        self.model.now = (self.model.now[0] + seconds, self.model.now[1] + seconds)

    @precondition(lambda self: self.model.token)
    @rule(mark=st.sampled_from(["ages", "expires"]), clock=st.sampled_from([0, 1]), early_s=st.sampled_from([0, 0.001]))
    def the_token_grows_old(self, mark: str, clock: int, early_s: float) -> None:
        """One clock comes to where the token ages or expires, or to just before it."""
        now = list(self.model.now)
        now[clock] = max(now[clock], getattr(self.model.token, mark)[clock] - early_s)
        self.model.now = (now[0], now[1])

    @precondition(lambda self: self.model.retry_at > self.model.now[0])
    @rule(early_s=st.sampled_from([0, 0.001]))
    def the_hold_ends(self, early_s: float) -> None:
        """Time comes to the end of a hold, or to just before it."""
        self.time_passes(self.model.retry_at - self.model.now[0] - early_s)

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
