"""Writing a profile into the user's file of profiles, which `load_configuration` reads."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from caxton_async.cli._exit_codes import Failure
from caxton_async.config.profiles import default_file
from caxton_async.secret import ENVIRON, Secret
from caxton_async.syntax import is_loopback

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TABLE: Final = re.compile(r"\s*\[")


def profiles_file(environ: Mapping[str, str] = ENVIRON) -> Path:
    """Return the file of profiles: the one of `CAXTON_CONFIG`, else the user's."""
    named = environ.get("CAXTON_CONFIG")
    return Path(named).expanduser() if named else default_file()


def write_profile(file: Path, name: str, values: Mapping[str, str], paths: Mapping[str, str], password: Secret) -> None:
    """Write the profile of an emulator, with its password in a private file beside; other profiles stay as they are.

    Raises:
        Failure: the name cannot be used, stands for another server, or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise Failure(f"a profile's name is of letters, digits, - and _, not {name!r}")
    secret = file.parent / f"{name}.password"
    lines = [f"[profiles.{name}]", *_entries(values), f'password_file = "{secret.name}"']
    lines += ["", f"[profiles.{name}.paths]", *_entries(paths)]
    problem = ""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        _check_replaceable(file, before, name)
        kept = _without(before, name).rstrip()
        _replace(secret, password)
        _replace(file, Secret("\n".join([*([kept, ""] if kept else []), *lines, ""])))
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
    except ValueError:
        problem = "is not TOML: correct it first"
    if problem:
        raise Failure(f"the file of profiles {file} {problem}")


def _entries(values: Mapping[str, str]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]  # a string of JSON is one of TOML


def _check_replaceable(file: Path, text: str, name: str) -> None:
    """Check that a profile of this name, if there is one, is an emulator's, and stands as tables of its own."""
    profiles = tomllib.loads(text).get("profiles", {})
    old = profiles.get(name)
    if old is None:
        return
    if not isinstance(old, dict) or not is_loopback(urlsplit(str(old.get("base_url"))).hostname or ""):
        raise Failure(f"the profile {name} of {file} is not one of an emulator: give this one another name")
    del profiles[name]
    if tomllib.loads(_without(text, name)).get("profiles", {}) != profiles:
        raise Failure(f"the profile {name} of {file} is not written as tables: take it out first")


def _without(text: str, name: str) -> str:
    """Return a file of profiles without the tables of one of them."""
    ours = re.compile(rf"""\s*\[\s*profiles\s*\.\s*["']?{re.escape(name)}["']?\s*[.\]]""")
    kept, is_ours = [], False
    for line in text.splitlines():
        if _TABLE.match(line):
            is_ours = ours.match(line) is not None
        if not is_ours or line.lstrip().startswith("#"):
            kept.append(line)
    return "\n".join(kept)


def _replace(file: Path, text: Secret) -> None:
    """Write a private file in one step: whoever reads it meanwhile sees the old one or the new one."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text.reveal())
    new.replace(file)
