"""Which of the unknown rows a statement shows as paid, and what is left to a person."""

import datetime as dt
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.reconcile import (
    Proposals,
    Proposed,
    SentRow,
    Statement,
    StatementEntry,
    Undecided,
    match_statement,
)

SENT_AT = dt.datetime(2026, 5, 28, 12, tzinfo=dt.UTC)
SENT_ON, BEFORE = SENT_AT.date(), SENT_AT.date() - dt.timedelta(days=1)
ROW = SentRow("rent-17", Decimal(500), "GBP", "Jane Roe", SENT_AT.timestamp())
TWIN = evolve(ROW, reference="rent-18")


def entry(line: int, *texts: str, amount: str = "500.00", **changes) -> StatementEntry:
    """Build an entry of money that went out on the day of the call."""
    values = {"date": SENT_ON, "outgoing": True, "currency": "GBP"} | changes
    return StatementEntry(line=line, amount=Decimal(amount), texts=texts, **values)


def match(rows: list[SentRow], entries: list[StatementEntry], *others: SentRow, **options) -> Proposals:
    """Match rows with a statement."""
    return match_statement(Statement("may.csv", tuple(entries)), rows, others, **options)


@pytest.mark.parametrize(
    ("rows", "entries", "how"),
    [
        pytest.param([ROW], [entry(2, "RENT-17")], "carries its reference", id="reference"),
        pytest.param([ROW], [entry(2, "Rent May", "rent-17")], "carries", id="reference among the texts"),
        pytest.param([ROW], [entry(2, "rent-17", currency=None)], "carries", id="a statement without currency"),
        pytest.param([evolve(ROW, amount=None)], [entry(2, "rent-17")], "carries", id="a row without amount"),
        pytest.param([evolve(ROW, started_at=None)], [entry(2, "rent-17", date=BEFORE)], "carries", id="no time"),
        pytest.param([ROW], [entry(2, beneficiary="JANE  ROE")], "beneficiary, and a date", id="all that agrees"),
        pytest.param([ROW], [entry(2, "FPO JANE ROE RENT-17")], "beneficiary, and a date", id="a name in the text"),
        pytest.param([ROW], [entry(2, beneficiary="Jane Roe"), entry(3, beneficiary="Bob")], "entry 2", id="two names"),
        pytest.param([ROW, TWIN], [entry(2, "rent-18"), entry(3, "rent-17")], "entry 3", id="equal rows, named apart"),
        pytest.param(
            [ROW, evolve(TWIN, beneficiary="Bob")],
            [entry(2, beneficiary="Bob"), entry(3, beneficiary="Jane Roe")],
            "entry 3",
            id="equal amounts, other people",
        ),
    ],
)
def test_what_the_statement_leaves_no_doubt_of_is_proposed(
    rows: list[SentRow], entries: list[StatementEntry], how: str
) -> None:
    """A single entry that carries the reference, or agrees in all of it, is the row's; the reason names it."""
    proposals = match(rows, entries)

    assert len(proposals.paid) == len(rows)
    assert how in proposals.paid[0].why
    assert "may.csv" in proposals.paid[0].why


