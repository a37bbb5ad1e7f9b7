"""The vendor's samples: each call sends what the guide shows, to the byte, and reads what it answers, to the digit."""

import datetime as dt
import json
import urllib.parse
from decimal import Decimal
from typing import Any

import pytest
from attrs import frozen

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.config import Environment
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.protocol.request import Caller, read_reply
from caxton_async.secret import Secret
from tests.support.replies import SAMPLES, build, reply, sample

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
BODILESS = {"Accept": "application/json"}
BARE = json.dumps({"Content": {"Model": json.loads(sample("16_create_webhook_endpoint_response"))["Content"]["Model"]}})
USER = m.NewUser(
    email="[email protected]",
    first_name="John",
    last_name="Caxton",
    gender="Male",
    title="Mr",
    password="Admin@123",
    memorable_word="aaa",
    date_of_birth=dt.date(1990, 5, 20),
    house_name_number="Downway",
    address1="2 Lehman Street",
    city="London",
    postcode="E18FA",
    country="GB",
    product="MoneyTransfer",
    primary_contact_no="+447686786786",
    mobile_number="+447437570777",
    device_id="<DeviceId>",
    device="<Device>",
    operating_system="iOS 12.2",
    app_version="8.1.2",
    iv_key="1f-iv",
)
CARD = m.NewCard(123456, "Ada", "Lovelace", "Female", "1815-12-10", "ada@example.com")
UNITED_KINGDOM = m.Country(
    alpha2_code="GB",
    short_name="UK",
    full_name="United Kingdom",
    alpha3_code="GBR",
    numeric_code="826",
    for_applications=True,
    for_beneficiaries=True,
    for_others=False,
    for_monitor=False,
    for_place_of_birth=False,
    default_currency_code="GBP",
    isd_code="+44",
)


@frozen
class Case:
    """One call of the guide: `body` is the beginning of a sample's name, or the bytes that the guide implies."""

    endpoint: Endpoint[Any, Any]
    request: object
    line: str
    answer: str
    result: object
    body: str | bytes | None = None
    headers: dict[str, str] = JSON


