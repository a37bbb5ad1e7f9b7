"""What is sent is exact, or refused; and every value of ours has a form in JSON."""

import contextlib
import datetime as dt
import json
import math
from decimal import Decimal

import msgspec
import pytest
from attrs import define
from hypothesis import given

from caxton_async import CATALOGUE, Settings, to_jsonable
from caxton_async import models as m
from caxton_async.errors import OutcomeUnknown, Sent
from caxton_async.protocol import encoding
from caxton_async.protocol.encoding import EncodeError
from caxton_async.secret import Secret
from tests.unit.protocol.test_codec import Colour, Level, Line, Mood, json_values

HIDDEN = "canary-4711"
NOTHING: frozenset[str] = frozenset()


def write(request: object, leave_out: frozenset[str] = NOTHING) -> str | None:
    """Write a request as the text that is sent."""
    body = encoding.encode(request, leave_out)
    return None if body is None else body.decode()


@define
class Parcel:
    """What somebody else sends."""

    parcel_id: int
    weight: Decimal
    lines: list[Line]
    seen: dt.datetime | None = None
    due: dt.date | None = None
    colour: Colour | None = None
    key: Secret | None = None
    ratio: float | None = None
    anything: object = None
    line2b: str | None = None


def parcel(**changes: object) -> Parcel:
    """Build a parcel that can be sent."""
    return Parcel(**{"parcel_id": 7, "weight": Decimal("1.50"), "lines": [Line(Decimal(3), "£")]} | changes)


def test_a_request_is_written_exactly() -> None:
    """Names are Pascal case, numbers keep their digits, what is None is left out, secrets are revealed here alone."""
    written = write(
        parcel(
            seen=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
            due=dt.date(2026, 1, 2),
            colour=Colour.RED,
            key=Secret(HIDDEN),
            ratio=0.5,
            anything={"a": [1, None]},
            line2b="x",
        )
    )

    assert written == (
        '{"ParcelId":7,"Weight":1.50,"Lines":[{"Amount":3,"Note":"£"}],"Seen":"2026-01-02T00:00:00Z","Due":"2026-01-02",'
        f'"Colour":"red","Key":"{HIDDEN}","Ratio":0.5,"Anything":{{"a":[1,null]}},"Line2b":"x"}}'
    )
    assert write(parcel()) == '{"ParcelId":7,"Weight":1.50,"Lines":[{"Amount":3,"Note":"£"}]}'


def test_an_exponent_is_not_sent() -> None:
    """A hundred is written 100, however it was computed."""
    assert write(Line(Decimal("1E+2"))) == '{"Amount":100}'


def test_what_the_path_takes_is_left_out() -> None:
    """An attribute that stands elsewhere is not in the body; a class with nothing left has no body."""
    assert write(Line(Decimal(1), "a"), frozenset({"amount"})) == '{"Note":"a"}'
    assert write(Line(Decimal(1)), frozenset({"amount"})) == "{}"
    assert write(m.GetCountry("GB"), frozenset({"code"})) is None
    assert write(m.ResetCredentials()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": Decimal("NaN")},
        {"weight": Decimal("Infinity")},
        {"weight": Decimal("1E+999999999")},
        {"ratio": math.nan},
        {"ratio": math.inf},
        {"lines": [Line(Decimal("sNaN"))]},
        {"anything": object()},
        {"anything": "\ud800"},
        {"anything": 10**5000},
    ],
    ids=[
        "not a number",
        "infinite",
        "huge",
        "float not a number",
        "float infinite",
        "inside",
        "object",
        "half",
        "digits",
    ],
)
def test_what_json_cannot_carry_is_refused(changes: dict) -> None:
    """The JSON library would write NaN, or null in its place; neither is what the user said."""
    with pytest.raises(EncodeError, match="holds a value that JSON cannot carry") as error:
        write(parcel(**changes))

    assert (error.value.__cause__, error.value.__context__) == (None, None)


def test_a_thing_that_contains_itself_is_refused() -> None:
    """Endless nesting ends in an error."""
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(EncodeError, match="JSON cannot carry"):
        write(parcel(anything=endless))


def test_a_form_holds_text() -> None:
    """A form reveals secrets, as a body does, and leaves out what is None."""
    login = m.GetAccessToken("ü&=", Secret("p +"))

    assert encoding.form(login, NOTHING) == b"Grant_Type=password&Username=%C3%BC%26%3D&Password=p+%2B"
    assert encoding.form(Line(Decimal("1E+2")), NOTHING) == b"Amount=100"


