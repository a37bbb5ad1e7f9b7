"""What the gates install: `locks` pins all that `pyproject.toml` asks for, by hash and from nowhere in particular."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement

from tests.support.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {path.stem: path.read_text() for path in sorted((ROOT / "locks").iterdir())}
NAMED_OTHERWISE = {"tests": "test"}  # locks that are not called after their group
PACKAGE = {"tests", "types"}  # locks in which the package itself is installed


def group(name: str) -> Iterator[Requirement]:
    """Yield what a dependency group asks for."""
    for entry in PROJECT["dependency-groups"][name]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from group(entry["include-group"])


def wanted(lock: str) -> Iterator[Requirement]:
    """Yield what the sessions that install a lock ask for."""
    yield from group(NAMED_OTHERWISE.get(lock, lock))
    if lock in PACKAGE:
        extras = PROJECT["project"]["optional-dependencies"].values()
        entries = [*PROJECT["project"]["dependencies"], *(entry for extra in extras for entry in extra)]
        yield from group("build")
        yield from (each for each in map(Requirement, entries) if each.name != PROJECT["project"]["name"])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_the_project_asks_for(lock: str) -> None:
    """What is asked for is pinned, within its bounds; `nox -s lock` pins what was added."""
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCKS[lock], re.MULTILINE))

    missing = [str(each) for each in wanted(lock) if not each.specifier.contains(pinned.get(each.name, "0"))]

    assert missing == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashes_and_names_no_index(lock: str) -> None:
    """Each pin has its hashes, and where a package comes from is its user's setting."""
    pins = re.findall(r"^[a-z0-9-]+==.*\n.*", LOCKS[lock], re.MULTILINE)

    assert [pin for pin in pins if "\\\n    --hash=sha256:" not in pin] == []
    assert not re.search(r"https?://|index-url|find-links", LOCKS[lock])


def test_a_build_without_isolation_has_what_a_build_with_it_gets() -> None:
    """The group `build` covers the requirements of `build-system`."""
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["build"])
