"""What every kind of journal keeps: planning, claims, outcomes, decisions, and what a reader finds."""

import asyncio
import itertools
import time

import pytest
from attrs import evolve

from caxton_async.errors import (
    DuplicateReference,
    DuplicatesSuspected,
    InvalidRequest,
    JournalRefused,
    ReferenceConflict,
    TransitionRefused,
)
from caxton_async.journal import STATES, Decision, Duplicates, Known, NewBatch, Recorded, RowState, Taken
from tests.support.payments import (
    BINDING,
    MAY,
    PAYROLL,
    Place,
    outcome,
    plan,
    planned_with,
    row,
    rows,
    states_of,
    take,
)

OUTCOMES = [RowState.ACCEPTED, RowState.REJECTED, RowState.NOT_SENT, RowState.UNKNOWN]
SINGLE = evolve(MAY, name="once move_funds", kind="once")


def refuse_any(duplicates: Duplicates) -> None:
    """Let only a plan pass that resembles nothing."""
    if duplicates.count:
        raise DuplicatesSuspected("asked for before", duplicates=duplicates.first, count=duplicates.count)


# --- planning ---


async def test_a_batch_is_found_as_it_was_planned(place: Place) -> None:
    """A batch and its rows come back whole, in the order of the input, after the journal was closed."""
    new = evolve(MAY, name="m\udce4i.csv", input_digest="ab", plan_digest="cd", approved_by="grace")
    planned = [row("one", b'{"A": 1}', line=2, amount="1.10", currency="GBP", beneficiary="Zoë"), row("two")]
    async with place.open() as journal:
        info = await plan(journal, planned, new)

    with place.open() as journal:
        found = list(journal.rows(info.id))
        assert list(journal.batches()) == [journal.batch(info.id)] == [info]
        assert {name: getattr(info, name) for name in ("name", "input_digest", "approved_by", "details", "total")} == {
            "name": "m\udce4i.csv",
            "input_digest": "ab",
            "approved_by": "grace",
            "details": {"input": "may.csv"},
            "total": 2,
        }
        assert [(one.reference, one.request, one.digest, one.position) for one in found] == [
            (one.reference, one.request, one.digest, position) for position, one in enumerate(planned, 1)
        ]
        assert (found[0].line, found[0].amount, found[0].currency, found[0].beneficiary) == (2, "1.10", "GBP", "Zoë")
        assert found[1] == journal.row(info.id, "two")


async def test_a_plan_that_fails_leaves_nothing(place: Place) -> None:
    """Rows that cannot be planned, a check that refuses, and an iterator that raises leave no batch behind."""

    def failing():
        yield from rows(1500)
        raise InvalidRequest("line 1502 is wrong")

    def refuse(_: Duplicates) -> None:
        raise DuplicatesSuspected("no")

    async with place.open() as journal:
        with pytest.raises(DuplicateReference, match="'row-1' stands in line 2 and again in line 9"):
            await plan(journal, [*rows(3), row("row-1", line=9)])
        with pytest.raises(InvalidRequest, match="line 1502"):
            await plan(journal, failing())
        with pytest.raises(DuplicatesSuspected):
            await plan(journal, 3, check=refuse)

        assert list(journal.batches()) == []


async def test_nothing_of_a_batch_is_taken_before_it_is_planned_whole(place: Place) -> None:
    """A plan that another worker sees while it is written cannot be sent."""
    async with place.open() as journal, await journal.join() as worker:

        async def look() -> None:
            (batch,) = journal.batches()
            assert batch.total is None
            with pytest.raises(JournalRefused, match="not planned whole"):
                await worker.take(batch.id)

        def until_looked():
            looking = None
            for number in itertools.count():
                if number == 1000:  # a chunk is written by then
                    looking = asyncio.create_task(look())
                if looking and looking.done():
                    looking.result()
                    return
                yield row(f"row-{number}")

        batch = await plan(journal, until_looked())
        assert len(await take(worker, batch.id, 3)) == 3


