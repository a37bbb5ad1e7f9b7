"""The emulator answers as the guide shows, keeps its books, and refuses what is wrong."""

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from caxton_async import CaxtonClient
from caxton_async.config import from_env
from caxton_async.emulator import Emulator
from caxton_async.endpoints import CATALOGUE
from tests.support.caller import MOVE, POT, TEN_POUNDS, Caller, read
from tests.support.places import SAMPLES

COLUMNS = read((SAMPLES / "12_create_bulk_upload_response.json").read_text())["Content"]["Model"]["ColumnFormat"]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator that runs."""
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def caller(emulator: Emulator) -> AsyncIterator[Caller]:
    """A caller with a token of the main account."""
    async with Caller(emulator) as caller:
        yield caller


def sample(name: str) -> Any:
    """Read one of the guide's examples."""
    return read((SAMPLES / f"{name}.json").read_text())


def shape(value: Any) -> Any:
    """Describe a document by the names and order of its members and by the types of its values."""
    if isinstance(value, dict):
        return [(name, shape(each)) for name, each in value.items()]
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def payload(*rows: dict[str, str]) -> str:
    """Write rows as CSV in the order of the guide's columns."""
    return "".join(",".join(row.get(column, "") for column in COLUMNS.split(",")) + "\r\n" for row in rows)


def status_of(answer: Any) -> str:
    """Return the status of an answer's Model."""
    return answer["Content"]["Model"]["ApiStatus"]


async def submit(caller: Caller, *rows: dict[str, str]) -> tuple[int, int, Any]:
    """Create an upload and submit rows to it; return its id and what was answered."""
    _, answer = await caller.call("POST", "payments", {"Description": "May", "ExternalSource": "1"})
    upload_id = answer["Content"]["Model"]["UploadRecordId"]
    return upload_id, *await caller.call("POST", f"payments/{upload_id}", {"Payload": payload(*rows)})


def ten_pounds_to(reference: str) -> dict[str, str]:
    """Make a row of a payload."""
    return {"Action": "A", "RecipientReference": reference, "Currency": "GBP", "Amount": "10.00"}


# The sample of an answer, the call, and the sample of its request.
EXAMPLES = [
    ("03_create_subsidiary_account_response", "POST", "clients/subsidiary", "03_create_subsidiary_account_request"),
    ("04_create_users_response", "POST", "registration/third-party/onboarding", "04_create_users_request"),
    ("06_banks_lookup_by_ccy_EUR_response", "GET", "reference/lookup/banks/EUR", None),
    ("08_country_by_country_code_response", "GET", "reference/lookup/countries/GB", None),
    ("09_country_bank_requirements_CA_CAD_response", "GET", "reference/lookup/bank-requirements/CA/CAD", None),
    ("10_move_funds_between_pots_response", "POST", MOVE, "10_move_funds_between_pots_request"),
    ("11_create_pot_response", "POST", "account/balances/balance/USD/POT11-USD", "11_create_pot_request"),
    ("12_create_bulk_upload_response", "POST", "payments", "12_create_bulk_upload_request"),
    ("13_card_rates_buy_response", "POST", "rates/card/buy", "13_card_rates_buy_request"),
    ("14_create_wallet_response", "POST", "wallets", "14_create_wallet_request"),
    ("16_create_webhook_endpoint_response", "POST", "webhooks/endpoints", "16_create_webhook_endpoint_request"),
    ("17_sandbox_fund_the_account_response", "POST", "sandbox/payments-in", "17_sandbox_fund_the_account_request"),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[0] for example in EXAMPLES])
async def test_an_answer_has_the_shape_of_the_guides_example(caller: Caller, example):
    """The request that the guide shows gets the members that the guide shows, in their order and of their types."""
    expected, method, path, request = example
    await caller.open_pot()

    status, answer = await caller.call(method, path, request and sample(request), IvKey="iv")

    assert (status, shape(answer)) == (200, shape(sample(expected)))


async def test_a_list_has_items_of_the_shape_of_the_guides_example(caller: Caller):
    """The first item of a list is like the guide's only one, and so is what is around it."""
    for name, path in (
        ("05_banks_lookup_response", "reference/lookup/banks"),
        ("07_list_of_countries_response", "reference/lookup/countries"),
    ):
        expected = sample(name)
        _, answer = await caller.call("GET", path)

        items = answer["Content"]["Model"].get("BankDetails") or answer["Content"]["Model"]["Countries"]["Result"]
        assert len(items) > 1
        del items[1:]
        assert shape(answer) == shape(expected)


