"""Payments that are intended once: each of their outcomes, and callers that go away."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from attrs import evolve

from caxton_async import CaxtonClient, once
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import CREATE_WALLET, GENERATE_PASSWORD, MOVE_FUNDS
from caxton_async.errors import (
    AlreadyResolved,
    ApiError,
    ConfigurationError,
    InProgress,
    InvalidRequest,
    NotAuthorised,
    OutcomeUnknown,
    ReferenceConflict,
)
from caxton_async.journal import Decision, RowState
from caxton_async.models import CreateWallet, GeneratePassword, MoveFunds
from tests.support.harness import client, failure, hold
from tests.support.payers import PROCESSES, pay_once, until
from tests.support.payments import Place
from tests.support.scale import scaled

PAYMENT = MoveFunds("GBP", "POT1-GBP", Decimal("12.30"))


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An API with money and a pot."""
    async with Emulator(history=None) as emulator:
        main = emulator.ledger.accounts.main
        emulator.ledger.fund(main, "GBP", Decimal("1000.00"))
        emulator.ledger.create_pot(main, "GBP", "POT1", None)
        yield emulator


@pytest.fixture
async def caxton(emulator: Emulator) -> AsyncIterator[CaxtonClient]:
    """A client of the emulator."""
    async with client(emulator, deadline_s=10.0) as caxton:
        yield caxton


def pay(caxton: CaxtonClient, journal, request=PAYMENT, reference="invoice-981"):
    """Pay once."""
    return once(caxton, MOVE_FUNDS, request, reference=reference, journal=journal)


def paid(emulator: Emulator) -> int:
    """Count the payments that the API carried out."""
    return sum(request.endpoint == "move_funds" for request in emulator.requests)


