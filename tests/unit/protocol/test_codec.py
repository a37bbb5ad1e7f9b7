"""The codec: exact and strict in what it reads, exact in what it writes, and silent about values in its errors."""

import datetime as dt
import enum
import pickle
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any, Generic, TypeVar, get_args

import pytest
from attrs import Factory, define, field, frozen, has
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton_async import models as m
from caxton_async.endpoints import CATALOGUE
from caxton_async.protocol import codec
from caxton_async.protocol.encoding import encode
from caxton_async.protocol.reply import read_reply
from caxton_async.protocol.spelling import DecodeError
from caxton_async.secret import Secret
from tests.support.places import SAMPLES
from tests.support.replies import as_json, reply
from tests.support.scale import scaled

HIDDEN = "canary-4711"
NOTHING: frozenset[str] = frozenset()
T = TypeVar("T")
# The samples of the answers of the catalogue, in its order; a call that the guide only describes has that of another.
SAMPLE_OF_EACH = (
    *("01", "02", "16", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "16", "13", "14", "15", "16", "16"),
    *("17", "18"),
)


class Colour(enum.Enum):
    """Somebody's own enumeration."""

    RED = "red"


class Level(enum.IntEnum):
    """One of numbers."""

    LOW = 1


class Mood(enum.StrEnum):
    """One of text."""

    GOOD = "good"


@frozen
class Line:
    """A part of somebody's own class."""

    amount: Decimal
    note: str | None = None


@frozen
class Order:
    """Somebody's own class, with everything that one may have."""

    order_id: int
    lines: tuple[Line, ...]
    colour: Colour
    is_open: bool
    seen: dt.datetime
    due: dt.date
    ratio: float
    tags: list[str]
    level: Level | None = None
    mood: Mood | None = None
    extra: Line | None = None
    discount: Decimal | None = None
    token: Secret | None = None
    count: int | None = None
    others: Sequence[int] = ()
    odd: str | None = field(default=None, metadata={"caxton": "SoODD"})


ORDER = {
    "OrderId": 7,
    "Lines": [{"Amount": Decimal("1.10"), "Note": "a"}, {"Amount": 2}],
    "Colour": "red",
    "IsOpen": True,
    "Seen": "2026-01-02T03:04:05",
    "Due": "2026-01-02",
    "Ratio": Decimal("0.5"),
    "Tags": ["x"],
}


def read(value: object, kind: Any = Order) -> Any:
    """Read a value as a class, or return what is wrong with it and where."""
    try:
        return codec.structure(value, kind)
    except DecodeError as error:
        return f"{error.where('$')} {error.problem}"


# --- JSON ---


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"30.00", "Decimal('30.00')"),
        (b"0.10", "Decimal('0.10')"),
        (b"1e2", "Decimal('1E+2')"),
        (b"100", "100"),
        (b"-0", "0"),
        (b"0.1234567890123456789012345678901234567890", "Decimal('0.1234567890123456789012345678901234567890')"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b'\xef\xbb\xbf {"a" : [null]} \n', "{'a': [None]}"),
        ('"£"'.encode(), "'£'"),
        (rb'"\u00a3"', "'£'"),
        (b'{"a":1,"a":2}', "{'a': 2}"),
    ],
    ids=["zeros", "tenth", "exponent", "integer", "minus zero", "long", "big", "mark", "UTF-8", "escape", "twice"],
)
def test_json_is_read_to_the_digit(body: bytes, value: str) -> None:
    """Numbers keep their digits, a byte-order mark is no harm, and of two equal members the last counts."""
    assert repr(codec.decode(body)) == value


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "is not JSON", id="nothing"),
        pytest.param(b"  \n", "is not JSON", id="blank"),
        pytest.param(b"{", "is not JSON", id="cut off"),
        pytest.param(b"{} x", "is not JSON", id="something after"),
        pytest.param(b"<html>canary-4711</html>", "is not JSON", id="HTML"),
        pytest.param(b"NaN", "is not JSON", id="not a number"),
        pytest.param(b"-Infinity", "is not JSON", id="infinity"),
        pytest.param(b"01", "is not JSON", id="octal"),
        pytest.param(b"1" * 5000, "is not JSON", id="5,000 digits"),
        pytest.param(b"1e99999999999999999999", "is not JSON", id="exponent beyond all"),
        pytest.param('{"a":"é"}'.encode("latin-1"), "is not JSON", id="latin-1"),
        pytest.param('{"a":"é"}'.encode("utf-16"), "is not JSON", id="UTF-16"),
        pytest.param(rb'"\ud800"', "is not JSON", id="half a character"),
        pytest.param(b'"a\x00b"', "is not JSON", id="a NUL"),
        pytest.param(b"[" * 100_000, "is nested too deeply", id="very deep"),
    ],
)
def test_what_is_not_json_is_a_decode_error(body: bytes, problem: str) -> None:
    """Whatever the parser raises becomes one error, which holds neither the body nor the parser's error."""
    with pytest.raises(DecodeError) as error:
        codec.decode(body)

    assert (error.value.problem, error.value.where("$")) == (problem, "$")
    assert (error.value.__cause__, error.value.__context__) == (None, None)
    assert HIDDEN not in repr(error.value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.decimals(-(10**20), 10**20, places=6))
