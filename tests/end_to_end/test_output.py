"""Output decides nothing: whatever becomes of stdout and stderr, the work is done and the exit code is the same."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.command import COMMAND, Desk, open_desk

pytestmark = pytest.mark.long

# What a shell puts behind or before a command; `{}` is the command.
STREAMS = {
    "ASCII": "PYTHONIOENCODING=ascii {}",
    "an ASCII locale": "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {}",
    "stdout full": "{} >/dev/full",
    "stdout closed": "{} >&-",
    "stderr full": "{} 2>/dev/full",
    "stderr closed": "{} 2>&-",
    "both closed": "{} >&- 2>&-",
    "a reader that left": "{{ {}; echo $? >&3; }} 3>code 2>&1 | true; exit $(cat code)",
    "no colour": "NO_COLOR=1 TERM=dumb COLUMNS=80 {}",
}
COMMANDS = {
    "endpoints": 0,
    "template bulk_payments": 0,
    "status": 4,
    "status 1 --rows": 4,
    "status 1 --state unknown --json": 4,
    "report 1": 4,
    "report 1 --json": 4,
    "reconcile 1 --statement bank.csv --currency GBP --dry-run": 4,
    "retry 1 --state rejected": 0,
    "run move_funds june.csv --dry-run --json": 0,
    "run move_funds nowhere.csv": 2,
    "resume 1": 4,
    "call list_countries": 0,
    "doctor": 0,
}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator, and a batch whose names are not ASCII, one row of which is unknown."""
    async with open_desk(tmp_path) as opened:
        opened.write("M\u00e4rz.csv", ["reference,from_currency,to_currency,amount", "\u00fc-1,GBP,POT1-GBP,1.00"])
        opened.write("june.csv", ["reference,from_currency,to_currency,amount", "\u00fc-2,GBP,POT1-GBP,2.00"])
        opened.write("bank.csv", ["Date,Narrative,Money out", "2099-01-01,\u20ac RENT,1.00"])
        opened.fault("reset_after_work", endpoint="move_funds")
        await opened.caxton("run", "move_funds", "M\u00e4rz.csv")
        yield opened


async def under(desk: Desk, stream: str, command: str, folder: Path | None = None) -> tuple[int, str]:
    """Run a command under a stream; return its exit code, and what reached stderr."""
    line = STREAMS[stream].format(f"{shlex.join(COMMAND)} {command}")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", line),
        cwd=folder or desk.folder,
        env=desk.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, err.decode(errors="replace")


@pytest.mark.parametrize("stream", STREAMS)
async def test_every_command_ends_with_its_code(desk: Desk, stream: str, tmp_path: Path) -> None:
    """No traceback, and the exit code says what was done, not what could be printed."""
    places = asyncio.Semaphore(4)

    async def run(number: int, command: str) -> tuple[int, str]:
        folder = tmp_path / str(number)  # of its own, for the shell's file
        folder.mkdir()
        for name in ("june.csv", "bank.csv"):
            (folder / name).symlink_to(desk.folder / name)
        async with places:
            return await under(desk, stream, command, folder)

    done = await asyncio.gather(*(run(*each) for each in enumerate(COMMANDS)))

    assert dict(zip(COMMANDS, (code for code, _ in done), strict=True)) == COMMANDS
    assert [err for _, err in done if "Traceback" in err or "Exception ignored" in err] == []


@pytest.mark.parametrize("stream", STREAMS)
async def test_a_run_pays_everybody(desk: Desk, stream: str) -> None:
    """A payroll whose output fails is paid in full, and ends with 0."""
    desk.rows(count=40)

    code, err = await under(desk, stream, "run move_funds may.csv --concurrency 2")

    assert (code, "Traceback" in err) == (0, False)
    assert len(set(desk.moved)) == len(desk.moved) == 41


async def test_a_name_that_is_not_utf_8_is_carried_through(desk: Desk) -> None:
    """A file named in another encoding is run, found again by its path, and shown."""
    name = os.fsdecode(b"m\xe4rz.csv")
    desk.rows(name, count=2)

    done = await desk.caxton("run", "move_funds", name, "--json")
    status = await desk.caxton("status", name)
    listed = await desk.caxton("status")

    assert [each.code for each in (done, status, listed)] == [0, 0, 4]
    assert "Traceback" not in done.err + status.err + listed.err
    assert "batch 2 (m" in status.err
