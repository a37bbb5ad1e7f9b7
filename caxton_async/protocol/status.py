"""The one rule of success: what each status of an answer says, and what an answer counts as because of them.

`weigh` says what one status means, and `decide` what a whole answer counts as: it looks the signs that were found in
the answer up in the table `RULES`, of which the page "What counts as an answer" of the reference is made.
Source: Caxton developer guide, envelope.  The guide shows no failure, so an answer counts as accepted, or as refused,
only where everything in it says so.
"""

from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

from attrs import frozen

from caxton_async.protocol.spelling import MAX_SHAPES, is_memorable

_SUCCESS_CODES: Final = frozenset({100, 314})
_SUCCESS_NAMES: Final = frozenset({"isvalid", "success"})
_MAX_CODE_DIGITS: Final = 18  # a longer one is no code
_MAX_NAME: Final = 64  # characters; a longer name is not remembered, so that a server fills no memory with them

# What a triplet says; a sum is what several say together.
SUCCESS: Final = 1
FAILING: Final = 2
CONTRADICTION: Final = 4

# --- one triplet ---


def read_code(value: object) -> tuple[int | None, bool]:
    """Return a status code, and whether it can be read: an integer, in digits or with a point too; null is none."""
    if type(value) is int or value is None:
        return value, True
    if type(value) is str and value.strip().isdecimal() and value.isascii() and len(value) <= _MAX_CODE_DIGITS:
        return int(value.strip()), True  # which strips more kinds of white space than `int`
    if type(value) is Decimal and value.is_finite() and abs(value) < 10**_MAX_CODE_DIGITS and value == int(value):
        return int(value), True
    return None, False


def read_name(value: object) -> tuple[str | None, bool]:
    """Return the name of a status without the white space around it, and whether it can be read; null is none."""
    if type(value) is str:
        return value.strip() or None, True
    return None, value is None


def read_names(value: object, _: object = None) -> tuple[str, ...]:
    """Return `ExpectedResponses`: names, without the white space around them; what is no name is passed over."""
    if value is None:
        return ()
    if type(value) is list and len(value) == 1 and type(value[0]) is str and len(value[0]) <= _MAX_NAME:
        return _names_of(value[0])
    names = [value] if type(value) is str else value if type(value) is list else ()
    return tuple(name.strip() for name in names[:MAX_SHAPES] if type(name) is str and name.strip())


@lru_cache(maxsize=256)
def _names_of(name: str) -> tuple[str, ...]:
    return (name.strip(),) if name.strip() else ()


def weigh(code: object, name: object, expected: frozenset[str]) -> int:
    """Say what a triplet means: SUCCESS, FAILING or CONTRADICTION; `expected` are the folded `ExpectedResponses`."""
    code, code_is_readable = read_code(code)
    name, name_is_readable = read_name(name)
    if not (code_is_readable and name_is_readable):
        return CONTRADICTION  # a status that nobody can read is no sign of anything
    good_code = code in _SUCCESS_CODES
    folded = None if name is None else name.casefold()
    if expected:
        if folded in expected or (folded is None and good_code):
            return SUCCESS
        return CONTRADICTION if good_code else FAILING
    signs = {good_code} if code is not None else set()
    if folded is not None:
        signs.add(folded in _SUCCESS_NAMES)
    return SUCCESS if signs == {True} else CONTRADICTION if True in signs else FAILING


class Weights(dict[tuple[int | None, str | None], int]):
    """What each code and name says under one list of expected names.

    The list is about the Content, so that around it the usual signs of success count as well.
    """

    def __init__(self, expected: frozenset[str], *, around: bool) -> None:
        super().__init__()
        self._expected = expected
        self._around = around

    def __missing__(self, status: tuple[int | None, str | None]) -> int:
        says = self._weigh(*status)
        if len(self) < MAX_SHAPES and len(status[1] or "") <= _MAX_NAME:
            self[status] = says
        return says

    def _weigh(self, code: object, name: object) -> int:
        says = weigh(code, name, self._expected)
        usual = weigh(code, name, frozenset()) if self._around else says
        return SUCCESS if SUCCESS in {says, usual} else max(says, usual)

    def of(self, code: object, name: object) -> int:
        """Say what a triplet means; 0 where there is none."""
        if code is None and name is None:
            return 0
        if (code is None or type(code) is int) and (name is None or type(name) is str):
            return self[code, name]
        return self._weigh(code, name)


def weights_of(expected: tuple[str, ...]) -> tuple[Weights, Weights]:
    """Return what judges the Content, and what judges the rest of the answer."""
    return _known_weights(expected) if is_memorable(expected) else _make_weights(expected)


def _make_weights(expected: tuple[str, ...]) -> tuple[Weights, Weights]:
    folded = frozenset(name.casefold() for name in expected)
    return Weights(folded, around=False), Weights(folded, around=True)


_known_weights: Final = lru_cache(maxsize=256)(_make_weights)


# --- a whole answer ---

