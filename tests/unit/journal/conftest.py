"""Every kind of journal, for the tests that hold for any: another kind is one more parameter here."""

import base64
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


@pytest.fixture(params=["sqlite", "encrypted sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return where a journal may be made, of each kind."""
    return sqlite_place(tmp_path, is_encrypted=request.param == "encrypted sqlite")


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """Return where a journal in a file may be made."""
    return sqlite_place(tmp_path, is_encrypted=False)