def test_a_number_survives_its_way_through_json(number: Decimal) -> None:
    """A Decimal that is written comes back with every digit that it had."""
    body = encode(m.Balance(number, "GBP"), NOTHING)

    result = codec.structure(codec.decode(body), m.Balance)

    assert str(result.balance) == f"{number:f}"


# --- reading classes ---


def test_a_class_of_the_users_own_is_read() -> None:
    """Nested classes, lists, enumerations, times and metadata all work; the zone of the zoneless is UTC."""
    more = {"Level": 1, "Mood": "good", "Extra": {"Amount": "3.00"}, "Discount": "0.50", "Token": HIDDEN, "SoODD": "o"}
    order = read(ORDER | more | {"Others": [1, 2]})

    assert order == Order(
        order_id=7,
        lines=(Line(Decimal("1.10"), "a"), Line(Decimal(2))),
        colour=Colour.RED,
        is_open=True,
        seen=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        due=dt.date(2026, 1, 2),
        ratio=0.5,
        tags=["x"],
        level=Level.LOW,
        mood=Mood.GOOD,
        extra=Line(Decimal("3.00")),
        discount=Decimal("0.50"),
        token=Secret(HIDDEN),
        others=(1, 2),
        odd="o",
    )
    assert (type(order.level), type(order.mood), str(order.lines[0].amount)) == (Level, Mood, "1.10")