async def test_what_was_asked_for_before_is_found(place: Place) -> None:
    """Rows that equal others are found with both lines: of an earlier batch, or of the same input; others are not."""
    async with place.open() as journal:
        first = await plan(journal, [row("a", b"1", line=2), row("b", b"2", line=3)])
        asked = [row("x", b"3", line=2), row("y", b"2", line=3), row("z", b"3", line=4)]

        dry = journal.same_requests(asked, since=0.0)
        with pytest.raises(DuplicatesSuspected) as caught:
            await plan(journal, asked, check=refuse_any)

        assert [(one.reference, one.line, one.of_batch, one.of_reference, one.of_line) for one in dry.first] == [
            ("y", 3, first.id, "b", 3),
            ("z", 4, None, "x", 2),
        ]
        assert (caught.value.duplicates, caught.value.count) == (dry.first, 2)
        assert journal.same_requests(asked[:2], since=time.time() + 60).count == 0
        newest = await plan(journal, [row("again", b"2")])
        assert [one.of_batch for one in journal.same_requests(asked[1:2], since=0.0).first] == [newest.id]


@pytest.mark.parametrize(
    ("state", "paid", "is_found"),
    [
        *[(state, None, state is not RowState.REJECTED) for state in OUTCOMES],
        (RowState.UNKNOWN, True, True),
        (RowState.UNKNOWN, False, False),
    ],
    ids=["accepted", "rejected", "not sent", "unknown", "paid", "not paid"],
)
async def test_what_was_not_paid_may_be_asked_for_again(
    place: Place, state: RowState, paid: bool | None, is_found: bool
) -> None:
    """Rows that were refused, or resolved as not paid, are no duplicates; all others may have been paid, or will be."""
    batch = await planned_with(place, state)
    async with place.open() as journal:
        if paid is not None:
            journal.resolve(batch, [Decision("row-1", paid, "by phone")], who="ada")

        assert journal.same_requests(rows(1), since=time.time() - 3600).count == int(is_found)


async def test_of_two_plans_at_once_one_finds_the_other(place: Place) -> None:
    """The same rows planned by two at the same time pass once, since one compares after the other was accepted."""
    async with place.open() as one, place.open() as other:
        for round_ in range(5):
            planned = [row(f"row-{round_}-{number}") for number in range(50)]
            plans = [plan(journal, planned, check=refuse_any) for journal in (one, other)]
            found = await asyncio.gather(*plans, return_exceptions=True)

            assert sorted(type(result).__name__ for result in found) == ["BatchInfo", "DuplicatesSuspected"]


async def test_the_seal_of_a_batch_is_that_of_its_rows(place: Place) -> None:
    """Equal rows have the same seal in every journal; another request, or another order, has another."""
    async with place.open() as journal:
        first, again, other = [
            journal.seal((await plan(journal, planned)).id) for planned in (rows(3), rows(3), rows(3)[::-1])
        ]

        assert first == again != other


# --- claims and outcomes ---


async def test_every_row_is_taken_once(place: Place) -> None:
    """Many takers, of two workers, share the rows of a batch; each gets the request that was planned."""
    async with place.open() as journal, place.open() as other:
        batch = await plan(journal, 100)
        taken: list[Taken] = []

        async def work(worker) -> None:
            while found := await worker.take(batch.id):
                taken.append(found)
                assert await worker.record(found, outcome()) is Recorded.TAKEN

        async def go_on(worker) -> None:
            found = await worker.take(batch.id)
            while found:
                taken.append(found)
                found = await worker.record_and_take(found, outcome())

        async with await journal.join() as one, await other.join(concurrency=4) as two:
            await asyncio.gather(*(how(worker) for worker in (one, two) for how in (work, go_on) for _ in range(4)))

        assert sorted(found.id for found in taken) == [batch.id << 32 | n for n in range(1, 101)]
        assert {found.request for found in taken} == {planned.request for planned in rows(100)}
        assert states_of(journal, batch.id) == ["accepted"] * 100


