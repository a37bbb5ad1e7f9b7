"""What several tests share: clients of the emulator, a loop with a clock of its own, and the search for secrets."""

import asyncio
import functools
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve

from caxton_async import CaxtonClient, Credentials, Event
from caxton_async.auth.stores import TokenStore
from caxton_async.emulator import Emulator, Fault
from tests.support.canary import texts_of


@asynccontextmanager
async def client(
    emulator: Emulator, *, credentials: Credentials | None = None, store: TokenStore | None = None, **changes: Any
) -> AsyncIterator[CaxtonClient]:
    """Open a client of the emulator, with the settings changed as given."""
    settings = evolve(emulator.settings, **changes)
    async with CaxtonClient(credentials or emulator.credentials, settings, token_store=store) as caxton:
        yield caxton


def hold(emulator: Emulator, endpoint: str = "get_access_token"):
    """Let the emulator do the work of the next call of `endpoint`, but answer it only when released."""
    return emulator.faults.add(Fault("latency", endpoint=endpoint, held=True))


async def outcomes(tasks: Iterable[Awaitable[Any]]) -> list[Any]:
    """Wait for all, and return what each of them returned or raised."""
    return await asyncio.gather(*tasks, return_exceptions=True)


async def failure(work: Awaitable[Any], kind: type[BaseException] = Exception) -> Any:
    """Return what `work` raises, which has to be of this very kind, as its caller gets it."""
    with pytest.raises(kind) as raised:
        await work
    assert kind is Exception or raised.type is kind
    return raised.value


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    """Return the endpoint and the kind of each event."""
    return [(event.endpoint, event.kind) for event in events]


# --- a clock of one's own ---


class _Jumping(selectors.DefaultSelector):
    """Moves the clock on in place of waiting."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(0.001)  # what is on its way over loopback arrives first
        if not events:
            self.loop.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything is to be done, and then jumps to the next timer."""

    def __init__(self) -> None:
        selector = _Jumping()
        selector.loop = self
        self.now = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a loop with a clock of its own; fail it if it leaves a task behind, or an error in a callback."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            reported: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
            await test(*args, **kwargs)
            assert reported == []
            for _ in range(100):  # cancelled tasks end some turns later
                if asyncio.all_tasks() == {asyncio.current_task()}:
                    return
                await asyncio.sleep(0)
            raise AssertionError(f"left behind: {asyncio.all_tasks()}")

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())

    return run


# --- the search for secrets ---


def assert_clean(error: BaseException, secrets: Iterable[str]) -> None:
    """Check that an error chains nothing and shows no secret, however deep one looks."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = list(texts_of(error))
    for secret in secrets:
        assert [text[:200] for text in shown if secret in text] == []
