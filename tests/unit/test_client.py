"""The client on its happy path, on a faked session: each method makes its call and returns the answer of the guide."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from aioresponses import aioresponses
from yarl import URL

from caxton_async import BulkSource, CaxtonClient, Credentials, Settings, WebhookEvent
from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.endpoints import CATALOGUE
from caxton_async.protocol.request import Caller
from caxton_async.testing import aioresponses_shim
from tests.support.replies import build, sample
from tests.unit.protocol.test_samples import CARD, CASES, USER, Case, answer_of

SETTINGS = Settings(paths={name: endpoint.path for name, endpoint in CATALOGUE.items()})
ROWS = [{"Action": "New", "Amount": "10"}]
# How each call of the guide is made; the login is made by the first of them.
METHODS: dict[str, Callable[[CaxtonClient], Awaitable[object]]] = {
    "generate_password": lambda c: c.auth.generate_password(),
    "reset_credentials": lambda c: c.auth.reset_credentials(),
    "create_sub_account": lambda c: c.sub_accounts.create("demo45", "[email protected]"),
    "create_user": lambda c: c.users.create(USER),
    "list_banks": lambda c: c.banks.list(),
    "banks_for_currency": lambda c: c.banks.for_currency("EUR"),
    "list_countries": lambda c: c.countries.list(),
    "get_country": lambda c: c.countries.get("GB"),
    "get_bank_requirements": lambda c: c.countries.bank_requirements("CA", "CAD"),
    "move_funds": lambda c: c.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10)),
    "create_pot": lambda c: c.balances.create_pot("USD", "POT11-USD", friendly_name="MarketingBudget"),
    "create_bulk_upload": lambda c: c.bulk_payments.create_upload(description="Caxton", source=BulkSource.CAXTON),
    "submit_bulk_payload": lambda c: c.bulk_payments.submit(m.BulkUpload(1234, ("Action", "Amount")), ROWS),
    "get_card_rate": lambda c: c.fx.card_rate(buy="CHF", sell="GBP", amount=100),
    "create_wallet": lambda c: c.wallets.create("Marketing"),
    "create_card": lambda c: c.cards.create(CARD),
    "enable_webhooks": lambda c: c.webhooks.enable(),
    "create_webhook_endpoint": lambda c: c.webhooks.create_endpoint(
        "Wallets", "https://webhook.site/9ed441e2-9890-86gb-p989-5678910111213"
    ),
    "fund_sandbox": lambda c: c.sandbox.fund(currency="GBP", amount=1000, user_id="UserId"),
    "decide_transfer": lambda c: c.sandbox.decide_transfer(164165, approve=True),
}


def answers(server: aioresponses, url: str, method: str, body: bytes) -> None:
    """Have the faked session answer a request."""
    server.add(url, method, body=body)


def answer_login(server: aioresponses) -> str:
    """Have the faked session answer a login, and return where it is made."""
    url = SETTINGS.root_url + "token"
    answers(server, url, "POST", sample("02_get_access_token_response"))
    return url


@pytest.mark.parametrize("case", [c for c in CASES if c.endpoint.name in METHODS], ids=lambda case: case.endpoint.name)
async def test_a_method_makes_its_call_and_returns_its_answer(case: Case) -> None:
    """Line, headers and body are those of the guide, the token is added, and the result is the sample's."""
    drawn = build(case.endpoint, case.request, Caller("ID-1"), SETTINGS)
    with aioresponses_shim() as server:
        answer_login(server)
        answers(server, drawn.url, drawn.method, answer_of(case))
        async with CaxtonClient(Credentials("<username>", "cxtnclient", "<password>"), SETTINGS) as caxton:
            view = caxton if case.endpoint.name == "generate_password" else caxton.for_account("ID-1")
            result = await METHODS[case.endpoint.name](view)

        (sent,) = server.requests[drawn.method, URL(drawn.url)]
    own = {name: secret.reveal() for name, secret in drawn.secret_headers.items()}
    token = {"Authorization": "Bearer <access_token>"} if case.endpoint.authorised else {}
    agent = {"User-Agent": sent.kwargs["headers"]["User-Agent"]}
    assert result == case.result
    assert sent.kwargs["headers"] == {**drawn.headers, **own, **token, **agent}
    assert (sent.kwargs["data"], sent.kwargs["allow_redirects"]) == (drawn.body, False)


