"""The gates of the project: `nox` runs all of them, `nox -s tests` one, `nox -l` lists them."""

import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "tests", "coverage"]

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = ("3.11", "3.12", "3.13")
# Where a fault costs somebody money: every branch of these is walked.
WHOLLY_COVERED = ("codec", "replies", "retry", "session", "statuses", "tokens", "transport", "wire")


def is_present(version: str) -> bool:
    """Say whether this Python can be run: a version manager's shim stands on the path for versions that are off."""
    command = shutil.which(f"python{version}")
    return command is not None and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0


OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PRESENT = [version for version in SUPPORTED if version == OWN or is_present(version)] or [OWN]
ABSENT = [version for version in SUPPORTED if version not in PRESENT]
print(f"Pythons found: {', '.join(PRESENT)}. Not found: {', '.join(ABSENT) or 'none'}.", file=sys.stderr)


def install(session: nox.Session, *groups: str, package: str | None = None) -> None:
    """Install dependency groups and, if named, the package, in a way that an old pip understands too."""
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    session.install(*requirements, *(["--editable", package] if package else []))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, with two checkers."""
    install(session, "types", package=".[all]")
    session.run("mypy")
    session.run("basedpyright")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that each module imports only from the layers below it."""
    install(session, "layers")
    session.run("lint-imports", "--no-logo")


@nox.session(python=PRESENT)
def tests(session: nox.Session) -> None:
    """Run the tests; the newest Python also runs the long ones, and measures coverage."""
    install(session, "test", package=".[all]")
    pytest = ["-m", "pytest", "-n", "2", *session.posargs]
    if session.python != PRESENT[-1]:
        session.run("python", *pytest, "-m", "not long")
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", *pytest)


@nox.session
def coverage(session: nox.Session) -> None:
    """Hold what the tests covered against the gates."""
    install(session, "coverage")
    session.run("coverage", "combine")
    session.run("coverage", "report")
    modules = ",".join(f"caxton_async/{module}.py" for module in WHOLLY_COVERED)
    session.run("coverage", "report", f"--include={modules}", "--fail-under=100")


@nox.session
def demo(session: nox.Session) -> None:
    """Install the package as a user does, and run the demonstration."""
    session.install(".[cli]")
    session.run("caxton", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark."""
    install(session, "test", package=".[all]")
    for path in sorted(Path("benchmarks").glob("bench_*.py")):
        session.run("python", str(path), *session.posargs)