@pytest.mark.parametrize("state", OUTCOMES, ids=lambda state: state.value)
async def test_an_outcome_is_kept_whole(place: Place, state: RowState) -> None:
    """All that an outcome says is found again, the answer too."""
    status = outcome(state, error="no", http_status=400, api_status_code=217, api_status="InsufficientFunds")
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal)
        taken = await worker.take(batch.id)
        assert taken is not None
        assert states_of(journal, batch.id) == ["sending"]
        assert await worker.record(taken, status, b"answer") is Recorded.TAKEN

        found = journal.row(batch.id, "row-1")
        assert (found.status, found.answer, found.worker, found.attempt) == (status, b"answer", worker.id, 1)


async def test_what_was_not_sent_is_taken_again_after_rewinding(place: Place) -> None:
    """A row that was not sent lies behind; `take_again` takes it at once, and `rewind` lets `take` come back to it."""
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 2)
        first, second = await take(worker, batch.id, 2)
        await worker.record(first, outcome(RowState.NOT_SENT))
        assert await worker.take(batch.id) is None

        again = await worker.take_again(first)
        assert again is not None
        assert (again.id, again.attempt) == (first.id, 2)
        assert await worker.take_again(first) is None
        await worker.record(again, outcome(RowState.NOT_SENT))
        worker.rewind(batch.id)
        third = await worker.take(batch.id)
        assert third is not None
        assert (third.id, third.attempt) == (first.id, 3)
        assert await worker.record(first, outcome(RowState.NOT_SENT)) is Recorded.NOT_MINE
        await worker.record(second, outcome())
        assert states_of(journal, batch.id) == ["sending", "accepted"]


async def test_a_cancelled_taker_gives_its_row_back(place: Place) -> None:
    """Rows that were claimed for takers who were cancelled meanwhile are not sent, and can be taken by others."""
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 3)
        first = await worker.take(batch.id)
        assert first
        going_on = worker.record_and_take(first, outcome())
        takers = [asyncio.create_task(taking) for taking in (going_on, worker.take(batch.id))]
        await asyncio.sleep(0)
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)

        worker.rewind(batch.id)
        assert len(await take(worker, batch.id, 3)) == 2
        assert states_of(journal, batch.id) == ["accepted", "sending", "sending"]


async def test_the_rows_of_a_payroll_are_taken_together_or_not_at_all(place: Place) -> None:
    """One claim takes all of them, and one commit records their outcome; while one does not wait, none is taken."""
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 3, PAYROLL)
        taken = await worker.take_all(batch.id)
        assert await worker.take_all(batch.id) == []
        assert await worker.record_all(taken, outcome(RowState.NOT_SENT)) is Recorded.TAKEN
        taken = await worker.take_all(batch.id)
        await worker.record_all(taken, outcome())

        assert [found.reference for found in taken] == ["row-1", "row-2", "row-3"]
        assert states_of(journal, batch.id) == ["accepted"] * 3


async def test_a_worker_that_leaves_gives_up_what_it_has_in_flight(place: Place) -> None:
    """What has no outcome when its worker leaves is unknown, and the worker takes nothing more."""
    async with place.open() as journal:
        batch = await plan(journal, 2)
        async with await journal.join() as worker:
            await worker.take(batch.id)

        assert states_of(journal, batch.id) == ["unknown", "planned"]
        with pytest.raises(JournalRefused, match="given up"):
            await worker.take(batch.id)


# --- late outcomes ---


@pytest.mark.parametrize("state", OUTCOMES, ids=lambda state: state.value)
async def test_a_late_outcome_replaces_unknown(place: Place, state: RowState) -> None:
    """An outcome of a row that was given up meanwhile is kept, and the counts follow it."""
    async with place.open() as journal:
        batch = await plan(journal)
        async with await journal.join() as worker:
            taken = await worker.take(batch.id)
        assert states_of(journal, batch.id) == ["unknown"]

        assert await worker.record(taken, outcome(state)) is Recorded.LATE
        assert states_of(journal, batch.id) == [state.value]
        assert list(journal.decisions(batch.id)) == []


