"""Bank details: what can be an account is accepted, and what cannot is refused in words that do not show it."""

import sys

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.bank_details import check_bank_details, doubts_about
from caxton_async.errors import InvalidRequest

IBAN = "GB33BUKB20201555555555"  # the example of the registry


@frozen
class Details:
    """Bank details as a request of a user's own has them."""

    iban: str = ""
    swift_code: str = ""
    sort_code: str = ""
    account_number: str = ""
    recipient_country: str = ""
    currency: str = ""


def problem_of(**details: str) -> str:
    """Return why bank details are refused, or nothing."""
    said = ""
    try:
        check_bank_details(Details(**details))
    except InvalidRequest as error:
        said = str(error)
    assert not any(value in said for value in details.values() if len(value) > 4)
    return said


def with_check_digits(country: str, account: str) -> str:
    """Return the IBAN of an account.  Source: ISO 7064, MOD 97-10."""
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    return f"{country}{98 - number % 97:02}{account}"


@pytest.mark.parametrize("extra", ["schwifty", "no schwifty"])
@pytest.mark.parametrize(
    "text",
    [
        IBAN,
        "GB33 BUKB 2020 1555 5555 55",
        "DE89370400440532013000",
        "FR1420041010050500013M02606",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "BR1800360305000010009795493C1",
        "XK051212012345678906",
    ],
)
def test_an_iban_of_the_registry_is_accepted(text: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's own examples are IBANs, with the extra and without it."""
    if extra == "no schwifty":
        monkeypatch.setitem(sys.modules, "schwifty", None)

    assert problem_of(iban=text) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GB33", "two letters"),
        (IBAN[:-1], "length"),
        (f"{IBAN}0", "length"),
        ("NO93860111179478", "length"),
        ("GB34" + IBAN[4:], "check digits"),
        ("EE012200221111099080", "check digits"),
        ("MD996JK24D0RFGDJJPJQHKWN", "check digits"),
        ("GB00HLFX11016111455365", "check digits"),
        (with_check_digits("GB", "0000" + "A" * 14), "built like"),
        (with_check_digits("DE", "A" * 18), "built like"),
    ],
)
def test_a_wrong_iban_is_refused(text: str, said: str) -> None:
    """Length, check digits from 02 to 98, and the structure of the country all count."""
    assert said in problem_of(iban=text)


@given(position=st.integers(8, len(IBAN) - 1), character=st.sampled_from("0123456789"))
def test_one_wrong_digit_never_passes_as_an_iban(position: int, character: str) -> None:
    """The check digits catch every digit that is not the right one."""
    changed = IBAN[:position] + character + IBAN[position + 1 :]

    assert bool(problem_of(iban=changed)) == (changed != IBAN)


@given(st.from_regex(r"\A[A-Z]{2}(00|01|99)[A-Z0-9]{11,30}\Z"))
def test_check_digits_out_of_range_never_pass(text: str) -> None:
    """Whatever remainder they leave, 00, 01 and 99 are no check digits."""
    assert problem_of(iban=text) != ""


@pytest.mark.parametrize(
    ("details", "said"),
    [
        pytest.param({"swift_code": "DEUTDEF"}, "8 or 11", id="SWIFT of 7"),
        pytest.param({"swift_code": "BUKB0022"}, "8 or 11", id="SWIFT without a country"),
        pytest.param({"swift_code": "BUKBQX22"}, "8 or 11", id="SWIFT of a country that is none"),
        pytest.param({"sort_code": "12345"}, "six digits", id="sort code of 5"),
        pytest.param(
            {"sort_code": "\u0661\u0662\u0663\u0664\u0665\u0666"}, "six digits", id="digits of another script"
        ),
        pytest.param({"sort_code": "200000", "account_number": "1234567"}, "eight digits", id="7 beside a sort code"),
        pytest.param({"sort_code": "200000", "account_number": "123456789"}, "eight digits", id="9 beside one"),
        pytest.param({"account_number": "1.23457E+11"}, "column as text", id="spoilt by Excel"),
        pytest.param({"account_number": "12345678.0"}, "column as text", id="spoilt by pandas"),
        pytest.param({"account_number": "see below"}, "not an account number", id="words"),
        pytest.param({"account_number": "****5678"}, "not an account number", id="masked"),
        pytest.param({"account_number": "12,345,678"}, "not an account number", id="thousands"),
        pytest.param({"account_number": "00000000"}, "not an account number", id="zeros"),
        pytest.param({"account_number": "1" * 35}, "not an account number", id="35 digits"),
    ],
)
def test_what_cannot_be_an_account_is_refused(details: dict[str, str], said: str) -> None:
    """Each wrong value is refused in words that say what to do and do not show it."""
    assert said in problem_of(**details)


@pytest.mark.parametrize("number", ["00123456", "0532013000", "012-345-67890", "8601.11.17947", "CA12 3456", "123"])
def test_account_numbers_of_other_countries_are_accepted(number: str) -> None:
    """Without a sort code, the account numbers of any country can be right."""
    assert problem_of(account_number=number) == ""


def test_a_request_without_bank_details_has_no_problem() -> None:
    """What a request does not have is not checked."""
    check_bank_details(None)

    assert list(doubts_about(None)) == []


@pytest.mark.parametrize(
    ("details", "doubt"),
    [
        ({"iban": with_check_digits("US", "1" * 14)}, "country without IBAN"),
        ({"iban": IBAN, "recipient_country": "FR"}, "another country"),
        ({"account_number": "12345678", "recipient_country": "FR"}, "uses IBAN"),
        ({"account_number": "12345678", "currency": "GBP"}, "GBP has neither"),
        ({"iban": IBAN, "recipient_country": "GB"}, ""),
        ({"account_number": "12345678", "sort_code": "200000", "currency": "GBP", "recipient_country": "GB"}, ""),
        ({"account_number": "12345678", "recipient_country": "US", "currency": "USD"}, ""),
    ],
)
def test_what_may_be_right_is_worth_a_look(details: dict[str, str], doubt: str) -> None:
    """A doubt about bank details is told and refuses nothing."""
    assert problem_of(**details) == ""
    assert [doubt in text for text in doubts_about(Details(**details))] == [True] * bool(doubt)
