"""What a batch comes to, what is a duplicate, and what an approval binds."""

from collections.abc import AsyncIterator
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
import pytest_asyncio
from attrs import evolve

from caxton_async.batch.follow_up import follow_up_rows, next_name
from caxton_async.batch.plan import PlanOptions, describe_duplicate, make_plan, plan_batch
from caxton_async.batch.runner import resume_batch, run_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.errors import ApiError, DuplicatesSuspected, InvalidRequest, JournalRefused, LoginRefused
from caxton_async.journal import Decision, Journal, RowState
from caxton_async.journal.seal import Seal
from caxton_async.models import MoveFunds
from tests.support.batches import FakeCaxton, RowHistory, journal_in, planned, raising, write_batch
from tests.support.payments import BINDING

MOVES = [(f"ref-{n}", MoveFunds("GBP", "POT-GBP", Decimal(n) / 100)) for n in range(101, 106)]
ANY = PlanOptions()


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Give an open journal."""
    async with journal_in(tmp_path) as opened:
        yield opened


def digest_of(journal: Journal, rows: object = MOVES, **changes: object) -> str | None:
    """Return the digest of a plan, for a binding with those changes."""
    return make_plan(journal, MOVE_FUNDS, rows, binding=evolve(BINDING, **changes), options=ANY).digest


def test_totals_are_exact_whatever_the_precision_around(tmp_path: Path) -> None:
    """Amounts are added to the last digit, by currency and in all."""
    rows = [("a", MoveFunds("GBP", "P-GBP", Decimal("0.10"))), ("b", MoveFunds("JPY", "P-JPY", 7))]
    rows += [(f"c{n}", MoveFunds("GBP", "P-GBP", Decimal("123456789.99"))) for n in range(3)]

    with journal_in(tmp_path) as journal, localcontext(prec=3):
        plan = make_plan(journal, MOVE_FUNDS, rows, binding=None, options=ANY)

    assert [(total.currency, total.count, total.amount) for total in plan.totals] == [
        ("GBP", 4, Decimal("370370370.07")),
        ("JPY", 1, Decimal(7)),
    ]
    assert (plan.count, plan.control_sum, plan.digest) == (5, Decimal("370370377.07"), None)


def test_the_digest_covers_rows_and_for_whom_they_are_sent(tmp_path: Path) -> None:
    """Whatever differs makes another plan; the same rows make the same one."""
    others = {name: f"other-{name}" for name in ("origin", "username", "client_name", "account", "user")}
    edited = [*MOVES[:-1], ("ref-5", MoveFunds("GBP", "POT-GBP", Decimal(99999)))]

    with journal_in(tmp_path) as journal:
        digests = [digest_of(journal, **{name: value}) for name, value in others.items()]
        digests += [digest_of(journal, rows) for rows in (MOVES, edited, MOVES[:-1], MOVES[::-1], MOVES + MOVES[:1])]

        assert digest_of(journal, list(MOVES)) == digest_of(journal)

    assert len(set(digests)) == len(digests)
    assert {len(digest or "") for digest in digests} == {64}


async def test_the_digest_covers_the_duplicates(journal: Journal) -> None:
    """What was planned when nothing like it was there is another plan once there is."""
    before = digest_of(journal)
    await planned(journal, MOVES, MOVE_FUNDS)

    assert digest_of(journal) != before


@pytest.mark.parametrize("days", [-1.0, float("nan")], ids=["negative", "no number"])
def test_days_that_let_every_duplicate_pass_are_refused(days: float) -> None:
    """A slip of the hand does not switch the look for duplicates off."""
    with pytest.raises(InvalidRequest, match="give 0 or more"):
        PlanOptions(duplicate_days=days)


async def test_only_the_approved_plan_is_planned(journal: Journal) -> None:
    """Rows that were swapped after the approval are refused, and leave nothing."""
    approved = PlanOptions(approved=digest_of(journal), approved_by="grace")
    swapped = [*MOVES[:-1], ("ref-105", MoveFunds("GBP", "POT-GBP", Decimal(99999)))]

    with pytest.raises(InvalidRequest, match="not the one that was approved"):
        await plan_batch(journal, MOVE_FUNDS, swapped, binding=BINDING, options=approved)
    left = list(journal.batches())
    info = await plan_batch(journal, MOVE_FUNDS, MOVES, binding=BINDING, options=approved)

    assert left == []
    assert (info.plan_digest, info.approved_by) == (approved.approved, "grace")


async def test_an_approval_of_listed_duplicates_lets_them_pass(journal: Journal) -> None:
    """Without it they stop the plan; the message names them and the way on.  It holds once: then there are others."""
    await planned(journal, MOVES, MOVE_FUNDS)
    approved = PlanOptions(approved=digest_of(journal), approved_by="grace")

    with pytest.raises(DuplicatesSuspected, match=r"5 of 5 rows .*ref-101 as ref-101 of batch 1.*allow_duplicates"):
        await plan_batch(journal, MOVE_FUNDS, MOVES, binding=BINDING, options=ANY)

    assert (await plan_batch(journal, MOVE_FUNDS, MOVES, binding=BINDING, options=approved)).total == 5
    with pytest.raises(InvalidRequest, match="not the one that was approved"):
        await plan_batch(journal, MOVE_FUNDS, MOVES, binding=BINDING, options=approved)


@pytest.mark.parametrize(
    "row",
    [MOVES[0][1], ("ref-1",), ("ref-1", None), ("ref-1", "10 GBP"), (1, MOVES[0][1]), ("two\nlines", MOVES[0][1])],
    ids=["no pair", "no request", "nothing", "text", "a number", "two lines"],
)
async def test_a_row_that_cannot_be_sent_plans_nothing(journal: Journal, row: object) -> None:
    """What is no pair of a reference and a request of this call is refused before anything is sent."""
    with pytest.raises(InvalidRequest):
        await plan_batch(journal, MOVE_FUNDS, [MOVES[0], row], binding=BINDING, options=ANY)

    assert list(journal.batches()) == []


@pytest.mark.parametrize(
    "disguise",
    [
        pytest.param(lambda rows: rows, id="the same"),
        pytest.param(lambda rows: rows[::-1], id="another order"),
        pytest.param(lambda rows: [(f"x-{reference}", move) for reference, move in rows], id="other references"),
        pytest.param(lambda rows: [(r, evolve(m, amount=m.amount * 1)) for r, m in rows[:2]], id="some of them"),
        pytest.param(lambda rows: [(r, evolve(m, to_currency="pot-gbp")) for r, m in rows], id="small letters"),
    ],
)
async def test_the_same_payments_are_found_in_disguise(journal: Journal, disguise: object) -> None:
    """Rows equal to rows that may have been paid are named with the batch and the row that they resemble."""
    await planned(journal, MOVES, MOVE_FUNDS)
    rows = disguise(MOVES)

    found = make_plan(journal, MOVE_FUNDS, rows, binding=None, options=ANY).duplicates

    assert found.count == len(rows)
    assert {each.of_batch for each in found.first} == {1}
    assert describe_duplicate(found.first[0]).startswith(f"{rows[0][0]} as ref-10")


def test_a_row_that_is_entered_twice_is_found(tmp_path: Path) -> None:
    """Within one input too, and however the amount is written."""
    rows = [("a", MoveFunds("GBP", "P-GBP", Decimal("10.00"))), ("b", MoveFunds("GBP", "P-GBP", 10))]

    with journal_in(tmp_path) as journal:
        found = make_plan(journal, MOVE_FUNDS, rows, binding=None, options=ANY).duplicates

    assert [describe_duplicate(each) for each in found.first] == ["b as a"]


# --- the approval at each start ---


async def test_rows_that_are_not_the_approved_ones_are_not_sent(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the journal is compared at each start, so a batch whose rows were edited there stays where it is."""
    digest = digest_of(journal)
    refused = FakeCaxton(raising(LoginRefused("no")))
    options = {"journal": journal, "approved": digest, "approved_by": "grace"}
    await run_batch(refused, MOVE_FUNDS, MOVES, **options)
    caxton = FakeCaxton(raising(None))
    add = Seal.add

    with monkeypatch.context() as edited:
        edited.setattr(Seal, "add", lambda self, reference, request: add(self, reference, request + b" "))
        with pytest.raises(JournalRefused, match="not those that were approved by grace"):
            await resume_batch(caxton, 1, journal=journal)
    sent_before = caxton.sent.total()
    summary = await resume_batch(caxton, 1, journal=journal)

    assert (sent_before, summary.counts[RowState.ACCEPTED]) == (0, 5)


