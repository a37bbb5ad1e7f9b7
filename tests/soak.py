"""A hundred thousand calls, and nothing left behind: `nox -s soak`, or `python -X dev -W error -m tests.soak CALLS`.

The emulator is a process of its own, and makes trouble for one call in twenty.  What belongs here: making calls, and
comparing memory, descriptors and tasks.  What does not: what a call should give (every other test).
"""

import asyncio
import gc
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from attrs import frozen

from caxton_async import CaxtonClient, CaxtonError, Credentials, Settings
from caxton_async.emulator import Emulator, Fault
from caxton_async.emulator.routes import ASSUMED_PATHS

CALLS = 100_000
AT_ONCE = 64
MAX_GROWTH = 10 * 1024 * 1024  # bytes
# Before memory is compared: by then every cache is full, and every kind of error was met.
_WARM_UP = 0.1
_KINDS = ("reset_after_read", "truncated_body", "garbage", "stale_bytes", "failing_envelope", "server_error_after")
_TROUBLES = (
    *(Fault(kind, endpoint="create_wallet", times=None, every=101 + 2 * n) for n, kind in enumerate(_KINDS)),
    *(Fault(kind, endpoint="get_card_rate", times=None, every=101 + 2 * n) for n, kind in enumerate(_KINDS)),
    Fault("unauthorised", endpoint="create_wallet", times=None, every=1009),
)
say = partial(print, flush=True)


@frozen
class Soaked:
    """What a soak came to: how calls ended, how much memory grew in bytes, and what was left behind."""

    ended: Counter[str]
    growth: int
    descriptors: int
    tasks: int

    @property
    def is_dry(self) -> bool:
        """Whether nothing was left behind, by calls most of which were answered."""
        answered = self.ended["answered"] > 0.9 * self.ended.total()
        return answered and self.growth < MAX_GROWTH and self.descriptors == 0 and self.tasks == 0


async def serve() -> None:
    """Serve until standard input ends, having said where."""
    async with Emulator(faults=_TROUBLES, history=10) as emulator:
        say(emulator.base_url)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def emulated() -> AsyncIterator[tuple[Credentials, Settings]]:
    """Run the emulator in a process of its own, and give what reaches it."""
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.soak", "serve", stdin=pipe, stdout=pipe)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        base_url = (await server.stdout.readline()).decode().strip()
        # Its seed gives every emulator the same credentials.
        yield Emulator().credentials, Settings(base_url=base_url, paths=ASSUMED_PATHS, deadline_s=600)
    finally:
        server.stdin.close()
        await server.wait()


async def soak(calls: int = CALLS) -> Soaked:
    """Make calls, and tell what they left behind."""
    asyncio.get_running_loop().slow_callback_duration = 60  # slowness is not what is looked for
    async with emulated() as (credentials, settings):
        ended: Counter[str] = Counter()
        before, tasks = _descriptors(), len(asyncio.all_tasks())
        async with CaxtonClient(credentials, settings) as caxton:
            await _make(int(calls * _WARM_UP), caxton, ended)
            memory = _memory()
            await _make(calls - int(calls * _WARM_UP), caxton, ended)
            growth = _memory() - memory
        await asyncio.sleep(0)  # sockets are closed in the next turn of the loop
        return Soaked(ended, growth, _descriptors() - before, len(asyncio.all_tasks()) - tasks)


async def _make(calls: int, caxton: CaxtonClient, ended: Counter[str]) -> None:
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            try:
                if number % 2:
                    await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1)
                else:
                    await caxton.wallets.create(f"wallet {number}")
            except CaxtonError as error:
                ended[type(error).__name__] += 1
            else:
                ended["answered"] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def _memory() -> int:
    """Return the largest size of this process so far, in bytes."""
    gc.collect()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(calls: int) -> int:
    """Soak, say what came of it, and return the exit code."""
    soaked = asyncio.run(soak(calls))
    for name, times in soaked.ended.most_common():
        say(f"{times:>8} {name}")
    say(f"memory grew by {soaked.growth / 1024:.0f} KiB after the first {_WARM_UP:.0%} of {calls} calls")
    say(f"{soaked.descriptors} descriptors and {soaked.tasks} tasks are left")
    return 0 if soaked.is_dry else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else CALLS))
