"""Every kind of journal, for the tests that hold for any: another kind is one more parameter here."""

import base64
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.payments import Place


def sqlite_place(folder: Path, *, is_encrypted: bool) -> Place:
    """Return a place in a folder of its own."""
    environ = {"CAXTON_STATE_DIR": str(folder / "state")}
    if is_encrypted:
        key = folder / "key"
        key.write_bytes(base64.b64encode(bytes(range(32))))
        key.chmod(0o600)
        environ["CAXTON_JOURNAL_KEY_FILE"] = str(key)
    return Place(str(folder / "journal.db"), environ)


@pytest.fixture(params=["sqlite", "encrypted sqlite", "postgres"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Place]:
    """Return what gives a new place for a journal at each call, for each kind."""
    if request.param == "postgres":
        return request.getfixturevalue("databases").place
    numbers = itertools.count()

    def make() -> Place:
        folder = tmp_path / f"place-{next(numbers)}"
        folder.mkdir()
        return sqlite_place(folder, is_encrypted=request.param == "encrypted sqlite")

    return make


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    """Return where a journal may be made, of each kind."""
    return new_place()


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """Return where a journal in a file may be made."""
    return sqlite_place(tmp_path, is_encrypted=False)