def test_a_form_that_cannot_be_written_is_a_error() -> None:
    """Half a character has no place in a form, and its error holds no password."""
    with pytest.raises(EncodeError, match="half a character") as error:
        encoding.form(m.GetAccessToken("\ud800", Secret(HIDDEN)), NOTHING)

    assert (error.value.__cause__, error.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (5, "5"),
        (True, "true"),
        (False, "false"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.10"), "0.10"),
        (Colour.RED, "red"),
        (Level.LOW, "1"),
        (Mood.GOOD, "good"),
        (dt.date(2026, 1, 2), "2026-01-02"),
    ],
    ids=ascii,
)
def test_a_plain_value_has_a_text(value: object, text: str) -> None:
    """What can stand in a URL is written there as the API would."""
    assert encoding.as_text(value, "x") == text


@pytest.mark.parametrize(
    "value",
    [None, 0.5, [], object(), Secret(HIDDEN), Decimal("NaN"), Decimal("1E+99"), 10**40, 10**5000, b"x"],
    ids=lambda value: (
        type(value).__name__ + str(value)[:3] if not isinstance(value, int) else f"int{value.bit_length()}"
    ),
)
def test_what_has_no_plain_text_is_refused_by_its_name(value: object) -> None:
    """A secret least of all: URLs are logged everywhere."""
    with pytest.raises(EncodeError) as error:
        encoding.as_text(value, "my_id")

    assert error.value.where("Order").startswith("Order.my_id")
    assert "is neither text" in error.value.problem
    assert (error.value.__cause__, error.value.__context__) == (None, None)


def test_a_query_holds_what_is_given() -> None:
    """The attributes that the path does not take, and are not None."""
    assert encoding.query(Line(Decimal(1), "a&b"), NOTHING) == "Amount=1&Note=a%26b"
    assert encoding.query(Line(Decimal(1)), frozenset({"amount"})) == ""
    with pytest.raises(EncodeError, match="is neither text"):
        encoding.query(m.GetAccessToken("u", HIDDEN), NOTHING)


@given(json_values)
def test_any_value_is_written_as_json_or_refused(value: object) -> None:
    """What is written can be read by any JSON parser, and comes back as it was."""
    body = None
    with contextlib.suppress(EncodeError):
        body = encoding.encode(parcel(anything=value), NOTHING)

    if body is not None:
        read_back = json.loads(body, parse_float=Decimal).get("Anything")
        assert msgspec.to_builtins(read_back, builtin_types=[Decimal]) == value


def test_every_value_of_ours_has_a_form_in_json() -> None:
    """A web handler hands a result on as it is; of a secret nothing is shown, and of a decimal every digit."""
    balance = m.Balance(Decimal("1.50"), "GBP")
    user = m.AuthorisedUserModel("u", login_timestamp=dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC))
    envelope = m.Envelope(m.Content((balance,), ("IsValid",)), None, user)

    plain = to_jsonable({"answer": envelope, "token": Secret(HIDDEN), 5: {Colour.RED}, "f": [0.5, math.inf, True]})

    assert json.loads(json.dumps(plain)) == plain
    assert plain["answer"]["content"]["model"][0] == {
        **dict.fromkeys(m.Balance.__slots__[:-1]),
        "balance": "1.50",
        "ccy_code": "GBP",
    }
    assert plain["answer"]["user"]["login_timestamp"] == "2026-01-02T03:00:00+00:00"
    assert (plain["token"], plain["5"], plain["f"]) == ("***", ["red"], [0.5, "inf", True])


def test_an_error_has_a_form_in_json() -> None:
    """Class, message, whether it was sent, and all that is known besides."""
    error = OutcomeUnknown("who knows", endpoint="pay", http_status=202, sent=Sent.UNKNOWN)

    plain = to_jsonable(error)

    assert json.loads(json.dumps(plain)) == plain
    assert plain | {"error": "OutcomeUnknown", "message": "who knows", "sent": "unknown"} == plain
    assert (plain["endpoint"], plain["http_status"], plain["correlation_id"]) == ("pay", 202, None)


@pytest.mark.parametrize(
    "request_", [m.MoveFunds("GBP", "USD", Decimal("1E+2")), m.NewCard(1, "A", "B", "Male", "1990-05-20")]
)
def test_a_request_has_a_form_in_json(request_: object) -> None:
    """By the names of its attributes."""
    plain = to_jsonable(request_)

    assert type(request_)(**plain | ({"amount": Decimal(100)} if "amount" in plain else {})) == request_


@pytest.mark.parametrize("value", [*CATALOGUE.values(), Settings(on_event=print)])
def test_an_endpoint_and_settings_have_a_form_in_json(value: object) -> None:
    """Classes and functions by their names."""
    plain = to_jsonable(value)

    assert json.loads(json.dumps(plain)) == plain
    if value is CATALOGUE["move_funds"]:
        returns = "tuple[caxton_async.models.answers.Balance, ...]"
        assert (plain["name"], plain["sends"], plain["returns"]) == ("move_funds", "MoveFunds", returns)


def test_what_is_not_ours_has_no_form_in_json() -> None:
    """Nobody is given the text of an object for its value."""
    with pytest.raises(TypeError, match="object has no form in JSON"):
        to_jsonable([object()])
