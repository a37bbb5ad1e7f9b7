"""How much memory a body takes once it is parsed, told from its bytes alone, before anything is parsed."""

import random
import re
from typing import Final

# Bytes; nobody minds what a smaller body takes.
SMALL: Final = 2**18
# Times its own size; a list of the leanest objects that anybody would send takes 11.
_MOST: Final = 12
# Bytes in memory, by what shows in the body: an object, an empty one, a list, a place in a container, a number with a
# point or an exponent, a text, what a text takes besides if it is not ASCII, and a key that no other object has.
# Measured on CPython 3.11 to 3.13.
_OBJECT: Final = 184
_EMPTY_OBJECT: Final = 64
_LIST: Final = 72
_PLACE: Final = 8
_DECIMAL: Final = 104
_TEXT: Final = 56
_WIDE_TEXT: Final = 24
_NEW_KEY: Final = 180
# How much of a body is looked at for what cannot be counted fast, and in how many places.
_WINDOW: Final = 2**14
_WINDOWS: Final = 8
_KEY: Final = re.compile(rb'"([^"]*)"\s*:')
_EXPONENT: Final = re.compile(rb"[,:\[]\s*-?[0-9]+[eE]")
_NOT_ASCII: Final = bytes(range(0xC0, 0x100))  # the first bytes of characters in UTF-8


def is_too_dense(body: bytes) -> bool:
    """Tell whether a body takes more than 12 times its size once it is parsed.

    It is not the length of a list that counts, but that there is nothing in its items: no answer is like that.
    """
    most = _MOST * len(body)
    places, objects, lists = body.count(b","), body.count(b"{"), body.count(b"[")
    if (places + objects + lists) * (_OBJECT + _DECIMAL) <= most:
        return False
    keys, empty = body.count(b'":'), body.count(b"{}")
    texts = body.count(b'"') // 2 - keys
    wide = 0 if body.isascii() else min(texts, len(body) - len(body.translate(None, _NOT_ASCII)))
    windows = [body[start : start + _WINDOW] for start in _starts(body)]
    memory = (
        _OBJECT * (objects - empty)
        + _EMPTY_OBJECT * empty
        + _LIST * lists
        + _PLACE * places
        + _DECIMAL * (body.count(b".") + _exponents_in(windows) * len(body))
        + _TEXT * texts
        + _WIDE_TEXT * wide
    )
    with_keys = memory + _NEW_KEY * keys
    return memory > most or (with_keys > most and memory + _NEW_KEY * keys * _share_of_new(windows) > most)


def _starts(body: bytes) -> list[int]:
    return [random.randrange(max(1, len(body) - _WINDOW)) for _ in range(_WINDOWS)]  # noqa: S311  # nothing is secret


def _exponents_in(windows: list[bytes]) -> float:
    """Return how many numbers have an exponent and no point, for each byte."""
    return sum(len(_EXPONENT.findall(window)) for window in windows) / sum(map(len, windows))


def _share_of_new(windows: list[bytes]) -> float:
    """Return the share of the keys that stand in no other object."""
    found = [key for window in windows for key in _KEY.findall(window)]
    return len(set(found)) / len(found) if found else 0.0
