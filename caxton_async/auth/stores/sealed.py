"""Tokens and holds as a shared store keeps them: encrypted, and bound to the key that they stand under."""

import json
from collections.abc import Callable
from typing import Final, TypeVar

from caxton_async.auth.hold import Hold
from caxton_async.auth.token import Token
from caxton_async.encryption import Keyring
from caxton_async.errors import ConfigurationError, JournalRefused
from caxton_async.secret import Secret

T = TypeVar("T")
TOKEN: Final = "token"  # noqa: S105 -- the kind of what is kept
HOLD: Final = "hold"


def seal_token(keyring: Keyring, key: str, token: Token) -> bytes:
    """Return what a store keeps of a token."""
    values = [token.access_token.reveal(), token.token_type, token.expires_in, token.issued_at]
    return _seal(keyring, key, TOKEN, values)


def open_token(keyring: Keyring, key: str, stored: bytes) -> Token:
    """Return the token that `seal_token` was given.

    Raises:
        ConfigurationError: it was encrypted with another key, or is anything else.
    """

    def make(values: list[object]) -> Token:
        return Token(Secret(values[0]), *values[1:])  # type: ignore[arg-type]  # whoever loads it checks it

    return _open(keyring, key, TOKEN, stored, make)


def seal_hold(keyring: Keyring, key: str, hold: Hold) -> bytes:
    """Return what a store keeps of a hold."""
    return _seal(keyring, key, HOLD, [hold.reason, hold.until, hold.failures, hold.refused])


def open_hold(keyring: Keyring, key: str, stored: bytes) -> Hold:
    """Return the hold that `seal_hold` was given.

    Raises:
        ConfigurationError: it was encrypted with another key, or is anything else.
    """

    def make(values: list[object]) -> Hold:
        return Hold(*values)  # type: ignore[arg-type]  # whoever loads it checks it

    return _open(keyring, key, HOLD, stored, make)


def _seal(keyring: Keyring, key: str, kind: str, values: list[object]) -> bytes:
    return keyring.encrypt(json.dumps(values).encode("ascii"), _context(key, kind))


def _open(keyring: Keyring, key: str, kind: str, stored: bytes, make: Callable[[list[object]], T]) -> T:
    try:
        return make(json.loads(keyring.decrypt(stored, _context(key, kind))))
    except (JournalRefused, ValueError, TypeError, IndexError):
        pass
    raise ConfigurationError(f"the {kind} in the shared store cannot be read: it was encrypted with another key")


def _context(key: str, kind: str) -> bytes:
    return f"{kind} {key}".encode()
