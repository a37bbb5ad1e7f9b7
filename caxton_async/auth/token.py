"""The access token, the one shape of it, and the marks in its life."""

import time
from collections.abc import Callable
from typing import Final, Self

from attrs import Factory, field, frozen

from caxton_async.secret import Secret

# A token is refreshed when a tenth of its life is left, at most an hour before its end.
_REFRESH_SHARE: Final = 0.1
_REFRESH_S: Final = 3600.0
# A token with less left than a slow call takes, or a twentieth of a short life, counts as expired.
_EXPIRED_SHARE: Final = 0.05
_EXPIRED_S: Final = 30.0
# No life is trusted for longer: a server that says "for ever" is asked again after ten years.
_LONGEST_LIFE_S: Final = 10 * 365 * 86400


def _to_bearer(token: "Token") -> Secret:
    return Secret(f"Bearer {token.access_token.reveal()}")


@frozen
class Token:
    """An access token as the client uses it and as stores keep it.

    `expires_in` is its life in seconds, `issued_at` when that began, in seconds of the wall clock; `bearer` is the
    value of the header that carries it.
    """

    access_token: Secret
    token_type: str
    expires_in: int
    issued_at: float
    bearer: Secret = field(init=False, eq=False, repr=False, default=Factory(_to_bearer, takes_self=True))


@frozen
class Clocks:
    """The two clocks that a token is measured by: one stops while the machine sleeps, the other can be set."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


@frozen
class RefreshWindow:
    """When a token is refreshed and when it is used no more, on both clocks: whichever comes first counts."""

    opens_at: float  # monotonic
    closes_at: float  # monotonic
    opens_at_wall: float
    closes_at_wall: float

    @classmethod
    def from_stored(cls, token: Token, clocks: Clocks) -> Self | None:
        """Return the window of `token`, None when too little of its life is left."""
        life = float(min(token.expires_in, _LONGEST_LIFE_S))  # an int may be too large for a float
        now, wall = clocks.monotonic(), clocks.wall()
        left = min(life, token.issued_at + life - wall)  # a clock that was set back lengthens no life
        expired_before = min(_EXPIRED_S, life * _EXPIRED_SHARE)
        if left <= expired_before:
            return None
        refreshed_before = min(_REFRESH_S, life * _REFRESH_SHARE)
        return cls(
            opens_at=now + left - refreshed_before,
            closes_at=now + left - expired_before,
            opens_at_wall=wall + left - refreshed_before,
            closes_at_wall=wall + left - expired_before,
        )
