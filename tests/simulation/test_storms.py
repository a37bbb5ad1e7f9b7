"""Storms: many calls at once, cancelled, rejected, cut off and hurried at random, by seed; the ledger is the judge."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from attrs import frozen

from caxton_async import (
    ApiError,
    AuthenticationFailed,
    CaxtonClient,
    DeadlineExceeded,
    Event,
    NotSent,
    OutcomeUnknown,
    Sent,
    UnreadableReply,
)
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import client, outcomes, virtual
from tests.support.scale import scaled

WALLET, RATE, LOGIN = "create_wallet", "get_card_rate", "get_access_token"
SEEDS = range(scaled(200, 2000))

# What may happen to a request; the login may fail as well, but never for ever.
KINDS = ("unauthorised", "rate_limited", "server_error_before", "server_error_after", "reset_after_read")
KINDS += ("reset_after_work", "truncated_body", "close_after_answer", "failing_authorised", "stale_bytes")


@frozen
class Made:
    """A call of a storm: its task, and whether the storm has cancelled it."""

    name: str
    task: asyncio.Task[Any]
    cancelled: list[bool]


async def storm(dice: random.Random, caxton: CaxtonClient, number: int, *, hurry: bool) -> list[Made]:
    """Make so many calls, cancel some of them at some turn of the loop, and wait for all."""
    made: list[Made] = []

    async def call(name: str) -> object:
        view = caxton.for_account(dice.choice(["ID-1", "ID-2"])) if dice.random() < 0.5 else caxton
        if hurry and dice.random() < 0.3:
            view = view.with_options(deadline_s=dice.choice([0.05, 0.5, 3, 20]))
        if dice.random() < 0.3:
            return await view.fx.card_rate(buy="CHF", sell="GBP", amount=1)
        return await view.wallets.create(name)

    for index in range(number):
        name = f"call {index}"
        made.append(Made(name, asyncio.create_task(call(name)), [False]))
        for _ in range(dice.choice([0, 0, 0, 1, 5])):
            await asyncio.sleep(dice.choice([0, 0, 0, 0.01]))
        if dice.random() < 0.4:
            victim = dice.choice(made)
            victim.cancelled[0] |= victim.task.cancel()
    await outcomes(each.task for each in made)
    return made


@pytest.mark.parametrize("seed", SEEDS)
@virtual
async def test_a_storm_of_cancellations_makes_one_login_and_cancels_nobody_else(seed: int) -> None:
    """However many callers are cancelled, whenever, the rest are served, by one login, and no place is lost."""
    dice = random.Random(seed)
    slow = Fault("latency", endpoint=LOGIN, seconds=dice.choice([0, 0.02, 0.3]))
    async with (
        Emulator(faults=[slow]) as emulator,
        client(emulator, max_connections=dice.choice([1, 3, 100])) as caxton,
    ):
        for _ in range(2):
            emulator.ledger.accounts.add_sub_account("Sub")

        made = await storm(dice, caxton, dice.randint(1, 60), hurry=False)
        await caxton.wallets.create("after")

        assert emulator.logins == 1
        for each in made:
            assert each.task.cancelled() <= each.cancelled[0]
            assert each.task.cancelled() or each.task.exception() is None
        executed = Counter(wallet.name for wallet in emulator.ledger.wallets.values())
        assert max(executed.values()) == 1


@pytest.mark.parametrize("seed", SEEDS)
@virtual
async def test_a_storm_of_faults_carries_out_no_call_twice_and_tells_the_truth(seed: int) -> None:
    """Whatever happens to a call, what its caller is told agrees with the ledger, and nothing is done twice."""
    dice = random.Random(seed)
    events: list[Event] = []
    async with (
        Emulator() as emulator,
        client(emulator, max_connections=dice.choice([1, 3, 100]), on_event=events.append) as caxton,
    ):
        for _ in range(2):
            emulator.ledger.accounts.add_sub_account("Sub")
        for kind in dice.sample(KINDS, 4):
            emulator.faults.add(
                Fault(kind, endpoint=WALLET, times=5, every=dice.randint(1, 9), after=dice.randint(0, 9))
            )
        for kind in dice.sample(KINDS[:6], 2):
            emulator.faults.add(Fault(kind, endpoint=RATE, times=5, every=dice.randint(1, 5)))
        emulator.faults.add(Fault("black_hole_after_work", endpoint=WALLET, every=20, times=2))
        if dice.random() < 0.3:
            emulator.faults.add(Fault(dice.choice(KINDS[:5]), endpoint=LOGIN, after=dice.randint(0, 2)))

        made = await storm(dice, caxton, dice.randint(1, 60), hurry=True)
        emulator.faults.clear()
        await asyncio.sleep(1)

        executed = Counter(wallet.name for wallet in emulator.ledger.wallets.values())
        for each in made:
            check(each, executed[each.name])
        check_requests(emulator)
        await caxton.auth.generate_password()  # which ends what holds the login back
        await asyncio.gather(*(caxton.wallets.create("after") for _ in range(5)))


def check(made: Made, executed: int) -> None:
    """Hold what a caller was told against the ledger."""
    task = made.task
    assert executed <= 1
    if task.cancelled():
        assert made.cancelled[0]
        return
    match task.exception():
        case None:
            assert executed == (1 if getattr(task.result(), "wallet_id", None) else 0)
        case OutcomeUnknown() as error:
            assert error.sent is Sent.UNKNOWN
        case UnreadableReply():
            assert executed == 0  # only look-ups end so
        case ApiError() as error:
            assert error.sent is Sent.YES
            assert executed == 0
        case AuthenticationFailed() | NotSent() as error:
            assert error.sent is Sent.NO
            assert executed == 0
        case DeadlineExceeded() as error:
            assert error.sent in {Sent.NO, Sent.UNKNOWN}
            assert executed == 0
        case error:
            raise AssertionError(f"{made.name} ended with {error!r}")


def check_requests(emulator: Emulator) -> None:
    """Check that no call was seen again unless its last answer said that it was not carried out."""
    last: dict[bytes, int | None] = {}
    for request in emulator.requests:
        if request.endpoint == WALLET and b"call" in request.body:
            assert last.get(request.body, 401) in {401, 429}
            last[request.body] = request.status
