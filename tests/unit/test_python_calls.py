"""What a call costs, without a clock: the Python functions that it runs, beside bare aiohttp in the same process."""

import json
import subprocess
import sys

from tests.support.places import ROOT

BENCHMARK = ROOT / "benchmarks" / "bench_call.py"


def test_a_call_runs_less_python_than_bare_aiohttp() -> None:
    """Token, limiter, deadline, codec and all, a call runs less Python than bare aiohttp and `json.loads`."""
    command = [sys.executable, str(BENCHMARK), "--count"]

    printed = subprocess.run(command, capture_output=True, text=True, check=True)

    counts = json.loads(printed.stdout)
    # 0.73 on Python 3.11, whose aiohttp makes a task for each body; 0.85 on 3.12 and 3.13.
    assert counts["caxton-async"] <= 0.9 * counts["bare aiohttp"]
