"""The command line on a terminal: the bar, the tables, and Ctrl-C as a person presses it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest_asyncio
from attrs import define, field

from tests.support.command import Desk, open_desk

# Makes its input the terminal of its session, as a shell does, and becomes the command.
IN_A_SESSION = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, '-m', 'caxton_async', *sys.argv[1:]])"
)
_LIMIT_S = 60


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command."""
    async with open_desk(tmp_path) as opened:
        yield opened


@define
class Terminal:
    """A terminal, and all that was shown on it."""

    descriptor: int
    shown: str = ""
    changed: asyncio.Event = field(factory=asyncio.Event)

    def read(self) -> None:
        """Take in what the command has written."""
        with suppress(OSError):  # the other end was closed
            self.shown += os.read(self.descriptor, 65_536).decode(errors="replace")
        self.changed.set()

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.descriptor, keys)

    async def until(self, text: str) -> None:
        """Wait until a text was shown."""
        async with asyncio.timeout(_LIMIT_S):
            while text not in self.shown:
                self.changed.clear()
                await self.changed.wait()


@contextmanager
def open_terminal() -> Iterator[tuple[Terminal, int]]:
    """Open both ends of a terminal; the second is the command's."""
    ours, theirs = os.openpty()
    terminal = Terminal(ours)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, terminal.read)
    try:
        yield terminal, theirs
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


async def start(desk: Desk, theirs: int, *arguments: str) -> asyncio.subprocess.Process:
    """Start a command on the terminal."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IN_A_SESSION, *arguments),
        env=desk.environment | {"TERM": "xterm-256color"},
        cwd=desk.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )


async def test_a_batch_shows_how_far_it_is(desk: Desk) -> None:
    """Counts by state, pace and time left change in one line, which is gone when the table follows."""
    desk.rows(count=20)
    desk.fault("failing_envelope", endpoint="move_funds", after=3)
    held = desk.fault("latency", endpoint="move_funds", after=5, held=True)

    with open_terminal() as (terminal, theirs):
        process = await start(desk, theirs, "run", "move_funds", "may.csv")
        await held.hit()
        await terminal.until("of 20, ")
        held.release()
        code = await asyncio.wait_for(process.wait(), _LIMIT_S)
        await terminal.until("see: caxton status")

    assert code == 1
    assert "─────" in terminal.shown
    assert "\x1b[2K" in terminal.shown[terminal.shown.rindex("of 20, ") :]


async def test_ctrl_c_on_the_terminal_stops_cleanly(desk: Desk) -> None:
    """No traceback; the cursor is shown again; the command that resumes is printed; what was in flight is known."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=5, times=2, held=True)

    with open_terminal() as (terminal, theirs):
        process = await start(desk, theirs, "run", "move_funds", "may.csv", "--concurrency", "2")
        await held.hit(2)
        terminal.press(b"\x03")
        await terminal.until("stopping: nothing more is sent")
        held.release()
        code = await asyncio.wait_for(process.wait(), _LIMIT_S)
        await terminal.until("go on with")

    assert code == 5
    assert "caxton resume 1" in terminal.shown
    # The line of the progress is cleared before anything else is said, so none is left standing.
    assert "\x1b[2Kstopping" in terminal.shown
    assert "Traceback" not in terminal.shown


async def test_ctrl_c_twice_ends_at_once_with_unknown_outcomes(desk: Desk) -> None:
    """The second Ctrl-C ends with 4, and says how to list what is unknown."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=5, times=2, held=True)

    with open_terminal() as (terminal, theirs):
        process = await start(desk, theirs, "run", "move_funds", "may.csv", "--concurrency", "2")
        await held.hit(2)
        terminal.press(b"\x03")
        await terminal.until("stopping: nothing more is sent")
        terminal.press(b"\x03")
        code = await asyncio.wait_for(process.wait(), _LIMIT_S)
        await terminal.until("--state unknown")

    assert code == 4
    assert "2 outcomes are unknown" in terminal.shown
    assert "Traceback" not in terminal.shown


async def test_a_table_on_a_terminal_is_ruled_and_fits(desk: Desk) -> None:
    """No line is longer than the terminal is wide."""
    with open_terminal() as (terminal, theirs):
        process = await start(desk, theirs, "endpoints")
        code = await asyncio.wait_for(process.wait(), _LIMIT_S)
        await terminal.until("decide_transfer")

    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown).splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 100
    assert any(set(line.strip()) == {"─"} for line in lines)