def test_members_are_found_whatever_the_case_of_their_letters() -> None:
    """The guides slip in the case of letters; what is unknown is passed over."""
    slipped = {key.swapcase(): value for key, value in ORDER.items()} | {"unknown": 1, "ApiStatusCode": 100}

    assert read(slipped) == read(ORDER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"OrderId": "7"}, "$.OrderId is not an integer", id="text for a number"),
        pytest.param({"OrderId": True}, "$.OrderId is not an integer", id="true for a number"),
        pytest.param({"OrderId": Decimal("7.0")}, "$.OrderId is not an integer", id="decimal for a number"),
        pytest.param({"OrderId": None}, "$.OrderId is not an integer", id="null for a number"),
        pytest.param({"IsOpen": "false"}, "$.IsOpen is not true or false", id="text for truth"),
        pytest.param({"IsOpen": 0}, "$.IsOpen is not true or false", id="zero for truth"),
        pytest.param({"Tags": "ab"}, "$.Tags is not a list", id="text for a list"),
        pytest.param({"Tags": {"a": 1}}, "$.Tags is not a list", id="object for a list"),
        pytest.param({"Tags": ["a", None]}, "$.Tags[1] is not a string", id="null in a list"),
        pytest.param({"Others": "12"}, "$.Others is not a list", id="text for a sequence"),
        pytest.param({"Lines": [1]}, "$.Lines[0] is not an object", id="number for an object"),
        pytest.param({"Lines": [{"Amount": 1}, {}]}, "$.Lines[1].Amount is missing", id="missing amount"),
        pytest.param({"Lines": [{"Amount": None}]}, "$.Lines[0].Amount is not a decimal number", id="null amount"),
        pytest.param({"Lines": [{"Amount": True}]}, "$.Lines[0].Amount is not a decimal number", id="true amount"),
        pytest.param({"Lines": [{"Amount": HIDDEN}]}, "$.Lines[0].Amount is not a decimal number", id="text amount"),
        pytest.param({"Discount": HIDDEN}, "$.Discount is not a decimal number", id="optional amount"),
        pytest.param({"Extra": {"Amount": "x"}}, "$.Extra.Amount is not a decimal number", id="amount in an option"),
        pytest.param({"Extra": []}, "$.Extra is not an object", id="list for an optional object"),
        pytest.param({"Token": 5}, "$.Token is not a string with something in it", id="optional secret"),
        pytest.param({"Token": ""}, "$.Token is not a string with something in it", id="empty secret"),
        pytest.param({"Colour": None}, "$.Colour is not a string or an integer", id="null for an enumeration"),
        pytest.param({"Colour": ["red"]}, "$.Colour is not a string or an integer", id="list for an enumeration"),
        pytest.param({"Seen": "yesterday"}, "$.Seen is not a time after ISO 8601", id="no time"),
        pytest.param({"Seen": 5}, "$.Seen is not a time after ISO 8601", id="number for a time"),
        pytest.param({"Due": "2026-13-01"}, "$.Due is not a date after ISO 8601", id="no date"),
        pytest.param({"Due": None}, "$.Due is not a date after ISO 8601", id="null for a date"),
        pytest.param({"Ratio": "x"}, "$.Ratio is not a decimal number", id="no float"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(change: dict, said: str) -> None:
    """Nothing is converted that is not what was asked for; the error says where, and never what stood there."""
    told = read(ORDER | change)

    assert told == said
    assert HIDDEN not in said


@pytest.mark.parametrize("value", [None, [], "x", 5, True], ids=repr)
def test_a_value_that_is_no_object_is_no_class(value: object) -> None:
    """The problem stands at the beginning of the path."""
    assert read(value) == "$ is not an object"


@pytest.mark.parametrize(
    ("change", "name"),
    [({"Count": "5"}, "count"), ({"SoODD": 5}, "odd"), ({"Level": []}, "level"), ({"Count": None}, "count")],
    ids=["number", "text", "enumeration", "null"],
)
def test_an_optional_member_that_only_describes_is_none_when_wrong(change: dict, name: str) -> None:
    """A name or a symbol of the wrong type does not fail a call."""
    order = read(ORDER | change)

    assert getattr(order, name) is None


def test_what_the_server_adds_to_an_enumeration_is_kept() -> None:
    """An unknown value of an enumeration comes as it is."""
    order = read(ORDER | {"Colour": "blue", "Level": 9, "Mood": "bad"})

    assert (order.colour, order.level, order.mood) == ("blue", 9, "bad")


@pytest.mark.parametrize("text", ["1", "-1.50", "0.00", "1" * 40], ids=["integer", "negative", "zeros", "40 digits"])
def test_a_decimal_may_be_text(text: str) -> None:
    """The guides show amounts both as numbers and as strings."""
    assert str(read({"Amount": text}, Line).amount) == text


@pytest.mark.parametrize(
    "value",
    [
        *("", " 1", "1 ", "1_0", "1,0", "+1", "1e2", ".5", "5.", "0x10", "NaN", "Infinity", "1\n", "1" * 41),
        *("\N{ARABIC-INDIC DIGIT ONE}", "\N{FULLWIDTH DIGIT ONE}"),
    ],
    ids=ascii,
)
def test_text_that_is_not_plainly_a_number_is_no_decimal(value: str) -> None:
    """Python's own conversion takes far more than any API should mean by a number."""
    assert read({"Amount": value}, Line) == "$.Amount is not a decimal number"


@pytest.mark.parametrize(
    "value",
    [Decimal("1e40"), Decimal("1e-40"), Decimal("1e999999"), 10**41, -(10**41), Decimal("NaN"), Decimal("Infinity")],
    ids=["large", "small", "larger than any", "integer", "negative", "not a number", "infinite"],
)
def test_a_number_out_of_all_proportion_is_no_amount(value: object) -> None:
    """What would fill the memory when it is written out is refused where it comes in."""
    assert read({"Amount": value}, Line) == "$.Amount is a number out of all proportion"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((1, 1), ("2591999", 2591999), (" 60\r\n", 60), (Decimal("3600.0"), 3600), (Decimal("1.5"), 1)),
        *((2**63 - 1, 2**63 - 1), (None, 300)),
    ],
    ids=["one", "digits", "spaces", "decimal", "fraction", "for ever", "null"],
)
def test_the_life_of_a_token_is_read(value: object, seconds: int) -> None:
    """`expires_in` is a number or its digits; where it is null, a short life is assumed."""
    assert read({"access_token": "t", "token_type": "bearer", "expires_in": value}, m.AccessToken).expires_in == seconds


