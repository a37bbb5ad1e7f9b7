"""The emulator's page and its API show and set what they should, for this machine alone, and no secret."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from caxton_async.emulator import Emulator
from caxton_async.emulator.kinds import KINDS
from tests.support.caller import Caller

GUARD = {"X-Caxton-Emulator": "test"}


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A caller with a token, a funded main balance and a pot."""
    async with Emulator() as emulator, Caller(emulator) as caller:
        await caller.open_pot()
        yield caller


async def ask(caller: Caller, name: str, body: Any = None, headers: dict[str, str] = GUARD) -> tuple[int, str]:
    """Ask the page's API; return the HTTP status and the text."""
    url = caller.emulator.base_url.replace("/api/", f"/_emulator/{name}")
    method = "GET" if body is None else "POST"
    data = None if body is None else json.dumps(body).encode()
    async with aiohttp.ClientSession() as session, session.request(method, url, data=data, headers=headers) as answer:
        return answer.status, await answer.text()


async def live(caller: Caller) -> dict[str, Any]:
    """Return what the page shows."""
    return json.loads((await ask(caller, "live"))[1])


async def test_what_happens_is_shown_without_a_secret(caller: Caller) -> None:
    """Requests with their answers and faults, the newest first; amounts as text; no token and no password."""
    await ask(caller, "faults", {"kind": "reset_after_work", "endpoint": "move_funds"})
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.move()
    await caller.text("POST", "nowhere?Password=x")

    state = await live(caller)
    shown = json.dumps(state)

    nowhere, moved, *_ = state["last_requests"]
    assert (nowhere["number"], nowhere["call"], nowhere["path"], nowhere["status"]) == (4, None, "/api/nowhere", 404)
    assert (moved["call"], moved["status"], moved["fault"]) == ("move_funds", None, "reset_after_work")
    assert not moved["is_open"]
    assert state["moves"] == [["emulated", "GBP", "POTBC-GBP", "10.00"]]
    assert state["balances"] == {"emulated": {"GBP": "990.00", "POTBC-GBP": "10.00"}}
    assert (state["request_count"], state["move_count"], state["problems"]) == (4, 1, [])
    accounts = caller.emulator.ledger.accounts
    assert [secret for secret in [*accounts.main.passwords, *accounts.tokens] if secret in shown] == []


async def test_a_fault_is_set_released_and_cleared(caller: Caller) -> None:
    """It can be seen from its setting to its end."""
    _, text = await ask(caller, "faults", {"kind": "latency", "held": True, "times": 2, "seconds": 0.0})
    held = json.loads(text)
    await ask(caller, "faults", {"kind": "unauthorised", "variant": "html"})
    before = (await live(caller))["faults"]
    await ask(caller, "faults/release", {"id": held["id"]})
    await caller.move()
    released = (await live(caller))["faults"]
    await ask(caller, "faults/clear", {"id": held["id"]})
    left = (await live(caller))["faults"]
    await ask(caller, "faults/clear", {})

    assert [(each["kind"], each["is_held"]) for each in before] == [("latency", True), ("unauthorised", False)]
    assert (released[0]["is_held"], released[0]["hits"], released[0]["applied"]) == (False, 1, 1)
    assert [(each["kind"], each["variant"]) for each in left] == [("unauthorised", "html")]
    assert not caller.emulator.faults


async def test_a_condition_is_set_and_cleared(caller: Caller) -> None:
    """Calls follow it at once."""
    await ask(caller, "conditions", {"kind": "empty_balance"})
    refused, _ = await caller.move()
    state = await live(caller)
    await ask(caller, "conditions/clear", {"kind": "empty_balance"})

    assert (refused, state["conditions"]) == (400, {"empty_balance": None})
    assert (await caller.move())[0] == 200


async def test_every_kind_can_be_chosen_and_is_explained() -> None:
    """The page knows what each kind takes, and says what the client will see."""
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        url = emulator.base_url.replace("/api/", "/_emulator/kinds")
        async with session.get(url) as answer:
            known = (await answer.json())["faults"]

    assert [kind["kind"] for kind in known] == list(KINDS)
    assert [kind["kind"] for kind in known if not kind["seen"]] == []


async def test_the_page_is_one_file(caller: Caller) -> None:
    """It loads nothing from elsewhere, and may not be framed."""
    url = caller.emulator.base_url.replace("/api/", "/_emulator/")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        page = await answer.text()

    assert "http://" not in page
    assert "https://" not in page
    assert "src=" not in page
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert caller.emulator.count(None) == 0


@pytest.mark.parametrize(
    ("name", "body", "headers", "status", "reason"),
    [
        ("faults", {"kind": "html"}, {}, 403, "X-Caxton-Emulator"),
        ("live", None, {"Host": "caxton.example"}, 403, "name of this machine"),
        ("live", None, {"Host": "127.0.0.1.example:80"}, 403, "name of this machine"),
        ("faults", {"kind": "html"}, {**GUARD, "Host": "rebound.example"}, 403, "name of this machine"),
        ("faults", {"kind": "rain"}, GUARD, 400, "kind is one of"),
        ("faults", ["html"], GUARD, 400, "not a JSON object"),
        ("faults", {"kind": "latency", "seconds": "a"}, GUARD, 400, "seconds is a number"),
        ("conditions", {"kind": "rain"}, GUARD, 400, "empty_balance"),
        ("conditions", {}, GUARD, 400, "empty_balance"),
        ("nothing", {}, GUARD, 404, "no such"),
        ("nothing", None, {}, 404, "no such"),
    ],
    ids=["no header", "host", "look-alike", "rebound", "kind", "list", "seconds", "condition", "none", "post", "get"],
)
async def test_what_is_not_right_is_refused(caller: Caller, name: str, body, headers, status: int, reason: str) -> None:
    """Pages of other sites can neither read nor set anything, and a mistake is named."""
    answered, text = await ask(caller, name, body, headers)

    assert (answered, reason in json.loads(text)["error"]) == (status, True)
    assert not caller.emulator.faults
    assert not caller.emulator.conditions


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "[::1]:8080", "127.0.0.1"])
async def test_this_machine_may_be_called_by_each_of_its_names(caller: Caller, host: str) -> None:
    """A port that is forwarded is as good."""
    assert (await ask(caller, "live", headers={"Host": host}))[0] == 200


async def test_a_refusal_and_early_faults_leave_the_page_alone(caller: Caller) -> None:
    """What was set on the page can be cleared on it, also when nothing listens any more."""
    url = caller.emulator.base_url.replace("/api/", "/_emulator/")
    async with aiohttp.ClientSession(url, headers=GUARD) as page:
        for fault in ({"kind": "reset_before_read"}, {"kind": "refuse"}):
            async with page.post("faults", json=fault) as answer:
                assert answer.status == 200
        async with page.post("faults/clear", json={}) as answer:
            assert answer.status == 200

    assert (await caller.move())[0] == 200
