"""A command whose streams are full, closed, gone or of another encoding does its work all the same."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from caxton_async.emulator import EmulatorThread
from tests.support.command import COMMAND, bare_environment

HELP = ("--help", "--version", "run --help")
COMMANDS = (
    *("endpoints", "endpoints --json", "template move_funds", "status", "auth token", "doctor"),
    *("call list_banks", "call create_wallet name=@name", "call create_walet name=@name"),
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give what reaches an emulator that serves all tests of this module."""
    with EmulatorThread() as emulator:
        folder = tmp_path_factory.mktemp("streams")
        (folder / "name").write_text("Grüße £", encoding="utf-8")
        yield bare_environment(folder) | emulator.environ | {"FOLDER": str(folder)}


def run(arguments: str, how: str, environment: dict[str, str]) -> tuple[int, bytes]:
    """Run a command in one of the ways; return its exit code and what it said on stderr."""
    with ExitStack() as opened:
        out: object = subprocess.PIPE
        command = [*COMMAND, *arguments.split()]
        if how == "full":
            out = opened.enter_context(Path("/dev/full").open("wb"))
        elif how == "gone":
            reading, out = os.pipe()
            os.close(reading)
            opened.callback(os.close, out)
        elif how == "closed":
            command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
        done = subprocess.run(
            command,
            stdout=out,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
            timeout=60,  # type: ignore[call-overload]
        )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", HELP + COMMANDS)
def test_streams_decide_nothing(arguments: str, environment: dict[str, str]) -> None:
    """No traceback, and the exit code is the command's own; help that cannot be printed at all is 5."""
    ascii_only = environment | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "NO_COLOR": "1"}
    own, _ = run(arguments, "plain", environment)

    found = {how: run(arguments, how, environment) for how in ("full", "gone", "closed")}
    found["ascii"] = run(arguments, "plain", ascii_only)

    expected = dict.fromkeys(found, own) | ({"full": 5} if arguments in HELP else {})
    assert {how: code for how, (code, _) in found.items()} == expected
    assert [how for how, (_, said) in found.items() if b"Traceback" in said or b"Exception" in said] == []
    assert b"\x1b" not in found["ascii"][1]
