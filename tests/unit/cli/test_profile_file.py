"""Writing a profile beside those that a person wrote."""

import tomllib
from pathlib import Path

import pytest

from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._profile_file import write_profile
from caxton_async.secret import Secret

OTHERS = """# mine
[profiles.sandbox]
username = "me"  # not local

[profiles.sandbox.paths]
get_access_token = "/token"
"""
OLD = """
[profiles.local]
base_url = "http://127.0.0.1:1/api/"

[profiles.local.paths]
list_banks = "old"
"""
URL = "http://127.0.0.1:2/api/"


def write(file: Path, name: str = "local") -> None:
    """Write the profile of an emulator."""
    write_profile(file, name, {"base_url": URL}, {"list_banks": "b"}, Secret("s"))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="no file"),
        pytest.param(OTHERS, id="others"),
        pytest.param(OTHERS + OLD, id="others and an old one"),
        pytest.param(OLD + OTHERS, id="an old one first"),
        pytest.param(OTHERS + '\n[profiles."local"]\nbase_url = "http://localhost:1/api/"\n', id="a name in quotes"),
    ],
)
def test_other_profiles_stay_as_they_are(tmp_path: Path, before: str) -> None:
    """The tables of the emulator's own profile are replaced, each other line is kept, comments too."""
    file = tmp_path / "config.toml"
    if before:
        file.write_text(before)

    write(file)
    write(file)

    text = file.read_text()
    profiles = tomllib.loads(text)["profiles"]
    assert profiles.pop("local") == {"base_url": URL, "password_file": "local.password", "paths": {"list_banks": "b"}}
    assert profiles == (tomllib.loads(OTHERS)["profiles"] if "sandbox" in before else {})
    assert ("# mine" in text) == ("# mine" in before)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.toml", "local.password"]


@pytest.mark.parametrize(
    ("before", "name", "said"),
    [
        pytest.param("", "a.b", "a profile's name is of letters", id="name"),
        pytest.param(OTHERS, "sandbox", "is not one of an emulator", id="another server's"),
        pytest.param(
            "[profiles.local]\nenvironment = 'production'\n", "local", "not one of an emulator", id="production"
        ),
        pytest.param(
            f"profiles = {{ local = {{ base_url = '{URL}' }} }}\n", "local", "not written as tables", id="inline"
        ),
        pytest.param("[profiles", "local", "is not TOML", id="rubbish"),
    ],
)
def test_what_is_not_an_emulators_is_not_replaced(tmp_path: Path, before: str, name: str, said: str) -> None:
    """A real profile is never lost, and the file stays as it was."""
    file = tmp_path / "config.toml"
    file.write_text(before)

    with pytest.raises(Failure, match=said):
        write(file, name)

    assert file.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """One sentence with the file in it."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(Failure, match=r"taken/config\.toml cannot be written"):
        write(tmp_path / "taken" / "config.toml")
