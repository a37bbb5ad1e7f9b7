"""The statement of a bank: whatever its columns are called, the money and its way are read rightly or not at all."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton_async.batch.input import InputOptions, RowErrors
from caxton_async.batch.reconcile import StatementEntry, read_statement
from caxton_async.errors import CaxtonError, ConfigurationError, InvalidRequest

MAY = dt.date(2026, 5, 31)


@pytest.fixture
def written(tmp_path: Path):
    """Write a statement and return its path."""

    def write(content: str) -> Path:
        path = tmp_path / "statement.csv"
        path.write_text(content, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "Date,Reference,Amount,Currency,Beneficiary\n2026-05-31,PAY-1,-10.50,GBP,Ada\n",
        "Booking Date,Narrative,Value,Ccy,Counterparty Name\n31/05/2026,PAY-1,-£10.50,gbp,Ada\n",
        "Transaction date,Description,Paid out,Paid in,Currency,Payee\n31 May 2026,PAY-1,10.50,,GBP,Ada\n",
        "date,details,debit,credit,currency,name\n31.05.2026,PAY-1,-10.50,0.00,GBP,Ada\n",
    ],
)
def test_the_columns_of_common_statements_are_understood(written, content: str) -> None:
    """Names, dates and signs of several banks give the same entry."""
    statement = read_statement(written(content))

    assert statement.name == "statement.csv"
    assert statement.entries == (StatementEntry(2, MAY, Decimal("10.50"), True, ("PAY-1",), "GBP", "Ada"),)


def test_columns_of_other_names_can_be_given(written) -> None:
    """What no guess finds is named by the caller, as is the currency and the way that dates are written."""
    path = written("When,What,How much\n05/31/26,PAY 1,10\n")

    statement = read_statement(
        path,
        options=InputOptions(columns={"date": "when", "reference": "What", "amount": "How much"}),
        currency="GBP",
        outgoing="positive",
        date_format="%m/%d/%y",
    )

    assert statement.entries == (StatementEntry(2, MAY, Decimal(10), True, ("PAY 1",), "GBP"),)


def test_a_named_column_wins_over_a_guess(written) -> None:
    """The caller knows the statement better."""
    path = written("Date,Amount,Value,Reference\n2026-05-31,-1,-2,x\n")

    assert read_statement(path, options=InputOptions(columns={"amount": "Value"})).entries[0].amount == Decimal(2)


def test_money_in_is_not_money_out(written) -> None:
    """The sign of an amount, or its column, says which way it went."""
    signs = read_statement(written("Date,Amount\n2026-05-31,-1\n2026-05-31,+1\n"))
    flipped = read_statement(written("Date,Amount\n2026-05-31,-1\n2026-05-31,1\n"), outgoing="positive")
    columns = read_statement(written("Date,Money out,Money in\n2026-05-31,1,\n2026-05-31,,1\n"))

    assert [entry.outgoing for entry in signs.entries] == [True, False]
    assert [entry.outgoing for entry in flipped.entries] == [False, True]
    assert [entry.outgoing for entry in columns.entries] == [True, False]


def test_a_direction_that_nothing_tells_is_asked_for(written) -> None:
    """A statement of positive amounts may be of payments or of receipts."""
    path = written("Date,Amount\n2026-05-31,1\n")

    with pytest.raises(InvalidRequest, match="--outgoing positive"):
        read_statement(path)
    assert read_statement(path, outgoing="negative").entries[0].outgoing is False


@pytest.mark.parametrize(
    ("amount", "value", "is_outgoing"),
    [
        ("(10.00)", "10.00", True),
        ("10.00-", "10.00", True),
        ("\N{MINUS SIGN}10.00", "10.00", True),
        ("\N{POUND SIGN}-10.00", "10.00", True),
        ("-GBP 10.00", "10.00", True),
        ("10.00 GBP-", "10.00", True),
        ("\N{EURO SIGN}(10.00)", "10.00", True),
        ("10.00)", None, None),
        ("-10.00-", None, None),
        ("10.00 DR", "10.00", True),
        ("10.00CR", "10.00", False),
        ("-1 234,50", "1234.50", True),
        ("-1.234,50", "1234.50", True),
        ("-1,234.50", "1234.50", True),
        ("-1'234.50", "1234.50", True),
        ("+10", "10", None),
        ("-10.00 CR", None, None),
        ("(-10.00)", None, None),
        ("(10.00", None, None),
        ("-1,23,456", None, None),
        ("-1.234.56", None, None),
        ("ten", None, None),
    ],
)
def test_amounts_are_read_as_banks_write_them(
    written, amount: str, value: str | None, is_outgoing: bool | None
) -> None:
    """Brackets, signs behind, debit and credit, either decimal sign; what is ambiguous is refused."""
    path = written(f'Date;Reference;Amount\n31/05/2026;rent-1;"{amount}"\n')

    try:
        (entry,) = read_statement(path, outgoing="negative" if is_outgoing is None else None).entries
    except RowErrors:
        assert value is None
    else:
        assert (str(entry.amount), entry.outgoing) == (value, bool(is_outgoing))


@pytest.mark.parametrize(
    "content",
    [
        "Date,Reference,Debit,Credit\n31/05/2026,rent-1,10.00,-\n",
        "Date,Reference,DR/CR,Amount\n31/05/2026,rent-1,DR,10.00\n",
        "Date,Reference,Credit/Debit,Amount\n31/05/2026,rent-1,debit,-10.00\n",
        "Account,12345678\nFrom,01/05/2026\n\nDate,Reference,Amount\n31/05/2026,rent-1,-10.00\n",
        '"Date";"Reference";"Amount"\n"31/05/2026";"rent-1";"-10,00"\n',
        "sep=;\nDate;Reference;Amount\n31/05/2026;rent-1;-10,00\n",
        "Date\tReference\tAmount\n2026-05-31T12:00:00\trent-1\t-10.00\n",
        "Date,Reference,Amount\n31-May-26,rent-1,-10.00\n",
    ],
)
def test_statements_are_read_as_banks_write_them(written, content: str) -> None:
    """Columns of either way, a dash for an empty cell, lines above the header, and any separator give one entry."""
    (entry,) = read_statement(written(content)).entries

    assert (entry.date, entry.amount, entry.outgoing, entry.texts) == (MAY, Decimal(10), True, ("rent-1",))


def test_a_reference_and_a_description_are_both_kept(written) -> None:
    """Whatever a payer may have written can carry a reference."""
    (entry,) = read_statement(written("Date,Reference,Description,Amount\n2026-05-31,x,FPO  y,-1\n")).entries

    assert entry.texts == ("x", "FPO y")


@pytest.mark.parametrize(
    "content",
    ["Account,12345678\nFrom,01/05/2026\n", "12345678,GB33BUKB20201555555555\n1,2\n", "Date,12345678\n1,2\n"],
)
def test_no_message_shows_an_account_number(written, content: str) -> None:
    """The lines of a statement about its account are not repeated when its header is not found."""
    with pytest.raises(CaxtonError) as refusal:
        read_statement(written(content))

    assert not re.search("[0-9]{5}", str(refusal.value))


def test_lines_without_an_amount_are_passed_over(written) -> None:
    """Headings and balances between the entries are none."""
    path = written("Date,Reference,Amount\n,Opening balance,\n2026-05-31,x,-1\n2026-05-31,fee,0.00\n")

    assert [entry.line for entry in read_statement(path).entries] == [3]


def test_a_workbook_is_read_too(tmp_path: Path) -> None:
    """Dates and numbers of a workbook need no format."""
    book = openpyxl.Workbook()
    book.active.append(["Date", "Reference", "Amount"])
    book.active.append([MAY, "PAY-1", -1234.5])
    book.active.append([dt.datetime(2026, 5, 31, 12), "PAY-2", -1])  # noqa: DTZ001 -- as a workbook has it
    book.save(tmp_path / "statement.xlsx")

    entries = read_statement(tmp_path / "statement.xlsx").entries

    assert [(entry.date, entry.amount) for entry in entries] == [(MAY, Decimal("1234.5")), (MAY, Decimal(1))]


def test_every_line_that_cannot_be_read_is_named(written) -> None:
    """A statement is read whole or not at all, since a line left out may be somebody's payment."""
    path = written('Date,Reference,Amount\n31/31/2026,x,-1\n,x,-1\n2026-05-31,x,"1.234,5000"\n2026-05-31,x,ten,"x\n')

    with pytest.raises(RowErrors) as refusal:
        read_statement(path)

    assert [error.line for error in refusal.value.errors] == [2, 3, 4, 5]
    assert str(refusal.value).startswith(
        f"{path} has 4 errors, so it is not read:\n  line 2: a text of 10 characters is not"
    )


