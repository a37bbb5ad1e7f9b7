"""Endpoints: one value says all that a call needs, and one that cannot work is refused when it is made."""

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
