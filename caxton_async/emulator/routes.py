"""The table of calls: where each is found, what it takes and which function does its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property

import attrs

from caxton_async.emulator.calls import (
    Call,
    Document,
    banks_for_currency,
    create_bulk_upload,
    create_card,
    create_pot,
    create_sub_account,
    create_user,
    create_wallet,
    create_webhook_endpoint,
    decide_transfer,
    enable_webhooks,
    fund_sandbox,
    generate_password,
    get_access_token,
    get_bank_requirements,
    get_card_rate,
    get_country,
    list_banks,
    list_countries,
    move_funds,
    reset_credentials,
    submit_bulk_payload,
)

PREFIX = "/api/"


@attrs.frozen
class Route:
    """One call of the API: its public name, where it is found and what it takes.

    `sends` and `may_send` give the members of the body and their types; `is_assumed` says that the guide
    documents the call but not its path; `spends`, that it takes money from a balance.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Call], Document]
    sends: Mapping[str, tuple[type, ...]] = {}
    may_send: Mapping[str, tuple[type, ...]] = {}
    is_assumed: bool = False
    media_type: str = "application/json"
    needs_token: bool = True
    spends: bool = False
    needs_header: str | None = None

    @cached_property
    def full_path(self) -> str:
        """The path from the origin's root on."""
        return self.path if self.path.startswith("/") else PREFIX + self.path

    @cached_property
    def segments(self) -> list[str]:
        """The parts of the full path, a placeholder in braces."""
        return self.full_path[1:].split("/")

    @cached_property
    def members(self) -> Mapping[str, tuple[type, ...]]:
        """The members that the body may have, each with its types."""
        return {**self.sends, **self.may_send}


def _texts(names: str) -> dict[str, tuple[type, ...]]:
    return dict.fromkeys(names.split(), (str,))


_NUMBER = (int, Decimal)
_PERSON = (
    "Email FirstName LastName Gender Title Password MemorableWord DateofBirth HouseNameNumber Address1 City Postcode "
    "Country Product PrimaryContactNo MobileNumber DeviceId Device OperatingSystem AppVersion"
)

ROUTES = (
    Route(
        "generate_password",
        "POST",
        "clients/auth/register",
        generate_password,
        _texts("Username Clientname"),
        media_type="text/json",
        needs_token=False,
    ),
    Route(
        "get_access_token",
        "POST",
        "token",
        get_access_token,
        may_send=_texts("Grant_Type Username Password"),
        is_assumed=True,
        media_type="application/x-www-form-urlencoded",
        needs_token=False,
    ),
    Route("reset_credentials", "PUT", "clients/auth/reset", reset_credentials, is_assumed=True),
    Route("create_sub_account", "POST", "clients/subsidiary", create_sub_account, _texts("CompanyName Email")),
    Route(
        "create_user",
        "POST",
        "registration/third-party/onboarding",
        create_user,
        _texts(_PERSON),
        needs_header="IvKey",
    ),
    Route("list_banks", "GET", "reference/lookup/banks", list_banks, is_assumed=True),
    Route("banks_for_currency", "GET", "reference/lookup/banks/{ccy}", banks_for_currency),
    Route("list_countries", "GET", "reference/lookup/countries", list_countries, is_assumed=True),
    Route("get_country", "GET", "reference/lookup/countries/{code}", get_country, is_assumed=True),
    Route(
        "get_bank_requirements",
        "GET",
        "reference/lookup/bank-requirements/{ccy_country}/{ccy_currency}",
        get_bank_requirements,
        is_assumed=True,
    ),
    Route(
        "move_funds",
        "POST",
        "account/balances/third-party/movement",
        move_funds,
        _texts("FromCurrency ToCurrency Amount"),
        spends=True,
    ),
    Route(
        "create_pot",
        "POST",
        "account/balances/balance/{ccy}/{potPrefix}",
        create_pot,
        may_send=_texts("FriendlyName"),
    ),
    Route("create_bulk_upload", "POST", "payments", create_bulk_upload, _texts("Description ExternalSource")),
    Route(
        "submit_bulk_payload",
        "POST",
        "payments/{upload_record_id}",
        submit_bulk_payload,
        _texts("Payload"),
        is_assumed=True,
        spends=True,
    ),
    Route(
        "get_card_rate",
        "POST",
        "rates/card/buy",
        get_card_rate,
        _texts("CcyCode SellccyCode") | {"Amount": _NUMBER},
    ),
    Route("create_wallet", "POST", "wallets", create_wallet, _texts("Name")),
    Route(
        "create_card",
        "POST",
        "wallets/{wallet_id}/cards",
        create_card,
        _texts("FirstName LastName Gender DateOfBirth"),
        _texts("Email"),
        is_assumed=True,
    ),
    Route("enable_webhooks", "POST", "webhooks/enable", enable_webhooks, is_assumed=True),
    Route(
        "create_webhook_endpoint",
        "POST",
        "webhooks/endpoints",
        create_webhook_endpoint,
        _texts("WebhookEventType EndpointUrl"),
    ),
    Route(
        "fund_sandbox",
        "POST",
        "sandbox/payments-in",
        fund_sandbox,
        _texts("Currency UserId") | {"Amount": _NUMBER},
    ),
    Route(
        "decide_transfer",
        "POST",
        "sandbox/payments-out",
        decide_transfer,
        _texts("TransferStatus") | {"TransferId": (int,)},
    ),
)


ASSUMED_PATHS = {route.name: route.path for route in ROUTES if route.is_assumed}
