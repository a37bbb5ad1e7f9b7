"""The calls of the API: one value each, and the catalogue of them.

Source: Caxton developer guide; `documented=False` marks a path that is assumed.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, TypeVar

from attrs import Attribute, Factory, field, fields, fields_dict, frozen, has

from caxton_async import models as m
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.syntax import is_plain_path

Request = TypeVar("Request")
Result = TypeVar("Result")

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})


def _method(_instance: object, _attribute: "Attribute[str]", value: str) -> None:
    if value not in _METHODS:
        raise ConfigurationError(f"the method of an endpoint is one of {', '.join(sorted(_METHODS))}, not {value!r}")


def _name(_instance: object, _attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigurationError(f"the name of an endpoint is like create_wallet, not {value!r}")


def _path(_instance: object, _attribute: "Attribute[str]", value: object) -> None:
    if not is_plain_path(value) or re.search("[{}]", _PLACEHOLDER.sub("", str(value))):
        raise ConfigurationError(f"the path of an endpoint is like wallets/{{wallet_id}}/cards, not {value!r}")


def placeholders(path: str) -> tuple[str, ...]:
    """Return the attributes of a request that stand in braces in `path`."""
    return tuple(_PLACEHOLDER.findall(str(path)))


def _acts_for(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value not in {"client", "account", "user"}:
        raise ConfigurationError(f"{attribute.name} of an endpoint is client, account or user, not {value!r}")


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _sorted_items(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(value.items()))


@frozen(cache_hash=True)
class Endpoint(Generic[Request, Result]):
    """One call of the API; a value of your own is as good as one of the catalogue's.

    `sends` is the attrs class of the request (None: nothing is sent), `returns` the class of the result (None: only
    the status is read).  `path` takes attributes of the request (`beneficiaries/{beneficiary_id}`); they are then not
    in the body.  `at` says where in the Model the result stands (`"Balances"`, `"Countries.Result"`).  `repeatable`
    says that sending twice does not act twice.  `body` is `json`, `text_json` (the content type `text/json`) or `form`
    (a token request after RFC 6749, whose answer has no envelope); a GET sends what its path does not take as a query.
    `headers` maps attributes to headers that carry them.  `authorised` calls carry the access token.
    `documented=False`: the path is assumed, and its first use warns.  `confirms` is asked whether an accepted answer
    belongs to its request; if not, the outcome is unknown.  `acts_for` says whose headers count: of nobody but the
    `client`, of an `account`, or of a `user` as well.

    A copy of an endpoint of the catalogue, by pickle or otherwise, is that endpoint.

    **Raises** ConfigurationError when the parts do not fit together.
    """

    name: str = field(validator=_name)
    method: str = field(validator=_method)
    path: str = field(validator=_path)
    sends: type[Request] | None = None
    returns: type[Result] | None = None
    at: str | None = field(default=None, kw_only=True)
    repeatable: bool = field(default=False, kw_only=True)
    body: Literal["json", "text_json", "form"] = field(default="json", kw_only=True)
    headers: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping, eq=_sorted_items, kw_only=True)
    authorised: bool = field(default=True, kw_only=True)
    documented: bool = field(default=True, kw_only=True)
    confirms: Callable[[Request, Result], bool] | None = field(default=None, repr=False, kw_only=True)
    acts_for: Literal["client", "account", "user"] = field(default="account", validator=_acts_for, kw_only=True)
    path_fields: tuple[str, ...] = field(
        init=False, default=Factory(lambda self: placeholders(self.path), takes_self=True)
    )
    at_steps: tuple[str, ...] = field(
        init=False, default=Factory(lambda self: tuple(self.at.split(".")) if self.at else (), takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        if self.sends is not None and not has(self.sends):
            raise ConfigurationError(f"{self.name} sends {self.sends!r}, which is not an attrs class")
        known = set() if self.sends is None else set(fields_dict(self.sends))
        for name in (*self.path_fields, *self.headers):
            if name not in known:
                raise ConfigurationError(f"{self.name} needs the attribute {name!r}, which its request does not have")
        for header in self.headers.values():
            if not _HEADER.fullmatch(header):
                raise ConfigurationError(
                    f"{self.name} has the header {header!r}: a name is letters, digits and hyphens"
                )
        if self.body not in {"json", "text_json", "form"}:
            raise ConfigurationError(f"the body of {self.name} is json, text_json or form, not {self.body!r}")

    def __deepcopy__(self, memo: dict[int, object]) -> "Endpoint[Request, Result]":
        return self  # it cannot be changed

    def __reduce__(self) -> "tuple[Callable[..., object], tuple[object, ...]]":
        if CATALOGUE.get(self.name) is self:
            return _from_catalogue, (self.name,)
        values = {a.name: getattr(self, a.name) for a in fields(type(self)) if a.init}
        return _from_values, ({**values, "headers": dict(self.headers)},)


def _from_catalogue(name: str) -> "Endpoint[object, object]":
    return CATALOGUE[name]


def _from_values(values: dict[str, Any]) -> "Endpoint[object, object]":
    return Endpoint(**values)


def _is_same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _moved_between(request: m.MoveFunds, balances: tuple[m.Balance, ...]) -> bool:
    """Tell whether the answer has two balances, first that of the source, then that of the destination."""
    if len(balances) != 2:
        return False
    source, destination = balances
    return _is_same(request.from_currency, source.ccy_code) and _is_same(request.to_currency, destination.ccy_code)


def _has_pot(request: m.CreatePot, balances: tuple[m.Balance, ...]) -> bool:
    """Tell whether a balance is the pot: its code is the prefix, alone or with the currency behind it."""
    names = (request.pot_prefix, f"{request.pot_prefix}-{request.ccy}")
    return any(_is_same(name, balance.ccy_code) for name in names for balance in balances)


def _is_rate_for(request: m.GetCardRate, rate: m.CardRate) -> bool:
    """Tell whether a rate is for both currencies and for the amount that is paid."""
    return (
        _is_same(request.ccy_code, rate.buy_currency)
        and _is_same(request.sell_ccy_code, rate.sell_currency)
        and request.amount == rate.sell_amount
    )


# fmt: off
GENERATE_PASSWORD: Final = Endpoint(
    "generate_password", "POST", "clients/auth/register", m.GeneratePassword, m.GeneratedPassword,
    body="text_json", authorised=False, acts_for="client",
)
GET_ACCESS_TOKEN: Final = Endpoint(
    "get_access_token", "POST", "token", m.GetAccessToken, m.AccessToken,
    body="form", authorised=False, documented=False, acts_for="client",
)
RESET_CREDENTIALS: Final[Endpoint[m.ResetCredentials, None]] = Endpoint(
    "reset_credentials", "PUT", "clients/auth/reset", m.ResetCredentials, documented=False
)
CREATE_SUB_ACCOUNT: Final = Endpoint(
    "create_sub_account", "POST", "clients/subsidiary", m.CreateSubAccount, m.SubAccount,
    confirms=lambda request, account: _is_same(request.company_name, account.name),
)
CREATE_USER: Final = Endpoint(
    "create_user", "POST", "registration/third-party/onboarding", m.NewUser, m.CreatedUser, headers={"iv_key": "IvKey"}
)
LIST_BANKS: Final[Endpoint[None, tuple[m.BankDetails, ...]]] = Endpoint(
    "list_banks", "GET", "reference/lookup/banks", None, tuple[m.BankDetails, ...],
    at="BankDetails", repeatable=True, documented=False, acts_for="user",
)
BANKS_FOR_CURRENCY: Final = Endpoint(
    "banks_for_currency", "GET", "reference/lookup/banks/{ccy}", m.BanksForCurrency, tuple[m.BankDetails, ...],
    at="BankDetails", repeatable=True, acts_for="user",
)
LIST_COUNTRIES: Final[Endpoint[None, tuple[m.Country, ...]]] = Endpoint(
    "list_countries", "GET", "reference/lookup/countries", None, tuple[m.Country, ...],
    at="Countries.Result", repeatable=True, documented=False, acts_for="client",
)
GET_COUNTRY: Final = Endpoint(
    "get_country", "GET", "reference/lookup/countries/{code}", m.GetCountry, m.Country,
    at="Country", repeatable=True, documented=False, acts_for="client",
)
GET_BANK_REQUIREMENTS: Final = Endpoint(
    "get_bank_requirements", "GET", "reference/lookup/bank-requirements/{ccy_country}/{ccy_currency}",
    m.GetBankRequirements, m.BankRequirements, at="BankRequirements", repeatable=True, documented=False,
    acts_for="client",
)
MOVE_FUNDS: Final = Endpoint(
    "move_funds", "POST", "account/balances/third-party/movement", m.MoveFunds, tuple[m.Balance, ...], at="Balances",
    confirms=_moved_between, acts_for="user",
)
CREATE_POT: Final = Endpoint(
    "create_pot", "POST", "account/balances/balance/{ccy}/{pot_prefix}", m.CreatePot, tuple[m.Balance, ...],
    at="Balances", confirms=_has_pot, acts_for="user",
)
CREATE_BULK_UPLOAD: Final = Endpoint(
    "create_bulk_upload", "POST", "payments", m.CreateBulkUpload, m.BulkUpload, acts_for="user"
)
SUBMIT_BULK_PAYLOAD: Final[Endpoint[m.SubmitBulkPayload, None]] = Endpoint(
    "submit_bulk_payload", "POST", "payments/{upload_record_id}", m.SubmitBulkPayload, documented=False,
    acts_for="user",
)
GET_CARD_RATE: Final = Endpoint(
    "get_card_rate", "POST", "rates/card/buy", m.GetCardRate, m.CardRate, repeatable=True, confirms=_is_rate_for,
)
CREATE_WALLET: Final = Endpoint(
    "create_wallet", "POST", "wallets", m.CreateWallet, m.Wallet, acts_for="user",
    confirms=lambda request, wallet: _is_same(request.name, wallet.name),
)
CREATE_CARD: Final = Endpoint(
    "create_card", "POST", "wallets/{wallet_id}/cards", m.NewCard, m.Card, documented=False
)
ENABLE_WEBHOOKS: Final[Endpoint[None, None]] = Endpoint(
    "enable_webhooks", "POST", "webhooks/enable", documented=False, acts_for="client"
)
CREATE_WEBHOOK_ENDPOINT: Final[Endpoint[m.CreateWebhookEndpoint, None]] = Endpoint(
    "create_webhook_endpoint", "POST", "webhooks/endpoints", m.CreateWebhookEndpoint, acts_for="client"
)
FUND_SANDBOX: Final[Endpoint[m.FundSandbox, None]] = Endpoint(
    "fund_sandbox", "POST", "sandbox/payments-in", m.FundSandbox
)
DECIDE_TRANSFER: Final[Endpoint[m.DecideTransfer, None]] = Endpoint(
    "decide_transfer", "POST", "sandbox/payments-out", m.DecideTransfer
)

# fmt: on

# Every call that the vendor documents, by name, in the order of the guide.
CATALOGUE: Final[Mapping[str, Endpoint[object, object]]] = MappingProxyType(
    {value.name: value for value in tuple(globals().values()) if isinstance(value, Endpoint)}
)


def find_endpoint(name: str, known: Mapping[str, Endpoint[Any, Any]] = CATALOGUE) -> Endpoint[Any, Any]:
    """Return the call of this name.

    **Raises** InvalidRequest, naming the nearest, when there is none.
    """
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    raise InvalidRequest(
        f"there is no call {name!r}: " + (f"did you mean {near[0]}?" if near else "caxton endpoints lists them")
    )