@pytest.mark.parametrize(
    ("paid", "state", "alarm"),
    [
        (False, RowState.ACCEPTED, True),
        (True, RowState.ACCEPTED, False),
        (True, RowState.REJECTED, True),
        (False, RowState.REJECTED, False),
    ],
    ids=["not paid, yet accepted", "paid and accepted", "paid, yet rejected", "not paid and rejected"],
)
async def test_a_late_outcome_that_contradicts_a_decision_is_an_alarm(
    place: Place, paid: bool, state: RowState, alarm: bool
) -> None:
    """The answer of the API is a later decision about a row that a person resolved; if they differ, it is an alarm."""
    async with place.open() as journal:
        batch = await plan(journal)
        async with await journal.join() as worker:
            taken = await worker.take(batch.id)
        journal.resolve(batch.id, [Decision("row-1", paid, "by phone")], who="ada")

        assert await worker.record(taken, outcome(state)) is Recorded.LATE
        assert states_of(journal, batch.id) == ["resolved"]
        assert journal.row(batch.id, "row-1").status.paid is (state is RowState.ACCEPTED)
        assert [one.alarm for one in journal.decisions(batch.id)] == [False, alarm]


# --- decisions ---


@pytest.mark.parametrize("state", list(RowState), ids=lambda state: state.value)
async def test_only_what_is_unknown_or_resolved_is_resolved(place: Place, state: RowState) -> None:
    """A decision about any other row is refused, and none of the decisions beside it is kept."""
    before = RowState.UNKNOWN if state is RowState.RESOLVED else state
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 2)
        taken = await take(worker, batch.id, 1 if state is RowState.PLANNED else 2)
        await worker.record(taken[0], outcome(RowState.UNKNOWN))
        if before not in {RowState.PLANNED, RowState.SENDING}:
            await worker.record(taken[1], outcome(before))
        decisions = [Decision("row-1", True, "seen"), Decision("row-2", False, "by phone")]
        if RowState.RESOLVED in STATES[state].then:
            assert journal.resolve(batch.id, decisions, who="ada") == 2
            assert journal.resolve(batch.id, [Decision("row-2", True, "after all")], who="grace") == 1
            assert [journal.row(batch.id, f"row-{n}").status.paid for n in (1, 2)] == [True, True]
            assert [(one.reference, one.paid, one.note, one.who) for one in journal.decisions(batch.id)] == [
                ("row-1", True, "seen", "ada"),
                ("row-2", False, "by phone", "ada"),
                ("row-2", True, "after all", "grace"),
            ]
        else:
            with pytest.raises(TransitionRefused):
                journal.resolve(batch.id, decisions, who="ada")
            assert states_of(journal, batch.id) == ["unknown", state.value]
            assert list(journal.decisions(batch.id)) == []


async def test_a_decision_says_who_and_why(place: Place) -> None:
    """Without a name or a note, and about a reference that is not there, nothing is decided."""
    batch = await planned_with(place, RowState.UNKNOWN)
    with place.open() as journal:
        with pytest.raises(InvalidRequest):
            journal.resolve(batch, [Decision("row-1", True, "seen")], who=" ")
        with pytest.raises(InvalidRequest):
            journal.resolve(batch, [Decision("row-1", True, "")], who="ada")
        with pytest.raises(JournalRefused, match="no reference 'row-9'"):
            journal.resolve(batch, [Decision("row-9", True, "seen")], who="ada")

        assert states_of(journal, batch) == ["unknown"]


async def test_the_rows_of_a_payroll_are_resolved_together(place: Place) -> None:
    """A decision about one row of a payroll is one about all, which share their step."""
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 3, PAYROLL)
        await worker.record_all(await worker.take_all(batch.id), outcome(RowState.UNKNOWN))
        with pytest.raises(InvalidRequest, match="share one step"):
            journal.resolve(batch.id, [Decision("row-1", True, "n"), Decision("row-2", False, "n")], who="ada")

        assert journal.resolve(batch.id, [Decision("row-1", False, "by phone")], who="ada") == 3
        assert [found.status.paid for found in journal.rows(batch.id)] == [False] * 3


