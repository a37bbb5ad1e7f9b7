"""Switch each safety setting off in a copy of the project, and see at least one of its tests fail: `nox -s mutate`.

What belongs here: copying, changing, running, and the page.  What does not: which settings there are (`mutations`).
`python -m tests.mutations --page` writes the page anew, `python -m tests.mutations.__main__ WORD` tries the settings of that name.
"""

# ruff: noqa: E501 -- a sentence of the documentation is one line

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.mutations import MUTATIONS, Mutation
from tests.support.places import ROOT

PAGE = ROOT / "docs" / "reference" / "switched-off.md"
COPIED = ("caxton_async", "tests", "pyproject.toml", "README.md")
AT_ONCE = 2
say = partial(print, flush=True)
_HEAD = """\
# What is switched off, and who notices

<!-- Made by `python -m tests.mutations --page` from the tables in `tests/mutations/client.py` and `tests/mutations/batch.py`. -->

A promise that no test can break is a promise that nobody keeps.
`nox -s mutate` takes a copy of the library, switches one safety setting off in it, and runs the tests named here, at least one of which has to fail; then the next.
There are {number} settings, and the library itself has no switch for any of them.
A fault is a case of [the fault matrix](faults.md); the other tests are named after the file they stand in.

| module | setting | noticed by |
|---|---|---|
"""
_PASSED, _FAILED = 0, 1  # of the exit codes of pytest; the others are no verdict


def copy(target: Path) -> Path:
    """Copy what the tests need, and return where."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests against the copy in `folder`; a hang is a failure."""
    options = ("-q", "-x", "--no-header", "-m", "not long", "-p", "no:cacheprovider", "-o", "timeout=20")
    command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def switch_off(folder: Path, mutation: Mutation) -> str | None:
    """Return why a setting that is switched off went unnoticed, None if it was noticed."""
    file = folder / "caxton_async" / mutation.file
    source = file.read_text(encoding="utf-8")
    if source.count(mutation.old) != 1:
        return f"its text stands in {mutation.file} {source.count(mutation.old)} times"
    file.write_text(source.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        finished = run(folder, *mutation.tests)
    finally:
        file.write_text(source, encoding="utf-8")
    if finished.returncode == _FAILED:
        return None
    return "no test noticed" if finished.returncode == _PASSED else f"no verdict\n{finished.stdout}{finished.stderr}"


def page() -> str:
    """Return the page of the table."""
    lines = [f"| `{each.file}` | {each.setting} | {', '.join(each.noticed_by)} |" for each in MUTATIONS]
    return _HEAD.format(number=len(MUTATIONS)) + "\n".join(lines) + "\n"


def main(*wanted: str) -> int:
    """Switch off every setting, or those whose names hold one of the words `wanted`."""
    chosen = [each for each in MUTATIONS if not wanted or any(word in each.setting for word in wanted)]
    with TemporaryDirectory() as scratch:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            folders.put(copy(Path(scratch, str(number))))

        def judge(mutation: Mutation) -> str | None:
            folder = folders.get()
            try:
                problem = switch_off(folder, mutation)
            finally:
                folders.put(folder)
            said = "caught" if problem is None else "missed"
            say(f"{said}: {mutation.setting}", *filter(None, [problem]))
            return problem

        before = run(folders.get(), *sorted({test for mutation in chosen for test in mutation.tests}))
        if before.returncode != _PASSED:
            say("the tests fail with every setting switched on:", before.stdout, before.stderr, sep="\n")
            return 1
        folders.put(Path(scratch, "0"))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            missed = sum(problem is not None for problem in pool.map(judge, chosen))
    say(f"{len(chosen) - missed} of {len(chosen)} settings, switched off, were noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--page"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.exit(main(*sys.argv[1:]))
