"""Profiles: settings and credentials under a name, in a file of the user's."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from caxton_async.errors import ConfigurationError

# What a profile says beside settings; secrets stand in files or in the keyring, never here.
CREDENTIAL_KEYS: Final = ("username", "client_name", "password_file", "identity_number", "user_id", "user_token_file")
_FILES: Final = frozenset({"password_file", "user_token_file", "ca_file"})
_SECRETS: Final = {"password": "password_file", "user_token": "user_token_file"}


def default_file() -> Path:
    """Return where profiles are kept when `CAXTON_CONFIG` does not say.

    **Raises** ConfigurationError where the extra `cli` is not installed, which knows the user's folders.
    """
    try:
        from platformdirs import user_config_path  # noqa: PLC0415  # of an extra
    except ImportError:
        raise ConfigurationError(
            "CAXTON_CONFIG names no file of profiles: set it, or python -m pip install 'caxton-async[cli]'"
        ) from None
    return user_config_path("caxton") / "config.toml"


def read_profile(file: Path, name: str, known: Iterable[str]) -> dict[str, object]:
    """Return what the profile `name` says, each key being one of `known` or of the credentials.

    Names of files are taken from the folder of the profiles' file.

    **Raises** ConfigurationError, naming file and key, when there is no such profile or it cannot be read.
    """
    profiles = _profiles(file)
    profile = profiles.get(name)
    if not isinstance(profile, Mapping):
        there = ", ".join(profiles) or "none"
        raise ConfigurationError(f"there is no profile {name!r} in {file}: its profiles are {there}")
    for key in profile:
        _check_key(key, (*known, *CREDENTIAL_KEYS), f"the profile {name!r} of {file}")
    return {key: _at_home(key, value, file) for key, value in profile.items()}


def _profiles(file: Path) -> Mapping[str, object]:
    try:
        profiles = tomllib.loads(file.read_text(encoding="utf-8")).get("profiles", {})
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not TOML"
    else:
        return profiles if isinstance(profiles, Mapping) else {}
    raise ConfigurationError(f"the profiles of {file} cannot be read ({problem})")


def _check_key(key: str, known: Iterable[str], where: str) -> None:
    if key in _SECRETS:
        raise ConfigurationError(f"{where} holds a {key} in clear: name a file or keyring as {_SECRETS[key]}")
    if key not in known:
        raise ConfigurationError(f"{where} has no use for {key}{did_you_mean(key, known)}")


def _at_home(key: str, value: object, file: Path) -> object:
    if key not in _FILES or not isinstance(value, str) or value == "keyring":
        return value
    return str(file.parent / Path(value).expanduser())


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the nearest of the names that are known, as the end of a sentence."""
    nearest = difflib.get_close_matches(name, tuple(known), 1, cutoff=0.0)
    return f": did you mean {nearest[0]}?" if nearest else ""
