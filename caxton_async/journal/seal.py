"""The seal of a plan."""

import hashlib


class Seal:
    """The digest of all rows of a plan, in their order: what a person approves is what is sent."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, reference: str, request: bytes) -> None:
        """Add a row: its reference, and its request as it is stored."""
        name = reference.encode()
        self._digest.update(b"%d %d " % (len(name), len(request)) + name + request)

    def hexdigest(self) -> str:
        """Return the digest of the rows so far, in hexadecimal."""
        return self._digest.hexdigest()