async def test_a_login_has_the_shape_of_the_guides_example(caller: Caller, emulator: Emulator):
    """Password and token come in the guide's order: the generated password is good for a login."""
    names = {"Username": emulator.credentials.username, "Clientname": emulator.credentials.client_name}
    assert list(sample("01_generate_password_request")) == list(names)

    _, generated = await caller.call("POST", "clients/auth/register", names)
    status, token = await caller.log_in(names["Username"], generated["Content"]["Model"]["ClientPassword"])

    assert shape(generated) == shape(sample("01_generate_password_response"))
    assert len(generated["Content"]["Model"]["StartDate"]) == len("2023-08-23T10:55:45.0645017Z")
    assert (status, shape(token)) == (200, shape(sample("02_get_access_token_response")))
    assert emulator.logins == 2


async def test_a_card_and_a_decision_have_the_shape_of_the_guides_examples(caller: Caller, emulator: Emulator):
    """What needs another call first answers as the guide shows too."""
    await caller.open_pot()
    _, wallet = await caller.call("POST", "wallets", {"Name": "Marketing"})
    await submit(caller, ten_pounds_to("r-1"))
    holder = {"FirstName": "A", "LastName": "B", "Gender": "Male", "DateOfBirth": "1990-05-20"}
    decision = {"TransferId": next(iter(emulator.ledger.payments)), "TransferStatus": "Approved"}

    _, card = await caller.call("POST", f"wallets/{wallet['Content']['Model']['WalletId']}/cards", holder)
    _, decided = await caller.call("POST", "sandbox/payments-out", decision)

    assert list(decision) == list(sample("18_sandbox_approve_or_reject_transfer_request"))
    assert shape(card) == shape(sample("15_create_card_response"))
    assert shape(decided) == shape(sample("18_sandbox_approve_or_reject_transfer_response"))


async def test_every_example_of_the_guide_is_compared():
    """No file of answers is left out."""
    compared = {example[0] for example in EXAMPLES} | {
        "01_generate_password_response",
        "02_get_access_token_response",
        "05_banks_lookup_response",
        "07_list_of_countries_response",
        "15_create_card_response",
        "18_sandbox_approve_or_reject_transfer_response",
    }

    assert compared == {path.stem for path in SAMPLES.glob("*_response.json")}


async def test_a_currency_is_written_with_its_own_digits(caller: Caller, emulator: Emulator):
    """Amounts keep their zeros: two for the pound, none for the yen, three for the dinar."""
    texts = []
    for code, amount in (("GBP", 30), ("JPY", 30), ("KWD", Decimal("30.5"))):
        emulator.ledger.fund(emulator.ledger.accounts.main, code, amount)
        await caller.call("POST", f"account/balances/balance/{code}/P")
        move = {"FromCurrency": code, "ToCurrency": f"P-{code}", "Amount": str(amount)}
        texts.append((await caller.text("POST", MOVE, move))[1])

    assert '"Balance":0.00,"CcyCode":"GBP"' in texts[0]
    assert '"Balance":30.00,"CcyCode":"P-GBP"' in texts[0]
    assert '"Balance":30,"CcyCode":"P-JPY"' in texts[1]
    assert '"Balance":30.500,"CcyCode":"P-KWD"' in texts[2]


async def test_a_rate_is_exact(caller: Caller):
    """What is bought is what is sold times the rate, to the last digit."""
    _, answer = await caller.call("POST", "rates/card/buy", {"CcyCode": "CHF", "SellccyCode": "GBP", "Amount": 100})

    rate = answer["Content"]["Model"]
    assert (rate["BuyAmount"], rate["ExchangeRate"]) == (Decimal("107.31"), Decimal("1.0731"))


