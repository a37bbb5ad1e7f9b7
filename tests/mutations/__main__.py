"""Switch each safety setting off in turn, and see at least one of its tests fail: `nox -s mutate`.

`python -m tests.mutations WORD` tries the settings whose names or symbols hold a word.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.mutations import TESTS, VARIABLE, Mutation, load

ROOT = TESTS.parent
AT_ONCE = 2
say = partial(print, flush=True)
_PASSED, _FAILED = 0, 1  # of the exit codes of pytest; the others are no verdict


def environment(mutation: Mutation | None) -> dict[str, str]:
    """Return the environment of a Python in which `mutation`, if any, is switched off."""
    found = {**os.environ, "PYTHONPATH": f"{TESTS / 'mutations' / 'startup'}{os.pathsep}{ROOT}"}
    return found if mutation is None else {**found, VARIABLE: f"{mutation.symbol}\n{mutation.setting}"}


def run(tests: list[str], mutation: Mutation | None = None) -> subprocess.CompletedProcess[str]:
    """Run tests with a setting switched off; a hang is a failure."""
    # To rewrite assertions pytest loads the package by itself, since it is a plugin, and nothing would be switched off.
    options = ("-q", "-x", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-o", "timeout=20")
    command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
    return subprocess.run(
        command, cwd=ROOT, env=environment(mutation), capture_output=True, text=True, stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip


def problem_with(mutation: Mutation) -> str | None:
    """Return why a setting that is switched off went unnoticed, None if it was noticed."""
    finished = run(mutation.tests(), mutation)
    if finished.returncode == _FAILED:
        return None
    return "no test noticed" if finished.returncode == _PASSED else f"no verdict\n{finished.stdout}{finished.stderr}"


def main(*words: str) -> int:
    """Switch off every setting, or those whose name or symbol holds one of `words`."""
    mutations = [each for each in load().values() if not words or any(w in each.setting + each.symbol for w in words)]
    before = run(sorted({test for each in mutations for test in each.tests()}))
    if before.returncode != _PASSED:
        say("the tests fail with every setting switched on:", before.stdout, before.stderr, sep="\n")
        return 1
    missed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutation, problem in zip(mutations, pool.map(problem_with, mutations), strict=True):
            missed += problem is not None
            say("caught:" if problem is None else "missed:", mutation.setting, problem or "")
    say(f"{len(mutations) - missed} of {len(mutations)} settings, switched off, were noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
