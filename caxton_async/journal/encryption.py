"""Encryption of requests and answers in a journal: AES-256-GCM with a key from a file (extra `encryption`)."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from caxton_async.errors import ConfigurationError, JournalRefused

_KEY_BYTES = 32
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


def load_cipher(key_file: str | Path) -> Cipher:
    """Return the cipher of a key file, which holds 32 bytes in base64.

    Raises:
        ConfigurationError: it cannot be read, is readable by others, or holds anything else.
    """
    cipher = _read(Path(key_file))
    if isinstance(cipher, str):  # raised here, for a traceback shows the variables of frames
        raise ConfigurationError(f"the key file {key_file} {cipher}")
    return cipher


def _read(path: Path) -> Cipher | str:
    """Return the cipher, or what is wrong with the file."""
    try:
        if path.stat().st_mode & 0o077:
            return "can be read by others: make it private with chmod 600"
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        return f"cannot be read ({os.strerror(error.errno or 0)})"
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        return "does not hold 32 bytes in base64: make one with `openssl rand -base64 32`"
    return Cipher(key)
