"""The conditions under which the emulated bank works: what holds for whole accounts until it is cleared."""

from __future__ import annotations

from typing import Literal, get_args

ConditionKind = Literal["empty_balance", "blocked_user", "maintenance_page"]


class Conditions:
    """The conditions that hold.

    | kind | what happens |
    |---|---|
    | empty_balance | what takes money from a main balance or a pot is refused with InsufficientFunds |
    | blocked_user | every call with a token is refused with UserBlocked; logins go on |
    | maintenance_page | every request, logins too, gets an HTML page under HTTP 503 |
    """

    def __init__(self) -> None:
        self._set: dict[ConditionKind, str | None] = {}

    def set(self, kind: ConditionKind, *, acting_for: str | None = None) -> None:
        """Let a condition hold, for all calls or for those with this `IdentityNumber` or `userapitoken`.

        **Raises** ValueError when there is no such condition, or when a maintenance page is wanted for one account.
        """
        if kind not in get_args(ConditionKind):
            raise ValueError(f"kind is one of {', '.join(get_args(ConditionKind))}")
        if kind == "maintenance_page" and acting_for is not None:
            raise ValueError("maintenance_page holds for every request: leave out acting_for")
        self._set[kind] = acting_for

    def clear(self, kind: ConditionKind | None = None) -> None:
        """End one condition, or all of them; nothing happens if it does not hold."""
        if kind is None:
            self._set.clear()
        else:
            self._set.pop(kind, None)

    def holds(self, kind: ConditionKind, acting_for: tuple[str | None, ...] = ()) -> bool:
        """Say whether a condition holds for a call made for these."""
        return kind in self._set and (self._set[kind] is None or self._set[kind] in acting_for)

    @property
    def active(self) -> dict[ConditionKind, str | None]:
        """The conditions that hold, each with whom it holds for (None: for all)."""
        return dict(self._set)

    def __bool__(self) -> bool:
        return bool(self._set)
