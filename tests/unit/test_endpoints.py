"""Endpoints: one value says all that a call needs, and one that cannot work is refused when it is made."""

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from caxton_async import models as m
from caxton_async.endpoints import CATALOGUE, CREATE_CARD, Endpoint, placeholders
from caxton_async.errors import ConfigurationError


def test_an_endpoint_knows_what_its_path_takes() -> None:
    """Attributes in braces, and the steps to the result, are found once."""
    endpoint = Endpoint("x", "GET", "a/{code}", m.GetCountry, m.Country, at="Countries.Result")

    assert (endpoint.path_fields, endpoint.at_steps) == (("code",), ("Countries", "Result"))
    assert (CREATE_CARD.path_fields, CREATE_CARD.at_steps) == (("wallet_id",), ())
    assert placeholders("{a}/b/{c_1}") == ("a", "c_1")


def test_what_is_not_said_is_the_careful_choice() -> None:
    """An endpoint of one's own is not repeated, is authorised, and has a path that one knows."""
    endpoint = Endpoint("x", "POST", "x")

    assert (endpoint.repeatable, endpoint.authorised, endpoint.documented) == (False, True, True)
    assert (endpoint.sends, endpoint.returns, endpoint.at, endpoint.body) == (None, None, None, "json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"name": "CreateWallet"}, "name of an endpoint is like create_wallet", id="name in capitals"),
        pytest.param({"name": ""}, "name of an endpoint", id="no name"),
        pytest.param({"name": "a\n"}, "name of an endpoint", id="line break in the name"),
        pytest.param({"name": None}, "name of an endpoint", id="none for a name"),
        pytest.param({"method": "get"}, "method of an endpoint is one of DELETE, GET", id="method in small letters"),
        pytest.param({"method": "TRACE"}, "method of an endpoint", id="unknown method"),
        pytest.param({"path": None}, "path of an endpoint", id="none for a path"),
        pytest.param({"path": ""}, "path of an endpoint", id="no path"),
        pytest.param({"path": "a//b"}, "path of an endpoint", id="empty segment"),
        pytest.param({"path": "../a"}, "path of an endpoint", id="dots"),
        pytest.param({"path": "a?b=1"}, "path of an endpoint", id="query"),
        pytest.param({"path": "a\r\nb"}, "path of an endpoint", id="line break"),
        pytest.param({"path": "a/{Code}"}, "path of an endpoint", id="attribute in capitals"),
        pytest.param({"path": "a/{code"}, "path of an endpoint", id="open brace"),
        pytest.param({"path": "a/{}"}, "path of an endpoint", id="no attribute"),
        pytest.param({"path": "a/{missing}"}, "x needs the attribute 'missing'", id="unknown attribute"),
        pytest.param({"headers": {"missing": "X"}}, "x needs the attribute 'missing'", id="unknown header"),
        pytest.param({"headers": {"code": "X\r\nY"}}, "has the header 'X.*Y'", id="line break in a header's name"),
        pytest.param({"headers": {"code": ""}}, "has the header ''", id="header without a name"),
        pytest.param({"sends": None, "path": "a/{code}"}, "x needs the attribute 'code'", id="nothing to take it from"),
        pytest.param({"sends": dict}, "which is not an attrs class", id="no attrs class"),
        pytest.param({"body": "xml"}, "body of x is json, text_json or form", id="unknown body"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(change: dict, said: str) -> None:
    """What does not fit together is found when the value is made, not when money moves."""
    with pytest.raises(ConfigurationError, match=said):
        Endpoint(**{"name": "x", "method": "GET", "path": "a", "sends": m.GetCountry} | change)


def is_quoted(request: m.BanksForCurrency, result: None) -> bool:
    """Confirm any answer."""
    return request is not None and result is None


@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy])
def test_an_endpoint_survives_pickling_and_copying(again: Callable[[Endpoint], Endpoint]) -> None:
    """One of the catalogue stays that one, so that workers may name it; another one is equal to what it was."""
    own = Endpoint("quote", "POST", "quotes/{ccy}", m.BanksForCurrency, headers={"ccy": "Ccy"}, confirms=is_quoted)

    assert all(again(endpoint) is endpoint for endpoint in CATALOGUE.values())
    assert (again(own), hash(again(own)), again(own).headers) == (own, hash(own), {"ccy": "Ccy"})
    assert again(attrs.evolve(CREATE_CARD, path="cards/{wallet_id}")) != CREATE_CARD