WRONG = {
    "unknown currency": ("POST", MOVE, TEN_POUNDS | {"FromCurrency": "XXX"}, 400, "UnknownCurrency"),
    "unknown pot": ("POST", MOVE, TEN_POUNDS | {"ToCurrency": "NOPOT-GBP"}, 404, "UnknownPot"),
    "too much": ("POST", MOVE, TEN_POUNDS | {"Amount": "1000.01"}, 400, "InsufficientFunds"),
    "zero": ("POST", MOVE, TEN_POUNDS | {"Amount": "0"}, 400, "InvalidAmount"),
    "negative": ("POST", MOVE, TEN_POUNDS | {"Amount": "-1"}, 400, "InvalidAmount"),
    "fraction of a penny": ("POST", MOVE, TEN_POUNDS | {"Amount": "0.001"}, 400, "InvalidAmount"),
    "not a number": ("POST", MOVE, TEN_POUNDS | {"Amount": "NaN"}, 400, "InvalidAmount"),
    "endless": ("POST", MOVE, TEN_POUNDS | {"Amount": "1e99"}, 400, "InvalidAmount"),
    "number in place of a string": ("POST", MOVE, TEN_POUNDS | {"Amount": 10}, 400, "WrongType"),
    "other currency": ("POST", MOVE, TEN_POUNDS | {"FromCurrency": "EUR"}, 400, "CurrencyMismatch"),
    "to itself": ("POST", MOVE, TEN_POUNDS | {"ToCurrency": "GBP"}, 400, "CurrencyMismatch"),
    "missing member": ("POST", MOVE, {"FromCurrency": "GBP", "ToCurrency": "POTBC-GBP"}, 400, "MissingMember"),
    "misspelt member": ("POST", "wallets", {"Name": "a", "name": "a"}, 400, "UnexpectedMember"),
    "list": ("POST", "wallets", ["Name"], 400, "MalformedBody"),
    "boolean": ("POST", "sandbox/payments-out", {"TransferId": True, "TransferStatus": "Approved"}, 400, "WrongType"),
    "pot again": ("POST", POT, None, 400, "PotExists"),
    "long prefix": ("POST", "account/balances/balance/GBP/POTBCD", None, 400, "InvalidValue"),
    "prefix of another currency": ("POST", "account/balances/balance/GBP/P-EUR", None, 400, "InvalidValue"),
    "unknown source": ("POST", "payments", {"Description": "a", "ExternalSource": "9"}, 400, "InvalidValue"),
    "unknown upload": ("POST", "payments/1", {"Payload": ""}, 404, "UnknownUpload"),
    "no number": ("POST", "payments/x", {"Payload": ""}, 404, "UnknownUpload"),
    "unknown transfer": (
        "POST",
        "sandbox/payments-out",
        {"TransferId": 1, "TransferStatus": "Approved"},
        404,
        "UnknownTransfer",
    ),
    "unknown decision": (
        "POST",
        "sandbox/payments-out",
        {"TransferId": 1, "TransferStatus": "Maybe"},
        400,
        "InvalidValue",
    ),
    "unknown wallet": (
        "POST",
        "wallets/1/cards",
        {"FirstName": "A", "LastName": "B", "Gender": "Male", "DateOfBirth": "1990-05-20"},
        404,
        "UnknownWallet",
    ),
    "unknown gender": (
        "POST",
        "wallets/1/cards",
        {"FirstName": "A", "LastName": "B", "Gender": "M", "DateOfBirth": "1990-05-20"},
        400,
        "InvalidValue",
    ),
    "date of birth": (
        "POST",
        "wallets/1/cards",
        {"FirstName": "A", "LastName": "B", "Gender": "Male", "DateOfBirth": "20.5.1990"},
        400,
        "InvalidValue",
    ),
    "unknown country": ("GET", "reference/lookup/countries/XX", None, 404, "UnknownCountry"),
    "banks of no currency": ("GET", "reference/lookup/banks/XXX", None, 400, "UnknownCurrency"),
    "no card currency": (
        "POST",
        "rates/card/buy",
        {"CcyCode": "KWD", "SellccyCode": "GBP", "Amount": 1},
        400,
        "UnknownCurrency",
    ),
    "unknown client": ("POST", "clients/auth/register", {"Username": "u", "Clientname": "c"}, 403, "UnknownClient"),
    "no IvKey": (
        "POST",
        "registration/third-party/onboarding",
        sample("04_create_users_request"),
        400,
        "MissingHeader",
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_wrong_input_is_refused_in_the_envelope_and_changes_nothing(caller: Caller, emulator: Emulator, wrong):
    """Each mistake has its HTTP status and its ApiStatus, and leaves the books as they were."""
    method, path, body, http_status, api_status = wrong
    await caller.open_pot()
    before = emulator.ledger.totals(), dict(emulator.ledger.accounts.main.balances)

    status, answer = await caller.call(method, path, body)

    assert (status, status_of(answer)) == (http_status, api_status)
    assert answer["Content"]["Model"]["ApiStatusCode"] not in (100, 314)
    assert answer["Content"]["ExpectedResponses"] == ["IsValid"]
    assert (emulator.ledger.totals(), emulator.ledger.accounts.main.balances) == before


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/json", b"{}"), ("application/json", b"{"), ("application/json", b'{"Name":NaN}'), ("", b"{}")],
    ids=["other type", "cut off", "NaN", "no type"],
)
async def test_an_unreadable_body_is_refused(caller: Caller, content_type: str, body: bytes):
    """A body of another type, or one that is no JSON, is not guessed at."""
    headers = caller.headers | {"Content-Type": content_type}
    async with caller._session.post("wallets", data=body, headers=headers) as response:
        answer = await response.json()

    assert response.status == 400
    assert status_of(answer) == ("MalformedBody" if content_type == "application/json" else "WrongContentType")


async def test_unknown_paths_and_methods_are_refused_as_the_framework_does(caller: Caller):
    """Whatever is not in the guide is not served, not even with a second slash."""
    nowhere = [await caller.call("POST", path) for path in ("nowhere", "/wallets", "/api//wallets", "wallets/")]
    elsewhere = await caller.call("DELETE", "wallets")
    head, text = await caller.text("HEAD", "wallets")
    after, _ = await caller.text("GET", "reference/lookup/banks")

    assert [status for status, _ in nowhere] == [404] * 4
    assert elsewhere[0] == 405
    assert (head, text, after) == (405, "", 200)
    assert all(list(answer) == ["Message"] for _, answer in [*nowhere, elsewhere])


@pytest.mark.parametrize("authorization", ["Bearer wrong", "bearer", "", "Basic {}"])
async def test_a_call_without_a_token_is_refused_as_the_framework_does(caller: Caller, authorization: str):
    """A missing or unknown bearer is a plain 401."""
    token = caller.headers["Authorization"].removeprefix("Bearer ")

    status, answer = await caller.call("POST", "wallets", {"Name": "a"}, Authorization=authorization.format(token))

    assert (status, answer) == (401, {"Message": "Authorization has been denied for this request."})


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"Grant_Type": "password", "Username": "emulated", "Password": "wrong"}, "invalid_grant"),
        ({"Grant_Type": "password", "Username": "nobody", "Password": "wrong"}, "invalid_grant"),
        ({"Grant_Type": "password"}, "invalid_grant"),
        ({"Grant_Type": "none", "Username": "emulated", "Password": "wrong"}, "unsupported_grant_type"),
    ],
    ids=["password", "user name", "nothing", "grant type"],
)
async def test_a_refused_login_is_answered_as_rfc_6749_says(caller: Caller, emulator: Emulator, form, error: str):
    """The answer is not enveloped, and says nothing of what was sent."""
    status, answer = await caller.call("POST", "token", form=form)

    assert (status, answer["error"]) == (400, error)
    assert "wrong" not in answer["error_description"]
    assert emulator.logins == 2