@pytest.mark.parametrize(
    ("rows", "entries", "why", "lines"),
    [
        pytest.param([ROW], [entry(2, "OFFICE RENT")], "does not show", (2,), id="a stranger's equal amount"),
        pytest.param([ROW], [entry(2)], "does not show", (2,), id="an equal amount without a word"),
        pytest.param([ROW], [entry(2, beneficiary="Bob")], "does not show", (2,), id="an equal amount to another"),
        pytest.param([ROW], [entry(2, "FEE", date=BEFORE)], "not on the statement", (), id="booked before the call"),
        pytest.param(
            [ROW], [entry(2, beneficiary="Jane Roe", date=BEFORE)], "not on the statement", (), id="last month's salary"
        ),
        pytest.param([ROW], [entry(2, "rent-17", date=BEFORE)], "older", (2,), id="last month's reference"),
        pytest.param([ROW], [entry(2, "FEE FOR FAILED PAYMENT rent-17")], "longer text", (2,), id="a longer text"),
        pytest.param([ROW], [entry(2, "rent-177")], "does not show", (2,), id="a longer reference"),
        pytest.param([ROW], [entry(2, "rent-17", amount="5")], "another amount", (2,), id="another amount"),
        pytest.param([ROW], [entry(2, "rent-17", currency="EUR")], "another currency", (2,), id="another currency"),
        pytest.param([ROW], [entry(2, "rent-17", outgoing=False)], "came in", (2,), id="money that came in"),
        pytest.param(
            [ROW], [entry(2, "rent-17"), entry(3, "rent-17", outgoing=False)], "came in", (2, 3), id="returned"
        ),
        pytest.param([ROW], [entry(2, "rent-17"), entry(3, "rent-17")], "several", (2, 3), id="named twice"),
        pytest.param([ROW, ROW], [entry(2, "rent-17")], "another row's too", (2,), id="two rows of a reference"),
        pytest.param([ROW, TWIN], [entry(2, beneficiary="Jane Roe")], "other rows", (2,), id="two rows alike"),
        pytest.param(
            [ROW],
            [entry(2, beneficiary="Jane Roe"), entry(3, beneficiary="Jane Roe")],
            "several",
            (2, 3),
            id="two entries alike",
        ),
        pytest.param([ROW], [], "does not mean that it was not paid", (), id="an empty statement"),
        pytest.param(
            [ROW], [entry(2, beneficiary="Jane Roe", currency=None)], "not on", (), id="a currency that is not known"
        ),
        pytest.param([evolve(ROW, amount=None)], [entry(2, beneficiary="Jane Roe")], "not on", (), id="no amount"),
        pytest.param([evolve(ROW, beneficiary=None)], [entry(2, "x")], "does not show", (2,), id="no beneficiary"),
    ],
)
def test_what_is_in_doubt_is_left_to_a_person(
    rows: list[SentRow], entries: list[StatementEntry], why: str, lines: tuple[int, ...]
) -> None:
    """Each doubt is named, with the lines of the statement to look at, and proposes nothing."""
    proposals = match(rows, entries)

    assert (proposals.paid, proposals.to_confirm) == ((), ())
    assert why in proposals.undecided[0].why
    assert proposals.undecided[0].lines == lines


def test_an_entry_that_may_be_another_payment_s_is_not_proposed() -> None:
    """A row that was paid, of this batch or another, has an entry of its own."""
    entries = [entry(2, "rent-17")]

    assert match([ROW], entries, ROW).undecided == (
        Undecided("rent-17", "the entry with its reference may be another row's too", (2,)),
    )
    assert len(match([ROW], [*entries, entry(3, beneficiary="Jane Roe")], TWIN).paid) == 1
    assert match([ROW], [entry(2, beneficiary="Jane Roe")], TWIN).paid == ()


def test_an_entry_of_one_employee_proposes_the_payroll() -> None:
    """The rows of a payroll share one money step, which a person confirms."""
    proposals = match([ROW, evolve(TWIN, beneficiary="Bob")], [entry(2, "rent-17")], is_payroll=True)

    assert proposals.paid == ()
    assert proposals.to_confirm == (Proposed("rent-17", "entry 2 of the statement may.csv carries its reference", 2),)
    assert [left.reference for left in proposals.undecided] == ["rent-18"]


ROWS = st.builds(
    SentRow,
    st.sampled_from(["a-1", "a-2"]),
    st.sampled_from([None, Decimal(1), Decimal(2)]),
    st.sampled_from([None, "GBP", "EUR"]),
    st.sampled_from([None, "Ada", "Bob"]),
    st.sampled_from([None, SENT_AT.timestamp()]),
)
ENTRIES = st.builds(
    StatementEntry,
    st.integers(1, 9),
    st.sampled_from([BEFORE, SENT_ON]),
    st.sampled_from([Decimal("1.00"), Decimal(2)]),
    st.booleans(),
    st.lists(st.sampled_from(["a-1", "a-2", "fee for a-1", "Ada a-2"]), max_size=2).map(tuple),
    st.sampled_from([None, "GBP", "EUR"]),
    st.sampled_from([None, "ADA", "Bob"]),
)


@given(
    rows=st.lists(ROWS, max_size=4, unique_by=lambda row: row.reference),
    entries=st.lists(ENTRIES, max_size=5, unique_by=lambda each: each.line),
    others=st.lists(ROWS, max_size=2),
)
def test_a_proposal_always_has_its_evidence(
    rows: list[SentRow], entries: list[StatementEntry], others: list[SentRow]
) -> None:
    """Whatever a statement holds, no entry is proposed for two rows, for another amount, or for an older call."""
    proposals = match(rows, entries, *others)

    by_line = {each.line: each for each in entries}
    assert len({found.line for found in proposals.paid}) == len(proposals.paid)
    assert len(proposals.paid) + len(proposals.undecided) == len(rows)
    for found in proposals.paid:
        row = next(row for row in rows if row.reference == found.reference)
        evidence = by_line[found.line]
        assert evidence.outgoing
        assert row.amount in {None, evidence.amount}
        assert not row.started_at or evidence.date >= SENT_ON
        assert row.reference in evidence.texts or row.beneficiary