CASES = [
    Case(
        e.GENERATE_PASSWORD,
        m.GeneratePassword("<username>", "cxtnclient"),
        "POST clients/auth/register",
        "01_generate_password_response",
        m.GeneratedPassword(
            Secret("<clientpassword>"),
            dt.datetime(2023, 8, 23, 10, 55, 45, 64501, dt.UTC),
            dt.datetime(2023, 9, 22, 10, 55, 45, 64501, dt.UTC),
            "<publickey>",
        ),
        "01_generate_password_request",
        {"Content-Type": "text/json", "Accept": "application/json"},
    ),
    Case(
        e.GET_ACCESS_TOKEN,
        m.GetAccessToken("<username>", Secret("<password>")),
        "POST token",
        "02_get_access_token_response",
        m.AccessToken(Secret("<access_token>"), "bearer", 2591999),
        b"Grant_Type=password&Username=%3Cusername%3E&Password=%3Cpassword%3E",
        {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"},
    ),
    Case(e.RESET_CREDENTIALS, m.ResetCredentials(), "PUT clients/auth/reset", BARE, None, None, BODILESS),
    Case(
        e.CREATE_SUB_ACCOUNT,
        m.CreateSubAccount("demo45", "[email protected]"),
        "POST clients/subsidiary",
        "03_create_subsidiary_account_response",
        m.SubAccount("<username>", "demo45"),
        "03_create_subsidiary_account_request",
    ),
    Case(
        e.CREATE_USER,
        USER,
        "POST registration/third-party/onboarding",
        "04_create_users_response",
        m.CreatedUser(12345, "<userid>", Secret("<apitoken>")),
        "04_create_users_request",
    ),
    Case(
        e.LIST_BANKS,
        None,
        "GET reference/lookup/banks",
        "05_banks_lookup_response",
        (
            m.BankDetails(
                account_name="Caxton Payments Limited",
                currency="USD",
                bank_name="Royal Bank of Scotland\r\n",
                account_number="<accountnumber>",
                iban_number="<iban>",
                swift_code="<swift>",
                sort_code="<sortcode>",
                type=0,
                pay_in_reference="6259575960",
            ),
        ),
        headers=BODILESS,
    ),
    Case(
        e.BANKS_FOR_CURRENCY,
        m.BanksForCurrency("EUR"),
        "GET reference/lookup/banks/EUR",
        "06_banks_lookup_by_ccy_EUR_response",
        (
            m.BankDetails(
                account_name="<accountname>",
                currency="EUR",
                bank_name="Simulator Bank",
                account_number="010128820",
                iban_number="<iban>",
                swift_code="<swift>",
                bank_address="The Bower, 207-211 Old Street, London, England, EC1V 9NR",
                country="GB",
                type=1,
            ),
        ),
        headers=BODILESS,
    ),
    Case(
        e.LIST_COUNTRIES,
        None,
        "GET reference/lookup/countries",
        "07_list_of_countries_response",
        (UNITED_KINGDOM,),
        headers=BODILESS,
    ),
    Case(
        e.GET_COUNTRY,
        m.GetCountry("GB"),
        "GET reference/lookup/countries/GB",
        "08_country_by_country_code_response",
        m.Country(
            alpha2_code="GB",
            short_name="UK",
            full_name="United Kingdom",
            alpha3_code="GBR",
            numeric_code="826",
            for_applications=True,
            for_beneficiaries=True,
        ),
        headers=BODILESS,
    ),
    Case(
        e.GET_BANK_REQUIREMENTS,
        m.GetBankRequirements("CA", "CAD"),
        "GET reference/lookup/bank-requirements/CA/CAD",
        "09_country_bank_requirements_CA_CAD_response",
        m.BankRequirements(
            country_code="CA",
            local_currency="CAD",
            uses_iban=False,
            uses_bank_code=True,
            uses_sepa=False,
            requires_ben_address=True,
            uses_sort_code=False,
            uses_swift=True,
            uses_account_number=True,
            bank_code_description="SWIFT / Bank Code",
        ),
        headers=BODILESS,
    ),
    Case(
        e.MOVE_FUNDS,
        m.MoveFunds("GBP", "POTBC-GBP", Decimal(10)),
        "POST account/balances/third-party/movement",
        "10_move_funds_between_pots_response",
        (
            m.Balance(
                balance=Decimal("1040.31"),
                ccy_code="GBP",
                base_ccy_code="GBP",
                alphabetic_code="GBP",
                description="British Pound Sterling",
                numeric_code="826",
                symbol="£",
            ),
            m.Balance(balance=Decimal("30.00"), ccy_code="POTBC-GBP", base_ccy_code="GBP"),
        ),
        "10_move_funds_between_pots_request",
    ),
    Case(
        e.CREATE_POT,
        m.CreatePot("USD", "POT11-USD", "MarketingBudget"),
        "POST account/balances/balance/USD/POT11-USD",
        "11_create_pot_response",
        (
            m.Balance(
                balance=Decimal("0.00"),
                ccy_code="POT11-USD",
                base_ccy_code="USD",
                friendly_name="Marketing_Budget",
                alphabetic_code="USD",
                description="US Dollar",
                numeric_code="840",
                symbol="$",
            ),
        ),
        "11_create_pot_request",
    ),
    Case(
        e.CREATE_BULK_UPLOAD,
        m.CreateBulkUpload("Caxton", m.BulkSource.CAXTON),
        "POST payments",
        "12_create_bulk_upload_response",
        m.BulkUpload(
            1234,
            (
                "Action",
                "RecipientReference",
                "ClientRecipientReference",
                "RecipientName",
                "SWIFTCode",
                "SortCode",
                "AccountNumber",
                "IBAN",
                "RecipientAddress",
                "RecipientCountry",
                "PaymentReference",
                "Currency",
                "Amount",
                "PaymentDate",
            ),
        ),
        "12_create_bulk_upload_request",
    ),
    Case(
        e.SUBMIT_BULK_PAYLOAD,
        m.SubmitBulkPayload(1234, "Action,Amount\r\nNew,10\r\n"),
        "POST payments/1234",
        BARE,
        None,
        rb'{"Payload":"Action,Amount\r\nNew,10\r\n"}',
    ),
    Case(
        e.GET_CARD_RATE,
        m.GetCardRate("CHF", "GBP", Decimal(100)),
        "POST rates/card/buy",
        "13_card_rates_buy_response",
        m.CardRate(
            is_enhanced_rate=False,
            buy_amount=Decimal("107.31"),
            buy_currency="CHF",
            buy_desc="Swiss Franc",
            buy_symbol="CHF",
            sell_amount=Decimal("100.0"),
            sell_currency="GBP",
            sell_desc="British Pound Sterling",
            sell_symbol="£",
            exchange_rate=Decimal("1.0731"),
            channel_type=18,
        ),
        "13_card_rates_buy_request",
    ),
    Case(
        e.CREATE_WALLET,
        m.CreateWallet("Marketing"),
        "POST wallets",
        "14_create_wallet_response",
        m.Wallet(123456, "Marketing"),
        "14_create_wallet_request",
    ),
    Case(
        e.CREATE_CARD,
        CARD,
        "POST wallets/123456/cards",
        "15_create_card_response",
        m.Card("12345678"),
        b'{"FirstName":"Ada","LastName":"Lovelace","Gender":"Female","DateOfBirth":"1815-12-10",'
        b'"Email":"ada@example.com"}',
    ),
    Case(e.ENABLE_WEBHOOKS, None, "POST webhooks/enable", BARE, None, None, BODILESS),
    Case(
        e.CREATE_WEBHOOK_ENDPOINT,
        m.CreateWebhookEndpoint("Wallets", "https://webhook.site/9ed441e2-9890-86gb-p989-5678910111213"),
        "POST webhooks/endpoints",
        "16_create_webhook_endpoint_response",
        None,
        "16_create_webhook_endpoint_request",
    ),
    Case(
        e.FUND_SANDBOX,
        m.FundSandbox("GBP", 1000, "UserId"),
        "POST sandbox/payments-in",
        "17_sandbox_fund_the_account_response",
        None,
        "17_sandbox_fund_the_account_request",
    ),
    Case(
        e.DECIDE_TRANSFER,
        m.DecideTransfer(164165, "Approved"),
        "POST sandbox/payments-out",
        "18_sandbox_approve_or_reject_transfer_response",
        None,
        "18_sandbox_approve_or_reject_transfer_request",
    ),
]
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.endpoint.name)


