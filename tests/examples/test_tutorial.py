"""The tutorial's service is started, killed and started again by the commands of the page, as a reader types them."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.command import bare_environment
from tests.support.places import ROOT
from tests.support.programs import free_port

# What a program that goes on in the background prints when it is ready.
READY = {"caxton emulator": "In another terminal", "uvicorn": "Uvicorn running"}
_LIMIT_S = 60


@pytest.mark.long
async def test_a_service_that_is_killed_pays_once(tmp_path: Path) -> None:
    """Both answers of the service are that of the page, and the emulator has seen one payment."""
    page = (ROOT / "docs" / "tutorial.md").read_text().split("## 6. ")[1].split("\n## ")[0]
    (expected,) = re.findall(r"```json\n(.+)\n```", page)
    commands = page.replace("8000", str(free_port()))
    pipe, printed = asyncio.subprocess.PIPE, ""
    environ = bare_environment(tmp_path) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CAXTON_CONFIG": str(tmp_path / "config.toml"),
    }
    shell = await asyncio.create_subprocess_exec(
        "bash", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=environ, cwd=tmp_path, process_group=0
    )

    async def read_until(mark: str) -> str:
        return (await asyncio.wait_for(shell.stdout.readuntil(mark.encode()), _LIMIT_S)).decode()

    async def type_in(command: str) -> str:
        shell.stdin.write(f"{command}\necho done\n".encode())
        said = await read_until("done\n")
        ready = next((READY[name] for name in READY if name in command and command.endswith("&")), "done\n")
        return said if ready in said else said + await read_until(ready)

    try:
        for command in re.findall(r"^\$ (.+)$", commands, re.MULTILINE):
            printed += await type_in(command)
        watched = re.search(r"http://127.0.0.1:\d+/_emulator/", printed)[0]
        state = await type_in(f"curl --silent {watched}state")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        await shell.communicate()

    assert printed.count(expected) == 2
    assert '"move_count":1,' in state