@pytest.mark.parametrize(
    "value",
    [0, -1, "", "-1", "soon", "1" * 41, "٣", True, Decimal("0.5"), 2**63, 10**400, [1]],
    ids=lambda value: ascii(value)[:20],
)
def test_a_life_that_is_none_is_refused(value: object) -> None:
    """A token of which nobody knows how long it lives is no token."""
    token = {"access_token": "t", "token_type": "bearer", "expires_in": value}

    assert read(token, m.AccessToken).startswith("$.expires_in is ")


@pytest.mark.parametrize("change", [{"access_token": " t\r\n"}, {"token_type": " Bearer "}], ids=["token", "type"])
def test_a_token_is_read_without_the_white_space_around_it(change: dict) -> None:
    """Neither a line break behind a token nor the case of its type is part of it."""
    token = read({"access_token": "t", "token_type": "bearer", "expires_in": 9} | change, m.AccessToken)

    assert (token.access_token, token.token_type.casefold(), token.expires_in) == (Secret("t"), "bearer", 9)


def test_a_token_without_a_life_is_used_for_a_while() -> None:
    """RFC 6749 only recommends `expires_in`."""
    assert read({"access_token": "t", "token_type": "bearer"}, m.AccessToken).expires_in == 300


def test_a_token_of_another_type_is_no_token_of_ours() -> None:
    """We cannot present a token that is no bearer token."""
    token = {"access_token": "t", "token_type": "mac", "expires_in": 9}

    assert read(token, m.AccessToken) == "$.token_type is not bearer"


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        ("A,B", ("A", "B")),
        (["A", "B"], ("A", "B")),
        (" A , B\r\n", ("A", "B")),
        ("A", ("A",)),
        (None, None),
        ("", None),
        ("  ", None),
        (5, None),
    ],
    ids=["two", "list", "spaces", "one", "null", "empty", "blank", "number"],
)
def test_a_column_format_is_a_list_of_names(value: object, columns: tuple[str, ...] | None) -> None:
    """Names joined by commas become a tuple; none, None."""
    assert read({"UploadRecordId": 1, "ColumnFormat": value}, m.BulkUpload).column_format == columns


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-08-23T10:55:45.0645017Z", dt.datetime(2023, 8, 23, 10, 55, 45, 64501, dt.UTC)),
        ("2024-03-25T10:33:04.410525", dt.datetime(2024, 3, 25, 10, 33, 4, 410525, dt.UTC)),
        ("2023-11-13T00:00:00", dt.datetime(2023, 11, 13, tzinfo=dt.UTC)),
        ("2023-11-13T01:00:00+01:00", dt.datetime(2023, 11, 13, tzinfo=dt.UTC)),
    ],
    ids=["seven digits", "six digits", "none", "zone"],
)
def test_times_of_the_api_are_read(text: str, moment: dt.datetime) -> None:
    """All the forms that the guide shows are moments with a zone."""
    assert read(ORDER | {"Seen": text}).seen == moment


class Refuses:
    """Whatever it is asked."""


@frozen
class Picky:
    """A class whose own check fails."""

    name: str = field()

    @name.validator
    def _check(self, _attribute: object, value: str) -> None:
        raise RuntimeError(value)


@frozen
class Unreadable:
    """A class with a member that JSON has no type for."""

    name: str
    part: Refuses


@frozen
class Either:
    """A class with a member of two types."""

    part: int | str


@frozen
class Page(Generic[T]):
    """A generic class."""

    items: list[T]


def test_an_error_of_the_users_own_class_does_not_show_the_value() -> None:
    """Whatever a validator raises becomes a problem that says where, and no more."""
    with pytest.raises(DecodeError) as error:
        codec.structure({"Name": HIDDEN}, Picky)

    assert error.value.problem == "is not as expected"
    assert (error.value.__cause__, error.value.__context__) == (None, None)
    assert HIDDEN not in repr(error.value)


@pytest.mark.parametrize(
    ("kind", "readable"),
    [
        (Order, True),
        (tuple[Order, ...], True),
        (Page[Line], True),
        (None, True),
        (Picky, True),
        (Unreadable, False),
        (Either, False),
        (Refuses, False),
        (list[Unreadable], False),
    ],
    ids=["class", "tuple", "generic", "none", "picky", "unknown member", "two types", "unknown", "list"],
)
def test_a_class_that_cannot_be_read_is_known_before_anything_is_sent(kind: Any, readable: bool) -> None:
    """A type for which there is no rule is found without a value of it."""
    assert codec.can_read(kind) is readable


