"""Which of the unknown rows were paid: said by a look-up, found on a statement, or left to a person."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from caxton_async.batch.journal import Journal
from caxton_async.batch.reconcile import Findings, Open, match_statement, reconcile, reconcile_statement
from caxton_async.batch.statement import Entry, Statement
from caxton_async.batch.states import JournalRow, RowState
from caxton_async.errors import InvalidRequest
from tests.support.journals import Past, write_journal

UNKNOWN = RowState.UNKNOWN
SENT_ON = dt.date(2026, 5, 28)  # of a `Past`


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Write a journal with three unknown rows among others."""
    return await write_journal(
        tmp_path / "journal",
        Past(reference="PAY-1"),
        Past(reference="PAY-2", state=UNKNOWN),
        Past(reference="PAY-3", state=UNKNOWN),
        Past(reference="PAY-4", state=UNKNOWN),
        Past(reference="PAY-5", state=RowState.REJECTED),
    )


def entry(line: int, reference: str = "", amount: str = "10.00", **changes) -> Entry:
    """Build an entry of money that left the account on the day after the call."""
    values = {"date": SENT_ON + dt.timedelta(days=1), "outgoing": True, "currency": "GBP"} | changes
    return Entry(line=line, amount=Decimal(amount), reference=reference, **values)


class Rows:
    """A journal of rows that no run leaves behind."""

    def __init__(self, *rows: JournalRow) -> None:
        self._rows = rows

    def rows(self, _state: RowState | None = None) -> tuple[JournalRow, ...]:
        return self._rows


async def matched(tmp_path: Path, rows: list[Past], entries: list[Entry], **options) -> Findings:
    """Match rows with a statement, settling nothing."""
    journal = await write_journal(tmp_path / "matched", *rows)
    with Journal.read(journal) as reader:
        return match_statement(reader, Statement("may.csv", tuple(entries)), **options)


@pytest.mark.parametrize("kind", ["function", "coroutine"])
async def test_a_look_up_settles_what_it_knows(path: Path, kind: str) -> None:
    """Paid and not paid are settled with who, why and when; what the look-up does not know stays unknown."""
    answers = {"PAY-2": True, "PAY-3": False, "PAY-4": None}
    asked = []

    def in_ledger(reference: str) -> bool | None:
        asked.append(reference)
        return answers[reference]

    async def in_remote_ledger(reference: str) -> bool | None:
        return in_ledger(reference)

    with Journal.open(path) as journal:
        findings = await reconcile(journal, in_ledger if kind == "function" else in_remote_ledger, who="ada")

    assert asked == ["PAY-2", "PAY-3", "PAY-4"]
    assert [(found.reference, found.paid) for found in findings.found] == [("PAY-2", True), ("PAY-3", False)]
    assert findings.left == (Open("PAY-4", "the look-up does not know"),)
    with Journal.read(path) as reader:
        paid, unpaid, unknown = (reader.row(f"PAY-{number}") for number in (2, 3, 4))
    assert (paid.status.settled_as_paid, unpaid.status.settled_as_paid) == (True, False)
    assert (paid.status.settled_by, unknown.state) == ("ada", UNKNOWN)
    assert "ledger" in paid.status.settled_note
    assert paid.status.settled_at is not None


@pytest.mark.parametrize("answer", ["no", 0, 1, "paid"])
async def test_a_look_up_that_answers_loosely_settles_nothing(path: Path, answer: object) -> None:
    """A text such as "no" is true to Python, and would turn the answer round."""
    with Journal.open(path) as journal:
        with pytest.raises(InvalidRequest, match="True, False or None"):
            await reconcile(journal, lambda _reference: answer, who="ada")

        assert journal.counts()[RowState.SETTLED] == 0


async def test_a_look_up_that_fails_leaves_what_it_settled(path: Path) -> None:
    """What was learnt before an error is kept, and the error comes out."""

    def look_up(reference: str) -> bool:
        if reference == "PAY-3":
            raise LookupError("the ledger is closed")
        return True

    with Journal.open(path) as journal:
        with pytest.raises(LookupError, match="closed"):
            await reconcile(journal, look_up, who="ada")

        assert journal.row("PAY-2").state is RowState.SETTLED