async def test_a_row_is_tried_again_once(place: Place) -> None:
    """A row that was refused or not paid is followed by one other and then final; what may have been paid by none."""
    batch = await planned_with(place, RowState.REJECTED, RowState.UNKNOWN)
    async with place.open() as journal:
        refused, unknown = journal.rows(batch)
        retry = evolve(MAY, follows=batch)
        with pytest.raises(JournalRefused, match="may have been paid"):
            await plan(journal, [row("row-2/2", follows=unknown.id)], retry)
        journal.resolve(batch, [Decision("row-2", False, "by phone")], who="ada")

        second = await plan(journal, [row("row-1/2", follows=refused.id), row("row-2/2", follows=unknown.id)], retry)

        assert [found.followed_by for found in journal.rows(batch)] == [second.id << 32 | 1, second.id << 32 | 2]
        with pytest.raises(JournalRefused, match="followed up already"):
            await plan(journal, [row("row-1/3", follows=refused.id)], retry)
        with pytest.raises(TransitionRefused, match="tried again"):
            journal.resolve(batch, [Decision("row-2", True, "after all")], who="ada")
        assert len(journal.batches()) == 2


# --- single payments ---


async def test_a_reference_is_taken_once(place: Place) -> None:
    """The same reference is one payment: taken once, known afterwards, and refused for another request."""
    async with place.open() as journal, await journal.join() as worker:
        taken = await worker.take_one(SINGLE, row("invoice-9"))
        assert isinstance(taken, Taken)
        flying = await worker.take_one(SINGLE, row("invoice-9"))
        assert isinstance(flying, Known)
        assert flying.is_in_flight
        await worker.record(taken, outcome(), b"answer")

        known = await worker.take_one(SINGLE, row("invoice-9"))
        assert isinstance(known, Known)
        assert (known.row.state, known.row.answer, known.is_in_flight) == (RowState.ACCEPTED, b"answer", False)
        with pytest.raises(ReferenceConflict):
            await worker.take_one(SINGLE, row("invoice-9", b"another"))


@pytest.mark.parametrize(
    "other",
    [evolve(SINGLE, endpoint="create_pot"), evolve(SINGLE, binding=evolve(BINDING, account="7"))],
    ids=["endpoint", "account"],
)
async def test_a_reference_is_of_its_endpoint_and_account(place: Place, other: NewBatch) -> None:
    """Another endpoint or account has references of its own."""
    async with place.open() as journal, await journal.join() as worker:
        first, second = [await worker.take_one(new, row("invoice-9")) for new in (SINGLE, other)]

        assert isinstance(first, Taken)
        assert isinstance(second, Taken)


@pytest.mark.parametrize("state", OUTCOMES, ids=lambda state: state.value)
async def test_only_what_was_not_sent_or_not_paid_is_taken_anew(place: Place, state: RowState) -> None:
    """A single payment is a new attempt when it was not sent, or a person decided that it was not made."""
    async with place.open() as journal, await journal.join() as worker:
        taken = await worker.take_one(SINGLE, row("invoice-9"))
        assert isinstance(taken, Taken)
        await worker.record(taken, outcome(state))
        again = await worker.take_one(SINGLE, row("invoice-9"))
        assert isinstance(again, Taken) is (state is RowState.NOT_SENT)

        if state is RowState.UNKNOWN:
            journal.resolve(taken.id >> 32, [Decision("invoice-9", False, "by phone")], who="ada")
            again = await worker.take_one(SINGLE, row("invoice-9"))
            assert isinstance(again, Taken)
            assert again.attempt == 2


async def test_single_payments_are_counted_and_not_sent_by_batches(place: Place) -> None:
    """They are listed as a batch, which no run can take rows of."""
    async with place.open() as journal, await journal.join() as worker:
        for number in range(3):
            taken = await worker.take_one(SINGLE, row(f"invoice-{number}"))
            assert isinstance(taken, Taken)
            await worker.record(taken, outcome(RowState.NOT_SENT))

        (batch,) = journal.batches()
        assert (batch.kind, batch.total, journal.counts(batch.id)[RowState.NOT_SENT]) == ("once", 3, 3)
        with pytest.raises(JournalRefused):
            await worker.take(batch.id)


# --- reading ---