def test_a_generic_class_is_read() -> None:
    """A class of the user's may leave the type of its items open."""
    assert read({"Items": [{"Amount": 1}]}, Page[Line]) == Page([Line(Decimal(1))])


@settings(max_examples=scaled(300, 10_000))
@given(endpoint=st.sampled_from(list(CATALOGUE.values())), value=json_values)
def test_any_json_is_read_or_problems(endpoint: Any, value: object) -> None:
    """Whatever the API answers, reading it makes a result or a problem that shows no value."""
    told = None if endpoint.returns is None else read(value, endpoint.returns)

    assert not isinstance(told, str) or told.startswith("$")


# --- whole answers ---


@frozen
class Loose:
    """A class with a place for anything."""

    parts: dict[str, Line]
    pair: tuple[Line, int] | None = None


@frozen
class Stated:
    """A class that reads its own status."""

    api_status: str
    api_status_code: int


OFTEN = 20  # times; by then an object of the same keys is read by a function of its own


def not_bad(_instance: object, _attribute: object, value: str) -> None:
    """Refuse one name: a check of the user's own."""
    if value == "bad":
        raise ValueError


@frozen
class Checked:
    """A class with a check, a default that depends on it, and a name of its own for `__init__`."""

    name: str = field(validator=not_bad)
    size: int = field(alias="how_big", default=1)

    def __attrs_post_init__(self) -> None:
        if self.name == "worse":
            raise ValueError


@frozen
class Shouting:
    """A class with a converter."""

    name: str = field(converter=str.upper)


@frozen
class Twice:
    """A class with a default that depends on what is given."""

    name: str
    twice: str = field(default=Factory(lambda self: self.name * 2, takes_self=True))


@frozen
class Heir(Line):
    """A class that is derived from another, and names its types in quotes."""

    rows: "list[list[int]]" = field(factory=list)
    more: "tuple[Line, ...] | None" = None


@define(slots=False, kw_only=True)
class Plain:
    """A class without slots, that takes its own by name."""

    ratio: float = 0.5
    mood: Mood


@frozen
class Own:
    """A class with an `__init__` of its own."""

    name: str

    def __init__(self, name: str) -> None:
        self.__attrs_init__(f"{name}!")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (
            Checked,
            [{"Name": "x"}, {"Name": "bad"}, {"Name": "worse"}, {"Name": "x", "Size": 2}, {"Name": "x", "HowBig": 2}],
        ),
        (Shouting, [{"Name": "x"}]),
        (Loose, [{"Parts": {}}, {"Parts": {"1": {"Amount": 1}}, "Pair": [{"Amount": 1}, 2]}, {"Parts": 5}]),
        (Stated, [{"ApiStatus": "IsValid", "ApiStatusCode": 100}, {"ApiStatus": "IsValid"}]),
        (Twice, [{"Name": "x"}, {"Name": "x", "Twice": "y"}]),
        (
            Heir,
            [
                {"Amount": 1},
                {"Amount": "1.50", "Rows": [[1], []], "More": [{"Amount": 2}]},
                {"Amount": 1, "Rows": [["1"]]},
            ],
        ),
        (Heir, [{"Amount": 1, "More": [{"Amount": None}]}, {"Amount": 1, "More": None}, {"Amount": 1, "Rows": None}]),
        (Plain, [{"Mood": "good"}, {"Mood": "bad", "Ratio": 1}, {"Mood": None}, {"Mood": "good", "Ratio": "x"}]),
        (Own, [{"Name": "x"}, {"Name": 5}]),
        (
            Order,
            [ORDER, ORDER | {"Tags": [1]}, ORDER | {"Extra": {"Amount": 1}}, ORDER | {"Token": "t", "Discount": "1.0"}],
        ),
        (list[Heir], [[], [{"Amount": 1}], [{"Amount": 1}, 5], {}]),
        (tuple[int, ...], [[1, 10**30], ["1"], [None]]),
        (str, ["x", 5]),
        (Decimal, ["1.50", 2, "x"]),
    ],
    ids=[
        "checked",
        "converted",
        "mapping",
        "status",
        "twice",
        "derived",
        "options",
        "no slots",
        "own init",
        "all",
        "list",
        "tuple",
        "text",
        "decimal",
    ],
)
def test_an_answer_is_read_alike_however_its_keys_are_spelled(kind: Any, values: list[object]) -> None:
    """What is read from a shape that came often is, to the type of each part, what was read from it at first."""
    for value in values:
        raw = codec.decode(as_json({"Content": {"Model": value}}))
        other = codec.decode(as_json({"content": {"MODEL": _swapped(value)}}))

        told = [read_answer(each, kind) for _ in range(OFTEN) for each in (raw, other)]

        assert len(set(map(repr, told))) == 1
        assert repr(told[0]) == repr(read(raw["Content"]["Model"], kind)).replace("'$", "'$.Content.Model")


