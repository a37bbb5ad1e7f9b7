"""A bank in memory behind the real client, a journal that writes inline, and a clock that jumps: no socket, no thread.

Whoever holds a `choose` function decides what happens: a seeded generator in the simulation, Hypothesis in the state
machine.  What is chosen decides all, so the same choices are the same story.
"""

import asyncio
import itertools
import json
import random
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import anyio
from attrs import define, field

from caxton_async import CaxtonClient, Credentials, Settings
from caxton_async.batch import BatchSummary, resume_batch, run_batch
from caxton_async.emulator.routes import ASSUMED_PATHS
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.errors import NotSent
from caxton_async.journal import Journal, RowState, open_journal
from caxton_async.journal.group_writer import GroupWriter, commit_group, tell
from caxton_async.journal.sqlite.journal_file import SqliteJournal
from caxton_async.models import MoveFunds
from caxton_async.protocol.request import HttpReply, HttpRequest
from tests.support.places import SAMPLES

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]

MOVED = (SAMPLES / "10_move_funds_between_pots_response.json").read_bytes()
REFUSED = MOVED.replace(b'"IsValid"', b'"InsufficientFunds"').replace(b"100,", b"205,").replace(b": 100", b": 205")
TOKEN = json.dumps({"access_token": "t", "token_type": "bearer", "expires_in": 2_591_999}).encode()

# What becomes of a call once it is under way; the first is what a calm world does.
FATES = (
    "done", "done", "done", "refused", "cannot connect", "lost before work", "lost after work", "too late",
    "rate limited", "unauthorised", "server error", "server error after work",
)  # fmt: skip
TURNED_AWAY = {"rate limited": (b'{"Message": "slow down"}', 429), "unauthorised": (b'{"Message": "no"}', 401)}
NOT_CARRIED_OUT = {"refused", "lost before work", "server error"}
ANSWERS = {
    "done": (MOVED, 200),
    "refused": (REFUSED, 200),
    "lost before work": (b"", 0),
    "lost after work": (b"", 0),
    "server error": (b"", 503),
    "server error after work": (b"", 500),
}
DELAYS_S = (0.0, 0.0, 0.01, 0.7)


class InlineWriter(GroupWriter):
    """Carries work out at once, in place of the thread, and calls `on_commit` before and after."""

    on_commit: Callable[[], None] = staticmethod(lambda: None)

    def submit(self, work: Callable[[Any], Any]) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        InlineWriter.on_commit()
        tell([done], commit_group(self._begin, [work]))
        InlineWriter.on_commit()
        return done


class InlineJournal(SqliteJournal):
    """A journal without a thread."""

    writer_class = InlineWriter


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and no timer is set"
        self.now += max(timeout, 0)
        return super().select(0)


class _NumberedFuture(asyncio.Future):
    """A future whose place in a set is decided by its number, not by its address."""

    __slots__ = ("number",)

    def __hash__(self) -> int:
        return self.number


class _NumberedTask(asyncio.Task):
    """The same of a task."""

    __slots__ = ("number",)

    def __hash__(self) -> int:
        return self.number


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time, and everything happens in the same order each time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        self._numbers = itertools.count()
        super().__init__(self._jumping)
        self.set_task_factory(self._numbered_task)

    def time(self) -> float:
        return self._jumping.now

    def create_future(self) -> "asyncio.Future[Any]":
        future = _NumberedFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def run_in_executor(self, _executor: Any, function: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """Run it here: a thread would have a time of its own."""
        future = self.create_future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 -- as an executor does
            future.set_exception(error)
        return future

    def _numbered_task(self, loop: asyncio.AbstractEventLoop, work: Any, **extra: Any) -> "asyncio.Task[Any]":
        # Hashed while it is being made, so the number cannot be given to it afterwards.
        numbered = type("Numbered", (_NumberedTask,), {"number": next(self._numbers)})
        return numbered(work, loop=loop, **extra)


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a loop of its own whose clock jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)


@define
class World:
    """The bank, and the network before it: what was done for each row, and what is still on its way."""

    choose: Choose
    done: Counter[int] = field(factory=Counter)
    read: Counter[int] = field(factory=Counter)  # requests that were handed to a connection and not turned away
    on_its_way: list[int] = field(factory=list)
    logins: int = 0
    is_calm: bool = False
    is_dead: bool = False  # the client's process was killed: nothing that it does has any effect
    story: list[str] = field(factory=list)

    def open(self) -> None:
        """Have nothing to open."""

    async def aclose(self) -> None:
        """Have nothing to close."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """Answer as the client's transport does, or lose the request or its answer."""
        if request.endpoint == "get_access_token":
            self.logins += 1
            return await self._answer(TOKEN)
        row = int(Decimal(json.loads(request.body or b"")["Amount"]) * 100)
        fate = "done" if self.is_calm else self.choose(FATES)
        self.story.append(f"{row} {fate}")
        await self._pass_time()
        if fate == "cannot connect":
            raise NotSent("the connection was refused")
        request.dispatched = True
        if fate in TURNED_AWAY:
            return await self._answer(*TURNED_AWAY[fate])
        self.read[row] += 1
        if fate not in NOT_CARRIED_OUT:
            self.on_its_way.append(row)
            if fate == "too late":
                await asyncio.sleep(request.timeout_s)
                return HttpReply(flaw="no answer came in time", timed_out=True)
            await self._pass_time()
            self._work(row)
        return await self._answer(*ANSWERS[fate])

    def end_of_life(self) -> None:
        """Let what is still on its way arrive, or be lost, once the client is gone."""
        for row in list(self.on_its_way):
            if self.choose((True, False)):
                self._work(row)
        self.on_its_way.clear()
        self.is_dead = False

    def _work(self, row: int) -> None:
        if row in self.on_its_way:
            self.on_its_way.remove(row)
            self.done[row] += 1

    async def _answer(self, body: bytes, status: int = 200) -> HttpReply:
        await self._pass_time()
        if not status:
            return HttpReply(flaw="the connection was reset")
        return HttpReply(status, {"Content-Length": str(len(body))}, body)

    async def _pass_time(self) -> None:
        await asyncio.sleep(0 if self.is_calm else self.choose(DELAYS_S))
        if self.is_dead:
            await asyncio.get_running_loop().create_future()