# Under these the API may have refused; 413 before it has read all.  Of 408, 409, 410, 423, 424, 425, 499 and all others
# nobody can say whether the work was done.
REFUSING: Final = frozenset({400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 429, 431})
ACCEPTING: Final = frozenset({200, 201})


class Meaning(Enum):
    """What an answer counts as."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_AUTHORISED = "not authorised"
    SERVER_FAILED = "the server failed"
    UNKNOWN = "unknown"


@frozen
class Rule:
    """One row of the table: it holds for an answer that has one of the signs in each column; None stands for any.

    `problem` says in words, of the reply or of the status at fault, why the answer does not count.
    """

    meaning: Meaning
    problem: str
    http: frozenset[str] | None = None
    body: frozenset[str] | None = None
    content: frozenset[str] | None = None
    around: frozenset[str] | None = None
    early: bool | None = None


def _rule(meaning: Meaning, problem: str, *, early: bool | None = None, **columns: str) -> Rule:
    """Write a row; each column is given as signs with commas between them."""
    return Rule(
        meaning, problem, early=early, **{name: frozenset(signs.split(", ")) for name, signs in columns.items()}
    )


# What the signs mean.
HTTP: Final = {
    "2xx": "200, 201",
    "4xx": ", ".join(map(str, sorted(REFUSING))),
    "5xx": "500 to 599",
    "other": "any other",
}
BODIES: Final = {
    "cut": "did not arrive whole",
    "unreadable": "is whole, but compressed, of unknown length, or no JSON",
    "no object": "is JSON, but no object",
    "twins": "has two members in its envelope that differ in case alone",
    "envelope": "has a Content with a Model",
    "no model": "has a Content without a Model",
    "error beside": "has an `error` beside its Content",
    "words": "has no Content, but `Message` or `error`",
    "token": "is a token (RFC 6749), which has no envelope",
    "other": "is an object of another kind",
}
CONTENTS: Final = {
    "success": "says success in each of its statuses",
    "failing": "has failing statuses alone",
    "mixed": "has statuses that say success and failing ones",
    "contradiction": "has a status that contradicts itself, or cannot be read",
    "silent": "has no status",
    "empty": "has nothing in it",
}
AROUND: Final = {
    "fine": "nothing fails",
    "unauthorised": "an `Authorised...` member fails",
    "failing": "another member fails",
    "success": "another member says success",
    "contradiction": "a status contradicts itself, or another one",
}
_V = Meaning
# The first row that fits decides.
RULES: Final[tuple[Rule, ...]] = (
    _rule(_V.UNKNOWN, "the reply is not whole", body="cut"),
    _rule(_V.SERVER_FAILED, "the reply has HTTP status {http_status}", http="5xx"),
    _rule(_V.UNKNOWN, "the reply has HTTP status {http_status}", http="other"),
    _rule(_V.UNKNOWN, "the reply cannot be read", body="unreadable"),
    _rule(_V.UNKNOWN, "the reply is not a JSON object", body="no object"),
    _rule(_V.UNKNOWN, "the reply has two members that differ in case alone", body="twins"),
    _rule(_V.UNKNOWN, "contradicts itself", content="contradiction"),
    _rule(_V.UNKNOWN, "contradicts the rest of it", content="mixed"),
    _rule(_V.UNKNOWN, "contradicts itself", around="contradiction"),
    _rule(_V.NOT_AUTHORISED, "refuses the caller", content="failing, empty", around="unauthorised"),
    _rule(_V.UNKNOWN, "contradicts the rest of it", around="unauthorised"),
    _rule(_V.REFUSED, "refuses the call", content="failing", around="fine, failing"),
    _rule(_V.UNKNOWN, "contradicts the rest of it", content="failing"),
    _rule(_V.UNKNOWN, "contradicts the rest of it", around="failing"),
    _rule(_V.REFUSED, "refuses the call", http="4xx", body="words", around="fine"),
    _rule(_V.UNKNOWN, "the reply (HTTP {http_status}) is not an answer of the API", http="4xx"),
    _rule(_V.UNKNOWN, "the reply has an `error` beside its Content", body="error beside"),
    _rule(_V.UNKNOWN, "the reply has no Model in its Content", body="no model, words, other"),
    _rule(_V.UNKNOWN, "the reply began before the request had been sent whole", early=True),
    _rule(_V.ACCEPTED, "accepts the call"),
)


def http_class(status: int) -> str:
    """Return the column `HTTP` of the table for a status."""
    return "2xx" if status in ACCEPTING else "4xx" if status in REFUSING else "5xx" if 500 <= status < 600 else "other"


@lru_cache(maxsize=4096)  # there are fewer combinations of signs than that
def decide(http_status: int, body: str, content: str, around: str, early: bool) -> Rule:  # noqa: FBT001  # a column
    """Return the first rule of the table that fits the signs."""
    signs = (http_class(http_status), body, content, around)
    for rule in RULES:
        columns = (rule.http, rule.body, rule.content, rule.around)
        fits = all(column is None or sign in column for column, sign in zip(columns, signs, strict=True))
        if fits and rule.early in {None, early}:
            return rule
    raise AssertionError("the last rule fits all signs")