def digits(value: object) -> object:
    """Return `value` in a form in which 30.0 and 30.00 differ, as do text and a secret."""
    return repr(value) if not isinstance(value, Secret) else value.reveal()


def answer_of(case: Case) -> bytes:
    """Return the body of the answer to a call."""
    return case.answer.encode() if case.answer is BARE else sample(case.answer)


def test_every_call_of_the_catalogue_has_its_sample() -> None:
    """No endpoint is left out, and no sample of the guide is unused."""
    used = {text for case in CASES for text in (case.body, case.answer) if isinstance(text, str) and text is not BARE}
    unused = {path.stem for path in SAMPLES.glob("*.json")} - used

    assert [case.endpoint for case in CASES] == list(CATALOGUE.values())
    assert unused == {"02_get_access_token_request_form_fields", "90_tables"}  # used by tests of their own


@by_name
def test_a_call_sends_what_the_guide_shows(case: Case) -> None:
    """Method, path, headers and body are those of the guide, the body to the byte but for its white space."""
    request = build(case.endpoint, case.request)

    method, _, path = case.line.partition(" ")
    body = case.body
    if isinstance(body, str):
        body = json.dumps(json.loads(sample(body)), separators=(",", ":"), ensure_ascii=False).encode()
    assert (request.method, request.url) == (method, Environment.SANDBOX.base_url + path)
    assert request.body == body
    assert request.headers == {"User-Agent": "tests", "Accept-Encoding": "identity", **case.headers}


@by_name
def test_an_answer_is_read_as_the_guide_shows_it(case: Case) -> None:
    """Every member that the sample holds arrives in the result, each decimal to its last digit."""
    envelope = read_reply(case.endpoint, reply(answer_of(case)), request=case.request)

    assert envelope.model == case.result
    assert digits(envelope.model) == digits(case.result)  # Decimal("30.0") equals Decimal("30.00"), its text does not


@by_name
def test_every_member_of_a_sample_is_read(case: Case) -> None:
    """Nothing that the guide shows in a result is passed over, but for the statuses."""
    result = read_reply(case.endpoint, reply(answer_of(case)), request=case.request).model
    shown = json.loads(answer_of(case), parse_float=Decimal)
    place = shown.get("Content", {}).get("Model", shown)
    for step in (case.endpoint.at or "").split(".") if case.endpoint.at else ():
        place = place[step]

    objects = (
        []
        if result is None
        else list(zip(result, place, strict=True))
        if place is not shown and isinstance(place, list)
        else [(result, place)]
    )
    for value, members in objects:
        names = {name: item for name, item in members.items() if not name.startswith("ApiStatus") and item is not None}
        read = {name for name in value.__attrs_attrs__ if getattr(value, name.name) is not None}
        assert len(read) == len(names)


