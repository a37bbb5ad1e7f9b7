"""Secrets that no text may show, and every place of an error where one could hide.

What belongs here: the secrets, each of its own, and the search.  What does not: how they are brought into play.
"""

from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from types import FrameType

PASSWORD = "canary-password-7f3a"
NEW_PASSWORD = "canary-new-password-91bd"
TOKEN = "canary-access-token-c04e"
NEW_TOKEN = "canary-new-access-token-5d28"
USER_TOKEN = "canary-user-token-e6b1"
IV_KEY = "canary-iv-key-38ac"
ACCOUNT_NUMBER = "90417732"
IBAN = "GB33BUKB20201555555555"

CANARIES = (PASSWORD, NEW_PASSWORD, TOKEN, NEW_TOKEN, USER_TOKEN, IV_KEY, ACCOUNT_NUMBER, IBAN)

_TESTS = str(Path(__file__).parents[1])
_DEEPEST = 4  # containers in containers that a crash reporter opens


def found_in(*texts: str) -> list[str]:
    """Return the canaries that stand in the texts."""
    return [canary for canary in CANARIES if any(canary in text for text in texts)]


def texts_of(error: BaseException) -> Iterator[str]:
    """Yield all that a crash reporter shows of an error: itself, its causes, and the locals of their frames.

    The frames of the tests are left out: they hold the canaries by design.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from (str(one), repr(one), repr(one.args))
        yield from _shown(vars(one))
        for frame, _ in walk_tb(one.__traceback__):
            if not frame.f_code.co_filename.startswith(_TESTS):
                yield from _locals(frame)
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _locals(frame: FrameType) -> Iterator[str]:
    for name, value in frame.f_locals.items():
        yield from (f"{frame.f_code.co_qualname} {name}: {text}" for text in _shown(value))


def _shown(value: object, depth: int = 0) -> Iterator[str]:
    """Yield what is seen of a value: its `repr`, and what plain containers hold."""
    yield repr(value)
    if depth < _DEEPEST:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
        for item in inner:
            yield from _shown(item, depth + 1)