async def test_a_statement_settles_what_is_on_it(path: Path) -> None:
    """A row that the statement names is settled as paid, with the line; the others are left, never as not paid."""
    statement = Statement("may.csv", (entry(7, "PAY-3"),))

    with Journal.open(path) as journal:
        findings = reconcile_statement(journal, statement, who="ada")
        row, absent = journal.row("PAY-3"), journal.row("PAY-2")

    assert [found.reference for found in findings.found] == ["PAY-3"]
    assert (row.status.settled_as_paid, row.status.settled_by) == (True, "ada")
    assert row.status.settled_note == "on the statement may.csv, line 7, which names its reference"
    assert absent.state is UNKNOWN
    assert [left.reference for left in findings.left] == ["PAY-2", "PAY-4"]
    assert all("does not mean that it was not paid" in left.why for left in findings.left)


@pytest.mark.parametrize("text", ["PAY-1", "pay-1", " PAY-1 ", "BACS PAY-1 ADA", "ref:PAY-1;ada", "SALARY, PAY-1"])
async def test_a_reference_is_found_in_the_text_of_the_bank(tmp_path: Path, text: str) -> None:
    """Banks change case and put words around a reference."""
    findings = await matched(tmp_path, [Past(reference="PAY-1", state=UNKNOWN)], [entry(2, text)])

    assert [(found.reference, found.paid) for found in findings.found] == [("PAY-1", True)]


ONE = [Past(reference="PAY-1", state=UNKNOWN)]
TWINS = [Past(reference="PAY-1", state=UNKNOWN), Past(reference="PAY-2", state=UNKNOWN)]
PAID_TWIN = [Past(reference="PAY-1", state=UNKNOWN), Past(reference="PAY-2")]
SETTLED_TWIN = [Past(reference="PAY-1", state=UNKNOWN), Past(reference="PAY-2", state=RowState.SETTLED)]
NO_AMOUNT = [Past(reference="PAY-1", state=UNKNOWN, amount=None, currency=None)]
BEFORE = SENT_ON - dt.timedelta(days=28)


@pytest.mark.parametrize(
    ("rows", "entries", "why", "lines"),
    [
        pytest.param(ONE, [], "does not mean", (), id="an empty statement"),
        pytest.param(ONE, [entry(2, "PAY-1"), entry(3, "PAY-1")], "several entries name", (2, 3), id="named twice"),
        pytest.param(ONE, [entry(2, "PAY-1", "10.01")], "another amount", (2,), id="another amount"),
        pytest.param(ONE, [entry(2, "PAY-1", currency="EUR")], "another currency", (2,), id="another currency"),
        pytest.param(ONE, [entry(2, "PAY-1", outgoing=False)], "returned", (2,), id="money that came in"),
        pytest.param(
            ONE,
            [entry(2, "PAY-1"), entry(3, "RETURN PAY-1", outgoing=False)],
            "returned",
            (2, 3),
            id="money that came back",
        ),
        pytest.param(TWINS, [entry(2, "PAY-1 PAY-2")], "names other rows", (2,), id="an entry of two rows"),
        pytest.param(NO_AMOUNT, [entry(2, "FOR PAY-1")], "amount is not known", (2,), id="in a text, with no amount"),
        pytest.param(NO_AMOUNT, [entry(2, "x")], "does not mean", (), id="no amount to compare"),
        pytest.param(ONE, [entry(2, "PAY-1", date=BEFORE)], "does not mean", (), id="last month's reference"),
        pytest.param(ONE, [entry(2, "x", date=BEFORE)], "does not mean", (), id="last month's amount"),
        pytest.param(
            ONE, [entry(2, "x"), entry(3, "y")], "several entries have", (2, 3), id="two entries of the amount"
        ),
        pytest.param(TWINS, [entry(2, "x")], "other rows", (2,), id="two rows of the amount"),
        pytest.param(PAID_TWIN, [entry(2, "x")], "other rows", (2,), id="an accepted row of the amount"),
        pytest.param(SETTLED_TWIN, [entry(2, "x")], "other rows", (2,), id="a settled row of the amount"),
        pytest.param(PAID_TWIN, [entry(2, "PAY-2")], "does not mean", (), id="the entry of another row"),
        pytest.param(ONE, [entry(2, "x", outgoing=False)], "does not mean", (), id="an amount that came in"),
        pytest.param(ONE, [entry(2, "x", currency="EUR")], "does not mean", (), id="an amount of another currency"),
        pytest.param(ONE, [entry(2, "x", currency=None)], "does not mean", (), id="an amount of no currency"),
        pytest.param(
            [Past(reference="7", state=UNKNOWN)],
            [entry(2, "FLAT 7", "99")],
            "does not mean",
            (),
            id="a short reference",
        ),
    ],
)
async def test_what_is_ambiguous_is_left_to_a_person(
    tmp_path: Path, rows: list[Past], entries: list[Entry], why: str, lines: tuple[int, ...]
) -> None:
    """Each doubt is named, with the lines of the statement to look at, and settles nothing."""
    findings = await matched(tmp_path, rows, entries)

    assert findings.found == ()
    assert why in findings.left[0].why
    assert findings.left[0].lines == lines


