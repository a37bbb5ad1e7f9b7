"""What importing the client and starting the command cost: `python benchmarks/bench_import.py`."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile

import method

ROUNDS = 31
EMPTY, BASELINE, CLIENT = "pass", "import aiohttp", "from caxton_async import CaxtonClient"
COMMANDS = ("caxton --version", "caxton --help", "caxton run --help", "caxton status", "caxton endpoints")
GOALS = {CLIENT: 1.25, "caxton run --help": 1.0, "caxton status": 1.0}
PROGRAMS = (EMPTY, BASELINE, CLIENT, "import caxton_async", *COMMANDS)
VERSION = """
import sys
from caxton_async.cli import main
try:
    main(["--version"])
finally:
    print("aiohttp" in sys.modules, file=sys.stderr)
"""


def seconds(program: str) -> float:
    """Return the processor time of a fresh interpreter that runs `program`."""
    argv = ["-m", "caxton_async", *program.split()[1:]] if program in COMMANDS else ["-c", program]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    os.environ["CAXTON_STATE_DIR"] = tempfile.mkdtemp()  # no journal is there
    taken: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    for _ in range(ROUNDS):
        for program in PROGRAMS:
            taken[program].append(seconds(program))
    start = statistics.median(taken.pop(EMPTY))
    own = {program: statistics.median(times) - start for program, times in taken.items()}
    print(
        "## Importing\n\n"
        f"Processor time of fresh processes, in turns, less that of an empty one: the median of {ROUNDS}.\n\n"
        "| program or command | to `import aiohttp` | ms | goal |\n|---|---|---|---|"
    )
    for program, time in own.items():
        ratio = time / own[BASELINE]
        goal = method.verdict(ratio, GOALS[program]) if program in GOALS else ""
        print(f"| `{program}` | {ratio:.2f}x | {time * 1000:.0f} | {goal} |")
    run = subprocess.run([sys.executable, "-c", VERSION], capture_output=True, text=True, check=False)
    print(f"\n`caxton --version` loads aiohttp: {'yes' if 'True' in run.stderr else 'no'} (goal: no).")


if __name__ == "__main__":
    main()
