"""What a column is to a request: the names that it may have, and the hints where one is not known."""

from decimal import Decimal

import pytest
from attrs import field, frozen

from caxton_async.batch.input.columns import Columns, Header, slots_of
from caxton_async.bulk import BulkPaymentRow
from caxton_async.errors import ConfigurationError
from caxton_async.models import GetCardRate, MoveFunds, NewCard


@frozen
class Pay:
    """A request of a user's own."""

    amount: Decimal
    beneficiary_id: int = field(metadata={"caxton": "BenefId"})
    payment_reference: str = ""
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


def match(labels: tuple[str, ...], cls: type | None, **named: str) -> Columns:
    """Match the labels of a file."""
    return Header(cls, named).match(labels)


@pytest.mark.parametrize("cls", [Lacking, Elsewhere])
def test_a_request_that_no_file_can_give_is_named(cls: type) -> None:
    """An attribute whose type no cell holds, or whose type is unknown, is a matter of the program."""
    with pytest.raises(ConfigurationError, match=cls.__name__):
        Header(cls, {})


def test_what_needs_no_cell_has_no_slot() -> None:
    """Attributes with a default that no cell can hold, or that are not arguments, are left alone."""
    assert [slot.name for slot in slots_of(Pay)] == ["amount", "beneficiary_id", "payment_reference"]


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
    columns = match(labels, GetCardRate)

    assert [slot and slot.name for slot in columns.slots] == [None, "ccy_code", "sell_ccy_code", "amount"]
    assert columns.problems == ()


def test_a_spelling_of_ones_own_is_understood() -> None:
    """The spelling that a class's metadata gives is a name of the column too."""
    assert match(("reference", "benef_id", "amount"), Pay).problems == ()


def test_a_column_can_be_named_by_the_user() -> None:
    """A header of any text stands for the field that the user says, in either spelling."""
    columns = match(("Ref.", "Wer?", "amount"), Pay, Reference="Ref.", beneficiary_id="wer?")

    assert [slot and slot.name for slot in columns.slots] == [None, "beneficiary_id", "amount"]
    assert columns.problems == ()


def test_a_column_named_by_the_user_takes_the_place_of_its_own_name() -> None:
    """Where the user names a column, the one with the field's name is another."""
    problems = match(("reference", "beneficiary_id", "amount", "Wer?"), Pay, beneficiary_id="Wer?").problems

    assert [problem[:2] for problem in problems] == [("beneficiary_id", "is not known")]


def test_a_column_that_the_user_names_has_to_be_there() -> None:
    """A name that fits no column is told, as is one for a field that is not there."""
    problems = match(("reference", "beneficiary_id", "amount"), Pay, payment_reference="Wofür").problems

    assert problems[0][1] == "has no column payment_reference ('Wofür')"
    with pytest.raises(ConfigurationError, match=r"no field nothing.*amount"):
        Header(Pay, {"nothing": "x"})


def test_every_problem_of_a_header_is_named_at_once() -> None:
    """Unknown, doubled and missing columns are all told, with the nearest known name."""
    labels = ("from_currency", "FromCurrency", "ammount", "12345678", "zzz")

    problems = match(labels, MoveFunds).problems

    assert problems == (
        ("FromCurrency", "gives from_currency a second time, after from_currency", "keep one of them"),
        ("ammount", "is not known", "did you mean amount (Amount)? rename it, or give --column amount='ammount'"),
        ("number 4", "is not known", "known are reference, from_currency, to_currency, amount"),
        ("zzz", "is not known", "known are reference, from_currency, to_currency, amount"),
        (None, "has no column reference, to_currency, amount", "add it, or say what it is called with --column"),
    )


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("Country", "recipient_country (RecipientCountry)"),
        ("Name", "recipient_name (RecipientName)"),
        ("BIC", "swift_code (SWIFTCode)"),
        ("Account No", "account_number (AccountNumber)"),
        ("Ccy", "currency (Currency)"),
        ("Invoice", "reference?"),
        ("Acount_Number", "account_number (AccountNumber)"),
    ],
)
def test_hints_know_the_domain(label: str, meant: str) -> None:
    """A column that is called otherwise elsewhere is told what it is called here."""
    problems = match(("payment_date", label), BulkPaymentRow).problems

    assert f"did you mean {meant}" in problems[0][2]


def test_a_first_line_that_is_no_header_is_not_repeated() -> None:
    """A file without header is told so, and none of its first row's values is shown."""
    problems = match(("Ada Lovelace", "Bank", "x"), MoveFunds).problems

    assert problems == (
        (None, "names no column that is known", "known are reference, from_currency, to_currency, amount"),
    )


def test_a_request_without_attributes_needs_a_reference_only() -> None:
    """A call that sends nothing is one row for each reference."""
    assert match(("reference",), None).problems == ()


def test_the_reference_is_sent_where_the_request_has_a_place_for_it() -> None:
    """An attribute for the user's reference takes the row's, unless the file has a column for it."""
    assert match(("reference",), Pay).sends_reference_as == "payment_reference"
    assert match(("reference", "PaymentReference"), Pay).sends_reference_as is None
    assert match(("reference",), NewCard).sends_reference_as is None
