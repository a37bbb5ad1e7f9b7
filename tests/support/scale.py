"""How often the tests by the thousand go round: some in each run, many at night (`nox -s nightly`).

This is the one place that reads `CAXTON_TESTS`.
"""

import os

IS_NIGHTLY = os.environ.get("CAXTON_TESTS") == "nightly"


def scaled(each_run: int, nightly: int) -> int:
    """Return how many rounds a test makes in this run."""
    return nightly if IS_NIGHTLY else each_run
