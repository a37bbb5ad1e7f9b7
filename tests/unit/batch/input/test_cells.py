"""One cell of a file: what it may hold for each type of attribute, and what spreadsheets leave in it."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.input.cells import Number, clean, describe, reader_for
from caxton_async.batch.input.problems import CellError
from caxton_async.secret import Secret

Iban = NewType("Iban", str)


class Speed(Enum):
    """A choice, by number and by name."""

    FAST = 1
    SLOW = 2


READERS = {
    name: reader_for(wanted)
    for name, wanted in {
        "text": str,
        "amount": Decimal,
        "count": int,
        "flag": bool,
        "day": dt.date,
        "moment": dt.datetime,
        "speed": Speed,
        "side": Literal["buy", "sell"],
        "pin": Secret,
        "iban": Iban,
        "note": str | None,
    }.items()
}


def read(name: str, cell: object) -> object:
    """Read one cell for one attribute."""
    return READERS[name](cell)


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
    with pytest.raises(CellError) as refusal:
        read(name, cell)

    assert remedy in str(refusal.value)
    assert describe(cell) in str(refusal.value)
    assert refusal.value.__context__ is None


@given(st.text() | st.text("0123456789.,-+eE_ ", max_size=12))
def test_any_text_is_an_exact_number_or_a_misfit(text: str) -> None:
    """What is read as a number is written back as the same text."""
    try:
        amount = read("amount", text)
    except CellError:
        return
    assert f"{amount:f}" == text or text.lstrip("-0") in f"{amount:f}"


@pytest.mark.parametrize("wanted", [list[str], str | int, dict, object])
def test_a_type_that_no_cell_holds_has_no_reader(wanted: object) -> None:
    """Lists, objects and choices between types cannot come from a file."""
    assert reader_for(wanted) is None


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("#N/A", "correct the formula"),
        ("#REF!", "correct the formula"),
        ("#BEZUG!", "correct the formula"),
        ("#DIV/0!", "correct the formula"),
        ("#NAME?", "correct the formula"),
        ("########", "widen it"),
        ('="12345678"', "write its value"),
        ("=A1+1", "write its value"),
        ("'12345678", "remove it"),
        ("'GB33BUKB20201555555555", "remove it"),
        ("nan", "leave the cell empty"),
        (" NaN\u00a0", "leave the cell empty"),
        ("None", "leave the cell empty"),
        ("<NA>", "leave the cell empty"),
        ("n/a", "leave the cell empty"),
        ("a\0b", "U+0000 at position 2"),
        ("a\nb", "U+000A"),
        ("10\t", "U+0009"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "U+202E"),
        ("\N{LEFT-TO-RIGHT MARK}12345678", "U+200E"),
        ("\ud800", "U+D800"),
    ],
)
def test_what_spreadsheets_leave_in_a_cell_is_refused(cell: str, remedy: str) -> None:
    """Debris and what nobody can see are no value, and the message says what to do about it."""
    with pytest.raises(CellError) as refusal:
        clean(cell)

    assert remedy in str(refusal.value)
    assert not cell.isalnum() or cell not in str(refusal.value)


@pytest.mark.parametrize("cell", ["12345678.0", "1.23457E+11", "20240531.0"])
def test_a_text_that_was_a_number_is_refused(cell: str) -> None:
    """A text with the marks of a number has lost what a number does not keep."""
    with pytest.raises(CellError, match="leading zeros"):
        read("text", cell)


@pytest.mark.parametrize(
    ("cell", "cleaned"),
    [
        ("Ada\u200b Lovelace", "Ada Lovelace"),
        ("\ufeff12345678", "12345678"),
        ("12345678\u00a0", "12345678"),
        ("12\u00ad34", "1234"),
        ("  ", ""),
        ("\u0646\u0627\u0645\u200c\u0647\u0627", "\u0646\u0627\u0645\u200c\u0647\u0627"),
        ("'t Hooft", "'t Hooft"),
        ("Nan", "Nan"),
        ("# 7", "# 7"),
        ("Null", "Null"),
        (Number("1"), Number("1")),
        (None, None),
        (True, True),
    ],
)
def test_what_nobody_sees_is_taken_off(cell: object, cleaned: object) -> None:
    """Invisible characters and spaces around a cell go; names that look like debris, and what is no text, stay."""
    assert clean(cell) == cleaned


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """What comes out of cleaning is clean."""
    try:
        cleaned = clean(text)
    except CellError:
        return
    assert clean(cleaned) == cleaned
