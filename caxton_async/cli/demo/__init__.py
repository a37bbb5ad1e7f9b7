"""`caxton demo`: the main job from beginning to end on one machine, with faults, and a look at who is right."""

import asyncio
import json as json_text
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

from caxton_async.batch.input import Row, read_rows
from caxton_async.batch.lookup import BULK_PAYMENTS, find_batches
from caxton_async.bulk import BulkPaymentRow
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, show_json, show_table
from caxton_async.cli.demo.child_process import Commands, started
from caxton_async.cli.demo.compare import Comparison, Story, compare, find_not_carried_out
from caxton_async.cli.demo.setup import plan_scene, set_up
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import open_journal
from caxton_async.journal.states import RowState
from caxton_async.models import MoveFunds

# The emulator remembers each payment, and all of them are compared.
_MAX_ROWS: Final = 20_000
_CONCURRENCY: Final = 12
# At this share of the rows the batch is killed; the emulator then holds its answers back until the batch is dead.
_KILL_AT: Final = 0.4
_HOLD_S: Final = 10.0
_NOTE: Final = "the ledger has no such payment"


def demo(
    file: Path | None = None,
    /,
    *,
    json: bool = False,
) -> int:
    """Carry out a file of payments against the emulator, with faults and a kill, and compare what both sides say.

    It needs no credentials and no network, and no money is real.

    Args:
        file: Payments of your own, as CSV with the columns reference, from_currency, to_currency and amount.
        json: Print the comparison as JSON.
    """
    samples = files("caxton_async.cli.demo")
    with tempfile.TemporaryDirectory(prefix="caxton-demo-") as folder:
        given, payroll = Path(folder, file.name if file else "sample.csv"), Path(folder, "payroll.csv")
        # Read by their bytes, and not copied as files: the package may stand in a zip file.
        payroll.write_bytes((samples / payroll.name).read_bytes())
        if not file:
            given.write_bytes((samples / given.name).read_bytes())
        rows = list(read_rows(file or given, MOVE_FUNDS))
        if len(rows) > _MAX_ROWS:
            raise Failure(f"{file} has {len(rows)} rows; the demo compares at most {_MAX_ROWS}")
        if file:
            shutil.copyfile(file, given)
        comparison = _play(rows, given, payroll)
    show_comparison(comparison, as_json=json)
    return ExitCode.ACCEPTED if comparison.agrees else ExitCode.REJECTED


def _play(rows: list[Row], file: Path, payroll: Path) -> Comparison:
    payments = [cast(BulkPaymentRow, row.request) for row in read_rows(payroll, BULK_PAYMENTS)]
    scene = plan_scene([cast(MoveFunds, row.request) for row in rows], payments)
    faults = file.parent / "faults.json"
    faults.write_text(json_text.dumps(_faults(len(rows), after=len(scene.first_moves))))
    with _emulator(faults) as variables:
        url = variables["CAXTON_BASE_URL"]
        echo_err(f"The Caxton API is emulated at {url} in a process of its own; no money is real.")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CAXTON_")} | variables
        environment["CAXTON_STATE_DIR"] = str(file.parent)
        environment["CAXTON_JOURNAL"] = str(file.parent / "journal.sqlite")
        environment["CAXTON_PASSWORD_FILE"] = str(file.parent / "password")
        asyncio.run(set_up(scene, environment))
        echo_err(f"A password was generated, and one login made; {scene}.")
        commands = Commands(file.parent, environment)
        _carry_out(commands, file, len(rows))
        story = Story(scene.first_moves, rows, _states(commands, file.stem), [], 0.0)
        is_refused = _follow_up(commands, story, _read_state(variables), file)
        commands.watch("run", BULK_PAYMENTS.name, payroll.name, batch=payroll.stem, total=len(payments))
        paid = [name for name, state in _states(commands, payroll.stem).items() if state is RowState.ACCEPTED]
        states = _states(commands, file.stem)
        story = Story(scene.first_moves, rows, states, paid, commands.seconds, is_refused=is_refused)
        return compare(story, _read_state(variables))


def _carry_out(commands: Commands, file: Path, total: int) -> None:
    """Run the file, kill the process, and go on."""
    echo_err("Payments go out together, while answers are lost, calls refused, and the whole process is killed.")
    in_flight = ("--concurrency", str(_CONCURRENCY))
    commands.watch("run", MOVE_FUNDS.name, file.name, *in_flight, batch=file.stem, total=total, kill_at=total // 5)
    commands.watch("resume", file.stem, *in_flight, batch=file.stem, total=total)


def _follow_up(commands: Commands, story: Story, ledger: Mapping[str, Any], file: Path) -> bool:
    """Resolve one unknown row and send it anew, then try the same file again; return whether that is refused."""
    reference = find_not_carried_out(story, ledger)
    if reference is not None:
        echo_err(f"\nWhat became of {reference} is unknown; the ledger has no such payment, so a person decides:")
        commands.caxton("resolve", file.stem, reference, "--not-paid", "--note", _NOTE)
        commands.caxton("retry", file.stem, "--state", "not-paid")
    echo_err("\nThe same file once more, under another name:")
    again = file.with_name(f"again-{file.name}")
    shutil.copyfile(file, again)
    commands.caxton("run", MOVE_FUNDS.name, again.name, expected={ExitCode.USAGE})
    with open_journal(commands.journal, environ=commands.environment) as journal:
        return all(info.name != again.stem for info in journal.batches())


def _states(commands: Commands, name: str) -> dict[str, RowState]:
    """Return what became of each row of a batch by its reference; of one that was sent anew, what became of that."""
    with open_journal(commands.journal, environ=commands.environment) as journal:
        by_id = {row.id: row for info in journal.batches() for row in journal.rows(info.id)}
        batch = find_batches(journal, name)[0].id
        own = [row for row in by_id.values() if row.batch == batch]
        return {row.reference: by_id[row.followed_by or row.id].state for row in own}


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
    with started(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise Failure("the emulator did not start: see what caxton emulator says")
        yield json_text.loads(line)


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
        echo_err("")
        show_table(("", "the client says", "the emulator's ledger says"), comparison.lines())
    for text in comparison.problems:
        echo_err(f"they disagree: {text}")
    if comparison.counts.get(RowState.UNKNOWN):
        echo_err("Unknown are the calls whose answer was lost, or that were in flight when the process was killed.")
    if comparison.agrees:
        echo_err("Both agree: nothing was paid twice and nothing was lost; what is unknown is listed, not guessed.")
        echo_err("Next: caxton emulator, then caxton doctor; caxton --help names the rest.")
