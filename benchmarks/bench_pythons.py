"""One call beside bare aiohttp on each Python that is here, and on uvloop: `python benchmarks/bench_pythons.py`."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LOOPS = ("asyncio", "uvloop")


def interpreters() -> Iterator[str]:
    """Give the Pythons that run; a version manager's shim stands on the path for versions that are off."""
    for version in PYTHONS:
        command = shutil.which(f"python{version}")
        if command and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0:
            yield command


def lines(command: str, folder: Path) -> Iterator[str]:
    """Install the package and uvloop for one Python, and measure on both loops."""
    subprocess.run([command, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", str(HERE.parent), "uvloop"]
    subprocess.run(install, check=True, stdout=sys.stderr)
    for loop in LOOPS:
        done = subprocess.run(
            [python, str(HERE / "bench_call.py"), "--short", loop], check=False, stdout=subprocess.PIPE, text=True
        )
        yield done.stdout.rstrip("\n") if done.returncode == 0 else f"| {Path(command).name}, {loop} | failed | | | |"


def main() -> None:
    """Print the table."""
    print(
        "## One call, on each Python\n\n"
        "32 callers; CPU is a ratio to bare aiohttp on the same Python and event loop, the median of paired ratios.\n\n"
        "| Python, loop | body | CPU | middle half | goal |\n|---|---|---|---|---|"
    )
    for command in interpreters():
        with tempfile.TemporaryDirectory() as folder:
            for line in lines(command, Path(folder) / "venv"):
                print(line, flush=True)


if __name__ == "__main__":
    main()
