"""How long no login is tried after one that failed; pure."""

import hashlib
from typing import Final

from attrs import frozen

from caxton_async.errors import AuthenticationFailed, ConfigurationError
from caxton_async.secret import Secret

# After the first, second, third and every later failure in a row.
_HOLDS_S: Final = (1.0, 5.0, 30.0, 300.0)
# A network or a certificate that keeps a process from the endpoint is mended by people who then wait for the process.
_LONGEST_UNREACHED_S: Final = 30.0
# A refused password is asked again once soon and then rarely: an unblocked account heals without a shell, and a wrong
# password does not block the account.
_REFUSED_S: Final = (300.0, 3600.0)
# No hold is longer, whatever `Retry-After` says; one that ended longer ago than this says nothing of today.
LONGEST_HOLD_S: Final = 3600.0


@frozen
class Hold:
    """Why no login is tried, and until when, in seconds of the wall clock; processes share it through their store.

    `failures` counts the failed logins in a row; `refused` is the digest of a password that the API has refused: any
    other password is tried at once.
    """

    reason: str
    until: float
    failures: int
    refused: str | None = None


@frozen
class FailedLogin:
    """How a login ended that gave no token.

    `was_reached` says that the endpoint answered, or may have: only then do other processes keep to the hold as well.
    `refused` is the digest of the password that the API refused with this login, `retry_after_s` the wait that it asked
    for.
    """

    kind: type[AuthenticationFailed | ConfigurationError]
    message: str
    was_reached: bool = False
    retry_after_s: float | None = None
    refused: str | None = None


def next_hold(failed: FailedLogin, previous: Hold | None, now: float) -> Hold:
    """Return the hold that follows a failed login; `now` is in seconds of the wall clock."""
    if failed.refused is not None:
        again = previous is not None and previous.refused == failed.refused
        return Hold(failed.message, now + _REFUSED_S[again], 0, failed.refused)
    failures = 0
    if previous is not None and previous.refused is None and now - previous.until < LONGEST_HOLD_S:
        failures = previous.failures
    wait = _HOLDS_S[min(failures, len(_HOLDS_S) - 1)]
    if failed.retry_after_s is not None:
        wait = min(max(failed.retry_after_s, _HOLDS_S[0]), LONGEST_HOLD_S)
    if not failed.was_reached:
        wait = min(wait, _LONGEST_UNREACHED_S)
    return Hold(failed.message, now + wait, failures + 1)


def digest_of(password: Secret, username: str) -> str:
    """Return what tells a refused password from another one, and is too short to guess the password by."""
    salt = hashlib.blake2b(username.encode("utf-8", "surrogatepass"), digest_size=hashlib.blake2b.SALT_SIZE).digest()
    text = password.reveal().encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8, salt=salt).hexdigest()
