"""Models: money is exact, wrong arguments are refused by their name, and account data stay out of sight."""

import contextlib
import datetime as dt
from decimal import ROUND_HALF_UP, Decimal, Inexact, localcontext
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async import models as m
from caxton_async.errors import InvalidRequest, Sent
from caxton_async.models import check_amount, minor_units
from caxton_async.secret import Secret

HIDDEN = "canary-4711"

# --- money ---


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("GBP", 2),
        ("JPY", 0),
        ("jpy", 0),
        ("KWD", 3),
        ("OMR", 3),
        ("CLF", 4),
        ("POTBC-GBP", 2),
        ("POT11-JPY", 0),
        ("POTKW-KWD", 3),
        ("POT11 OMR", 3),
        ("XJPY", 2),
        ("JPYX", 2),
        ("", 2),
        ("ZZZ", 2),
    ],
)
def test_a_currency_has_its_minor_units(currency: str, places: int) -> None:
    """The table is that of ISO 4217; a pot counts as the currency at the end of its code; the unknown has two."""
    assert minor_units(currency) == places


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (Decimal("10.50"), "GBP", "10.50"),
        (Decimal("0.01"), "GBP", "0.01"),
        (Decimal("1E+2"), "GBP", "100"),
        (Decimal("1E+2"), "JPY", "100"),
        (Decimal("1.234"), "POTKW-KWD", "1.234"),
        (Decimal("999999999999999.99"), "GBP", "999999999999999.99"),
        (10, "GBP", "10"),
        (10**14, "JPY", "100000000000000"),
    ],
    ids=str,
)
def test_an_amount_is_kept_to_the_digit(amount: Decimal | int, currency: str, written: str) -> None:
    """A Decimal or int that the currency can have is returned exactly, in plain notation."""
    exact = check_amount(amount, currency)

    assert (type(exact), str(exact)) == (Decimal, written)


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        pytest.param(10.5, "GBP", "must be a Decimal or an int, not float", id="float"),
        pytest.param("10.50", "GBP", "must be a Decimal or an int, not str", id="text"),
        pytest.param(True, "GBP", "must be a Decimal or an int, not bool", id="truth"),
        pytest.param(None, "GBP", "must be a Decimal or an int, not NoneType", id="none"),
        pytest.param(Fraction(1, 3), "GBP", "must be a Decimal or an int, not Fraction", id="fraction"),
        pytest.param(0, "GBP", "must be above zero", id="zero"),
        pytest.param(Decimal("-0.00"), "GBP", "must be above zero", id="minus zero"),
        pytest.param(Decimal("-0.01"), "GBP", "must be above zero", id="negative"),
        pytest.param(Decimal("NaN"), "GBP", "must be finite", id="not a number"),
        pytest.param(Decimal("sNaN"), "GBP", "must be finite", id="signalling"),
        pytest.param(Decimal("Infinity"), "GBP", "must be finite", id="infinite"),
        pytest.param(Decimal("-Infinity"), "GBP", "must be finite", id="minus infinite"),
        pytest.param(Decimal("0.001"), "GBP", "has 3 decimals, GBP has 2: round it first", id="tenth of a penny"),
        pytest.param(Decimal("10.000"), "GBP", "has 3 decimals", id="zeros beyond the penny"),
        pytest.param(Decimal("0.1"), "JPY", "has 1 decimals, JPY has 0", id="tenth of a yen"),
        pytest.param(Decimal("0.0001"), "OMR", "has 4 decimals, OMR has 3", id="tenth of a baisa"),
        pytest.param(Decimal("0.1"), "POT11-JPY", "POT11-JPY has 0", id="tenth of a yen in a pot"),
        pytest.param(Decimal("1E-1000000"), "GBP", "has 1000000 decimals", id="next to nothing"),
        pytest.param(10**15, "GBP", "more than 15 digits", id="a thousand million million"),
        pytest.param(10**5000, "GBP", "more than 15 digits", id="5,000 digits"),
        pytest.param(Decimal("1E+999999"), "GBP", "more than 15 digits", id="a million digits"),
    ],
)
def test_an_amount_that_is_not_exact_money_is_refused(amount: object, currency: str, said: str) -> None:
    """Whatever could be rounded, misread or is no payment at all is refused, by the name that it was given under."""
    with pytest.raises(InvalidRequest) as refusal:
        check_amount(amount, currency, "the_amount")

    assert str(refusal.value).startswith("the_amount ")
    assert said in str(refusal.value)
    assert refusal.value.sent is Sent.NO


