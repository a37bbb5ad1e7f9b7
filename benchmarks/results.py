"""Runs every benchmark and writes `RESULTS.md` and `chart.svg`: `python benchmarks/results.py [NAME ...]`.

Each `bench_*.py` measures in a process of its own and prints its part of the page.
"""

import datetime as dt
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chart import draw

HERE = Path(__file__).parent
PACKAGES = (
    *("aiohttp", "attrs", "cattrs", "msgspec", "anyio", "pydantic"),
    *("stripe", "increase", "modern-treasury", "openai", "Authlib", "httpx", "httpx2"),
    *("azure-core", "azure-identity", "aiobotocore", "google-auth", "gcloud-aio-auth"),
)
# What was measured, in a line of a table: a ratio, if there is one.
FIGURE = re.compile(r"[\d.,]+x?")
# A figure before it that is no part of what was measured: a ratio, or one with a point.
NO_NAME = re.compile(r"[\d,]+(\.\d+x?|x)")
HEAD = """\
# Results

<!-- Made by `nox -s bench`: every figure below was measured in that run. -->

![CPU of one call by each client](chart.svg)

Made on {day} with Python {python} on {system}, {processor}, {cores} cores, load {load} at the start.
{packages}.

**Method.** Each script below runs in a process of its own, against a static server in another process on the same machine, over plain HTTP on loopback.
Variants that are compared run in the same process, in random order in each round; what counts is the client's own processor time, and the ratio to the baseline of the same round.
A second copy of the baseline is the control: a run in which it does not come out within 0.97 to 1.03 is thrown away.
**Limits.** Ratios hold, absolute times do not: another machine, Python or load gives others.
Loopback has no latency and no loss, and TLS on a warm connection adds about a sixth to every client alike.
Python calls, counted with `sys.setprofile`, are free of noise and are a gate in the tests.
"""  # noqa: E501  # a sentence of the page is one line


def run(script: Path) -> str:
    """Return the part of the page that a benchmark prints; what it says on its way goes to the terminal."""
    print(f"{script.name} ...", file=sys.stderr, flush=True)
    part = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    if part.returncode:
        return f"## {script.stem}\n\nThis benchmark failed: run `python benchmarks/{script.name}`.\n"
    # What is no part of a page of Markdown is shown as it was printed.
    return part.stdout if part.stdout.startswith("## ") else f"## {script.stem}\n\n```\n{part.stdout}```\n"


def goals(parts: Mapping[str, str]) -> str:
    """Return one table of every line that has a goal."""
    lines = ["## Goals\n", "| benchmark | what | measured | goal |", "|---|---|---|---|"]
    for part in parts.values():
        title = part.partition("\n")[0].removeprefix("## ")
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            if line.startswith("|") and cells[-1].endswith((": reached", ": missed")):
                figures = [n for n, cell in enumerate(cells[:-1]) if FIGURE.fullmatch(cell)]
                at = max((n for n in figures if cells[n].endswith("x")), default=figures[-1])
                what = ", ".join(cell for cell in cells[:at] if not NO_NAME.fullmatch(cell))
                lines.append(f"| {title} | {what} | {cells[at]} | {cells[-1]} |")
    return "\n".join(lines) + "\n"


def installed() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main(*names: str) -> None:
    """Run the benchmarks, all or those named, and write the page."""
    load = f"{os.getloadavg()[0]:.1f}"
    scripts = [HERE / f"bench_{name}.py" for name in names] or sorted(HERE.glob("bench_*.py"))
    parts = {script.stem: run(script) for script in scripts}
    head = HEAD.format(
        day=dt.datetime.now(dt.UTC).date(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count(),
        load=load,
        packages=", ".join(installed()),
    )
    (HERE / "RESULTS.md").write_text("\n".join([head, goals(parts), *parts.values()]), encoding="utf-8")
    draw(parts.get("bench_peers", ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
