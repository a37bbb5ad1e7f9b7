"""What a column is to a request, and what its cells may hold."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Literal, NewType

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.columns import Misfit, Number, describe, match_columns, read_reference, slots_of
from caxton_async.errors import ConfigurationError
from caxton_async.models import GetCardRate, MoveFunds, NewCard
from caxton_async.secret import Secret

Iban = NewType("Iban", str)


class Speed(Enum):
    """A choice, by number and by name."""

    FAST = 1
    SLOW = 2


@frozen
class Everything:
    """A request of a user's own, with an attribute of each type that a cell can hold."""

    text: str
    amount: Decimal
    count: int
    flag: bool
    day: dt.date
    moment: dt.datetime
    speed: Speed
    side: Literal["buy", "sell"]
    pin: Secret
    iban: Iban
    note: str | None = None
    parts: list[str] = field(factory=list)  # cannot come from a file, and need not
    _hidden: int = field(init=False, default=0)


@frozen
class Lacking:
    """A request that cannot come from a file."""

    parts: list[str]


@frozen
class Elsewhere:
    """A request with a type that its module does not know."""

    part: "Unheard"  # noqa: F821 -- that it is not there is the point


SLOTS = {slot.name: slot for slot in slots_of(Everything)}


def read(name: str, cell: object) -> object:
    """Read one cell for one attribute."""
    return SLOTS[name].read(cell)


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("text", "00123", "00123"),
        ("text", " as it is ", " as it is "),
        ("amount", "10.50", Decimal("10.50")),
        ("amount", "-3", Decimal(-3)),
        ("amount", Number("0.1"), Decimal("0.1")),
        ("count", "7", 7),
        ("count", Number("-7"), -7),
        ("flag", "TRUE", True),
        ("flag", False, False),
        ("day", "2026-05-31", dt.date(2026, 5, 31)),
        ("day", dt.date(2026, 5, 31), dt.date(2026, 5, 31)),
        ("day", dt.datetime(2026, 5, 31), dt.date(2026, 5, 31)),  # noqa: DTZ001 -- as a workbook has it
        ("moment", "2026-05-31T12:00:00+00:00", dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)),
        ("moment", dt.datetime(2026, 5, 31), dt.datetime(2026, 5, 31)),  # noqa: DTZ001 -- as a workbook has it
        ("speed", "fast", Speed.FAST),
        ("speed", Number("2"), Speed.SLOW),
        ("side", "Buy", "buy"),
        ("pin", "s3cret", Secret("s3cret")),
        ("iban", "GB33", "GB33"),
        ("note", "hello", "hello"),
    ],
)
def test_a_cell_becomes_the_value_of_its_attribute(name: str, cell: object, value: object) -> None:
    """Each type of attribute reads its own kinds of cell."""
    found = read(name, cell)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "cell", "remedy"),
    [
        ("text", Number("12345678"), "format the column as text"),
        ("iban", Number("1"), "lost leading zeros"),
        ("pin", Number("1234"), "format the column as text"),
        ("text", True, "true or false is not text"),
        ("text", dt.date(2026, 5, 31), "a date or time is not text"),
        ("text", ["x"], "a list or an object"),
        ("amount", "1,000.00", "without separators"),
        ("amount", "1e3", "without an exponent"),
        ("amount", Number("1E+16"), "without an exponent"),
        ("amount", "£10", "without sign or currency"),
        ("amount", " 10 ", "remove the spaces"),
        ("amount", "10\n", "remove the spaces"),
        ("amount", "+5", "like 10.50"),
        ("amount", "1_000", "like 10.50"),
        ("amount", "NaN", "like 10.50"),
        ("amount", "\N{FULLWIDTH DIGIT ONE}", "like 10.50"),
        ("amount", "9" * 31, "like 10.50"),
        ("amount", True, "true or false is not a number"),
        ("count", "1.0", "digits only"),
        ("count", True, "digits only"),
        ("flag", "yes", "true or false"),
        ("flag", Number("1"), "true or false"),
        ("day", "31/05/2026", "2026-05-31"),
        ("day", "20260531", "2026-05-31"),
        ("day", "2026-02-30", "not in the calendar"),
        ("day", dt.datetime(2026, 5, 31, 1), "2026-05-31"),  # noqa: DTZ001 -- as a workbook has it
        ("moment", "soon", "not in the calendar"),
        ("moment", Number("45000"), "2026-05-31T12:00:00Z"),
        ("speed", "warp", "1, FAST, 2, SLOW"),
        ("side", "hold", "buy, sell"),
    ],
)
def test_a_wrong_cell_is_refused_with_a_remedy_and_not_shown(name: str, cell: object, remedy: str) -> None:
    """The message says what kind of thing the cell holds and what to do, and never what it holds."""
    with pytest.raises(Misfit) as refusal:
        read(name, cell)

    assert remedy in str(refusal.value)
    assert describe(cell) in str(refusal.value)
    assert refusal.value.__context__ is None


