"""The mask that hides secrets in the words of others."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence

from caxton_async.secret import Secret

# The shortest piece of a secret that is masked: shorter ones stand in ordinary text by chance.
_PIECE = 8
_MAX_ESCAPES = 3  # how often a text may be escaped, one way within another
_ESCAPED = re.compile(
    r"(?P<url>(?:%[0-9a-f]{2})+)|(?P<json>(?:\\u[0-9a-f]{4})+|\\[\"\\/bfnrt])|(?P<html>&\#?\w{1,9};)", re.IGNORECASE
)
_FOR_URLS = str.maketrans("+/", "-_")
_Span = tuple[int, int]


def mask(text: str, secrets: Iterable[Secret | None]) -> str:
    """Return `text` with `***` in place of each secret that it repeats, in whatever form.

    A server may repeat what it was sent as it is, escaped for a form, a URL, JSON or HTML, in base64, in other letters,
    or cut off: any piece of 8 characters is masked, and of a shorter secret the whole word.
    """
    return mask_each((text,), secrets)[0]


def mask_each(texts: Iterable[str], secrets: Iterable[Secret | None]) -> list[str]:
    """Return each of `texts` masked; what the secrets look like is worked out once."""
    long: set[str] = set()
    words: set[str] = set()
    for secret in filter(None, secrets):
        value = secret.reveal().removeprefix("Bearer ").strip()
        (words if len(value) < _PIECE else long).update(map(_fold, _forms(value)))
    return [_hide(text, long, words) for text in texts]


def _hide(text: str, long: set[str], words: set[str]) -> str:
    found = [
        (spans[start][0], spans[end - 1][1])
        for read, spans in _readings(text)
        for start, end in (*_find_pieces(read, long), *_find_words(read, words))
    ]
    kept, done = "", 0
    for start, end in sorted(found):
        kept += text[done:start] + "***" if start > done or not kept else ""
        done = max(done, end)
    return kept + text[done:]


def _forms(value: str) -> set[str]:
    """Return a value, and what it looks like in hexadecimal digits and in base64."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value, raw.hex()}
    # Where in a longer text the value begins decides about its letters in base64; of a short one there are too few.
    for before in range(3 if len(value) >= _PIECE else 1):
        encoded = base64.b64encode(bytes(before) + raw).decode("ascii")
        inner = encoded[-(-before * 8 // 6) :].rstrip("=")
        forms |= {inner, inner.translate(_FOR_URLS)}
    return {form for form in forms if form}


def _fold(text: str) -> str:
    """Return `text` in small letters, a plus as the space that it is in a form, and as long as it was."""
    if not text.isascii():
        text = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return text.lower().replace("+", " ") if text.isascii() else text.replace("+", " ")


def _readings(text: str) -> Iterator[tuple[str, Sequence[_Span]]]:
    """Yield `text` folded, as it is and without its escapes, with the place in `text` of each character."""
    spans: list[_Span] = [(at, at + 1) for at in range(len(text))]
    for _ in range(_MAX_ESCAPES + 1):
        yield _fold(text), spans
        read, places, end = "", [], 0
        for escape in _ESCAPED.finditer(text):
            characters = _unescape(escape)
            read += text[end : escape.start()] + characters
            whole = (spans[escape.start()][0], spans[escape.end() - 1][1])
            places += [*spans[end : escape.start()], *([whole] * len(characters))]
            end = escape.end()
        if not end:
            return
        text, spans = read + text[end:], [*places, *spans[end:]]


def _unescape(escape: re.Match[str]) -> str:
    written = escape[0]
    if escape["url"]:
        return urllib.parse.unquote(written, errors="replace")
    if escape["html"]:
        return html.unescape(written)
    return str(json.loads(f'"{written.lower()}"'))


def _find_pieces(text: str, forms: set[str]) -> Iterator[_Span]:
    joined = "\0".join(forms)
    for start in range(len(text) - _PIECE + 1 if forms else 0):
        if text[start : start + _PIECE] in joined:
            yield start, start + _PIECE


def _find_words(text: str, words: set[str]) -> Iterator[_Span]:
    for word in words:
        for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text):
            yield found.span()