@define
class Interruption:
    """What ends a life, when so many transactions were begun or done."""

    batch: "Batch"
    end: str
    left: int
    task: "asyncio.Task[Any]"
    stop: anyio.Event

    def __call__(self) -> None:
        self.left -= 1
        if self.left:
            return
        cancel = self.task.cancel
        if self.end == "stop":
            self.stop.set()
        elif self.end == "kill":
            self.batch.remember()
            self.batch.world.is_dead = True
        for _ in range({"cancel": 1, "cancel twice": 2, "kill": 1}.get(self.end, 0)):
            asyncio.get_running_loop().call_soon(cancel)


@define
class Batch:
    """One batch in that world, through all of its lives."""

    world: World
    folder: Path
    rows: int = 6
    concurrency: int = 3
    lives: int = 0
    remembered: dict[Path, bytes] | None = None

    def live(self, end: str, moment: int = 0) -> BatchSummary | None:
        """Run once: to the `end`, or until it is stopped, cancelled or killed at a `moment`; begin or go on."""
        self.lives += 1
        random.seed(self.lives)  # the client's jitter
        self.world.story.append(f"{end} {moment}")
        try:
            return in_virtual_time(self._live(end, moment))
        finally:
            InlineWriter.on_commit = staticmethod(lambda: None)
            self.world.end_of_life()
            self._restore()

    @contextmanager
    def read(self) -> Iterator[Journal]:
        """Open the journal as a person does."""
        with open_journal(self.folder / "journal.sqlite", environ=self._environ) as journal:
            yield journal

    @property
    def _environ(self) -> dict[str, str]:
        return {"CAXTON_STATE_DIR": str(self.folder / "state")}

    def states(self) -> dict[int, RowState]:
        """Say where each row stands; what a dead process had in flight is swept first."""
        if not (self.folder / "journal.sqlite").exists():
            return {}
        with self.read() as journal:
            journal.sweep()
            return {row.position: row.state for info in journal.batches() for row in journal.rows(info.id)}

    async def _live(self, end: str, moment: int) -> BatchSummary | None:
        settings = Settings(base_url="http://127.0.0.1:1", deadline_s=20, attempt_timeout_s=5, paths=ASSUMED_PATHS)
        caxton = CaxtonClient(Credentials("u", "c", "p"), settings)
        caxton._session._transport = self.world
        stop = anyio.Event()
        journal = InlineJournal(self.folder / "journal.sqlite", self.folder / "state", None)
        async with journal, caxton:
            work = self._run(caxton, journal, stop)
            task = asyncio.ensure_future(work)
            InlineWriter.on_commit = staticmethod(Interruption(self, end, moment, task, stop))
            try:
                summary = await task
            except asyncio.CancelledError:
                summary = None
        return summary

    async def _run(self, caxton: CaxtonClient, journal: Journal, stop: anyio.Event) -> BatchSummary:
        options: dict[str, Any] = {"journal": journal, "concurrency": self.concurrency, "stop": stop}
        journal.sweep()
        if journal.batches():
            return await resume_batch(caxton, 1, **options)
        moves = [(f"ref-{n}", MoveFunds("GBP", "POT1-GBP", Decimal(n) / 100)) for n in range(1, self.rows + 1)]
        return await run_batch(caxton, MOVE_FUNDS, moves, **options)

    def remember(self) -> None:
        """Keep what a kill would leave at this instant."""
        self.remembered = {path: path.read_bytes() for path in self._files()}

    def _restore(self) -> None:
        """Undo, in the very files, what a process did after it was killed."""
        if self.remembered is not None:
            for path in set(self._files()) - self.remembered.keys():
                path.unlink()
            for path, content in self.remembered.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("r+b" if path.exists() else "wb") as file:
                    file.truncate(0)
                    file.write(content)
            self.remembered = None

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def check(self) -> None:
        """Hold the journal against the bank: nothing twice, nothing lost, and what is said of a row is true."""
        assert max(self.world.read.values(), default=0) <= 1, "a request was sent twice"
        assert max(self.world.done.values(), default=0) <= 1, "a row was carried out twice"
        states = self.states()
        if not states:
            assert not self.world.read, "something was sent that was not planned"
            return
        assert states.keys() == set(range(1, self.rows + 1)), "a row was lost"
        for row, state in states.items():
            done = self.world.done[row]
            if state is RowState.ACCEPTED:
                assert done == 1, f"{row} is accepted and was not carried out"
            elif state is not RowState.UNKNOWN and state is not RowState.RESOLVED:
                assert done == 0, f"{row} is {state.value} and was carried out"

    def finish(self) -> None:
        """Go on in a calm world until nothing is left to send."""
        self.world.is_calm = True
        for _ in range(self.rows):  # an outage of a life before may pause a run
            summary = self.live("end")
            assert summary is not None
            if not summary.left:
                break
        assert summary.left == 0
        assert set(self.states().values()) <= {
            RowState.ACCEPTED,
            RowState.REJECTED,
            RowState.UNKNOWN,
            RowState.RESOLVED,
        }
        self.check()