@given(st.text() | st.text("0123456789.,-+eE_ ", max_size=12))
def test_any_text_is_an_exact_number_or_a_misfit(text: str) -> None:
    """What is read as a number is written back as the same text."""
    try:
        amount = read("amount", text)
    except Misfit:
        return
    assert f"{amount:f}" == text or text.lstrip("-0") in f"{amount:f}"


@pytest.mark.parametrize("cls", [Lacking, Elsewhere])
def test_a_request_that_no_file_can_give_is_named(cls: type) -> None:
    """An attribute whose type no cell holds, or whose type is unknown, is a matter of the program."""
    with pytest.raises(ConfigurationError, match=cls.__name__):
        slots_of(cls)


def test_what_needs_no_cell_has_no_slot() -> None:
    """Attributes with a default that no cell can hold, or that are not arguments, are left alone."""
    assert set(SLOTS) == {
        "text", "amount", "count", "flag", "day", "moment", "speed", "side", "pin", "iban", "note",
    }  # fmt: skip


@pytest.mark.parametrize(
    "labels",
    [
        ("reference", "ccy_code", "sell_ccy_code", "amount"),
        ("Reference", "CcyCode", "SellccyCode", "Amount"),
        ("REFERENCE", "ccy code", "Sell Ccy_Code", "AMOUNT"),
    ],
)
def test_a_header_in_either_spelling_is_understood(labels: tuple[str, ...]) -> None:
    """Python's names and the API's, whatever their case and spaces, mean the same columns."""
    columns = match_columns(labels, GetCardRate, slots_of(GetCardRate))

    assert [slot and slot.name for slot in columns.slots] == [None, "ccy_code", "sell_ccy_code", "amount"]
    assert columns.problems == ()


def test_a_spelling_of_ones_own_is_understood() -> None:
    """The spelling that a class's metadata gives is a name of the column too."""

    @frozen
    class Pay:
        beneficiary_id: int = field(metadata={"caxton": "BenefId"})

    assert match_columns(("reference", "benef_id"), Pay, slots_of(Pay)).problems == ()


def test_every_problem_of_a_header_is_named_at_once() -> None:
    """Unknown, doubled and missing columns are all said, with the nearest known name."""
    labels = ("from_currency", "FromCurrency", "ammount", "12345678", "zzz")

    problems = match_columns(labels, MoveFunds, slots_of(MoveFunds)).problems

    assert problems == (
        ("FromCurrency", "gives from_currency a second time, after from_currency: keep one of them"),
        ("ammount", "is not known: did you mean amount?"),
        ("number 4", "is not known: known are reference, from_currency, to_currency, amount"),
        ("zzz", "is not known: known are reference, from_currency, to_currency, amount"),
        (None, "has no column reference, to_currency, amount"),
    )


def test_a_first_line_that_is_no_header_is_not_repeated() -> None:
    """A file without header is told so, and none of its first row's values is shown."""
    problems = match_columns(("Ada Lovelace", "Bank", "x"), MoveFunds, slots_of(MoveFunds)).problems

    assert len(problems) == 1
    assert "names no column that is known: reference, from_currency, to_currency, amount" in problems[0][1]
    assert "Ada" not in problems[0][1]


def test_a_request_without_attributes_needs_a_reference_only() -> None:
    """A call that sends nothing is one row for each reference."""
    assert match_columns(("reference",), None, slots_of(None)).problems == ()


def test_the_reference_is_sent_where_the_request_has_a_place_for_it() -> None:
    """An attribute for the user's reference takes the row's, unless the file has a column for it."""

    @frozen
    class Pay:
        payment_reference: str

    slots = slots_of(Pay)

    assert match_columns(("reference",), Pay, slots).sends_reference_as == "payment_reference"
    assert match_columns(("reference", "PaymentReference"), Pay, slots).sends_reference_as is None
    assert match_columns(("reference",), NewCard, slots_of(NewCard)).sends_reference_as is None


@pytest.mark.parametrize("cell", [Number("1"), " a", "a\n", "a\0b", "a\N{RIGHT-TO-LEFT OVERRIDE}b", "\ud800"])
def test_a_reference_that_may_be_misread_is_refused(cell: str) -> None:
    """A reference is text in one line that looks like what it is."""
    with pytest.raises(Misfit):
        read_reference(cell)