def test_the_login_is_a_form_with_the_fields_of_the_guide() -> None:
    """The token call names its grant as the guide spells it."""
    request = build(e.GET_ACCESS_TOKEN, m.GetAccessToken("<username>", "<password>"))

    assert dict(urllib.parse.parse_qsl(request.body.decode())) == json.loads(sample("02_get_access_token_request"))


def test_a_pot_without_a_friendly_name_sends_none() -> None:
    """What is optional and not given is not in the body, as null or otherwise."""
    assert build(e.CREATE_POT, m.CreatePot("USD", "POT11")).body == b"{}"


def test_the_calls_of_the_guide_that_act_for_somebody_carry_their_headers() -> None:
    """A view's account and user are headers of every call but the first two, and a user's token stays a secret."""
    caller = Caller("ID-1", Secret("user-token"))

    for case in CASES:
        request = build(case.endpoint, case.request, caller)
        names = {"IdentityNumber": request.headers.get("IdentityNumber"), **request.secret_headers}
        if case.endpoint in {e.GENERATE_PASSWORD, e.GET_ACCESS_TOKEN}:
            assert names == {"IdentityNumber": None}
            assert case.endpoint.authorised is False
        else:
            iv_key = {"IvKey": Secret("1f-iv")} if case.endpoint is e.CREATE_USER else {}
            assert names == {"IdentityNumber": "ID-1", "userapitoken": Secret("user-token"), **iv_key}
            assert case.endpoint.authorised is True


def test_what_stands_around_the_model_is_read() -> None:
    """The envelope of the sample that has everything arrives whole."""
    envelope = read_reply(e.FUND_SANDBOX, reply(sample("17_sandbox_fund_the_account_response")))

    assert envelope == m.Envelope(
        m.Content(None, ("IsValid",), m.ApiStatus(100, "IsValid", "Valid Operation")),
        m.AuthorisedClientModel(
            "<ClientId>",
            "<ClientRef>",
            "<UserId>",
            dt.datetime(2023, 11, 6, 10, 6, 28, 117521, dt.UTC),
            dt.datetime(2024, 4, 24, 10, 33, 4, 441771, dt.UTC),
        ),
        m.AuthorisedUserModel(
            "<UserId>",
            "20240322.1",
            dt.datetime(2024, 3, 25, tzinfo=dt.UTC),
            dt.datetime(2024, 4, 24, tzinfo=dt.UTC),
            dt.datetime(2024, 3, 25, 10, 33, 4, 410525, dt.UTC),
            1,
        ),
        "<MainAccountHolderName>",
    )


def test_the_tables_of_the_guide_are_the_enumerations() -> None:
    """Sources of bulk uploads, and types of webhook events, are those that the guide lists."""
    tables = json.loads(sample("90_tables"))

    assert {source.value for source in m.BulkSource} == {str(code) for code in tables["bulk_external_source"].values()}
    assert [event.value for event in m.WebhookEvent] == [event["name"] for event in tables["webhook_event_types"]]


def test_bacs_has_no_columns() -> None:
    """A column format of null is None."""
    answer = json.loads(sample("12_create_bulk_upload_response"))
    answer["Content"]["Model"]["ColumnFormat"] = None

    assert read_reply(e.CREATE_BULK_UPLOAD, reply(answer)).model == m.BulkUpload(1234, None)


def test_every_path_that_is_assumed_is_marked() -> None:
    """The endpoints whose path no guide names are these, and no other."""
    assumed = {name for name, endpoint in CATALOGUE.items() if not endpoint.documented}

    assert assumed == {
        "get_access_token",
        "reset_credentials",
        "list_banks",
        "list_countries",
        "get_country",
        "get_bank_requirements",
        "submit_bulk_payload",
        "create_card",
        "enable_webhooks",
    }


def test_only_look_ups_may_be_repeated() -> None:
    """No call that makes, moves or decides anything is marked as safe to repeat."""
    repeatable = {name for name, endpoint in CATALOGUE.items() if endpoint.repeatable}

    assert repeatable == {
        "list_banks",
        "banks_for_currency",
        "list_countries",
        "get_country",
        "get_bank_requirements",
        "get_card_rate",
    }