@frozen
class Parcel:
    """A class with many members that may be missing."""

    name: str
    height: int | None = None
    width: int | None = None
    depth: int | None = None


def test_what_was_read_is_frozen() -> None:
    """Whatever reads it, an instance is of its class, equal and hashed like one of the caller's making."""
    for _ in range(OFTEN):
        made = read({"Name": "x"}, Parcel)

        assert (type(made), hash(made), made) == (Parcel, hash(Parcel("x")), Parcel("x"))
        with pytest.raises(FrozenInstanceError):
            made.name = "y"


def test_members_may_stand_in_any_order_and_spelling_and_be_missing() -> None:
    """More shapes than are remembered are read like the first, also those with members of the vendor's."""
    values = {"Name": "x", "height": 1, "WIDTH": 2, "Depth": None, "colour": "red", "Colour": "red"}
    shapes = [order for size in range(7) for order in permutations(values, size)]
    for shape in sorted(shapes, key=len) * 8:
        told = read({key: values[key] for key in shape}, Parcel)

        wanted = Parcel("x", *(values[key] if key in shape else None for key in ("height", "WIDTH", "Depth")))
        assert told == (wanted if "Name" in shape else "$.Name is missing")


def test_two_spellings_of_one_member_are_refused_however_often_they_come() -> None:
    """Nobody can say which of the two is meant."""
    told = {read({"Name": "x", "NAME": "y"}, Parcel) for _ in range(OFTEN)}

    assert told == {"$ has two members that differ in case alone"}


def read_answer(raw: object, kind: Any) -> Any:
    """Read a whole answer, and return its result, or what is wrong with it and where."""
    try:
        return codec.envelope_reader(kind, ())(raw).model
    except DecodeError as error:
        return f"{error.where('$')} {error.problem}"


def _swapped(value: object) -> object:
    """Return a JSON value with each key in letters of the other case."""
    if isinstance(value, dict):
        return {key.swapcase(): _swapped(item) for key, item in value.items()}
    return [_swapped(item) for item in value] if isinstance(value, list) else value


def test_a_result_is_found_whatever_the_case_of_the_way_to_it() -> None:
    """An endpoint of the user's own may have its result at members that no documented answer has."""
    reader = codec.envelope_reader(Line, ("Odd", "Way"))

    assert reader({"Content": {"Model": {"ODD": {"way": {"Amount": 1}}}}}).model == Line(Decimal(1))


@pytest.mark.parametrize("value", ["text", ["AccountName"], 5, None, True], ids=repr)
def test_what_is_no_object_is_no_result(value: object) -> None:
    """Not even of a class of which every member is optional."""
    told = read_answer({"Content": {"Model": [value]}}, tuple[m.BankDetails, ...])

    assert told == "$.Content.Model[0] is not an object"


def test_every_documented_answer_is_structured_by_cattrs() -> None:
    """The envelope, its content, its result and the callers are all made by functions that cattrs wrote."""
    made: set[str] = set()

    def note(frame: Any, event: str, _argument: object) -> None:
        if event == "call" and "cattrs generated structure" in frame.f_code.co_filename:
            made.add(frame.f_code.co_name.removeprefix("structure_").split("_")[0])

    bodies = {path.name[:2]: path.read_bytes() for path in SAMPLES.glob("*_response.json")}
    sys.setprofile(note)
    try:
        for endpoint, number in zip(CATALOGUE.values(), SAMPLE_OF_EACH, strict=True):
            envelope = read_reply(endpoint, reply(bodies[number]))
            repr(envelope)
            pickle.dumps(envelope) if endpoint.returns is None else envelope.status
    finally:
        sys.setprofile(None)

    results = {
        cls.__name__ for each in CATALOGUE.values() for cls in (*get_args(each.returns), each.returns) if has(cls)
    }
    assert results | {"Envelope", "Content", "ApiStatus", "AuthorisedClientModel", "AuthorisedUserModel"} <= made