def test_an_endpoint_cannot_be_changed() -> None:
    """Another one can be made of it; in place, nothing changes."""
    endpoint = CATALOGUE["create_user"]

    assert attrs.evolve(endpoint, path="other").path == "other"
    with pytest.raises(AttributeError):
        endpoint.path = "other"
    with pytest.raises(TypeError):
        endpoint.headers["iv_key"] = "Other"


def test_the_catalogue_is_in_order_and_cannot_be_changed() -> None:
    """Names are those of the values, and the guide's order is kept."""
    assert [endpoint.name for endpoint in CATALOGUE.values()] == list(CATALOGUE)
    assert len(CATALOGUE) == 21
    with pytest.raises(TypeError):
        CATALOGUE["x"] = CREATE_CARD


@pytest.mark.parametrize("whom", ["client", "account", "user"])
def test_an_endpoint_says_for_whom_it_acts(whom: str) -> None:
    """An account, unless it says so; and of no other kind."""
    assert Endpoint("x", "GET", "a").acts_for == "account"
    assert Endpoint("x", "GET", "a", acts_for=whom).acts_for == whom
    with pytest.raises(ConfigurationError, match="acts_for of an endpoint is client, account or user"):
        Endpoint("x", "GET", "a", acts_for=f"{whom}s")


GBP, POT = m.Balance(Decimal(1), "GBP"), m.Balance(Decimal(2), "POTBC-GBP")
RATE = m.CardRate(Decimal("107.31"), "CHF", Decimal("100.0"), "GBP", Decimal("1.0731"))


@pytest.mark.parametrize(
    ("name", "request_", "result", "is_ours"),
    [
        ("move_funds", m.MoveFunds("GBP", "potbc-gbp ", 1), (GBP, POT), True),
        ("move_funds", m.MoveFunds("GBP", "POTBC-GBP", 1), (POT, GBP), False),
        ("move_funds", m.MoveFunds("GBP", "POT1-GBP", 1), (GBP, POT), False),
        ("move_funds", m.MoveFunds("GBP", "POTBC-GBP", 1), (GBP,), False),
        ("move_funds", m.MoveFunds("GBP", "POTBC-GBP", 1), (GBP, POT, POT), False),
        ("move_funds", m.MoveFunds("GBP", "POTBC-GBP", 1), (), False),
        ("create_pot", m.CreatePot("GBP", "POTBC-GBP"), (POT,), True),
        ("create_pot", m.CreatePot("gbp", "potbc"), (POT,), True),
        ("create_pot", m.CreatePot("USD", "POTBC"), (POT,), False),
        ("create_pot", m.CreatePot("GBP", "POT1"), (POT,), False),
        ("create_wallet", m.CreateWallet("Travel"), m.Wallet(1, " travel"), True),
        ("create_wallet", m.CreateWallet("Travel"), m.Wallet(1, "Office"), False),
        ("create_sub_account", m.CreateSubAccount("Ltd", "a@b.example"), m.SubAccount("u", "Ltd"), True),
        ("create_sub_account", m.CreateSubAccount("Ltd", "a@b.example"), m.SubAccount("u", "Other"), False),
        ("get_card_rate", m.GetCardRate("CHF", "GBP", 100), RATE, True),
        ("get_card_rate", m.GetCardRate("EUR", "GBP", 100), RATE, False),
        ("get_card_rate", m.GetCardRate("CHF", "USD", 100), RATE, False),
        ("get_card_rate", m.GetCardRate("CHF", "GBP", 101), RATE, False),
    ],
)
def test_an_answer_shows_whose_it_is(name: str, request_: object, result: object, *, is_ours: bool) -> None:
    """Calls whose answers repeat what was asked for are confirmed by it, without white space and case."""
    confirms = CATALOGUE[name].confirms

    assert confirms is not None
    assert confirms(request_, result) is is_ours
