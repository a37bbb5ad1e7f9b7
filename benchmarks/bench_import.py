"""What importing the client costs: `python benchmarks/bench_import.py`."""

import resource
import statistics
import subprocess
import sys

ROUNDS = 31
EMPTY, BASELINE = "pass", "import aiohttp"
PROGRAMS = (EMPTY, BASELINE, "from caxton_async import CaxtonClient", "import caxton_async")
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
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    taken: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    for _ in range(ROUNDS):
        for program in PROGRAMS:
            taken[program].append(seconds(program))
    start = statistics.median(taken.pop(EMPTY))
    own = {program: statistics.median(times) - start for program, times in taken.items()}
    print(
        "## Importing\n\n"
        f"Processor time of fresh processes, in turns, less that of an empty one: the median of {ROUNDS}.\n\n"
        "| program | to `import aiohttp` | ms | goal |\n|---|---|---|---|"
    )
    for program, time in own.items():
        goal = "1.25x" if "CaxtonClient" in program else ""
        print(f"| `{program}` | {time / own[BASELINE]:.2f}x | {time * 1000:.0f} | {goal} |")
    run = subprocess.run([sys.executable, "-c", VERSION], capture_output=True, text=True, check=False)
    print(f"\n`caxton --version` loads aiohttp: {'yes' if 'True' in run.stderr else 'no'} (goal: no).")


if __name__ == "__main__":
    main()
