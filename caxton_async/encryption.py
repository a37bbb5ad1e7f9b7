"""Encryption of requests and answers in a journal: AES-256-GCM with keys from a file (extra `encryption`)."""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from caxton_async.errors import ConfigurationError, JournalRefused

_KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12  # of GCM, after NIST SP 800-38D; random ones collide after 2**32 messages, which no journal reaches


class Cipher:
    """Encrypts values under one key; `key_id` tells keys apart and reveals nothing of them."""

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- an extra
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- an extra
        except ImportError:
            raise ConfigurationError(
                "an encrypted journal needs the extra: pip install caxton-async[encryption]"
            ) from None
        self.key_id = hashlib.blake2b(key, digest_size=8, person=b"caxton key id").hexdigest()
        # Digests of requests are keyed too: amounts and accounts could be guessed from plain ones.
        self.digest_key = hashlib.blake2b(key, digest_size=16, person=b"caxton digests").digest()
        self._aead, self._invalid = AESGCM(key), InvalidTag

    def __repr__(self) -> str:
        return f"Cipher({self.key_id!r})"

    def encrypt(self, content: bytes, context: bytes) -> bytes:
        """Return `content` so that it can be read only with the key and the same `context`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, context)

    def decrypt(self, stored: bytes, context: bytes) -> bytes:
        """Return what `encrypt` was given.

        Raises:
            JournalRefused: the value was changed, stands in another place, or has another key.
        """
        try:
            return self._aead.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], context)
        except (self._invalid, ValueError):
            pass
        raise JournalRefused("a value of the journal cannot be decrypted: it was changed, or has another key")


class Keyring:
    """Encrypts under one key, and reads what was encrypted under that or an older one; `key_ids` has the new one first.

    What it encrypts begins with the id of the key.
    """

    def __init__(self, ciphers: Sequence[Cipher]) -> None:
        self._ciphers = {bytes.fromhex(cipher.key_id): cipher for cipher in ciphers}
        self._current = ciphers[0]
        self.key_ids = [cipher.key_id for cipher in ciphers]

    def encrypt(self, content: bytes, context: bytes) -> bytes:
        """Return `content` so that it can be read only with the key and the same `context`."""
        return bytes.fromhex(self._current.key_id) + self._current.encrypt(content, context)

    def decrypt(self, stored: bytes, context: bytes) -> bytes:
        """Return what `encrypt` was given.

        Raises:
            JournalRefused: the value was changed, stands in another place, or its key is not among these.
        """
        cipher = self._ciphers.get(stored[:_KEY_ID_BYTES])
        if cipher is None:
            raise JournalRefused(
                f"a value of the journal has the key {stored[:_KEY_ID_BYTES].hex()}, which is not in the key file: add "
                "it as a further line"
            )
        return cipher.decrypt(stored[_KEY_ID_BYTES:], context)


def load_cipher(key_file: str | Path) -> Cipher:
    """Return the cipher of a key file, which holds 32 bytes in base64.

    Raises:
        ConfigurationError: it cannot be read, is readable by others, or holds anything else.
    """
    ciphers = _read(Path(key_file), most=1)
    if isinstance(ciphers, str):  # raised here, for a traceback shows the variables of frames
        raise ConfigurationError(f"the key file {key_file} {ciphers}")
    return ciphers[0]


def load_keyring(key_file: str | Path) -> Keyring:
    """Return the keys of a key file: the one in use in the first line, older ones in further lines.

    Raises:
        ConfigurationError: it cannot be read, is readable by others, or holds anything else.
    """
    ciphers = _read(Path(key_file), most=None)
    if isinstance(ciphers, str):
        raise ConfigurationError(f"the key file {key_file} {ciphers}")
    return Keyring(ciphers)


def _read(path: Path, *, most: int | None) -> list[Cipher] | str:
    """Return the ciphers, or what is wrong with the file."""
    try:
        found = path.stat()
        # A secret that is mounted into a container is root's, and its group is that of the container's user.
        if found.st_mode & (0o037 if found.st_uid == 0 else 0o077):
            return "can be read by others: make it private with chmod 600"
        keys = [base64.b64decode(line, validate=True) for line in path.read_bytes().split()]
    except OSError as error:
        return f"cannot be read ({os.strerror(error.errno or 0)})"
    except binascii.Error:
        keys = []
    if not keys or len(keys) > (most or len(keys)) or any(len(key) != _KEY_BYTES for key in keys):
        return "does not hold 32 bytes in base64: make one with `openssl rand -base64 32`"
    return [Cipher(key) for key in keys]