async def test_a_password_is_generated_once_until_a_reset(caller: Caller, emulator: Emulator):
    """The second Generate Password is refused; after a reset nothing old works, and a new one is given."""
    names = {"Username": emulator.credentials.username, "Clientname": emulator.credentials.client_name}

    first = await caller.call("POST", "clients/auth/register", names)
    second = await caller.call("POST", "clients/auth/register", names)
    reset = await caller.call("PUT", "clients/auth/reset")
    after = await caller.call("GET", "reference/lookup/banks")
    old = await caller.log_in(names["Username"], first[1]["Content"]["Model"]["ClientPassword"])
    third = await caller.call("POST", "clients/auth/register", names)

    assert [status for status, _ in (first, second, reset, after, old, third)] == [200, 400, 200, 401, 400, 200]
    assert status_of(second[1]) == "PasswordAlreadyGenerated"
    assert set(reset[1]) == {"Content"}


@pytest.mark.parametrize(("revokes_old", "status"), [(True, 401), (False, 200)], ids=["revokes", "keeps"])
async def test_a_new_token_or_password_ends_the_old_ones_or_not(revokes_old: bool, status: int):
    """Both readings of the guide can be had."""
    async with Emulator(revokes_old=revokes_old) as emulator, Caller(emulator) as caller:
        accounts = emulator.ledger.accounts
        old = caller.headers["Authorization"]
        await caller.log_in("emulated", accounts.main_password)
        with_old_token = await caller.call("GET", "reference/lookup/banks", Authorization=old)
        await caller.call("POST", "clients/auth/register", {"Username": "emulated", "Clientname": "cxtnclient"})
        with_old_password = await caller.log_in("emulated", accounts.main_password)

    assert with_old_token[0] == status
    assert with_old_password[0] == (400 if revokes_old else 200)


