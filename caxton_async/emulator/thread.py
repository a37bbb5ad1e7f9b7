"""An emulator in a thread with an event loop of its own, for synchronous tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import ExitStack
from copy import copy
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal

from caxton_async.config import Credentials, Settings
from caxton_async.emulator.accounts import Accounts
from caxton_async.emulator.conditions import ConditionKind
from caxton_async.emulator.fault import Fault
from caxton_async.emulator.faults import Armed
from caxton_async.emulator.front import Emulator
from caxton_async.emulator.ledger import Ledger
from caxton_async.emulator.request import Request

T = TypeVar("T")
_LIMIT_S = 10.0  # how long a test waits for what never comes


class EmulatorOptions(TypedDict, total=False):
    """What `Emulator` takes."""

    seed: int
    port: int
    host: str
    faults: Iterable[Fault]
    paths: Mapping[str, str]
    revokes_old: bool
    tokens_survive_reset: bool
    generate_needs_reset: bool
    token_life_s: int
    user_token_life_s: int
    clock: Callable[[], float]
    history: int | None


class _Thread:
    """An emulator and the thread it runs in, while it runs."""

    portal: BlockingPortal

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def run(self, work: Callable[[], T]) -> T:
        """Do some work in the emulator's thread, and return what it returns or raise what it raises."""
        return self.portal.call(work)

    def wait(self, make: Callable[[], Coroutine[object, object, None]], timeout_s: float) -> None:
        """Wait for a coroutine of the emulator's; TimeoutError when that takes too long."""
        self.portal.call(lambda: asyncio.wait_for(make(), timeout_s))


class ThreadFault:
    """A fault in use by an emulator in another thread."""

    def __init__(self, thread: _Thread, armed: Armed) -> None:
        self._thread = thread
        self._armed = armed

    @property
    def hits(self) -> int:
        """How many requests the fault has taken."""
        return self._armed.hits

    @property
    def applied_count(self) -> int:
        """On how many requests the fault has been applied."""
        return self._armed.applied_count

    def release(self) -> None:
        """Let go of all that is held, now and from now on."""
        self._thread.run(self._armed.release)

    def remove(self) -> None:
        """Forget this fault, and let go of all that it holds."""
        self._thread.run(lambda: self._thread.emulator.faults.remove(self._armed))

    def hit(self, times: int = 1, *, timeout_s: float = _LIMIT_S) -> None:
        """Wait until the fault has taken so many requests; TimeoutError when that takes too long."""
        self._thread.wait(lambda: self._armed.hit(times), timeout_s)

    def applied(self, times: int = 1, *, timeout_s: float = _LIMIT_S) -> None:
        """Wait until the fault has been applied so many times; TimeoutError when that takes too long."""
        self._thread.wait(lambda: self._armed.applied(times), timeout_s)


class ThreadFaults:
    """The faults in use by an emulator in another thread."""

    def __init__(self, thread: _Thread) -> None:
        self._thread = thread

    def add(self, fault: Fault) -> ThreadFault:
        """Put a fault to use; what is returned can be waited for and released."""
        return ThreadFault(self._thread, self._thread.run(lambda: self._thread.emulator.faults.add(fault)))

    def clear(self) -> None:
        """Forget all faults, and let go of all that they hold."""
        self._thread.run(self._thread.emulator.faults.clear)


class ThreadConditions:
    """The conditions that hold in an emulator in another thread."""

    def __init__(self, thread: _Thread) -> None:
        self._thread = thread

    def set(self, kind: ConditionKind, *, acting_for: str | None = None) -> None:
        """Let a condition hold, as `Conditions.set` does."""
        self._thread.run(lambda: self._thread.emulator.conditions.set(kind, acting_for=acting_for))

    def clear(self, kind: ConditionKind | None = None) -> None:
        """End one condition, or all of them."""
        self._thread.run(lambda: self._thread.emulator.conditions.clear(kind))

    @property
    def active(self) -> dict[ConditionKind, str | None]:
        """The conditions that hold, each with whom it holds for (None: for all)."""
        return self._thread.emulator.conditions.active


class _InThread:
    """Stands for an object of the emulator: its methods run in the emulator's thread, its collections are copied."""

    def __init__(self, thread: _Thread, target: object) -> None:
        self._thread = thread
        self._target = target

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the object has
        value = getattr(self._target, name)
        if isinstance(value, Accounts):
            return _InThread(self._thread, value)
        if callable(value):
            return lambda *args, **options: self._thread.run(lambda: value(*args, **options))
        return self._thread.run(lambda: copy(value)) if isinstance(value, (dict, list, deque)) else value


class EmulatorThread:
    """An emulated Caxton API for synchronous code: `with EmulatorThread() as emulator:`.

    It takes what `Emulator` takes, runs it in a thread with an event loop of its own, and may be used from any thread:
    by a synchronous test, Starlette's `TestClient`, a child process.

    **Raises** OSError on entry when the port is in use.
    """

    def __init__(self, **options: Unpack[EmulatorOptions]) -> None:
        self._emulator = Emulator(**options)
        self._thread = _Thread(self._emulator)
        self.faults = ThreadFaults(self._thread)
        self.conditions = ThreadConditions(self._thread)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._thread.portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._thread.portal.wrap_async_context_manager(self._emulator))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._emulator.base_url

    @property
    def settings(self) -> Settings:
        """Settings that reach the emulator."""
        return self._emulator.settings

    @property
    def credentials(self) -> Credentials:
        """The credentials of the main account."""
        return self._emulator.credentials

    @property
    def environ(self) -> dict[str, str]:
        """The `CAXTON_...` variables that reach the emulator as its main account, the password among them."""
        return self._emulator.environ

    @property
    def requests(self) -> list[Request]:
        """What was read so far, in the order of arrival."""
        return self._thread.run(lambda: self._emulator.requests)

    @property
    def logins(self) -> int:
        """How many requests for a token were read."""
        return self._emulator.logins

    def count(self, endpoint: str | None) -> int:
        """Count the requests read for a call by its public name; None counts those to unknown paths."""
        return self._emulator.count(endpoint)

    def seen(self, endpoint: str | None, times: int = 1, *, timeout_s: float = _LIMIT_S) -> None:
        """Wait until so many requests for a call were read; TimeoutError when that takes too long."""
        self._thread.wait(lambda: self._emulator.seen(endpoint, times), timeout_s)

    @property
    def ledger(self) -> Ledger:
        """The state of the bank: each method runs in the emulator's thread, and each collection is a copy."""
        return cast("Ledger", _InThread(self._thread, self._emulator.ledger))
