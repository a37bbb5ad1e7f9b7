"""The one rule of success: each status, and each answer, against a second reading of what the reference promises."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.errors import ApiError, OutcomeUnknown
from caxton_async.protocol.reply import read_reply
from caxton_async.protocol.signs import find_status, read_signs
from caxton_async.protocol.status import (
    AROUND,
    BODIES,
    CONTENTS,
    CONTRADICTION,
    FAILING,
    HTTP,
    RULES,
    SUCCESS,
    decide,
    read_code,
    weigh,
)
from tests.support.replies import FAILED, VALID, envelope, reply
from tests.support.scale import scaled

SPACE = st.sampled_from(["", " ", "\t", "\r\n", "\N{NO-BREAK SPACE}"])
CASE = st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase])
GOOD_NAMES, BAD_NAMES = ["IsValid", "Success"], ["Failed", "NotValid", "Insufficient", "Valid", "OK"]
GOOD_CODES, BAD_CODES = [100, 314], [0, 1, 99, 101, 200, 217, 401, -100, 10**30]


def dressed(words: list[str]) -> st.SearchStrategy[str]:
    """Write a word with white space around it, in letters of any case."""
    return st.builds(lambda word, case, a, b: a + case(word) + b, st.sampled_from(words), CASE, SPACE, SPACE)


def typed(codes: list[int]) -> st.SearchStrategy[object]:
    """Write a code as an integer, as text, or with a point."""
    return st.builds(
        lambda code, write: write(code),
        st.sampled_from(codes),
        st.sampled_from([int, str, " {}\n".format, Decimal, lambda code: Decimal(f"{code}.0")]),
    )


missing = st.none()
good_statuses = st.fixed_dictionaries({"ApiStatusCode": typed(GOOD_CODES), "ApiStatus": dressed(GOOD_NAMES)})
signs = st.fixed_dictionaries(
    {
        "ApiStatusCode": missing | typed(GOOD_CODES) | typed(BAD_CODES) | st.booleans() | st.text(max_size=3),
        "ApiStatus": missing
        | dressed(GOOD_NAMES)
        | dressed(BAD_NAMES)
        | st.integers()
        | st.lists(st.none(), max_size=1),
    }
)
expectations = missing | st.lists(dressed(GOOD_NAMES) | dressed(BAD_NAMES), max_size=2)


def is_good_code(code: object) -> bool:
    """Tell whether a code is one of success, however it is written."""
    return not isinstance(code, bool) and str(code).strip().removesuffix(".0") in {"100", "314"}


def has_good_sign(status: dict[str, Any], expected: list[str] | None) -> bool:
    """Tell whether anything in a status may mean success, by the letter of the reference."""
    code, name = status.get("ApiStatusCode"), status.get("ApiStatus")
    wanted = {word.strip().casefold() for word in expected or GOOD_NAMES}
    names = isinstance(name, str) and name.strip().casefold() in wanted
    return names or is_good_code(code)


def has_bad_sign(status: dict[str, Any], expected: list[str] | None) -> bool:
    """Tell whether anything in a status may mean failure; where names are expected, a name decides over the code."""
    code, name = status.get("ApiStatusCode"), status.get("ApiStatus")
    wanted = {word.strip().casefold() for word in expected or GOOD_NAMES}
    if isinstance(name, str) and name.strip():
        if name.strip().casefold() not in wanted:
            return True
        if expected:
            return False
    elif name is not None and not isinstance(name, str):
        return True
    return code is not None and not is_good_code(code)


def outcome(body: object, status: int = 200) -> str:
    """Say what a payment is told of an answer."""
    try:
        read_reply(e.CREATE_CARD, reply(body, status), request=m.NewCard(7, "A", "B", "Male", "1990-05-20"))
    except ApiError:
        return "refused"
    except OutcomeUnknown:
        return "unknown"
    return "accepted"


keys = st.sampled_from([str, str.upper, str.lower, lambda key: key[0].lower() + key[1:]])


PLACES = ["Model", "Part", "Items", "Deep"]


@st.composite
def answers(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]], list[str] | None]:
    """Draw an answer with statuses in some places of its Content, those statuses, and the names that are expected."""
    spell, expected = draw(keys), draw(expectations)
    model: dict[str, Any] = {"CardId": "1"}
    found = []
    for place in draw(st.lists(st.sampled_from(PLACES), unique=True)):
        status = draw(signs)
        found.append(status)
        spelled = {spell(key): value for key, value in status.items()}
        model |= {
            "Model": spelled,
            "Part": {"Part": spelled},
            "Items": {"Items": [{}, spelled]},
            "Deep": {"Deep": [{"In": [{"Er": spelled}]}]},
        }[place]
    return {spell("Content"): {"Model": model, spell("ExpectedResponses"): expected}}, found, expected


def check_signs(answer: tuple[dict[str, Any], list[dict[str, Any]], list[str] | None], status: int) -> None:
    """Hold what a payment is told against the signs in the answer."""
    body, found, expected = answer
    given_names = [word for word in expected or [] if word.strip()]

    told = outcome(body, status)

    if any(has_good_sign(each, given_names) for each in found):
        assert told != "refused"
    if any(has_bad_sign(each, given_names) for each in found):
        assert told != "accepted"
    if status not in {200, 201}:
        assert told != "accepted"
    if status not in {200, 201, 400}:
        assert told == "unknown"


@settings(max_examples=scaled(200, 10_000))
@given(answers(), st.sampled_from([200, 200, 201, 202, 204, 206, 226, 301, 400, 408, 409, 425, 499, 500, 503]))
def test_no_sign_is_passed_over(answer: Any, status: int) -> None:
    """No answer with a sign of success is called refused, and none with a sign of failure accepted."""
    check_signs(answer, status)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=scaled(1_000, 10_000))
@given(answers(), st.sampled_from([200, 201, 400, 202, 409]))
def test_no_sign_is_passed_over_by_the_thousand(answer: Any, status: int) -> None:
    """The same, by the thousand."""
    check_signs(answer, status)


@settings(max_examples=scaled(200, 10_000))
@given(status=good_statuses, name=dressed(["IsValid", "Success"]), spell=keys)
def test_success_counts_however_it_is_dressed(status: dict[str, Any], name: str, spell: Any) -> None:
    """White space, case and type of a deciding word change nothing: a payment that was made is not called refused."""
    status = {"ApiStatus": name, "ApiStatusCode": status["ApiStatusCode"]}
    model = {"CardId": "1", **{spell(key): value for key, value in status.items()}}

    assert outcome({spell("Content"): {spell("Model"): model}}) == "accepted"
    assert outcome(envelope(model, [name.swapcase()])) == "accepted"


@pytest.mark.parametrize("expected", [frozenset(), frozenset({"isvalid"}), frozenset({"accepted"})], ids=sorted)
@pytest.mark.parametrize("code", [None, 100, 314, 217], ids=str)
@pytest.mark.parametrize("name", ["IsValid", "Success", "Accepted", "Failed", " "])
def test_a_status_means_what_the_reference_says(code: int | None, name: str, expected: frozenset[str]) -> None:
    """With expected names the name decides, and a good code beside another contradicts it; else all has to agree."""
    good_code, named = code in {100, 314}, bool(name.strip())
    if expected:
        success = name.lower() in expected or (not named and good_code)
        wanted = SUCCESS if success else CONTRADICTION if good_code else FAILING
    else:
        given_signs = {good_code} if code is not None else set()
        given_signs |= {name in {"IsValid", "Success"}} if named else set()
        wanted = SUCCESS if given_signs == {True} else CONTRADICTION if True in given_signs else FAILING

    assert weigh(code, name, expected) == wanted


def test_every_answer_has_one_row() -> None:
    """The table is complete, each row of it is of use, and each of its signs is explained."""
    known = {"http": HTTP, "body": BODIES, "content": CONTENTS, "around": AROUND}
    codes = {"2xx": 200, "4xx": 400, "5xx": 500, "other": 302}
    assert set(codes) == set(HTTP)

    used = {
        id(decide(code, body, content, around, early))
        for code in codes.values()
        for body in BODIES
        for content in CONTENTS
        for around in AROUND
        for early in (False, True)
    }

    assert used == {id(rule) for rule in RULES}
    for rule in RULES:
        for column, signs_of_it in known.items():
            assert (getattr(rule, column) or set()) <= set(signs_of_it)


def test_a_refused_caller_with_a_sign_of_success_is_unknown() -> None:
    """Around the Content the usual names count beside those that are expected of it."""
    caller = {"ApiStatus": "Success", "ApiStatusCode": 500}

    said = outcome({"Content": {"Model": None, "ExpectedResponses": ["IsValid"]}, "AuthorisedClientModel": caller})

    assert said == "unknown"


@pytest.mark.parametrize("space", [" ", "\t", "\x1f", "\x0c"], ids=ascii)
def test_white_space_around_a_code_means_nothing(space: str) -> None:
    """A code in digits is read whatever kind of white space the server puts around it."""
    assert read_code(f"{space}100{space}") == (100, True)


@pytest.mark.parametrize("status", [VALID, FAILED], ids=["valid", "failed"])
def test_a_content_that_is_a_list_is_not_accepted(status: dict[str, object]) -> None:
    """There is no Model in it, whatever its items say."""
    assert outcome({"Content": [status]}) != "accepted"


def test_an_odd_key_is_known_by_its_letters() -> None:
    """The signs are found however the keys are spelled, and the answer stays as it came."""
    raw: dict[str, object] = {"CONTENT": {"model": {"zUnknown": [{"apistatus": "IsValid"}]}}}

    before = deepcopy(raw)

    found = read_signs(raw)

    assert (found.body, found.content) == ("envelope", "success")
    assert raw == before


def test_what_cannot_be_known_by_its_keys_is_read_all_the_same() -> None:
    """Ever new keys and codes, long keys and two spellings of one key fill no memory, and hide no status."""
    many = {f"key{number}": number for number in range(5000)}
    codes = {"Parts": [{"ApiStatusCode": 1000 + number} for number in range(2000)]}
    for odd in ({**many, **FAILED}, {"k" * 5000: 1, "apistatus": "Failed"}, {"a": 1, "A": 2, **FAILED}, codes):
        assert outcome(envelope({"CardId": "1", "Part": [odd]} | VALID)) == "unknown"


def test_a_status_is_looked_for_in_a_hundred_parts() -> None:
    """What stands behind more parts than any documented answer has is not shown."""
    assert find_status([{f"Part{number}": 1 for number in range(90)} | {"Last": VALID}]) == VALID
    assert find_status([{f"Part{number}": 1 for number in range(110)} | {"Last": VALID}]) is None