def test_every_call_of_the_catalogue_is_made_above() -> None:
    """No method is left out."""
    assert set(METHODS) == set(CATALOGUE) - {"get_access_token"}


async def test_many_calls_make_one_login() -> None:
    """The token is fetched by the first call, and used by all."""
    drawn = build(e.CREATE_WALLET, m.CreateWallet("Marketing"), settings=SETTINGS)
    with aioresponses_shim() as server:
        login = answer_login(server)
        for _ in range(3):
            answers(server, drawn.url, "POST", sample("14_create_wallet_response"))
        async with CaxtonClient(Credentials("u", "c", "p"), SETTINGS) as caxton:
            results = [await caxton.wallets.create("Marketing") for _ in range(3)]
            token = await caxton.auth.access_token()

        (sent,) = server.requests["POST", URL(login)]
    assert results == [m.Wallet(123456, "Marketing")] * 3
    assert token.access_token.reveal() == "<access_token>"
    assert sent.kwargs["data"] == b"Grant_Type=password&Username=u&Password=p"
    assert not {"Authorization", "IdentityNumber", "userapitoken"} & set(sent.kwargs["headers"])


async def test_an_envelope_and_a_key_are_given_where_asked_for() -> None:
    """What stands around a result, the name of an event, and a rejection are all one's own choice."""
    hook = build(e.CREATE_WEBHOOK_ENDPOINT, m.CreateWebhookEndpoint("Payment", "https://h.example/"), settings=SETTINGS)
    with aioresponses_shim() as server:
        answer_login(server)
        answers(server, hook.url, "POST", sample("16_create_webhook_endpoint_response"))
        answers(server, SETTINGS.root_url + "wallets", "POST", sample("14_create_wallet_response"))
        answers(
            server,
            SETTINGS.root_url + "sandbox/payments-out",
            "POST",
            sample("18_sandbox_approve_or_reject_transfer_response"),
        )
        async with CaxtonClient(Credentials("u", "c", "p"), SETTINGS) as caxton:
            await caxton.webhooks.create_endpoint(WebhookEvent.PAYMENT, "https://h.example/")
            envelope = await caxton.call_envelope(e.CREATE_WALLET, m.CreateWallet("Marketing"))
            await caxton.sandbox.decide_transfer(1, approve=False)

        bodies = [call.kwargs["data"] for calls in server.requests.values() for call in calls]
    assert (envelope.model, envelope.content.expected_responses) == (m.Wallet(123456, "Marketing"), ("IsValid",))
    assert envelope.user.api_login_type == 0
    assert bodies[1] == hook.body
    assert bodies[3] == b'{"TransferId":1,"TransferStatus":"Rejected"}'


def test_a_path_for_a_call_of_nearly_one_of_our_names_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A slip would be ignored in silence; the names of a user's own endpoints are free."""
    environ = {"CAXTON_USERNAME": "u", "CAXTON_CLIENT_NAME": "c", "CAXTON_PATH_MOVE_FUND": "a", "CAXTON_PATH_MINE": "a"}

    CaxtonClient.from_env(environ)

    assert [record.getMessage() for record in caplog.records] == [
        "a path is given for move_fund, which is no call of ours: did you mean move_funds?"
    ]


def test_the_views_of_accounts_are_remembered_and_never_mistaken() -> None:
    """The view of an account is made once while few are in use, and each view is that of its own account."""
    caxton = CaxtonClient(Credentials("user", "client", "password"), SETTINGS)
    patient = caxton.with_options(deadline_s=90)

    views = [caxton.for_account(f"ID-{number}") for number in range(2500)]

    assert caxton.for_account("ID-2499") is views[-1]
    assert [view.caller for view in views] == [Caller(f"ID-{number}") for number in range(2500)]
    assert patient.for_account("ID-2499").caller == views[-1].caller
    assert patient.for_account("ID-2499") is not views[-1]
