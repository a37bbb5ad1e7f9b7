"""The mask that hides secrets in the words of others."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable

from caxton_async.secret import Secret

# The shortest piece of a secret that is masked: shorter ones stand in ordinary text by chance.
_PIECE = 8
_IS_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
_FOR_URLS = str.maketrans("+/", "-_")


def mask(text: str, secrets: Iterable[Secret | None]) -> str:
    """Return `text` with `***` in place of each secret that it repeats, in whatever form.

    A server may repeat what it was sent as it is, escaped for a form, a URL, JSON or HTML, in base64, in other letters,
    or cut off: any piece of 8 characters is masked, and of a shorter secret the whole word.
    """
    long: set[str] = set()
    words: set[str] = set()
    for secret in filter(None, secrets):
        value = secret.reveal().removeprefix("Bearer ").strip()
        (words if len(value) < _PIECE else long).update(map(_lower, _forms(value)))
    return _mask_words(_mask_pieces(text, long), words)


def _forms(value: str) -> set[str]:
    """Return the forms in which a server may repeat a value, each escaped once more as well."""
    forms = {value}
    if not _IS_PLAIN.fullmatch(value):  # nothing escapes what is plain
        once = {value, value.upper(), value.lower(), *(escape(value) for escape in _ESCAPES)}
        forms = once | {escape(form) for form in once for escape in _ESCAPES}
    raw = value.encode("utf-8", "surrogatepass")
    # Where in a longer text the value begins decides about its letters in base64; of a short one there are too few.
    for before in range(3 if len(value) >= _PIECE else 1):
        encoded = base64.b64encode(bytes(before) + raw).decode("ascii")
        inner = encoded[-(-before * 8 // 6) :].rstrip("=")
        forms |= {inner, inner.translate(_FOR_URLS)}
    return {form for form in forms if form}


def _quote(value: str) -> str:
    return urllib.parse.quote(value, safe="", errors="replace")


_ESCAPES: tuple[Callable[[str], str], ...] = (
    _quote,
    lambda value: urllib.parse.quote(value, errors="replace"),
    lambda value: urllib.parse.quote_plus(value, errors="replace"),
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    html.escape,
    lambda value: html.escape(value, quote=False),
)


def _lower(text: str) -> str:
    """Return `text` in small letters, and as long as it was, so that a place in one is a place in the other."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _mask_pieces(text: str, forms: set[str]) -> str:
    lowered, kept, end = _lower(text), "", 0
    for start in range(len(text) - _PIECE + 1 if forms else 0):
        piece = lowered[start : start + _PIECE]
        if any(piece in form for form in forms):
            kept += text[end:start] + "***" if start > end or not kept else ""
            end = start + _PIECE
    return kept + text[end:]


def _mask_words(text: str, words: set[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "***", text, flags=re.IGNORECASE)
    return text
