"""Whose fault a rejected token is: the token's, or the view's that used it."""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from caxton_async.auth.token import Token
from caxton_async.protocol.request import Caller

# For so long the rejections of a view say nothing about the token.
BLAMED_S: Final = 60.0
# The same of the client's own calls, which are all that can tell that a token is void.
OWN_S: Final = 5.0


def is_view(caller: Caller) -> bool:
    """Tell whether calls are made for another than the main account itself."""
    return caller.identity_number is not None or caller.user_token is not None


@frozen
class _Suspicion:
    token: Token
    until: float  # monotonic
    is_proven: bool = False


class Suspects:
    """Remembers the views whose calls came back with 401.

    A view that is rejected with one token and then with a newer one is to blame itself: otherwise one sub-account that
    is closed, or one user token that has ended, would cost a login for each of its calls and take the token from all.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[Caller, _Suspicion] = {}

    def __len__(self) -> int:
        return len(self._known)

    def is_to_blame(self, caller: Caller, token: Token) -> bool:
        """Note that `caller` was rejected with `token`; tell whether that is the caller's own fault."""
        now = self._monotonic()
        blamed_s = BLAMED_S if is_view(caller) else OWN_S
        known = self._known.get(caller)
        if known is not None and now < known.until and (known.is_proven or known.token is not token):
            if not known.is_proven:
                self._note(caller, _Suspicion(token, now + blamed_s, is_proven=True))
            return True
        if known is None or known.token is not token:
            self._note(caller, _Suspicion(token, now + blamed_s))
        return False

    def clear(self, caller: Caller) -> None:
        """Forget what was held against `caller`, whose call went well."""
        if self._known:  # on the way of each call: empty but for some seconds
            self._known.pop(caller, None)

    def _note(self, caller: Caller, suspicion: _Suspicion) -> None:
        self._known.pop(caller, None)
        self._known[caller] = suspicion  # at the end: the first in the dict is the oldest
        oldest = next(iter(self._known.values()))
        while oldest.until < self._monotonic():
            self._known.pop(next(iter(self._known)))
            oldest = next(iter(self._known.values()))
