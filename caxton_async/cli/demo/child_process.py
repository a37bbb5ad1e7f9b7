"""A batch in a process of its own, watched from outside through its journal, and killed if need be."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define

from caxton_async.batch import JournalRefused, RowState, default_path, read_journal, read_rows
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import Bar, echo_err, progress
from caxton_async.endpoints import Endpoint

_POLL_S: Final = 0.05
# Looks without any progress, which mean that every call in flight is held back.
_STILL: Final = 3
_CONCLUDED = (RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN)


@contextmanager
def started(
    arguments: list[str], *, stdout: int | BinaryIO, stderr: int | BinaryIO, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `caxton` in a process of its own, by the Python that runs now; it is gone when the block ends."""
    process = None
    try:
        with _uninterrupted():
            process = subprocess.Popen(  # noqa: S603 -- our own command
                [sys.executable, "-m", "caxton_async", *arguments], stdout=stdout, stderr=stderr, env=env
            )
        yield process
    finally:
        if process is not None:
            process.kill()
            process.communicate()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off to the end of the block: a process that has just been started must not be lost sight of."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


@define
class Watch:
    """A file of payments that is carried out by `caxton run` and `caxton resume`; `seconds` is how long that took."""

    file: Path
    endpoint: Endpoint[Any, Any]
    environment: Mapping[str, str]
    seconds: float = 0.0

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return default_path(self.file, self.endpoint.name)

    def states(self) -> dict[str, RowState]:
        """Return what became of each row, by its reference."""
        with read_journal(self.journal) as found:
            return {row.reference: row.state for row in found.rows()}

    def accepted(self) -> list[str]:
        """Return the references of the rows that were accepted."""
        return [reference for reference, state in self.states().items() if state is RowState.ACCEPTED]

    def run(self, *options: str, kill_at: int | None = None) -> None:
        """Begin the batch; once `kill_at` rows are done and the rest is held back, kill it."""
        echo_err(f"\n$ caxton run {self.endpoint.name} {self.file.name}")
        self._follow(["run", self.endpoint.name, str(self.file), *options], kill_at)

    def resume(self, *options: str) -> None:
        """Go on with the batch."""
        echo_err(f"\n$ caxton resume {self.journal.name}")
        self._follow(["resume", str(self.journal), *options], None)

    def _follow(self, arguments: list[str], kill_at: int | None) -> None:
        said = self.journal.with_name("said")
        total = sum(1 for _ in read_rows(self.file, self.endpoint))
        with (
            progress("payments", total) as bar,
            said.open("wb") as output,
            started(arguments, env=self.environment, stdout=output, stderr=output) as process,
        ):
            was_killed = self._watch(process, bar, kill_at)
            code = process.wait()
        if was_killed:
            echo_err("the process was killed (kill -9) with calls in flight")
        elif code not in {ExitCode.ACCEPTED, ExitCode.REJECTED, ExitCode.UNKNOWN}:
            raise Failure(f"the batch ended with {code}: {said.read_text().strip()}", ExitCode.LEFT)

    def _watch(self, process: "subprocess.Popen[bytes]", bar: Bar, kill_at: int | None) -> bool:
        began: float | None = None
        before, still, was_killed = -1, 0, False
        while process.poll() is None and not was_killed:
            counts = self._counts()
            done = sum(counts.get(state, 0) for state in _CONCLUDED)
            if began is None and counts.get(RowState.SENDING):
                began = time.monotonic()
            still = still + 1 if done == before else 0
            before = done
            bar.update(done, f"{counts.get(RowState.UNKNOWN, 0)} unknown")
            if kill_at is not None and done >= kill_at and still >= _STILL:
                process.kill()
                was_killed = True
            time.sleep(_POLL_S)
        self.seconds += time.monotonic() - began if began else 0.0
        counts = self._counts()
        bar.update(sum(counts.get(state, 0) for state in _CONCLUDED), f"{counts.get(RowState.UNKNOWN, 0)} unknown")
        return was_killed

    def _counts(self) -> Mapping[RowState, int]:
        try:
            # SQLite swallows a Ctrl-C that comes while it asks us for a checksum.
            with _uninterrupted(), read_journal(self.journal) as found:
                return found.counts()
        except JournalRefused:  # not made yet, or being taken up at this instant
            return {}
