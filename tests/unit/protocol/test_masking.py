"""A secret that a server repeats is masked, in whatever form it comes back."""

import base64
import html
import json
import urllib.parse
from collections.abc import Callable
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.protocol.masking import mask
from caxton_async.secret import Secret

PASSWORD = 'p@ss+w0rd/"&=%<CANARY>é'


def _escape_all(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "form": urllib.parse.quote_plus,
    "path": urllib.parse.quote,
    "query": lambda text: urllib.parse.quote(text, safe=""),
    "small escapes": lambda text: urllib.parse.quote(text, safe="").lower(),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)[1:-1]),
    "a form in JSON": lambda text: json.dumps(urllib.parse.quote_plus(text))[1:-1],
    "HTML in numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "JSON in numbers": lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text),
    "JSON with its solidus": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "a query in a query in a query": lambda text: reduce(lambda each, _: _escape_all(each), range(3), text),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic authorization": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "capitals": str.upper,
    "small letters": str.lower,
    "first letters": lambda text: text[:12],
    "last letters": lambda text: text[-9:],
    "letters within": lambda text: text[5:13],
}


def leaked(shown: str, form: str) -> list[str]:
    """Return the pieces of 8 characters of `form` that still stand in a text."""
    pieces = {form[at : at + 8] for at in range(len(form) - 7)}
    return [piece for piece in pieces if piece.casefold() in shown.casefold()]


def test_a_text_is_unescaped_so_often_and_no_more() -> None:
    """What a server escapes again and again costs no more than that, and stays as it is."""
    text = f"it said %{'25' * 50}41"

    assert mask(text, [Secret(PASSWORD)]) == text


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    """What surrounds it stays readable."""
    repeated = FORMS[form](PASSWORD)

    shown = mask(f"cannot log in with Password={repeated}: try again", [Secret("another one"), Secret(PASSWORD), None])

    assert "***" in shown
    # In base64 the letters at both ends belong to what stands beside it as well.
    assert leaked(shown, repeated[10:-4] if "auth" in form else repeated) == []
    assert (shown[:23], shown[-11:]) == ("cannot log in with Pass", ": try again")


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("p", "p is a part of pop: P.", "*** is a part of pop: ***."),
        ("pin-1", "PIN-1 pin-12 xpin-1 (pin-1)", "*** pin-12 xpin-1 (***)"),
        ("", "nothing", "nothing"),
        ("Bearer secret-token", "a secret-token", "a ***"),
        ("12345678", "12345678", "***"),
        ("1234567", "12345678", "12345678"),
    ],
    ids=["one letter", "word", "empty", "bearer", "eight", "seven"],
)
def test_a_short_secret_is_masked_as_a_word_alone(secret: str, text: str, shown: str) -> None:
    """A letter that happens to be a password does not black out the text."""
    assert mask(text, [Secret(secret)]) == shown


@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20), st.integers(0, 32))
def test_no_piece_of_any_secret_is_left(secret: str, before: str, after: str, start: int) -> None:
    """Whatever letters a secret has, and wherever it stands, no piece of it survives."""
    piece = secret.strip()[start : start + 8]

    shown = mask(before + piece + after, [Secret(secret)])

    assert len(piece) < 8 or piece not in shown
