"""The statement of a bank: whatever its columns are called, the money and its way are read rightly or not at all."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton_async.batch.rows import RowErrors
from caxton_async.batch.statement import Entry, read_statement
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
    assert statement.entries == (Entry(2, MAY, Decimal("10.50"), True, "PAY-1", "GBP", "Ada"),)


def test_columns_of_other_names_can_be_given(written) -> None:
    """What no guess finds is named by the caller, as is the currency and the way that dates are written."""
    path = written("When,What,How much\n05/31/26,PAY 1,10\n")

    statement = read_statement(
        path,
        columns={"date": "when", "reference": "What", "amount": "How much"},
        currency="GBP",
        outgoing="positive",
        date_format="%m/%d/%y",
    )

    assert statement.entries == (Entry(2, MAY, Decimal(10), True, "PAY 1", "GBP"),)


def test_a_named_column_wins_over_a_guess(written) -> None:
    """The caller knows the statement better."""
    path = written("Date,Amount,Value,Reference\n2026-05-31,-1,-2,x\n")

    assert read_statement(path, columns={"amount": "Value"}).entries[0].amount == Decimal(2)


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

    with pytest.raises(InvalidRequest, match="outgoing='positive'"):
        read_statement(path)
    assert read_statement(path, outgoing="negative").entries[0].outgoing is False


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
    path = written('Date,Reference,Amount\n31/31/2026,x,-1\n,x,-1\n2026-05-31,x,"1.234,50"\n2026-05-31,x,ten,"x\n')

    with pytest.raises(RowErrors) as refusal:
        read_statement(path)

    assert [error.line for error in refusal.value.errors] == [2, 3, 4, 5]
    assert str(refusal.value).startswith(
        f"{path} cannot be read as a statement:\n  line 2: a text of 10 characters is not"
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
        ("Date,Amount\n2026-05-31,-1\n", {"columns": {"reference": "Memo"}}, "no column Memo"),
        ("Date,Amount\n2026-05-31,-1\n", {"columns": {"payee": "Amount"}}, "payee is no part"),
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
@given(lines=st.lists(st.text('0123456789-.,/ £"\nA', max_size=20), max_size=5))
def test_any_statement_gives_entries_or_an_error_of_ours(written, lines: list[str]) -> None:
    """Whatever a statement holds, its amounts are above zero or it is refused."""
    path = written("Date,Amount,Reference\n" + "".join(f"2026-05-31,{line},x\n" for line in lines))

    try:
        amounts = [entry.amount for entry in read_statement(path, outgoing="negative").entries]
    except CaxtonError:
        amounts = []

    assert all(amount > 0 for amount in amounts)