async def test_a_batch_may_be_approved_when_it_goes_on(journal: Journal) -> None:
    """An approval of other rows is refused; the right one is kept, and is the only one."""
    digest, other = digest_of(journal), digest_of(journal, MOVES[:2])
    await run_batch(FakeCaxton(raising(LoginRefused("no"))), MOVE_FUNDS, MOVES, journal=journal)
    caxton = FakeCaxton(raising(None))

    with pytest.raises(InvalidRequest, match="another plan than batch 1"):
        await resume_batch(caxton, 1, journal=journal, approved=other, approved_by="eve")
    await resume_batch(caxton, 1, journal=journal, approved=digest, approved_by="grace")

    info = journal.batch(1)
    assert (info.plan_digest, info.approved_by, caxton.sent.total()) == (digest, "grace", 5)


# --- rows that are tried anew ---


@pytest.mark.parametrize(("name", "following"), [("may", "may-r1"), ("may-r1", "may-r2"), ("may-r9", "may-r10")])
def test_each_try_has_a_name_of_its_own(name: str, following: str) -> None:
    """The suffix counts."""
    assert next_name(name) == following


async def test_rejected_rows_are_tried_anew_once(journal: Journal) -> None:
    """They are a batch of their own, with references of their own; nobody can retry them a second time."""
    refused = await run_batch(FakeCaxton(raising(ApiError("no funds"), times=3)), MOVE_FUNDS, MOVES, journal=journal)
    rows = list(follow_up_rows(journal, journal.batch(1), MOVE_FUNDS, "rejected"))
    options = PlanOptions(follows=1, approved=digest_of(journal, rows), approved_by="grace")

    info = await plan_batch(journal, MOVE_FUNDS, rows, binding=BINDING, options=options)
    with pytest.raises(JournalRefused):
        await plan_batch(
            journal, MOVE_FUNDS, rows, binding=BINDING, options=PlanOptions(follows=1, allow_duplicates=True)
        )

    assert refused.counts[RowState.REJECTED] == 3
    assert [row.reference for row in rows] == ["ref-101-r1", "ref-102-r1", "ref-103-r1"]
    assert (info.follows, info.total) == (1, 3)
    assert list(follow_up_rows(journal, journal.batch(1), MOVE_FUNDS, "rejected")) == []


async def test_only_what_was_not_paid_is_tried_anew(tmp_path: Path) -> None:
    """Of resolved rows those that were paid stay as they are; a correction counts."""
    batch = await write_batch(
        tmp_path,
        RowHistory(reference="paid", state=RowState.RESOLVED, paid=True),
        RowHistory(reference="unpaid", state=RowState.RESOLVED, paid=False, amount="11"),
        RowHistory(reference="corrected", state=RowState.RESOLVED, paid=True, amount="12"),
        RowHistory(reference="unknown", state=RowState.UNKNOWN, amount="13"),
    )

    with journal_in(tmp_path) as journal:
        journal.resolve(batch, [Decision("corrected", False, "the bank called back")], who="ada")
        rows = list(follow_up_rows(journal, journal.batch(batch), MOVE_FUNDS, "not-paid"))

    assert [row.reference for row in rows] == ["unpaid-r1", "corrected-r1"]
