"""Conditions hold for whole accounts until they are cleared."""

from collections.abc import AsyncIterator

import pytest

from caxton_async.emulator import Emulator
from tests.support.caller import Caller, read


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A caller with a token, a funded main balance and a pot."""
    async with Emulator() as emulator, Caller(emulator) as caller:
        await caller.open_pot()
        yield caller


def status_of(text: str) -> str:
    """Return the status of an answer's Model."""
    return read(text)["Content"]["Model"]["ApiStatus"]


async def test_an_empty_balance_refuses_what_spends_and_nothing_else(caller: Caller):
    """Money is not moved while the condition holds, and is when it has been cleared."""
    conditions = caller.emulator.conditions
    conditions.set("empty_balance")
    status, text = await caller.move()
    looked_up, _ = await caller.text("GET", "reference/lookup/banks")
    conditions.clear("empty_balance")

    assert (status, status_of(text), looked_up) == (400, "InsufficientFunds", 200)
    assert (await caller.move())[0] == 200
    assert caller.emulator.ledger.move_count == 1


async def test_a_blocked_account_is_refused_and_others_are_served(caller: Caller):
    """With a token, for one account or for all; a login goes on."""
    emulator = caller.emulator
    emulator.ledger.accounts.add_sub_account("child")
    emulator.conditions.set("blocked_user", acting_for="ID-1")
    main, _ = await caller.text("GET", "reference/lookup/banks")
    child, text = await caller.text("GET", "reference/lookup/banks", IdentityNumber="ID-1")
    emulator.conditions.set("blocked_user")
    everybody, _ = await caller.text("GET", "reference/lookup/banks")
    login, _ = await caller.log_in("emulated", emulator.ledger.accounts.main_password)

    assert (main, child, everybody, login) == (200, 403, 403, 200)
    assert status_of(text) == "UserBlocked"
    assert emulator.conditions.active == {"blocked_user": None}


async def test_a_maintenance_page_is_all_there_is(caller: Caller):
    """Logins and unknown paths too get HTML under 503, and nothing is done."""
    caller.emulator.conditions.set("maintenance_page")
    moved, page = await caller.move()
    login, _ = await caller.text("POST", "token", form={"Grant_Type": "password"})
    nowhere, _ = await caller.text("GET", "nowhere")
    caller.emulator.conditions.clear()

    assert (moved, login, nowhere) == (503, 503, 503)
    assert page.startswith("<!DOCTYPE html>")
    assert not caller.emulator.conditions
    assert caller.emulator.ledger.move_count == 0


def test_a_condition_that_means_nothing_is_refused():
    """The message says which there are, and that a maintenance page is for everybody."""
    conditions = Emulator().conditions

    with pytest.raises(ValueError, match="empty_balance, blocked_user, maintenance_page"):
        conditions.set("rain")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(ValueError, match="leave out acting_for"):
        conditions.set("maintenance_page", acting_for="ID-1")
    assert not conditions
