"""Odd answers are odd in the one way that their kind says, and right in all else."""

import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import aiohttp
import pytest

from caxton_async.emulator import Emulator, EndpointName, Fault, FaultKind
from caxton_async.emulator.kinds import KINDS, Variant
from caxton_async.emulator.routes import ROUTES
from tests.support.caller import MOVE, TEN_POUNDS, Caller


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator that runs."""
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def caller(emulator: Emulator) -> AsyncIterator[Caller]:
    """A caller with a token, a funded main balance and a pot."""
    async with Caller(emulator) as caller:
        await caller.open_pot()
        yield caller


async def moved(caller: Caller, fault: Fault) -> tuple[aiohttp.ClientResponse, Any]:
    """Move ten pounds under a fault; return the response and its document."""
    caller.emulator.faults.add(fault)
    session = aiohttp.ClientSession(caller.emulator.base_url, max_field_size=2**20)
    async with session, session.post(MOVE, json=TEN_POUNDS, headers=caller.headers) as response:
        text = await response.text()
    return response, json.loads(text) if text.startswith("{") else text


def model(document: Any) -> Any:
    """Return the Model of an answer."""
    return document["Content"]["Model"]


def items(document: Any, name: str) -> list[Any]:
    """Return one member of each item of the balances."""
    return [item.get(name) for item in model(document)["Balances"]]


# kind: (variant or nothing, what the answer of Move Funds must then be)
EDITED = {
    "status_whitespace": (None, lambda d: items(d, "ApiStatus") == [" IsValid\r\n", None]),
    "upper_case_status": (None, lambda d: items(d, "ApiStatus") == ["ISVALID", None]),
    "camel_case_members": (None, lambda d: d["content"]["model"]["balances"][0]["ccyCode"] == "GBP"),
    "unknown_members": (None, lambda d: [*items(d, "VendorNote"), model(d)["VendorNote"]] == ["new"] * 3),
    "repeated_member": (None, lambda d: d["content"]["Model"]["ApiStatus"] == "Failed" and "Content" in d),
    "error_member": (None, lambda d: d["error"] and "Content" in d),
    "null_lists": (None, lambda d: model(d) == {"Balances": None}),
    "bare_envelope": (None, lambda d: set(model(d)) == {"ApiStatusCode", "ApiStatus", "ApiStatusDescription"}),
    "foreign_echo": (None, lambda d: items(d, "CcyCode") == ["OTHER-GBP", "OTHER-GBP"]),
    "failing_authorised_after": (None, lambda d: d["AuthorisedUserModel"]["ApiStatusCode"] == 4996),
    "many_items numbers": ("numbers", lambda d: model(d)["Items"] == [1] * 300),
    "many_items objects": ("objects", lambda d: model(d)["Items"] == [{}] * 200),
    "contradictory_status name": ("name", lambda d: model(d)["ApiStatus"] == "Failed" and status_code(d) == 100),
    "contradictory_status code": ("code", lambda d: model(d)["ApiStatus"] == "IsValid" and status_code(d) == 4995),
}


def status_code(document: Any) -> int:
    """Return the code of the Model."""
    return model(document)["ApiStatusCode"]


@pytest.mark.parametrize("case", EDITED)
async def test_an_edited_answer_is_odd_as_its_kind_says(caller: Caller, emulator: Emulator, case: str):
    """The work is done once, the HTTP status is 200, and the document has the one oddity."""
    variant, is_right = EDITED[case]
    kind = case.partition(" ")[0]
    size = {"size": 600} if kind == "many_items" else {}

    response, document = await moved(caller, Fault(kind, variant=variant, **size))

    assert is_right(document)
    assert (response.status, emulator.ledger.move_count) == (200, 1)


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        (Fault("odd_status"), 202, {}),
        *((Fault("odd_status", status=status), status, {}) for status in (206, 408, 409, 410, 423, 424, 425, 499)),
        (Fault("identity_encoding"), 200, {"Content-Encoding": "identity"}),
        (Fault("identity_encoding", variant="empty"), 200, {"Content-Encoding": ""}),
        (Fault("long_header"), 200, {"Set-Cookie": "policy=".ljust(16 * 1024, "x")}),
    ],
    ids=lambda value: f"{value.kind}-{value.status or value.variant}" if isinstance(value, Fault) else None,
)
async def test_an_answer_under_odd_headers_is_whole(caller: Caller, emulator: Emulator, fault, status, headers):
    """The body is the right one, and the work was done."""
    response, document = await moved(caller, fault)

    assert (response.status, emulator.ledger.move_count) == (status, 1)
    assert {name: response.headers[name] for name in headers} == headers
    assert items(document, "CcyCode") == ["GBP", "POTBC-GBP"]


@pytest.mark.parametrize(
    ("variant", "content_type", "begins"),
    [
        ("message", "application/json", '{"Message"'),
        ("empty", "application/octet-stream", ""),
        ("html", "text/html", "<!DOCTYPE"),
        ("problem_json", "application/problem+json", '{"title"'),
        ("header_only", "text/plain", ""),
        ("errors", "application/json", '{"errors"'),
    ],
)
async def test_a_401_has_every_form(caller: Caller, variant: str, content_type: str, begins: str):
    """The framework's words, nothing, HTML, problem details, a challenge alone, a list of errors."""
    response, _ = await moved(caller, Fault("unauthorised", variant=variant))

    assert (response.status, response.content_type) == (401, content_type)
    assert (await response.text()).startswith(begins)
    assert ("WWW-Authenticate" in response.headers) == (variant in ("html", "problem_json", "header_only"))


