"""The `caxton` command as a process of its own, beside an emulator in this one."""

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen

from caxton_async.emulator import Emulator, Fault
from tests.support.places import ROOT

COMMAND = (sys.executable, "-m", "caxton_async")
_LIMIT_S = 60


@frozen
class Done:
    """What a command left behind: its exit code, and what it said on stdout and stderr."""

    code: int
    out: str
    err: str


@define
class Desk:
    """A folder of its own, an emulator with money in it, and the command line."""

    folder: Path
    emulator: Emulator
    environment: dict[str, str]
    said: list[str] = field(factory=list)

    async def start(self, *arguments: str | Path, **variables: str) -> asyncio.subprocess.Process:
        """Start a command; `variables` are added to its environment."""
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            *map(str, arguments),
            env=self.environment | variables,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def end(self, process: asyncio.subprocess.Process) -> Done:
        """Wait for a command to end."""
        out, err = await asyncio.wait_for(process.communicate(), _LIMIT_S)
        done = Done(process.returncode or 0, out.decode(), err.decode())
        self.said += [done.out, done.err]
        return done

    async def caxton(self, *arguments: str | Path, **variables: str) -> Done:
        """Run a command to its end."""
        return await self.end(await self.start(*arguments, **variables))

    def rows(self, name: str = "may.csv", count: int = 20) -> Path:
        """Write a file of moves, each with an amount of its own: 1.01, 1.02, ..."""
        lines = [f"ref-{n},GBP,POT1-GBP,{1 + n / 100:.2f}" for n in range(1, count + 1)]
        return self.write(name, ["reference,from_currency,to_currency,amount", *lines])

    def write(self, name: str, lines: Iterable[str]) -> Path:
        """Write a file."""
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def fault(self, kind: str, **parameters: Any) -> Any:
        """Put a fault to use."""
        return self.emulator.faults.add(Fault(kind, **parameters))

    @property
    def moved(self) -> list[str]:
        """The amounts that the ledger has moved, sorted."""
        return sorted(str(move.amount) for move in self.emulator.ledger.moves)


@asynccontextmanager
async def open_desk(folder: Path, **options: Any) -> AsyncIterator[Desk]:
    """Start an emulator with 10,000 pounds and a pot, and set the variables that reach it."""
    async with Emulator(**options) as emulator:
        account = emulator.ledger.accounts.main
        emulator.ledger.fund(account, "GBP", 10_000)
        emulator.ledger.create_pot(account, "GBP", "POT1", None)
        password = folder / "password"
        password.write_text(emulator.credentials.password.reveal())
        yield Desk(folder, emulator, environment_for(emulator, folder) | {"CAXTON_PASSWORD_FILE": str(password)})


def environment_for(emulator: Emulator, folder: Path) -> dict[str, str]:
    """Return what a command has to be told to reach the emulator, without a password."""
    paths = {f"CAXTON_PATH_{name.upper()}": path for name, path in emulator.settings.paths.items()}
    return bare_environment(folder) | {
        "CAXTON_BASE_URL": emulator.base_url,
        "CAXTON_USERNAME": emulator.credentials.username,
        "CAXTON_CLIENT_NAME": emulator.credentials.client_name,
        **paths,
    }


def bare_environment(folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this process's environment without any setting of ours, and with a state folder of its own."""
    kept = {name: value for name, value in environ.items() if not name.startswith("CAXTON_")}
    # Progress and tables are as wide as everywhere; the package is found where this one was.
    root = str(ROOT)
    return kept | {"CAXTON_STATE_DIR": str(folder / "state"), "PYTHONPATH": root, "COLUMNS": "100"}


def set_environment(monkeypatch: pytest.MonkeyPatch, folder: Path, variables: Mapping[str, str]) -> None:
    """Give this process the variables of a command, and none of ours beside them."""
    for name in [name for name in os.environ if name.startswith("CAXTON_")]:
        monkeypatch.delenv(name)
    for name, value in {"CAXTON_STATE_DIR": str(folder / "state"), **variables}.items():
        monkeypatch.setenv(name, value)


@contextmanager
def own_handlers() -> Iterator[None]:
    """Give back what a command that is run in this process changes in it."""
    handler, profile = signal.getsignal(signal.SIGTERM), os.environ.get("CAXTON_PROFILE")
    show = warnings.showwarning
    yield
    signal.signal(signal.SIGTERM, handler)
    warnings.showwarning = show
    if profile is None:
        os.environ.pop("CAXTON_PROFILE", None)
