"""The wire: what a request looks like, and what may stand in a URL or a header."""

import contextlib
import pickle
from decimal import Decimal

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.config import Settings
from caxton_async.endpoints import Endpoint
from caxton_async.errors import CaxtonError, ConfigurationError, InvalidRequest, Sent
from caxton_async.protocol.request import Caller, build_request, check_header_value, fits_header, route
from caxton_async.secret import Secret
from tests.support.replies import build

HIDDEN = "canary-4711"


@frozen
class PayBill:
    """Somebody's own request: two attributes in the path, one in a header, the rest in the body."""

    payee_id: int
    ref: str
    amount: Decimal
    key: str | Secret | None = None
    note: str | None = field(default=None, metadata={"caxton": "noteText"})


@frozen
class Find:
    """Somebody's own look-up."""

    name: str
    limit: int | None = None
    key: str | None = None


@frozen
class Receipt:
    """Somebody's own answer."""

    receipt_id: int


PAY = Endpoint("pay_bill", "POST", "payees/{payee_id}/bills/{ref}", PayBill, Receipt, headers={"key": "X-Key"})
FIND = Endpoint(
    "find", "GET", "payees", Find, tuple[Receipt, ...], at="Found", headers={"key": "X-Key"}, repeatable=True
)


# --- URLs ---


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        ("https://h.example/api", None, "https://h.example/api/wallets"),
        ("https://h.example/api//", None, "https://h.example/api/wallets"),
        ("https://h.example/api/", "x/y", "https://h.example/api/x/y"),
        ("https://h.example/api/", "/token", "https://h.example/token"),
        ("https://h.example:8443/a/b", "/token", "https://h.example:8443/token"),
        ("http://[::1]:80/api", "/token", "http://[::1]:80/token"),
    ],
    ids=["joined", "two slashes", "other path", "root", "root with port", "root of IPv6"],
)
def test_a_path_is_joined_with_exactly_one_slash(base_url: str, path: str | None, url: str) -> None:
    """A path of the settings replaces the endpoint's; one with a slash before it starts at the origin's root."""
    settings = Settings(base_url=base_url, paths={} if path is None else {"create_wallet": path})

    assert build(e.CREATE_WALLET, m.CreateWallet("x"), settings=settings).url == url


