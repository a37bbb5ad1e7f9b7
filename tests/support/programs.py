"""Programs that a test starts, ends or kills, beside an emulator in this process which keeps the books."""

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from attrs import define, field

from caxton_async.emulator import Emulator, Fault
from caxton_async.journal import open_journal
from tests.support.command import bare_environment
from tests.support.places import ROOT

_LIMIT_S = 30


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@define
class Programs:
    """Programs in one environment, each of which ends with its test; what they print goes to a file."""

    emulator: Emulator
    folder: Path
    environ: dict[str, str]
    _running: list[asyncio.subprocess.Process] = field(factory=list)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a program of Python."""
        return await self.run(sys.executable, *arguments)

    async def run(self, *command: str, cwd: Path = ROOT) -> asyncio.subprocess.Process:
        """Start a program."""
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, env=self.environ, cwd=cwd, stdout=log, stderr=log)
        self._running.append(process)
        return process

    async def end(self, process: asyncio.subprocess.Process, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the program's end, and return its exit code."""
        process.send_signal(number)
        return await self.wait(process)

    async def wait(self, process: asyncio.subprocess.Process) -> int:
        """Wait for a program's end, and return its exit code."""
        return await asyncio.wait_for(process.wait(), _LIMIT_S)

    async def kill_all(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def moved(self) -> Counter[tuple[str | None, int]]:
        """Count the moves in the ledger by account and amount in pence."""
        return Counter((move.account.identity_number, int(move.amount * 100)) for move in self.emulator.ledger.moves)

    def recorded(self) -> Counter[tuple[str, str]]:
        """Count the rows of the journal by reference and state."""
        with open_journal(self.environ["PAYMENTS_JOURNAL"], environ=self.environ) as journal:
            rows = [row for batch in journal.batches() for row in journal.rows(batch.id)]
        return Counter((row.reference, row.state.value) for row in rows)


@asynccontextmanager
async def open_programs(folder: Path, *, latency_s: float = 0.02) -> AsyncIterator[Programs]:
    """Start an emulator whose payments take their time, with money and a pot in the main account and in `ID-1`."""
    async with Emulator(history=None) as emulator:
        ledger = emulator.ledger
        for account in (ledger.accounts.main, ledger.accounts.add_sub_account("Tenant")):
            ledger.fund(account, "GBP", Decimal(10_000))
            ledger.create_pot(account, "GBP", "POTBC", None)
        emulator.faults.add(Fault("latency", endpoint="move_funds", times=None, seconds=latency_s))
        environ = bare_environment(folder) | emulator.environ | {"PAYMENTS_JOURNAL": str(folder / "payments.db")}
        programs = Programs(emulator, folder, environ)
        try:
            yield programs
        finally:
            await programs.kill_all()
            if (log := folder / "log").exists():
                sys.stdout.write(log.read_text())  # pytest shows it where the test failed
