"""`caxton demo`: the main job from beginning to end on one machine, with faults, and a look at who is right."""

import asyncio
import json as json_text
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Final

from attrs import define, frozen
from cyclopts import Parameter

from caxton_async.batch.reader import default_path, read_journal
from caxton_async.batch.rows import Row, read_rows
from caxton_async.batch.states import JournalRefused, RowState
from caxton_async.cli.outcome import ExitCode, Failure
from caxton_async.cli.output import Bar, progress, show_json, show_table, tell
from caxton_async.cli.scene import Scene, plan_scene, set_up
from caxton_async.cli.verdict import Comparison, compare
from caxton_async.endpoints import MOVE_FUNDS

# The emulator remembers each payment, and all of them are compared.
_MAX_ROWS: Final = 20_000
_CONCURRENCY: Final = 12
_POLL_S: Final = 0.05
# At this share of the rows the batch is killed; the emulator then holds its answers back until the batch is dead.
_KILL_AT: Final = 0.4
_HOLD_S: Final = 10.0
# Looks without any progress that mean that every call in flight is held back.
_STILL: Final = 3


def demo(
    file: Annotated[
        Path | None, Parameter(help="Payments of your own: reference,from_currency,to_currency,amount.")
    ] = None,
    /,
    *,
    json: bool = False,
) -> int:
    """Carry out a file of payments against the emulator, with faults and a kill, and compare what both sides say.

    It needs no credentials and no network, and no money is real.

    Args:
        json: Print the comparison as JSON.
    """
    with as_file(files("caxton_async.cli") / "sample.csv") as sample:
        rows = list(read_rows(file or sample, MOVE_FUNDS))
        if len(rows) > _MAX_ROWS:
            raise Failure(f"{file} has {len(rows)} rows; the demo compares at most {_MAX_ROWS}")
        with tempfile.TemporaryDirectory(prefix="caxton-demo-") as folder:
            copy = Path(folder) / (file or sample).name
            copy.write_bytes((file or sample).read_bytes())
            comparison = _play(rows, copy)
    show_comparison(comparison, as_json=json)
    return ExitCode.ACCEPTED if comparison.agrees else ExitCode.REJECTED


def _play(rows: list[Row], file: Path) -> Comparison:
    scene = plan_scene(rows)
    faults = file.parent / "faults.json"
    faults.write_text(json_text.dumps(_faults(len(rows), after=len(scene.first_moves))))
    with _emulator(faults) as variables:
        tell(f"The Caxton API is emulated at {variables['CAXTON_BASE_URL']} in a process of its own; no money is real.")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CAXTON_")} | variables
        environment["CAXTON_STATE_DIR"] = str(file.parent)
        environment["CAXTON_PASSWORD_FILE"] = str(file.parent / "password")
        asyncio.run(set_up(scene, environment))
        tell(f"A password was generated and one login made; {scene}.")
        journal = default_path(file, MOVE_FUNDS.name)
        tell(f"\n$ caxton run move_funds {file.name}")
        run = ["run", MOVE_FUNDS.name, str(file), "--concurrency", str(_CONCURRENCY)]
        watch = _Watch(journal, len(rows))
        was_killed = watch.follow(run, environment, kill_at=len(rows) // 5)
        tell("killed by kill -9, with calls in flight" if was_killed else "it ended before it could be killed")
        tell(f"\n$ caxton resume {journal.name}")
        watch.follow(["resume", str(journal), "--concurrency", str(_CONCURRENCY)], environment, kill_at=None)
        with read_journal(journal) as found:
            states = {row.reference: row.state for row in found.rows()}
        return compare(scene, rows, states, _read_state(variables), seconds=watch.seconds)


def _faults(rows: int, *, after: int) -> list[dict[str, object]]:
    """What goes wrong: the first that applies takes a request."""
    common = {"endpoint": MOVE_FUNDS.name, "after": after, "times": None}
    kill_at = after + int(_KILL_AT * rows)
    return [
        {**common, "kind": "latency", "after": kill_at, "times": _CONCURRENCY, "seconds": _HOLD_S},
        {**common, "kind": "reset_after_work", "every": 80},
        {**common, "kind": "reset_after_read", "every": 130},
        {**common, "kind": "failing_envelope", "every": 90},
        {**common, "kind": "rate_limited", "after": kill_at + _CONCURRENCY, "every": 60, "times": 2},
        {**common, "kind": "latency", "seconds": 0.03},
    ]


@contextmanager
def _emulator(faults: Path) -> Iterator[dict[str, str]]:
    """Run the emulator in a process of its own; gives the variables that reach it."""
    arguments = ["emulator", "--json", "--faults", str(faults)]
    with subprocess.Popen(_command(arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise Failure("the emulator did not start: see what caxton emulator says")
            yield json_text.loads(line)
        finally:
            process.terminate()


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "caxton_async", *arguments]


@define
class _Watch:
    """Looks at a batch from outside, through its journal, as `caxton status` does."""

    journal: Path
    total: int
    seconds: float = 0.0

    def follow(self, arguments: list[str], environment: Mapping[str, str], *, kill_at: int | None) -> bool:
        """Run a command to its end, or until so many rows are done: then it is killed, which is what is returned."""
        said = self.journal.with_name("said")
        with progress("payments", self.total) as bar, said.open("wb") as output:
            process = subprocess.Popen(_command(arguments), env=environment, stdout=output, stderr=output)
            try:
                was_killed = self._watch(process, bar, kill_at)
            finally:
                process.kill()
                process.wait()
        if not was_killed and process.returncode not in {ExitCode.ACCEPTED, ExitCode.REJECTED, ExitCode.UNKNOWN}:
            raise Failure(f"the batch ended with {process.returncode}: {said.read_text().strip()}", ExitCode.LEFT)
        return was_killed

    def _watch(self, process: "subprocess.Popen[bytes]", bar: Bar, kill_at: int | None) -> bool:
        began: float | None = None
        still = 0
        before = -1
        while process.poll() is None:
            counts = self._counts()
            done = sum(counts.get(state, 0) for state in (RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN))
            if began is None and counts.get(RowState.SENDING):
                began = time.monotonic()
            bar.update(done, f"{counts.get(RowState.UNKNOWN, 0)} unknown")
            still = still + 1 if done == before else 0
            before = done
            if kill_at is not None and done >= kill_at and still >= _STILL:
                process.send_signal(signal.SIGKILL)
                process.wait()
                break
            time.sleep(_POLL_S)
        else:
            bar.update(self.total)
        self.seconds += time.monotonic() - began if began else 0.0
        return process.returncode == -signal.SIGKILL

    def _counts(self) -> Mapping[RowState, int]:
        try:
            with read_journal(self.journal) as found:
                return found.counts()
        except JournalRefused:  # not made yet, or taken up at this instant
            return {}


def _read_state(variables: Mapping[str, str]) -> dict[str, Any]:
    """Read the emulator's ledger, which it tells on this machine."""
    import urllib.request

    url = variables["CAXTON_BASE_URL"].removesuffix("/api/") + "/_emulator/state"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        found: dict[str, Any] = json_text.load(answer)
    return found


def show_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Print what both sides say, and who is right."""
    if as_json:
        show_json(comparison.as_data())
    else:
        tell("")
        show_table(("", "the client says", "the emulator's ledger says"), comparison.lines())
    for text in comparison.problems:
        tell(f"they disagree: {text}")
    if comparison.agrees:
        tell("Both agree: nothing was paid twice and nothing was lost; what is unknown is listed, not guessed.")
        tell("Next: caxton emulator, then caxton doctor; caxton --help names the rest.")