@pytest.mark.parametrize("path", ["cards", "wallets/{wallet}/cards", "{wallet_id}/{gender}", "{wallet_id}/{wallet_id}"])
def test_a_path_of_the_settings_takes_the_same_attributes(path: str) -> None:
    """A path that would lose an id, or does not know what to put in, is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"create_card in the settings must have \{wallet_id\}") as refusal:
        route(e.CREATE_CARD, Settings(paths={"create_card": path}), "tests")

    assert (refusal.value.sent, refusal.value.endpoint) == (Sent.NO, "create_card")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("GBP", "GBP"),
        ("POT11-USD", "POT11-USD"),
        ("a.b_c~d:e@f+g-h", "a.b_c~d%3Ae%40f%2Bg-h"),
        ("a b", "a%20b"),
        ("x" * 128, "x" * 128),
    ],
    ids=["code", "pot", "marks", "space", "long"],
)
def test_a_value_stands_in_the_path_as_it_is(value: str, written: str) -> None:
    """No parser of URLs finds anything in it to change, and the value can be read back."""
    request = build(e.GET_COUNTRY, m.GetCountry(value))

    assert request.url.endswith(f"/countries/{written}")
    assert URL(request.url).parts[-1] == value


@pytest.mark.parametrize(
    "value",
    [
        *(
            ".",
            "..",
            "...",
            ".a",
            "a.",
            "a. ",
            ".. ",
            " ..",
            " a",
            "a ",
            " ",
            "%2e%2e",
            "a/b",
            "../b",
            "a\\b",
            "a?b",
            "a#b",
        ),
        *(
            "a\r\nb",
            "a\n",
            "a\x00",
            "a\x7f",
            "é",
            "\ud800",
            "a;b",
            "a&b",
            "a=b",
            "a%20b",
            "x" * 129,
            "\N{FULLWIDTH FULL STOP}",
        ),
    ],
    ids=ascii,
)
def test_a_value_that_a_parser_could_change_is_refused(value: str) -> None:
    """What would be decoded, cut off or resolved somewhere on its way is refused by its name."""
    with pytest.raises(InvalidRequest, match="code cannot stand in the path of get_country") as refusal:
        build(e.GET_COUNTRY, m.GetCountry(value))

    assert (refusal.value.endpoint, refusal.value.__context__) == ("get_country", None)


@given(st.text(st.sampled_from("aZ0./\\%-_ ~:@+?#\r\n\x00é;"), min_size=1, max_size=6))
def test_any_value_is_one_segment_of_the_path_or_refused(value: str) -> None:
    """Whatever is accepted stays inside its segment, to every parser."""
    with contextlib.suppress(InvalidRequest):
        url = build(e.GET_COUNTRY, m.GetCountry(value)).url

        parsed = URL(url)
        assert (len(parsed.parts), parsed.parts[-1], parsed.query_string, parsed.fragment) == (6, value, "", "")


def test_a_request_of_the_users_own_is_built() -> None:
    """Path, header and body take what is theirs, spelled as the class says."""
    request = build(PAY, PayBill(7, "a-b", Decimal("1E+2"), Secret("k-1"), "now"))

    assert request.url.endswith("/api/payees/7/bills/a-b")
    assert request.secret_headers == {"X-Key": Secret("k-1")}
    assert request.body == b'{"Amount":100,"noteText":"now"}'


def test_a_look_up_of_the_users_own_asks_in_the_query() -> None:
    """What the path of a GET does not take is a query; there is no body, so no type of one."""
    request = build(FIND, Find("a b&c", 5, "k-1"))

    assert request.url.endswith("/api/payees?Name=a+b%26c&Limit=5")
    assert (request.body, "Content-Type" in request.headers) == (None, False)
    assert request.secret_headers == {"X-Key": Secret("k-1")}
    assert build(Endpoint("all", "GET", "all", Find), Find("x")).url.endswith("/all?Name=x")


@frozen
class Peek:
    """A request that would put a secret into a URL."""

    token: Secret


@pytest.mark.parametrize("path", ["tokens", "tokens/{token}"])
def test_a_secret_never_stands_in_a_url(path: str) -> None:
    """URLs are logged by everybody who passes them on."""
    with pytest.raises(InvalidRequest, match=r"peek cannot be sent: Peek\.[Tt]oken is neither text") as refusal:
        build(Endpoint("peek", "GET", path, Peek), Peek(Secret(HIDDEN)))

    assert HIDDEN not in repr(refusal.value)


@pytest.mark.parametrize(
    "value", [None, 0.5, [], Decimal("NaN"), 10**5000], ids=["none", "float", "list", "nan", "digits"]
)
def test_a_value_without_plain_text_is_refused_in_the_path(value: object) -> None:
    """What cannot be written exactly is named."""
    with pytest.raises(InvalidRequest, match=r"pay_bill cannot be sent: PayBill\.ref is neither text"):
        build(PAY, PayBill(7, value, Decimal(1)))


def test_a_body_that_cannot_be_written_is_refused() -> None:
    """The error shows neither the value nor what went wrong inside."""
    with pytest.raises(InvalidRequest, match="pay_bill cannot be sent: PayBill holds a value") as refusal:
        build(PAY, PayBill(7, "a", Decimal("NaN"), note=HIDDEN))

    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)
    assert HIDDEN not in repr(refusal.value)


@pytest.mark.parametrize(
    ("endpoint", "request_", "said"),
    [
        (e.CREATE_WALLET, None, "create_wallet takes CreateWallet, not NoneType"),
        (e.CREATE_WALLET, m.CreatePot("GBP", "P"), "create_wallet takes CreateWallet, not CreatePot"),
        (e.CREATE_WALLET, {"name": "x"}, "create_wallet takes CreateWallet, not dict"),
        (e.LIST_BANKS, m.CreateWallet("x"), "list_banks takes no request, not CreateWallet"),
        (e.RESET_CREDENTIALS, None, "reset_credentials takes ResetCredentials, not NoneType"),
    ],
    ids=["none", "another", "mapping", "too much", "nothing for an empty one"],
)
def test_a_request_of_another_kind_is_refused(endpoint: Endpoint, request_: object, said: str) -> None:
    """Each endpoint takes its own request."""
    with pytest.raises(InvalidRequest) as refusal:
        build(endpoint, request_)

    assert (str(refusal.value), refusal.value.endpoint) == (said, endpoint.name)


@frozen
class Odd:
    """An answer of a type that nobody can read."""

    part: int | str


def test_an_answer_that_could_not_be_read_is_refused_beforehand() -> None:
    """Better a refusal now than an answer that nobody understands when the money has moved."""
    with pytest.raises(ConfigurationError, match=r"odd returns .*Odd.*, of which a part cannot be read") as refusal:
        build(Endpoint("odd", "POST", "odd", None, Odd))

    assert (refusal.value.sent, refusal.value.endpoint) == (Sent.NO, "odd")


# --- headers ---


@pytest.mark.parametrize("value", ["x", "a b", "!~", "ID-1", Secret("tok")], ids=str)
def test_a_header_carries_visible_ascii(value: object) -> None:
    """Visible characters with spaces inside."""
    assert fits_header(value)
    check_header_value(value, "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " a",
        "a ",
        "a\r\nX: b",
        "a\n",
        "a\x00b",
        "a\tb",
        "é",
        "\ud800",
        "a\x7f",
        "\N{NO-BREAK SPACE}a",
        "\N{FULLWIDTH LATIN SMALL LETTER A}",
    ],
    ids=ascii,
)
def test_a_value_that_no_header_carries_is_refused(text: str) -> None:
    """As text and as a secret, for an account, a user and a key alike; the value is not shown."""
    for value in (text, Secret(text)):
        assert not fits_header(value)
        with pytest.raises(InvalidRequest, match=r"^the key must be text of visible ASCII") as refusal:
            check_header_value(value, "the key")
        assert str(refusal.value).isascii()
        assert str(refusal.value).isprintable()
    if text:
        with pytest.raises(InvalidRequest, match=r"^key must be text of visible"):
            build(PAY, PayBill(7, "a", Decimal(1), Secret(text)))


@pytest.mark.parametrize("value", [None, 5, b"x", ["x"]], ids=repr)
def test_a_header_carries_text_only(value: object) -> None:
    """Nothing is converted."""
    assert not fits_header(value)


def test_a_request_shows_no_secret() -> None:
    """The `repr` of what is sent shows where it goes, not what is in it."""
    user = Caller("ID-1", Secret(HIDDEN))
    request = build(PAY, PayBill(7, "a", Decimal(1), HIDDEN, HIDDEN), user)

    assert HIDDEN not in repr(request)
    assert "/payees/7/bills/a" in repr(request)
    assert HIDDEN not in repr(user)
    with pytest.raises(TypeError):
        pickle.dumps(request)


def test_building_leaves_nothing_behind_for_the_next_caller() -> None:
    """Two requests of one route share no header that one of them carries."""
    shared = route(e.CREATE_WALLET, Settings(), "tests")
    callers = [Caller("ID-1", Secret("one")), Caller(), Caller("ID-2")]

    requests = [build_request(e.CREATE_WALLET, m.CreateWallet("x"), shared, caller, "id") for caller in callers]

    assert [request.headers.get("IdentityNumber") for request in requests] == ["ID-1", None, "ID-2"]
    assert [dict(request.secret_headers) for request in requests] == [{"userapitoken": Secret("one")}, {}, {}]


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_text_is_sent_or_refused(ref: str, note: str) -> None:
    """No text in path, header or body makes another error than InvalidRequest."""
    error = None
    try:
        build(PAY, PayBill(7, ref, Decimal(1), note, note))
    except CaxtonError as refusal:
        error = refusal

    assert error is None or (type(error) is InvalidRequest and error.sent is Sent.NO)