@pytest.mark.parametrize("variant", KINDS["login_error"].variants)
async def test_a_login_fails_with_every_error_of_oauth(caller: Caller, variant: str):
    """The code is the variant; the status and how long to wait can be chosen."""
    caller.emulator.faults.add(Fault("login_error", variant=variant))
    caller.emulator.faults.add(Fault("login_error", variant=variant, status=403, retry_after="60"))

    first, second = [await caller.log_in("emulated", "any") for _ in range(2)]

    assert [status for status, _ in (first, second)] == [400, 403]
    assert first[1]["error"] == second[1]["error"] == variant


TOKENS = {
    "expires_in_float": '"expires_in":60.0}',
    "expires_in_text": '"expires_in":"60"}',
    "expires_in_padded": '"expires_in":"60 "}',
    "expires_in_null": '"expires_in":null}',
    "expires_in_missing": '"token_type":"bearer"}',
    "token_line_end": '\\r\\n","token_type"',
    "type_line_end": '"token_type":"bearer\\r\\n"',
    "upper_case_type": '"token_type":"BEARER"',
}


@pytest.mark.parametrize("variant", KINDS["login_reply"].variants)
async def test_a_token_has_every_form(variant: str):
    """The token is good; how it and its life are written is the variant's."""
    async with Emulator(token_life_s=60) as emulator, Caller(emulator) as caller:
        emulator.faults.add(Fault("login_reply", variant=variant))
        form = {"Grant_Type": "password", "Username": "emulated", "Password": emulator.ledger.accounts.main_password}

        status, text = await caller.text("POST", "token", form=form)

    assert (status, len(emulator.ledger.accounts.tokens)) == (200, 2)
    assert TOKENS[variant] in text


async def test_a_fault_can_be_for_one_account_or_user(caller: Caller, emulator: Emulator):
    """Calls for others are served, and not counted."""
    child = emulator.ledger.accounts.add_sub_account("child")
    user = emulator.ledger.accounts.add_user()
    emulator.faults.add(Fault("unauthorised", acting_for="ID-1", times=None))
    emulator.faults.add(Fault("unauthorised", acting_for=user.api_token))

    main, _ = await caller.text("GET", "reference/lookup/banks")
    account, _ = await caller.text("GET", "reference/lookup/banks", IdentityNumber=child.identity_number)
    person, _ = await caller.text("GET", "reference/lookup/banks", userapitoken=user.api_token)

    assert (main, account, person) == (200, 401, 401)


def test_every_kind_and_every_call_is_typed():
    """The names that a type checker knows are those that the emulator has."""
    assert get_args(FaultKind) == tuple(KINDS)
    assert get_args(EndpointName) == tuple(route.name for route in ROUTES)
    assert set(get_args(Variant)) == {variant for kind in KINDS.values() for variant in kind.variants}
