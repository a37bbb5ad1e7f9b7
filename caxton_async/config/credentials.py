"""Who logs in, and where the password comes from."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from attrs import Attribute, field, frozen

from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret

PasswordProvider = Callable[[], Awaitable[str | Secret]]

# In place of the name of a file: the secret lies in the keyring of the operating system.
KEYRING: Final = "keyring"
_BYTE_ORDER_MARK: Final = "\ufeff"


def find_stray(value: str | Secret) -> str | None:
    """Return what is wrong with the ends or the characters of a credential, None where nothing is.

    A secret of Kubernetes ends in a line break, a file of Windows begins with a mark: nobody means them.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    if _BYTE_ORDER_MARK in text:
        return "holds a byte-order mark"
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        return "holds a line break or another control character"
    return "begins or ends with white space" if text != text.strip() else None


def _named(_instance: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{attribute.name} is missing: give the one that the vendor issued")
    if problem := find_stray(value):
        raise ConfigurationError(f"{attribute.name} {problem}")


class _Wrong(Secret):
    """Stands for a password of a wrong type, which is named when the password is checked."""

    __slots__ = ()


def _hide(password: object) -> "Secret | PasswordProvider | None":
    if isinstance(password, str):
        return Secret(password)
    if password is None or isinstance(password, Secret):
        return password
    return cast("PasswordProvider", password) if callable(password) else _Wrong(type(password).__name__)


def _usable(_instance: object, _attribute: "Attribute[Any]", value: "Secret | PasswordProvider | None") -> None:
    if isinstance(value, _Wrong):
        raise ConfigurationError(f"a password is a string, a Secret, None or an async callable, not {value.reveal()}")
    if not isinstance(value, Secret):
        return
    if not value:
        raise ConfigurationError("the password is empty: leave it out, or give the one that the API generated")
    if problem := find_stray(value):
        raise ConfigurationError(f"the password {problem}: give it as the API generated it")


@frozen(init=False)
class Credentials:
    """Who logs in: the user name and client name that the vendor issued, and the generated password.

    `password` may be an async callable that returns it; it is then asked before each login, so that a password
    in a vault or a file can change while the client runs.

    **Raises** ConfigurationError when a name is missing, or one of them has white space around it, a line break or a
    byte-order mark in it.
    """

    username: str = field(validator=_named)
    client_name: str = field(validator=_named)
    password: Secret | PasswordProvider | None = field(default=None, validator=_usable)

    def __init__(
        self, username: str, client_name: str, password: str | Secret | PasswordProvider | None = None
    ) -> None:
        # Hidden first of all: a crash reporter shows the variables of frames.
        hidden = _hide(password)
        del password
        self.__attrs_init__(username, client_name, hidden)  # pyright: ignore[reportAttributeAccessIssue]  # attrs makes it


def password_from_file(path: str | Path) -> PasswordProvider:
    """Return a provider that reads the password from `path` before each login, without the line break at its end.

    **Raises** (the provider) ConfigurationError when the file cannot be read, is empty, or holds stray characters.
    """
    return lambda: _read(Path(path), "password")


def password_from_keyring(username: str) -> PasswordProvider:
    """Return a provider that asks the keyring of the operating system (service `caxton`) before each login.

    **Raises** (the provider) ConfigurationError when there is none, or it has no password of `username`.
    """
    return lambda: asyncio.to_thread(read_keyring, "caxton", username)


async def _read(file: Path, what: str) -> Secret:
    # A thread would cost more than reading one line does.
    return read_secret(file, what)


def read_secret(file: Path, what: str) -> Secret:
    """Return the one line of a file that holds a secret.

    **Raises** ConfigurationError, which says `what` the file holds, when it cannot be used.
    """
    problem: str | None = "it is empty"
    try:
        secret = Secret(file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r"))
        problem = f"it {found}" if (found := find_stray(secret)) else problem
        if secret and not found:
            return secret
    except (OSError, UnicodeDecodeError) as error:
        problem = type(error).__name__
    raise ConfigurationError(f"the {what} file {str(file)!r} cannot be used ({problem})")


def read_keyring(service: str, username: str) -> Secret:
    """Return a secret of the keyring of the operating system.

    **Raises** ConfigurationError when there is no keyring, or no such secret in it.
    """
    try:
        import keyring.errors  # noqa: PLC0415  # of an extra, and slow
    except ImportError:
        raise ConfigurationError(
            "there is no keyring: python -m pip install 'caxton-async[keyring]', or name a file"
        ) from None
    problem = f"keyring set {service} {username} puts it there"
    try:
        if value := Secret(keyring.get_password(service, username) or ""):
            return value
    except keyring.errors.KeyringError as error:
        problem = type(error).__name__
    raise ConfigurationError(f"the keyring has no secret of {username} for {service} ({problem})")