@pytest.mark.parametrize(("survive", "status"), [(True, 200), (False, 401)], ids=["survives", "ends"])
async def test_a_token_outlives_a_reset_or_not(survive: bool, status: int):
    """The old password ends either way; with a token that lives on, reset and generate can be asked for again."""
    async with Emulator(tokens_survive_reset=survive) as emulator, Caller(emulator) as caller:
        await caller.call("PUT", "clients/auth/reset")
        with_token, _ = await caller.text("PUT", "clients/auth/reset")
        with_password, _ = await caller.log_in("emulated", emulator.ledger.accounts.main_password)

    assert (with_token, with_password) == (status, 400)


@pytest.mark.parametrize(("needs_reset", "status"), [(True, 400), (False, 200)], ids=["refused", "given"])
async def test_a_second_password_is_refused_before_a_reset_or_not(needs_reset: bool, status: int):
    """Both readings of the guide can be had."""
    names = {"Username": "emulated", "Clientname": "cxtnclient"}
    async with Emulator(generate_needs_reset=needs_reset) as emulator, Caller(emulator) as caller:
        answers = [await caller.call("POST", "clients/auth/register", names) for _ in range(2)]

    assert [status for status, _ in answers] == [200, status]


async def test_tokens_and_passwords_end_by_the_emulators_clock():
    """What was issued for a while is refused when the while is over."""
    now = [1_700_000_000.0]
    async with Emulator(clock=lambda: now[0], token_life_s=60) as emulator, Caller(emulator) as caller:
        statuses = []
        for moment in (59.0, 60.0):
            now[0] = 1_700_000_000 + moment
            statuses.append((await caller.call("GET", "reference/lookup/banks"))[0])
        now[0] += 31 * 24 * 3600
        statuses.append((await caller.log_in("emulated", emulator.ledger.accounts.main_password))[0])

    assert statuses == [200, 401, 400]


async def test_a_users_token_ends_too():
    """Its end stands in the answers made for the user, and after it the call is a plain 401 with a good token."""
    now = [1_700_000_000.0]
    async with Emulator(clock=lambda: now[0], user_token_life_s=24 * 3600) as emulator, Caller(emulator) as caller:
        user = emulator.ledger.accounts.add_user()
        first = await caller.call("POST", "wallets", {"Name": "a"}, userapitoken=user.api_token)
        now[0] += 24 * 3600
        after = await caller.call("POST", "wallets", {"Name": "a"}, userapitoken=user.api_token)
        main = await caller.call("POST", "wallets", {"Name": "a"})

    assert first[1]["AuthorisedUserModel"]["TokenEndDate"] == "2023-11-15T00:00:00"
    assert [status for status, _ in (first, after, main)] == [200, 401, 200]


@pytest.mark.parametrize("path", ["/token", "clients/auth/token"])
async def test_a_path_can_be_another(path: str):
    """A call is found there and no more where it was assumed; the settings and the variables say so."""
    async with Emulator(paths={"get_access_token": path}) as emulator:
        async with CaxtonClient(emulator.credentials, emulator.settings) as caxton:
            await caxton.wallets.create("Travel")
        configuration = from_env(emulator.environ)

    assert emulator.requests[0].path == (path if path[0] == "/" else f"/api/{path}")
    assert configuration.settings.paths["get_access_token"] == path


def test_a_path_of_no_call_is_refused():
    """A name that is misspelt would be overlooked."""
    with pytest.raises(ValueError, match="paths names no call: token"):
        Emulator(paths={"token": "/token"})