async def test_reasons_are_grouped(place: Place) -> None:
    """Rows that were refused, not sent or unknown are counted by the API's status, else by their error."""
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 5)
        for number, taken in enumerate(await take(worker, batch.id, 5)):
            status = outcome(RowState.REJECTED, api_status="InsufficientFunds") if number < 3 else outcome()
            await worker.record(taken, status if number < 4 else outcome(RowState.UNKNOWN, error="closed"))

        assert [(one.state.value, one.reason, one.rows) for one in journal.reasons(batch.id)] == [
            ("rejected", "InsufficientFunds", 3),
            ("unknown", "closed", 1),
        ]
        journal.check()
        some = journal.rows(batch.id, [RowState.REJECTED, RowState.UNKNOWN], after=2)
        assert [found.position for found in some] == [3, 5]


async def test_facts_of_a_batch_are_noted(place: Place) -> None:
    """Details, the reason of a pause and an approval are kept; what is not there is refused in one sentence."""
    async with place.open() as journal:
        batch = (await plan(journal)).id
        journal.note(batch, upload="7", input=None)
        journal.pause(batch, "the balance is empty")
        journal.approve(batch, plan_digest="ab", approved_by="grace")
        found = journal.batch(batch)
        assert (found.details, found.paused_reason) == ({"upload": "7"}, "the balance is empty")
        assert (found.plan_digest, found.approved_by) == ("ab", "grace")
        journal.pause(batch, None)
        assert journal.batch(batch).paused_reason is None
        for ask in (journal.batch, lambda number: journal.note(number, a="b"), lambda number: journal.row(number, "r")):
            with pytest.raises(JournalRefused, match="batch 9"):
                ask(9)


async def test_pruning_removes_requests_of_finished_batches(place: Place) -> None:
    """Requests and answers of old batches without an open row go; digests stay, so duplicates are still found."""
    done = await planned_with(place, RowState.ACCEPTED, RowState.REJECTED)
    left = await planned_with(place, RowState.ACCEPTED, RowState.UNKNOWN)
    with place.open() as journal:
        assert journal.prune(before=time.time() - 60) == 0
        assert journal.prune(before=time.time() + 60) == 2

        assert [found.request for found in journal.rows(done)] == [None, None]
        assert all(found.request for found in journal.rows(left))
        assert journal.same_requests(rows(1), since=0.0).count == 1


async def test_pruning_forgets_old_single_payments_alone(place: Place) -> None:
    """A single payment is pruned by its own age; one that is to be made anew gets its request back."""
    async with place.open() as journal, await journal.join() as worker:
        for reference, state in (("old", RowState.UNKNOWN), ("open", RowState.UNKNOWN)):
            taken = await worker.take_one(SINGLE, row(reference))
            assert isinstance(taken, Taken)
            await worker.record(taken, outcome(state), b"answer")  # at a fixed time in the past
        new = await worker.take_one(SINGLE, row("new"))
        assert isinstance(new, Taken)
        await worker.record(new, evolve(outcome(), started_at=time.time()), b"answer")
        batch = taken.id >> 32
        journal.resolve(batch, [Decision("old", False, "by phone")], who="ada")

        assert journal.prune(before=time.time() - 60) == 1
        assert [found.request is None for found in journal.rows(batch)] == [True, False, False]
        again = await worker.take_one(SINGLE, row("old"))
        assert isinstance(again, Taken)
        assert again.request == row("old").request
        await worker.record(again, outcome())
        journal.check()


async def test_half_characters_end_no_journal(place: Place) -> None:
    """A name that is not UTF-8 is refused in a reference, and written out in what people and servers say."""
    with pytest.raises(InvalidRequest, match="half a character"):
        row("row-\udce4", b"request")
    batch = await planned_with(place, RowState.UNKNOWN)
    async with place.open() as journal, await journal.join(name="\udce4") as worker:
        journal.resolve(batch, [Decision("row-1", True, "\udce4")], who="J\udce4n")
        other = await plan(journal)
        taken = await worker.take(other.id)
        assert taken is not None
        await worker.record(taken, outcome(RowState.REJECTED, error="no\ud800", api_status="\udfff"))

        assert [(one.who, one.note) for one in journal.decisions(batch)] == [("J\\udce4n", "\\udce4")]
        assert [one.reason for one in journal.reasons(other.id)] == ["\\udfff"]
