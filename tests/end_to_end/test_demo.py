"""`caxton demo` as a newcomer runs it: with no settings, in a process of its own."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from caxton_async.batch import read_rows
from caxton_async.endpoints import MOVE_FUNDS
from tests.support.command import COMMAND, bare_environment

SAMPLE = Path(__file__).parents[2] / "caxton_async" / "cli" / "demo" / "sample.csv"
_LIMIT_S = 100


def demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the demo to its end."""
    return subprocess.run(
        [*COMMAND, "demo", *arguments],
        cwd=folder,
        env=bare_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_S,
    )


def children_of(pid: int) -> list[int]:
    """List the processes that a process has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_sample_holds_300_payment_calls_that_can_be_told_apart() -> None:
    """No two payments of the sample ask for the same, so that the ledger shows each of them."""
    rows = list(read_rows(SAMPLE, MOVE_FUNDS))

    assert len(rows) >= 300
    assert len({row.request for row in rows}) == len(rows)


def test_the_demo_is_killed_resumed_and_agrees_with_the_ledger(tmp_path: Path) -> None:
    """One login; every payment is concluded; faults left some rejected and some unknown; none was made twice."""
    done = demo(tmp_path, "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["agrees"]
    assert found["problems"] == []
    assert found["calls"] == found["accepted"] + found["rejected"] + found["unknown"] >= 300
    assert found["ledger"]["accepted"] == found["accepted"]
    assert found["ledger"]["rejected"] == 0
    assert 0 < found["ledger"]["unknown"] < found["unknown"]
    assert found["rejected"] > 0
    assert found["logins"] == 1
    assert found["payroll"] == {"payments": 5, "ledger": 5}
    assert found["calls_per_second"] > 0
    assert "the process was killed (kill -9) with calls in flight" in done.stderr
    assert "$ caxton resume sample" in done.stderr
    assert "$ caxton resolve sample" in done.stderr
    assert "$ caxton retry sample --state not-paid" in done.stderr
    assert "rows ask for what may have been paid already" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_demo_carries_out_a_file_of_the_readers_own(tmp_path: Path) -> None:
    """Its pots are made and its money comes in, in whatever currencies; the table has a line for each figure."""
    lines = [f"mine-{n},{'JPY,RENT-JPY,' if n % 2 else 'RENT-JPY,JPY,'}{n}" for n in range(1, 31)]
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["reference,from_currency,to_currency,amount", *lines]))

    done = demo(tmp_path, "mine.csv")

    table = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert table["payment calls"].startswith("30 ")
    assert re.split(r"  +", table["logins made"]) == ["1", "1"]
    assert "money came in (EUR, GBP, JPY); pots made: 1, wallets made: 2" in done.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_wrong_file_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    """Each wrong row is named with its line."""
    (tmp_path / "wrong.csv").write_text("reference,from_currency,to_currency,amount\na,GBP,POT1-GBP,0\n")

    done = demo(tmp_path, "wrong.csv")

    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_demo_that_is_interrupted_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """No traceback, no process and no file is left behind."""
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        env=bare_environment(tmp_path) | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    told = ""
    while "caxton run move_funds" not in told:
        told += process.stderr.readline()
    children = children_of(process.pid)

    process.send_signal(number)
    out, err = process.communicate(timeout=_LIMIT_S)

    assert (process.returncode, out) == (130, "")
    assert err.endswith("caxton: interrupted\n")
    assert "Traceback" not in told + err
    assert children
    assert [child for child in children if is_alive(child)] == []
    assert list(tmp_path.iterdir()) == []