async def test_it_can_listen_for_a_container():
    """An address of its own is listened at; the URL stays that of this machine, as which it is forwarded."""
    async with Emulator(host="127.0.0.2") as emulator:
        port = int(emulator.base_url.removesuffix("/api/").rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.2", port)
        writer.close()
        await writer.wait_closed()

    assert emulator.base_url.startswith("http://127.0.0.1:")


async def test_tokens_can_be_forgotten_all_at_once(caller: Caller, emulator: Emulator):
    """The next call of each is a 401; a new login helps."""
    emulator.ledger.accounts.revoke_tokens()

    forgotten, _ = await caller.call("GET", "reference/lookup/banks")
    await caller.log_in("emulated", emulator.ledger.accounts.main_password)
    renewed, _ = await caller.call("GET", "reference/lookup/banks")

    assert (forgotten, renewed) == (401, 200)


async def test_a_sub_account_has_its_own_login_and_balances(caller: Caller, emulator: Emulator):
    """The names that its creation returned get it a password, with which it acts for itself alone."""
    _, created = await caller.call("POST", "clients/subsidiary", {"CompanyName": "demo45", "Email": "a@example.com"})
    model = created["Content"]["Model"]
    names = {"Username": model["Username"], "Clientname": model["Name"]}
    account = emulator.ledger.accounts.by_username[model["Username"]]
    main = emulator.ledger.accounts.main

    _, generated = await caller.call("POST", "clients/auth/register", names)
    await caller.call(
        "POST", "sandbox/payments-in", {"Currency": "GBP", "Amount": 5, "UserId": "u"}, IdentityNumber="ID-1"
    )
    await caller.log_in(model["Username"], generated["Content"]["Model"]["ClientPassword"])
    await caller.call("POST", "sandbox/payments-in", {"Currency": "GBP", "Amount": 2.5, "UserId": "u"})

    assert account.identity_number == "ID-1"
    assert (account.balances, main.balances) == ({"GBP": Decimal("7.50")}, {})


async def test_nobody_acts_for_another(caller: Caller, emulator: Emulator):
    """An IdentityNumber not below the caller, and a user of another account, are refused."""
    accounts = emulator.ledger.accounts
    child = accounts.add_sub_account("child")
    grandchild = accounts.add_sub_account("grandchild", parent=child)
    user = accounts.add_user(child)
    password = accounts.generate_password(child.username, child.name)

    unknown = await caller.call("POST", "wallets", {"Name": "a"}, IdentityNumber="ID-9")
    stranger = await caller.call("POST", "wallets", {"Name": "a"}, userapitoken=user.api_token)
    right = await caller.call("POST", "wallets", {"Name": "a"}, IdentityNumber="ID-1", userapitoken=user.api_token)
    await caller.log_in(child.username, password.value)
    below = await caller.call("POST", "wallets", {"Name": "a"}, IdentityNumber=grandchild.identity_number)
    accounts.by_identity["ID-0"] = accounts.main
    above = await caller.call("POST", "wallets", {"Name": "a"}, IdentityNumber="ID-0")

    assert [status for status, _ in (unknown, stranger, right, below, above)] == [403, 403, 200, 200, 403]
    assert status_of(unknown[1]) == "UnknownIdentityNumber"
    assert status_of(stranger[1]) == "UnknownUserApiToken"
    assert right[1]["AuthorisedUserModel"]["UserId"] == user.user_id
    assert right[1]["AuthorisedClientModel"]["ClientId"] == child.client_id


async def test_what_belongs_to_one_account_is_unknown_to_another(caller: Caller, emulator: Emulator):
    """Uploads, transfers and wallets are found by their own account alone."""
    await caller.open_pot()
    emulator.ledger.accounts.add_sub_account("other")
    upload_id, *_ = await submit(caller, ten_pounds_to("r-1"))
    _, wallet = await caller.call("POST", "wallets", {"Name": "a"})
    holder = {"FirstName": "A", "LastName": "B", "Gender": "Male", "DateOfBirth": "1990-05-20"}
    decision = {"TransferId": next(iter(emulator.ledger.payments)), "TransferStatus": "Rejected"}
    calls = [
        (f"payments/{upload_id}", {"Payload": payload(ten_pounds_to("r-2"))}),
        ("sandbox/payments-out", decision),
        (f"wallets/{wallet['Content']['Model']['WalletId']}/cards", holder),
    ]

    answers = [await caller.call("POST", path, body, IdentityNumber="ID-1") for path, body in calls]

    assert [status_of(answer) for _, answer in answers] == ["UnknownUpload", "UnknownTransfer", "UnknownWallet"]
    assert (emulator.ledger.paid("r-1"), emulator.ledger.paid("r-2")) == (1, 0)


async def test_an_upload_is_paid_once(caller: Caller, emulator: Emulator):
    """Each row of a payload is one payment; a second submit of the upload is refused."""
    await caller.open_pot()

    upload_id, status, answer = await submit(caller, ten_pounds_to("r-1"), ten_pounds_to("r-2"))
    again = await caller.call("POST", f"payments/{upload_id}", {"Payload": payload(ten_pounds_to("r-1"))})

    assert (status, status_of(answer)) == (200, "IsValid")
    assert (again[0], status_of(again[1])) == (400, "UploadAlreadySubmitted")
    assert [emulator.ledger.paid(reference) for reference in ("r-1", "r-2", "r-3")] == [1, 1, 0]
    assert emulator.ledger.accounts.main.balances["GBP"] == Decimal("980.00")
    assert emulator.ledger.check() == ()


@pytest.mark.parametrize(
    ("rows", "api_status"),
    [
        (payload(ten_pounds_to("a"), ten_pounds_to("b") | {"Amount": "0.001"}), "InvalidAmount"),
        (payload(ten_pounds_to("a"), ten_pounds_to("b") | {"Currency": "XXX"}), "UnknownCurrency"),
        (payload(ten_pounds_to("a"), ten_pounds_to("b") | {"Amount": "991"}), "InsufficientFunds"),
        (payload(ten_pounds_to("a")) + "A,b\r\n", "InvalidPayload"),
        (payload(ten_pounds_to("a")) + '"', "InvalidPayload"),
        ("", "InvalidPayload"),
        (COLUMNS, "InvalidPayload"),
    ],
    ids=["amount", "currency", "funds", "columns", "quote", "nothing", "names alone"],
)
async def test_one_wrong_row_refuses_the_whole_payload(caller: Caller, emulator: Emulator, rows: str, api_status: str):
    """Nothing is paid, and the upload can be submitted again."""
    await caller.open_pot()
    upload_id, *_ = await submit(caller)

    refused = await caller.call("POST", f"payments/{upload_id}", {"Payload": rows})
    paid_then = emulator.ledger.totals().payments
    accepted = await caller.call("POST", f"payments/{upload_id}", {"Payload": payload(ten_pounds_to("a"))})

    assert (status_of(refused[1]), paid_then) == (api_status, 0)
    assert (accepted[0], emulator.ledger.paid("a")) == (200, 1)


async def test_a_payload_may_begin_with_its_columns(caller: Caller, emulator: Emulator):
    """Names of columns are not a payment; where the API names none, the payload has to."""
    await caller.open_pot()
    _, answer = await caller.call("POST", "payments", {"Description": "May", "ExternalSource": "5"})
    model = answer["Content"]["Model"]
    rows = 'ClientRecipientReference,Currency,Amount\n"r\n1",GBP,10\n'

    status, _ = await caller.call("POST", f"payments/{model['UploadRecordId']}", {"Payload": rows})

    assert (model["ColumnFormat"], status) == (None, 200)
    assert emulator.ledger.paid("r\n1") == 1


async def test_a_rejected_transfer_gives_its_money_back(caller: Caller, emulator: Emulator):
    """A transfer is decided once; a rejected one is not paid."""
    await caller.open_pot()
    await submit(caller, ten_pounds_to("r-1"))
    decision = {"TransferId": next(iter(emulator.ledger.payments)), "TransferStatus": "Rejected"}

    first = await caller.call("POST", "sandbox/payments-out", decision)
    second = await caller.call("POST", "sandbox/payments-out", decision)

    assert (first[0], second[0], status_of(second[1])) == (200, 400, "TransferAlreadyDecided")
    assert (emulator.ledger.paid("r-1"), emulator.ledger.totals().paid) == (0, {})
    assert emulator.ledger.accounts.main.balances["GBP"] == Decimal("1000.00")
    assert emulator.ledger.check() == ()


async def test_the_books_tell_when_money_is_lost(caller: Caller, emulator: Emulator):
    """The check says what is wrong, in which currency; sums are in the totals."""
    await caller.open_pot()
    await caller.move()
    await submit(caller, ten_pounds_to("r-1"))
    was_right = emulator.ledger.check()
    totals = emulator.ledger.totals()

    emulator.ledger.accounts.main.balances["GBP"] = Decimal(-1)

    assert was_right == ()
    assert (totals.moves, totals.uploads, totals.payments, totals.logins) == (1, 1, 1, 1)
    assert (totals.funded, totals.moved, totals.paid) == ({"GBP": 1000}, {"GBP": 10}, {"GBP": 10})
    assert emulator.ledger.check() == (
        "emulated: GBP is below zero",
        "GBP: 1000.00 came in, but 9.00 is held and 10.00 was paid out",
    )


async def test_webhooks_are_noted(caller: Caller, emulator: Emulator):
    """Enabling answers like the registration of an endpoint, which is kept."""
    enabled = await caller.call("POST", "webhooks/enable")
    await caller.call("POST", "webhooks/endpoints", {"WebhookEventType": "Payment", "EndpointUrl": "https://a.example"})

    assert shape(enabled[1]) == shape(sample("16_create_webhook_endpoint_response"))
    assert emulator.ledger.webhooks_enabled
    assert emulator.ledger.webhooks == [("Payment", "https://a.example")]


async def test_every_request_is_recorded(caller: Caller, emulator: Emulator):
    """Order, names, headers in any case, the bytes of the body and the answer's status can be asked for."""
    await caller.text("POST", "wallets", {"Name": "a"}, IdentityNumber="none")
    await caller.text("POST", "nowhere")
    await emulator.seen(None)

    login, wallet, nowhere = emulator.requests
    assert [seen.endpoint for seen in (login, wallet, nowhere)] == ["get_access_token", "create_wallet", None]
    assert (wallet.method, wallet.path, wallet.body) == ("POST", "/api/wallets", b'{"Name": "a"}')
    assert wallet.headers["identitynumber"] == "none"
    assert [seen.status for seen in (login, wallet, nowhere)] == [200, 403, 404]
    assert (emulator.count("create_wallet"), emulator.count("create_card"), emulator.count(None)) == (1, 0, 1)
    assert emulator.connections == 1
    assert emulator.ledger.accounts.main_password not in repr(emulator.requests)


async def test_history_is_bounded_on_demand():
    """Of a long run the last requests and moves are kept; the numbers stay complete."""
    async with Emulator(history=2) as emulator, Caller(emulator) as caller:
        await caller.open_pot()
        for _ in range(4):
            await caller.move()

        assert (len(emulator.requests), len(emulator.ledger.moves)) == (2, 2)
        assert (emulator.count("move_funds"), emulator.ledger.totals().moves) == (4, 4)
        assert emulator.ledger.moves[-1].amount == Decimal("10.00")


async def test_a_seed_decides_every_secret():
    """The same seed gives the same secrets, another one others."""
    first, same, other = (Emulator(seed=seed).ledger.accounts for seed in (1, 1, 2))

    assert first.main_password == same.main_password != other.main_password
    assert first.add_user().api_token == same.add_user().api_token != other.add_user().api_token


async def test_a_port_can_be_chosen_and_used_again():
    """Nothing is left on a port when an emulator has ended; a port in use is an error."""
    async with Emulator() as first:
        port = int(first.base_url.removesuffix("/api/").rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with Emulator(port=port):
                pytest.fail("two servers on one port")
    async with Emulator(port=port) as second:
        assert second.base_url == first.base_url


async def test_the_settings_confirm_every_assumed_path(emulator: Emulator):
    """What the documentation leaves open is where the settings say."""
    assert set(emulator.settings.paths) == {name for name, endpoint in CATALOGUE.items() if not endpoint.documented}
    assert emulator.settings.base_url == emulator.base_url


async def test_its_variables_reach_it(emulator: Emulator):
    """What the environment of a program needs is there, the password and every path among it."""
    configuration = from_env(emulator.environ)

    assert configuration.settings == emulator.settings
    assert configuration.credentials == emulator.credentials


async def test_every_call_of_the_catalogue_is_served(caller: Caller, emulator: Emulator):
    """Client and emulator, each by its own spelling, agree on the name, method and path of every call."""
    for endpoint in CATALOGUE.values():
        await caller.text(endpoint.method, re.sub("{.*?}", "1", endpoint.path))

    assert [seen.endpoint for seen in emulator.requests[1:]] == list(CATALOGUE)