@pytest.mark.parametrize(
    "make",
    [
        lambda amount: m.MoveFunds("JPY", "POT11-GBP", amount),
        lambda amount: m.GetCardRate("GBP", "JPY", amount),
        lambda amount: m.FundSandbox("JPY", amount, "u"),
    ],
    ids=["move_funds", "get_card_rate", "fund_sandbox"],
)
def test_an_amount_is_measured_by_the_currency_that_is_paid(make) -> None:
    """The request takes what the currency can have as a Decimal, and names `amount` when it refuses."""
    assert make(5).amount == make(Decimal(5)).amount == Decimal(5)
    assert str(make(Decimal("1E+2")).amount) == "100"
    for wrong in (5.0, True, "5", Decimal("0.5"), 0, Decimal("NaN")):
        with pytest.raises(InvalidRequest, match=r"^amount "):
            make(wrong)
    with pytest.raises(InvalidRequest, match=r"^amount "):
        attrs.evolve(make(5), amount=Decimal("0.5"))


def test_no_context_of_decimals_changes_an_amount() -> None:
    """A program that computes with three digits does not pay with three."""
    with localcontext(prec=3, rounding=ROUND_HALF_UP, traps=[Inexact]):
        exact = check_amount(Decimal("1234567.89"), "GBP")

    assert str(exact) == "1234567.89"


@given(st.decimals(), st.sampled_from(["GBP", "JPY", "KWD", "POT11-USD"]))
def test_any_decimal_is_kept_or_refused(amount: Decimal, currency: str) -> None:
    """No Decimal is changed: it arrives equal and in plain notation, or it is refused."""
    is_money = amount.is_finite() and 0 < amount < 10**15 and -amount.as_tuple().exponent <= minor_units(currency)
    exact = None
    with contextlib.suppress(InvalidRequest):
        exact = check_amount(amount, currency)

    assert exact == (amount if is_money else None)
    assert "E" not in str(exact)  # plain notation


@given(st.integers(1, 10**17 - 1), st.sampled_from(["GBP", "JPY", "KWD", "POT11-USD"]))
def test_every_amount_of_minor_units_can_be_paid(units: int, currency: str) -> None:
    """Whatever a ledger that counts pennies holds can be sent to the penny."""
    amount = Decimal(units).scaleb(-minor_units(currency))

    if amount < 10**15:
        assert check_amount(amount, currency) == amount
    else:
        with pytest.raises(InvalidRequest, match="15 digits"):
            check_amount(amount, currency)


# --- other arguments ---


def new_user(**changes: object) -> m.NewUser:
    """Build a person of whom everything is known."""
    names = [a.name for a in attrs.fields(m.NewUser) if a.default is attrs.NOTHING]
    return m.NewUser(**dict.fromkeys(names, "x") | {"date_of_birth": "1990-05-20"} | changes)


