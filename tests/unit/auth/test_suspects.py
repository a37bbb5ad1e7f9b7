"""Whose fault a 401 is."""

from caxton_async import Secret
from caxton_async.auth.suspects import Suspects
from caxton_async.auth.token import Token
from caxton_async.protocol.request import Caller

OLD, NEW, NEWER = (Token(Secret(value), "bearer", 3600, 0.0) for value in ("old", "new", "newer"))
ACCOUNT, OTHER, MAIN = Caller("ID-1"), Caller("ID-2"), Caller()


class Clock:
    """A clock that is moved by hand."""

    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_view_is_to_blame_once_a_newer_token_is_rejected_too() -> None:
    """The first token may be void; that a newer one is rejected as well is the fault of the view, for a minute."""
    clock = Clock()
    suspects = Suspects(clock)

    first = [suspects.is_to_blame(ACCOUNT, token) for token in (OLD, OLD, NEW, OLD, NEWER)]
    clock.now += 59.9
    late = suspects.is_to_blame(ACCOUNT, NEWER)
    clock.now += 0.2
    after = [suspects.is_to_blame(ACCOUNT, token) for token in (NEWER, NEW)]

    assert first == [False, False, True, True, True]
    assert late
    assert after == [False, True]


def test_each_view_is_judged_by_itself() -> None:
    """One that is to blame says nothing about another, nor about the main account."""
    suspects = Suspects(Clock())
    for token in (OLD, NEW):
        suspects.is_to_blame(ACCOUNT, token)

    assert [suspects.is_to_blame(caller, NEW) for caller in (OTHER, MAIN, Caller("ID-1", Secret("user")))] == [
        False
    ] * 3
    assert suspects.is_to_blame(ACCOUNT, NEW)


def test_the_main_account_is_to_blame_for_five_seconds() -> None:
    """Its rejections are all that can tell that a token is void, so they are heard again soon."""
    clock = Clock()
    suspects = Suspects(clock)
    blamed = [suspects.is_to_blame(MAIN, token) for token in (OLD, NEW)]

    clock.now += 5.1

    assert blamed == [False, True]
    assert not suspects.is_to_blame(MAIN, NEW)


def test_a_view_that_was_served_is_no_suspect() -> None:
    """An answer in between clears the view."""
    suspects = Suspects(Clock())
    suspects.is_to_blame(ACCOUNT, OLD)

    suspects.clear(ACCOUNT)

    assert not suspects.is_to_blame(ACCOUNT, NEW)


def test_suspicions_that_are_over_take_no_room() -> None:
    """Among very many views none is remembered for longer than it matters."""
    clock = Clock()
    suspects = Suspects(clock)

    for number in range(1000):
        suspects.is_to_blame(Caller(f"ID-{number}"), OLD)
        clock.now += 1

    assert len(suspects) <= 61
