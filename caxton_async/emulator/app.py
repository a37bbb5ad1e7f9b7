"""The emulated API without its socket: the table of calls, and the way from a request to its answer.

Requests are read strictly, as the Caxton developer guide shows them: another spelling, a member too many or a
number in place of a string is refused, so that a mistake of a client shows here and not at the vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from caxton_async.emulator.accounts import Token
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
from caxton_async.emulator.conditions import Conditions
from caxton_async.emulator.envelope import Answer, LoginRefused, answer, read_json, refusal, unauthorised
from caxton_async.emulator.ledger import Ledger
from caxton_async.emulator.refusals import Refused
from caxton_async.emulator.request import Request
from caxton_async.emulator.responses import MAINTENANCE


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
        "reference/lookup/bank-requirements/{country}/{currency}",
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


@attrs.frozen
class Match:
    """The call that a request asks for, with the values of its path."""

    route: Route
    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """The call's public name."""
        return self.route.name


class App:
    """The emulated API: `find` says which call a request is, `answer` carries it out."""

    prefix = "/api/"

    def __init__(self, ledger: Ledger, conditions: Conditions) -> None:
        self.ledger = ledger
        self._conditions = conditions
        self._routes = [(route, route.path.split("/")) for route in ROUTES]

    def find(self, method: str, path: str) -> Match | None:
        """Return the call at this path, None if there is none."""
        return next((match for match in self._at(path) if match.route.method == method), None)

    def name_of(self, method: str, path: str) -> str | None:
        """Name the call at this path."""
        match = self.find(method, path)
        return None if match is None else match.name

    def _at(self, path: str) -> list[Match]:
        path = path.partition("?")[0]
        if not path.startswith(self.prefix):
            return []
        parts = path.removeprefix(self.prefix).split("/")
        matches = []
        for route, segments in self._routes:
            if len(segments) == len(parts):
                pairs = list(zip(segments, parts, strict=True))
                if all(part and (segment == part or segment[0] == "{") for segment, part in pairs):
                    values = {segment[1:-1]: unquote(part) for segment, part in pairs if segment[0] == "{"}
                    matches.append(Match(route, values))
        return matches

    def answer(self, match: Match | None, request: Request) -> Answer:
        """Do what the request asks for, and answer it."""
        if self._conditions.holds("maintenance_page"):
            return MAINTENANCE
        if match is None:
            return self._unknown(request)
        try:
            call = self._admit(match, request)
            return unauthorised() if call is None else answer(match.route.handler(call))
        except Refused as refused:
            return refusal(refused)
        except LoginRefused as refused:
            return answer({"error": refused.error, "error_description": refused.description}, 400)

    def _unknown(self, request: Request) -> Answer:
        if self._at(request.path):
            return answer({"Message": "The requested resource does not support this http method."}, 405)
        return answer({"Message": "No HTTP resource was found that matches the request URI."}, 404)

    def _admit(self, match: Match, request: Request) -> Call | None:
        """Say who calls with what, None for a call without a valid token."""
        route, accounts = match.route, self.ledger.accounts
        if not route.needs_token:
            return Call(self.ledger, None, accounts.main, None, match.values, _read_body(route, request))
        token = self._token(request)
        if token is None:
            return None
        if self._conditions:
            self._check_conditions(route, request)
        account = accounts.acting(token, request.headers.get("IdentityNumber"))
        user = accounts.find_user(request.headers.get("userapitoken"), account)
        if route.needs_header is not None and not request.headers.get(route.needs_header):
            raise Refused("MissingHeader", f"The call needs the header {route.needs_header}.")
        return Call(self.ledger, token, account, user, match.values, _read_body(route, request))

    def _check_conditions(self, route: Route, request: Request) -> None:
        if self._conditions.holds("blocked_user", request.acting_for):
            raise Refused("UserBlocked", "The user or account is blocked.")
        if route.spends and self._conditions.holds("empty_balance", request.acting_for):
            raise Refused("InsufficientFunds", "The balance does not hold the amount.")

    def _token(self, request: Request) -> Token | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return self.ledger.accounts.find_token(value) if scheme == "Bearer" else None


def _read_body(route: Route, request: Request) -> Mapping[str, Any]:
    """Return the members of the body, each known to the call and of the right type."""
    if not request.body and not route.sends:
        return {}
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if media_type != route.media_type:
        raise Refused("WrongContentType", f"The body of this call is {route.media_type}.")
    body = _parse(route, request.body)
    known = {**route.sends, **route.may_send}
    for name in route.sends:
        if name not in body:
            raise Refused("MissingMember", f"The body lacks {name}.")
    for name, value in body.items():
        if name not in known:
            raise Refused("UnexpectedMember", f"The body of this call has {', '.join(known) or 'no members'} only.")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise Refused("WrongType", f"{name} has not the type that the guide shows.")
    return body


def _parse(route: Route, body: bytes) -> dict[str, Any]:
    try:
        if route.media_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        parsed = read_json(body)
    except (ValueError, RecursionError):
        raise Refused("MalformedBody", "The body cannot be read.") from None
    if not isinstance(parsed, dict):
        raise Refused("MalformedBody", "The body is not a JSON object.")
    return parsed
