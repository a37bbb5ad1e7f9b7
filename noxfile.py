"""The gates of the project: `nox` runs all of them, `nox -s tests` one, `nox -l` lists them."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"  # also where uv is at hand: its pip reads other settings than pip
nox.options.sessions = ["lint", "types", "layers", "docs", "installed", "tests", "coverage"]

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
# Where a fault costs somebody money: every branch of these is walked.
WHOLLY_COVERED = ("attempts", "auth", "protocol", "retry", "session", "transport")


def is_present(version: str) -> bool:
    """Say whether this Python can be run: a version manager's shim stands on the path for versions that are off."""
    command = shutil.which(f"python{version}")
    return command is not None and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0


OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
PRESENT = [version for version in SUPPORTED if version == OWN or is_present(version)] or [OWN]
ABSENT = [version for version in SUPPORTED if version not in PRESENT]
print(f"Pythons found: {', '.join(PRESENT)}. Not found: {', '.join(ABSENT) or 'none'}.", file=sys.stderr)


# The locks in `locks`, each with the dependency groups and extras that it pins.  Who is pinned is installed by hash.
LOCKS = {
    "coverage": ("--group=coverage",),
    "docs": ("--group=docs",),
    "layers": ("--group=layers",),
    "lint": ("--group=lint",),
    "lock": ("--group=lock",),
    "nox": ("--group=nox",),
    "release": ("--group=release",),
    "tests": ("pyproject.toml", "--all-extras", "--group=build", "--group=test"),
    "types": ("pyproject.toml", "--all-extras", "--group=build", "--group=types"),
}


def install(session: nox.Session, lock: str) -> None:
    """Install what a lock pins and, where it pins what the package needs, the package."""
    session.install("--require-hashes", "--requirement", f"locks/{lock}.txt")
    if "pyproject.toml" in LOCKS[lock]:
        session.install("--no-deps", "--no-build-isolation", "--editable", ".")


def install_groups(session: nox.Session, *groups: str, package: str | None = None) -> None:
    """Install the newest of dependency groups and, if named, of the package's dependencies."""
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
    install(session, "types")
    session.run("mypy")
    # Left to itself, it takes a `.venv` in the project for the environment, whoever runs it.
    session.run("basedpyright", "--pythonpath", f"{session.bin}/python")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that each module imports only from the layers below it."""
    install(session, "layers")
    session.run("lint-imports", "--no-logo")


@nox.session(python=PRESENT)
def tests(session: nox.Session) -> None:
    """Run the tests; the newest Python also runs the long ones, and measures coverage."""
    install(session, "tests")
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
    modules = ",".join(f"caxton_async/{module}.py,caxton_async/{module}/*" for module in WHOLLY_COVERED)
    session.run("coverage", "report", f"--include={modules}", "--fail-under=100")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site of the documentation; a warning, such as a dead link, is an error."""
    install(session, "docs")
    session.run("zensical", "build", "--clean", "--strict")


@nox.session
def lock(session: nox.Session) -> None:
    """Write the locks anew: what is pinned stays so unless `--upgrade` or `--upgrade-package NAME` follows `--`."""
    install(session, "lock")
    write_locks(session, *session.posargs)


def write_locks(session: nox.Session, *options: str) -> None:
    """Pin what each lock covers, for every supported Python and platform, with the hash of each file."""
    universal = ("--universal", "--python-version", SUPPORTED[0], "--generate-hashes", "--quiet")
    for name, what in LOCKS.items():
        command = ("uv", "pip", "compile", *what, *universal, "--output-file", f"locks/{name}.txt", *options)
        session.run(*command, env={"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"})