def test_a_line_with_too_many_cells_is_named(written) -> None:
    """An amount with an unquoted comma is not taken for a smaller one."""
    with pytest.raises(RowErrors, match="line 2: has 3 cells"):
        read_statement(written("Date,Amount\n2026-05-31,-1,234\n"))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("When,Amount\n2026-05-31,-1\n", {}, "no column for date"),
        ("When,Sum\n2026-05-31,-1\n", {}, "no column for date and amount: it has When, Sum"),
        (
            "Date,Amount\n2026-05-31,-1\n",
            {"options": InputOptions(columns={"reference": "Memo"})},
            r"reference \(Memo\)",
        ),
        ("Date,Amount\n2026-05-31,-1\n", {"options": InputOptions(columns={"payee": "Amount"})}, "payee is no part"),
    ],
)
def test_a_column_that_is_missing_is_named(written, content: str, options: dict, said: str) -> None:
    """Without a date and an amount nothing can be compared."""
    with pytest.raises(InvalidRequest, match=said):
        read_statement(written(content), **options)


def test_an_empty_statement_has_no_entries(written) -> None:
    """A quiet month is no error."""
    assert read_statement(written("Date,Amount\n")).entries == ()


def test_a_statement_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong path is a matter of configuration."""
    with pytest.raises(ConfigurationError, match="none"):
        read_statement(tmp_path / "none.csv")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.text('0123456789-.,/ £"\nADRC()+', max_size=20), max_size=5))
def test_any_statement_gives_entries_or_an_error_of_ours(written, lines: list[str]) -> None:
    """Whatever a statement holds, its amounts are above zero or it is refused."""
    path = written("Date,Amount,Reference\n" + "".join(f"2026-05-31,{line},x\n" for line in lines))

    try:
        amounts = [entry.amount for entry in read_statement(path, outgoing="negative").entries]
    except CaxtonError:
        amounts = []

    assert all(amount > 0 for amount in amounts)
