"""Commands in processes of their own: a batch is watched from outside through its journal, and killed if need be."""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define

from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err
from caxton_async.cli._progress import Progress
from caxton_async.journal import open_journal
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import RowState

_POLL_S: Final = 0.05
# Looks without any progress, which mean that every call in flight is held back.
_STILL: Final = 3
_CONCLUDED: Final = (RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN)
_DONE: Final = frozenset({ExitCode.ACCEPTED, ExitCode.REJECTED, ExitCode.UNKNOWN})


@contextmanager
def started(
    arguments: Sequence[str],
    *,
    stdout: int | BinaryIO,
    stderr: int | BinaryIO,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `caxton` in a process of its own, by the Python that runs now; it is gone when the block ends."""
    process = None
    try:
        with _uninterrupted():
            process = subprocess.Popen(  # noqa: S603 -- our own command
                [sys.executable, "-m", "caxton_async", *arguments], stdout=stdout, stderr=stderr, env=env, cwd=cwd
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
class Commands:
    """The commands of the story, each printed before it is run; `seconds` is how long the watched ones sent."""

    folder: Path
    environment: Mapping[str, str]
    seconds: float = 0.0

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return Path(self.environment["CAXTON_JOURNAL"])

    def caxton(self, *arguments: str, expected: Collection[int] = _DONE) -> dict[str, Any]:
        """Run a command to its end and return what it printed as JSON.

        Raises:
            Failure: its exit code is none of those expected.
        """
        echo_err(f"\n$ caxton {shlex.join(arguments)}")
        pipe = subprocess.PIPE
        with started(
            [*arguments, "--json"], env=self.environment, cwd=self.folder, stdout=pipe, stderr=pipe
        ) as process:
            out, err = process.communicate()
        said = err.decode().strip()
        if process.returncode not in expected:
            raise Failure(f"caxton {arguments[0]} ended with {process.returncode}: {said}", ExitCode.LEFT)
        echo_err(said.splitlines()[0] if said else "done")
        found: dict[str, Any] = json.loads(out) if out else {}
        return found

    def watch(self, *arguments: str, batch: str, total: int, kill_at: int | None = None) -> None:
        """Run a command that sends `total` rows; once `kill_at` of them are done and the rest is held back, kill it.

        Raises:
            Failure: its exit code is not that of a batch whose rows were all sent.
        """
        echo_err(f"\n$ caxton {shlex.join(arguments)}")
        said = self.folder / "said"
        with (
            said.open("wb") as output,
            Progress("payments", Counter({RowState.PLANNED: total})) as progress,
            started(arguments, env=self.environment, cwd=self.folder, stdout=output, stderr=output) as process,
        ):
            was_killed = self._follow(process, batch, progress, kill_at)
            code = process.wait()
        if was_killed:
            echo_err("the process was killed (kill -9) with calls in flight")
        elif code not in _DONE:
            raise Failure(f"the batch ended with {code}: {said.read_text().strip()}", ExitCode.LEFT)

    def _follow(self, process: "subprocess.Popen[bytes]", batch: str, progress: Progress, kill_at: int | None) -> bool:
        began: float | None = None
        before, still, was_killed = -1, 0, False
        with ExitStack() as stack:
            journal: JournalReader | None = None
            while process.poll() is None and not was_killed:
                if journal is None and self.journal.exists():
                    journal = stack.enter_context(open_journal(self.journal, environ=self.environment))
                counts = _counts(journal, batch)
                done = sum(counts.get(state, 0) for state in _CONCLUDED)
                if began is None and counts.get(RowState.SENDING):
                    began = time.monotonic()
                still = still + 1 if done == before else 0
                before = done
                if counts:
                    progress.update(counts)
                if kill_at is not None and done >= kill_at and still >= _STILL:
                    process.kill()
                    was_killed = True
                time.sleep(_POLL_S)
            self.seconds += time.monotonic() - began if began else 0.0
            if counts := _counts(journal, batch):
                progress.update(counts)
        return was_killed


def _counts(journal: JournalReader | None, name: str) -> Mapping[RowState, int]:
    """Return how a batch stands; nothing before it is planned."""
    if journal is None:
        return {}
    with _uninterrupted():  # SQLite swallows a Ctrl-C that comes while it asks us for a checksum
        found = [info for info in journal.batches() if info.name == name and info.total]
        return journal.counts(found[0].id) if found else {}