@nox.session(python=PRESENT[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the package declares."""
    install(session, "lock")
    bounds = str(Path(session.create_tmp(), "lowest.txt"))
    resolve = ("--all-extras", "--resolution", "lowest-direct", "--python", str(session.python), "--quiet")
    session.run("uv", "pip", "compile", "pyproject.toml", *resolve, "--output-file", bounds)
    tools = nox.project.dependency_groups(PROJECT, "build", "test")
    session.install("--requirement", bounds, "--constraint", bounds, *tools)
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    # The help in the docs is that of the newest cyclopts, and the locks are not what is installed here.
    apart = ("--ignore=tests/docs", "--ignore=tests/unit/test_locks.py")
    session.run("python", "-m", "pytest", "-n", "2", "-m", "not long", *apart, *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests with the newest of every dependency, aiohttp's next release among them."""
    install_groups(session, "build", "test")
    session.install("--upgrade", "--editable", ".[all]")
    session.install("--upgrade", "--pre", *(each for each in PROJECT["project"]["dependencies"] if "aiohttp" in each))
    session.run("python", "-m", "pytest", "-n", "2", "-m", "not long", *session.posargs)


@nox.session
def installed(session: nox.Session) -> None:
    """Run the package as a zip without its metadata, as frozen programs and stripped layers hold it."""
    session.install("--require-hashes", "--requirement", "locks/tests.txt")
    folder = Path(session.create_tmp()).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    session.run("pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheel"), ".")
    (wheel,) = (folder / "wheel").iterdir()
    shutil.unpack_archive(wheel, folder / "package", "zip")
    (metadata,) = (folder / "package").glob("*.dist-info")
    shutil.rmtree(metadata)
    package = shutil.make_archive(str(folder / "package"), "zip", folder / "package")
    checks = shutil.copy("tests/installed.py", folder / "test_installed.py")
    command = ("python", "-m", "pytest", "--override-ini=asyncio_mode=auto", "--rootdir", str(folder), str(checks))
    with session.chdir(folder):
        session.run(*command, env={"PYTHONPATH": package})


@nox.session
def demo(session: nox.Session) -> None:
    """Install the package as a user does, and run the demonstration."""
    session.install(".[cli]")
    session.run("caxton", "demo", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark, or those named, and write `benchmarks/RESULTS.md` and the chart."""
    install_groups(session, "bench", package=".[all]")
    session.run("python", "benchmarks/results.py", *session.posargs)


@nox.session
def instructions(session: nox.Session) -> None:
    """Hold the machine instructions of a call against those of bare aiohttp, where valgrind is."""
    if shutil.which("valgrind") is None:
        session.skip("valgrind is not on the path: install it, as by `apt-get install valgrind`")
    install(session, "tests")
    session.run("python", "benchmarks/bench_call.py", "--instructions")


@nox.session
def mutate(session: nox.Session) -> None:
    """Switch each safety setting off in turn, and see a test notice; words choose settings by name."""
    install(session, "tests")
    session.run("python", "-m", "tests.mutations", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Make a hundred thousand calls, warnings being errors, and see that nothing is left behind."""
    install(session, "tests")
    session.run("python", "-X", "dev", "-W", "error", "-m", "tests.soak", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Run the tests by the thousand at their full length: this takes hours."""
    install(session, "tests")
    options = ["-n", "2", "-o", "timeout=14400", *session.posargs]
    session.run("python", "-m", "pytest", *options, env={"CAXTON_TESTS": "nightly"})


@nox.session
def release(session: nox.Session) -> None:
    """Build wheel and sdist of the last commit twice, compare them, and list what they depend on, into `dist`."""
    install(session, "release")
    epoch = session.run("git", "log", "-1", "--format=%ct", external=True, silent=True, log=False).strip()
    env = {"SOURCE_DATE_EPOCH": epoch}
    first, second = (build(session, Path(session.create_tmp(), name), env) for name in ("first", "second"))
    if first != second:
        session.error(f"two builds of one commit differ: {sorted(first.items() ^ second.items())}")
    dist = Path("dist")
    shutil.rmtree(dist, ignore_errors=True)
    shutil.copytree(Path(session.create_tmp(), "first", "dist"), dist)
    # An environment of what users get: nothing that built it is in the list.
    users = Path(session.create_tmp(), "users").absolute()
    session.run("python", "-m", "venv", "--clear", "--without-pip", str(users))
    python, name = str(users / "bin" / "python"), PROJECT["project"]["name"]
    (wheel,) = dist.glob("*.whl")
    session.run("pip", "--python", python, "install", "--quiet", f"{wheel}[all]")
    bom = str(dist / f"{name}.cdx.json")
    about = ["--output-reproducible", "--mc-type", "library", "--pyproject", "pyproject.toml"]
    session.run("cyclonedx-py", "environment", *about, "--output-file", bom, python, env=env)
    for file, digest in sorted(first.items()):
        session.log(f"{digest}  dist/{file}")


def build(session: nox.Session, folder: Path, env: dict[str, str]) -> dict[str, str]:
    """Build what the last commit holds in a folder of its own, and return the digest of each file that comes of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    session.run("git", "clone", "--quiet", ".", str(folder), external=True)  # a tag gives the version
    command = ("python", "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(folder))
    session.run(*command, env=env, silent=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "dist").iterdir()}