async def test_the_same_reference_gives_the_same_result_back(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """The first call pays; every further one, in another process's journal too, returns an equal result unasked."""
    async with place.open() as journal:
        first = await pay(caxton, journal)
    async with place.open() as journal:
        again = await pay(caxton, journal)

    assert (first.state, first.replayed, first.reference) == (RowState.ACCEPTED, False, "invoice-981")
    assert again == evolve(first, replayed=True)
    assert first.result
    assert paid(emulator) == 1
    with place.open() as journal:
        (batch,) = journal.batches()
        found = journal.row(batch.id, "invoice-981")
        assert (found.amount, found.currency) == ("12.30", "GBP")


async def test_callers_at_once_share_one_payment(place: Place, emulator: Emulator, caxton: CaxtonClient) -> None:
    """Twenty callers of one reference, in two open journals, make one payment, and all get its result."""
    async with place.open() as one, place.open() as other:
        found = await asyncio.gather(*(pay(caxton, journal) for journal in (one, other) for _ in range(10)))

    assert len({result.result for result in found}) == 1
    assert sum(not result.replayed for result in found) == paid(emulator) == 1


async def test_a_refusal_is_raised_again(place: Place, emulator: Emulator, caxton: CaxtonClient) -> None:
    """The same error comes back with all that it said, and nothing is sent."""
    async with place.open() as journal:
        too_much = MoveFunds("GBP", "POT1-GBP", Decimal("99999.00"))
        first = await failure(pay(caxton, journal, too_much), ApiError)
        again = await failure(pay(caxton, journal, too_much), ApiError)

    assert (str(again), vars(again)) == (str(first), vars(first))
    assert paid(emulator) == 1


async def test_another_request_under_the_reference_is_refused(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """A reference stands for one request; an amount that is only written differently is the same."""
    async with place.open() as journal:
        await pay(caxton, journal)
        with pytest.raises(ReferenceConflict):
            await pay(caxton, journal, evolve(PAYMENT, amount=Decimal("12.35")))
        for wrong in (" ", "invoice\n981"):
            with pytest.raises(InvalidRequest):
                await pay(caxton, journal, reference=wrong)
        assert (await pay(caxton, journal, evolve(PAYMENT, amount=Decimal("12.3")))).replayed
    assert paid(emulator) == 1


@pytest.mark.parametrize("is_paid", [True, False], ids=["paid", "not paid"])
async def test_what_is_unknown_waits_for_a_person(
    place: Place, emulator: Emulator, caxton: CaxtonClient, is_paid: bool
) -> None:
    """A lost answer is unknown at each further call, until it is resolved: paid is said, not paid is paid anew."""
    emulator.faults.add(Fault("reset_after_work", endpoint="move_funds", times=1))
    async with place.open() as journal:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await pay(caxton, journal)
        assert paid(emulator) == 1
        (batch,) = journal.batches()
        journal.resolve(batch.id, [Decision("invoice-981", is_paid, "by phone")], who="ada")

        if is_paid:
            error = await failure(pay(caxton, journal), AlreadyResolved)
            assert (error.who, error.note) == ("ada", "by phone")
        else:
            assert not (await pay(caxton, journal)).replayed
            assert (await pay(caxton, journal)).replayed
    assert paid(emulator) == 1 + (not is_paid)


async def test_what_was_not_sent_is_sent_by_the_next_call(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """A call that could not leave is left to the next one, as a new attempt."""
    emulator.faults.add(Fault("unauthorised", endpoint="move_funds", times=2))
    async with place.open() as journal:
        with pytest.raises(NotAuthorised):
            await pay(caxton, journal)
        assert not (await pay(caxton, journal)).replayed

        (batch,) = journal.batches()
        assert journal.row(batch.id, "invoice-981").attempt == 2
    assert emulator.ledger.move_count == 1


async def test_a_cancelled_caller_does_not_cut_its_payment_off(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """The payment of a caller that went away is made and recorded; leaving the journal waits for it."""
    held = hold(emulator, "move_funds")
    async with place.open() as journal:
        caller = asyncio.create_task(pay(caxton, journal))
        await held.hit()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        held.release()

    async with place.open() as journal:
        assert (await pay(caxton, journal)).replayed
    assert paid(emulator) == 1


async def test_leaving_the_journal_does_not_wait_for_ever(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """After `drain_s` a payment in flight is cut off, and is unknown."""
    held = hold(emulator, "move_funds")
    async with place.open(drain_s=0.01) as journal:
        caller = asyncio.create_task(pay(caxton, journal))
        await held.hit()
        caller.cancel()
    held.release()

    with place.open() as journal:
        (batch,) = journal.batches()
        assert [row.state for row in journal.rows(batch.id)] == [RowState.UNKNOWN]


async def test_a_payment_in_another_process_is_waited_for(
    place: Place, emulator: Emulator, caxton: CaxtonClient
) -> None:
    """Until its deadline a caller waits for who is sending, then it says so; afterwards the result is there."""
    held = hold(emulator, "move_funds")
    hasty = caxton.with_options(deadline_s=0.2)
    async with place.open() as sender, place.open() as other:
        sending = asyncio.create_task(pay(caxton, sender))
        await held.hit()
        with pytest.raises(InProgress):
            await pay(hasty, other)
        waiting = asyncio.create_task(pay(caxton, other))
        await asyncio.sleep(0)
        held.release()

        assert (await waiting).result == (await sending).result
    assert paid(emulator) == 1


async def test_secrets_are_kept_only_where_they_are_encrypted(file_place: Place, caxton: CaxtonClient) -> None:
    """A result with a secret is refused by a journal in clear, before anything is sent."""
    request = GeneratePassword("ada", "ACME")
    async with file_place.open() as journal:
        with pytest.raises(ConfigurationError, match="CAXTON_JOURNAL_KEY_FILE"):
            await once(caxton, GENERATE_PASSWORD, request, reference="u", journal=journal)
        assert (await once(caxton, CREATE_WALLET, CreateWallet("w"), reference="w", journal=journal)).result


@pytest.mark.parametrize(
    ("references", "kills"), [(40, 2), pytest.param(300, scaled(10, 100), marks=[pytest.mark.long])]
)
@pytest.mark.timeout(600)
async def test_four_processes_pay_each_reference_once(
    place: Place, emulator: Emulator, references: int, kills: int
) -> None:
    """Each of four processes, killed and started again, pays the same references: each is paid once and recorded."""
    emulator.ledger.fund(emulator.ledger.accounts.main, "GBP", Decimal(1_000_000))
    emulator.faults.add(Fault("latency", endpoint="move_funds", seconds=0.02))
    chance, numbers = random.Random(kills), range(1, references + 1)

    def begin(seed: int):
        process = PROCESSES.Process(target=pay_once, args=(place, dict(emulator.environ), list(numbers), seed))
        process.start()
        return process

    processes = [begin(seed) for seed in range(4)]
    for kill in range(kills):
        enough = len(emulator.requests) + chance.randrange(references // kills)
        await until(lambda: len(emulator.requests) >= enough or not any(one.is_alive() for one in processes))  # noqa: B023
        victim = processes.pop(0)
        victim.kill()
        await asyncio.to_thread(victim.join)
        processes.append(begin(4 + kill))
    for process in processes:
        await asyncio.to_thread(process.join)

    assert [process.exitcode for process in processes] == [0] * 4
    paid_for = Counter(move.amount for move in emulator.ledger.moves)
    with place.open() as journal:
        journal.sweep()
        (batch,) = journal.batches()
        rows = list(journal.rows(batch.id))
        assert max(paid_for.values()) == 1
        assert sorted(row.reference for row in rows) == sorted(f"invoice-{number}" for number in numbers)
        assert {row.state for row in rows} <= {RowState.ACCEPTED, RowState.UNKNOWN}
        assert all(paid_for[Decimal(row.amount)] for row in rows if row.state is RowState.ACCEPTED)
        assert sum(row.state is RowState.UNKNOWN for row in rows) <= 16 * kills