def new_card(**changes: object) -> m.NewCard:
    """Build a card of which everything is known."""
    values = {"wallet_id": 1, "first_name": "A", "last_name": "B", "gender": "Male", "date_of_birth": "1990-05-20"}
    return m.NewCard(**values | changes)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda: m.CreateWallet(""), "name must not be empty", id="empty text"),
        pytest.param(lambda: m.CreateWallet(5), "name must be a string, not int", id="number for text"),
        pytest.param(lambda: m.CreateWallet(None), "name must be a string, not NoneType", id="none for text"),
        pytest.param(lambda: m.CreatePot("GBP", "P", 5), "friendly_name must be a string or None", id="wrong option"),
        pytest.param(
            lambda: m.SubmitBulkPayload("1", "x"), "upload_record_id must be an int, not str", id="id as text"
        ),
        pytest.param(
            lambda: m.DecideTransfer(True, "Approved"), "transfer_id must be an int, not bool", id="true as id"
        ),
        pytest.param(lambda: m.DecideTransfer(1, "approved"), "must be Approved or Rejected", id="small letters"),
        pytest.param(lambda: new_card(gender="Other"), "gender must be Male or Female", id="gender"),
        pytest.param(lambda: new_card(gender=[]), "gender must be Male or Female", id="gender as a list"),
        pytest.param(lambda: new_card(date_of_birth="20/05/1990"), "date_of_birth must be a date", id="another order"),
        pytest.param(lambda: new_card(date_of_birth="1990-02-30"), "date_of_birth must be a date", id="no such day"),
        pytest.param(lambda: new_card(date_of_birth="19900520"), "date_of_birth must be a date", id="without hyphens"),
        pytest.param(lambda: new_card(date_of_birth=5), "date_of_birth must be a date", id="number for a date"),
        pytest.param(
            lambda: new_card(date_of_birth=dt.datetime(1990, 5, 20, tzinfo=dt.UTC)), "must be a date", id="a moment"
        ),
        pytest.param(lambda: m.CreateBulkUpload("d", "3"), "external_source must be one of '1' (CAXTON)", id="source"),
        pytest.param(lambda: m.CreateBulkUpload("d", 1), "external_source must be one of", id="source as a number"),
        pytest.param(lambda: m.CreateBulkUpload("d", []), "external_source must be one of", id="source as a list"),
        pytest.param(lambda: m.CreateWebhookEndpoint("", "u"), "webhook_event_type must not", id="no event"),
        pytest.param(lambda: m.GetAccessToken("u", ""), "a secret must be a non-empty string", id="empty secret"),
        pytest.param(lambda: m.GetAccessToken("u", Secret("")), "a secret must be a non-empty", id="secret of nothing"),
        pytest.param(lambda: m.GetAccessToken("u", HIDDEN.encode()), "not bytes", id="secret as bytes"),
        pytest.param(lambda: new_user(iv_key=5), "a secret must be a non-empty string", id="key as a number"),
        pytest.param(lambda: new_user(city=""), "city must not be empty", id="empty city"),
    ],
)
def test_a_wrong_argument_is_refused_by_its_name(make, said: str) -> None:
    """Nothing wrong gets as far as the wire, and the refusal shows no value."""
    with pytest.raises(InvalidRequest) as refusal:
        make()

    assert said in str(refusal.value)
    assert HIDDEN not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)


def test_literal_text_is_sent_unchanged() -> None:
    """Names, prefixes, e-mails and countries are the API's to judge."""
    assert m.CreatePot("gbp", "  toolongforaprefix  ").pot_prefix == "  toolongforaprefix  "
    assert m.CreateSubAccount("Ünïcode & Söhne", "not an e-mail").email == "not an e-mail"
    assert m.CreateWebhookEndpoint("Wallets", "u").webhook_event_type == "Wallets"


def test_enumerations_are_taken_by_member_or_by_value() -> None:
    """A source and an event may be given either way."""
    assert m.CreateBulkUpload("d", "8") == m.CreateBulkUpload("d", m.BulkSource.CXTN_PAYROLL)
    assert m.CreateWebhookEndpoint(m.WebhookEvent.PAYMENT, "u") == m.CreateWebhookEndpoint("Payment", "u")
    assert new_card(date_of_birth=dt.date(1990, 5, 20)) == new_card()


def test_secrets_and_account_numbers_are_not_shown() -> None:
    """The `repr` of what holds a password, a token, a payload or an account does not show it."""
    things = [
        m.GetAccessToken("u", HIDDEN),
        new_user(password=HIDDEN, memorable_word=HIDDEN, iv_key=HIDDEN),
        m.GeneratedPassword(Secret(HIDDEN)),
        m.AccessToken(Secret(HIDDEN), "bearer", 1),
        m.CreatedUser(1, "u", Secret(HIDDEN)),
        m.SubmitBulkPayload(1, f"Name,IBAN\r\nAda,{HIDDEN}\r\n"),
        m.BankDetails(account_number=HIDDEN, iban_number=HIDDEN),
    ]

    assert [thing for thing in things if HIDDEN in repr(thing)] == []
    assert things[1].iv_key == Secret(HIDDEN)