@pytest.mark.parametrize(
    ("rows", "entries", "how"),
    [
        (ONE, [entry(2, "x")], "its only entry whose amount and currency agree"),
        (ONE, [entry(2, "PAY-1", currency=None)], "names its reference"),
        (NO_AMOUNT, [entry(2, "PAY-1")], "names its reference"),
        (PAID_TWIN, [entry(2, "PAY-2"), entry(3, "x")], "its only entry whose amount and currency agree"),
        ([*ONE, Past(reference="PAY-5", state=RowState.REJECTED)], [entry(2, "x")], "amount and currency agree"),
        (ONE, [entry(2, "x", amount="10", date=SENT_ON - dt.timedelta(days=1))], "amount and currency agree"),
    ],
)
async def test_what_is_clear_is_found(tmp_path: Path, rows: list[Past], entries: list[Entry], how: str) -> None:
    """A single entry that no other row may have is the row's."""
    findings = await matched(tmp_path, rows, entries)

    assert [found.reference for found in findings.found] == ["PAY-1"]
    assert how in findings.found[0].why


async def test_beneficiaries_tell_equal_amounts_apart(tmp_path: Path) -> None:
    """Where names are known on both sides, they decide."""
    entries = [entry(2, beneficiary="ADA  LOVELACE"), entry(3, beneficiary="Charles Babbage")]
    names = {"PAY-1": "Charles Babbage", "PAY-2": "Ada Lovelace"}

    findings = await matched(tmp_path, TWINS, entries, beneficiaries=names)

    assert [(found.reference, found.why) for found in findings.found] == [
        ("PAY-1", "on the statement may.csv, line 3, its only entry whose amount, currency and beneficiary agree"),
        ("PAY-2", "on the statement may.csv, line 2, its only entry whose amount, currency and beneficiary agree"),
    ]


async def test_another_beneficiary_is_another_payment(tmp_path: Path) -> None:
    """The same amount to somebody else is no evidence."""
    findings = await matched(tmp_path, ONE, [entry(2, beneficiary="Bob")], beneficiaries={"PAY-1": "Ada"})

    assert findings.found == ()


async def test_a_row_that_was_never_dated_is_matched_by_reference(tmp_path: Path) -> None:
    """Nothing is older than a call of which no time is known."""
    with Journal.read(await write_journal(tmp_path / "undated", *ONE)) as reader:
        row = reader.row("PAY-1")
    undated = evolve(row, status=evolve(row.status, started_at=None))

    findings = match_statement(Rows(undated), Statement("may.csv", (entry(2, "PAY-1", date=BEFORE),)))

    assert [found.reference for found in findings.found] == ["PAY-1"]
