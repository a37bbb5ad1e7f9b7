"""Settings and credentials: what can work is accepted, what cannot is refused by its name, and never shown."""

import copy
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.config import (
    Configuration,
    Credentials,
    Environment,
    Settings,
    from_env,
    password_from_file,
)
from caxton_async.errors import ConfigurationError, Sent
from caxton_async.secret import Secret
from caxton_async.syntax import HEADER_VALUE, is_loopback, is_plain_path

HIDDEN = "canary-4711"
WHO = {"CAXTON_USERNAME": "u", "CAXTON_CLIENT_NAME": "c"}


# --- copies ---


@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy])
def test_settings_survive_pickling_and_copying(again: Callable[[Settings], Settings]) -> None:
    """Workers hand their settings on, and keep clients by them."""
    settings = Settings(paths={"create_wallet": "w"}, deadline_s=7, proxy="http://127.0.0.1:3128", drain_s=0)

    assert (again(settings), hash(again(settings))) == (settings, hash(settings))
    assert again(settings) != Settings()


def test_settings_with_a_secret_are_not_pickled() -> None:
    """A proxy's URL may hold a password."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Settings(proxy=f"http://user:{HIDDEN}@127.0.0.1:3128"))


# --- where requests go ---


@pytest.mark.parametrize(
    ("base_url", "root", "origin"),
    [
        (None, "https://caxapi-integration.azurewebsites.net/api/", "https://caxapi-integration.azurewebsites.net:443"),
        ("https://sandbox.caxton.io", "https://sandbox.caxton.io/", "https://sandbox.caxton.io:443"),
        ("https://SandBox.Caxton.io:8443/api", "https://SandBox.Caxton.io:8443/api/", "https://sandbox.caxton.io:8443"),
        ("https://sandbox.caxton.io/api//", "https://sandbox.caxton.io/api/", "https://sandbox.caxton.io:443"),
        ("http://127.0.0.1:8080/api", "http://127.0.0.1:8080/api/", "http://127.0.0.1:8080"),
        ("http://localhost/", "http://localhost/", "http://localhost:80"),
        ("http://[::1]:9/a/b", "http://[::1]:9/a/b/", "http://::1:9"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443"),
    ],
    ids=["default", "bare host", "port", "two slashes", "loopback", "localhost", "IPv6", "punycode"],
)
def test_a_base_url_is_used_with_one_slash_at_its_end(base_url: str | None, root: str, origin: str) -> None:
    """Whatever its end looks like, paths follow after exactly one slash, and the origin has one spelling."""
    settings = Settings(base_url=base_url)

    assert (settings.root_url, settings.origin) == (root, origin)


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        pytest.param("http://sandbox.caxton.io/api", "https://", id="plain HTTP"),
        pytest.param("http://127.0.0.1.evil.example/api", "https://", id="begins like loopback"),
        pytest.param("http://localhost.evil.example", "https://", id="begins like localhost"),
        pytest.param("http://localhostess", "https://", id="begins with localhost"),
        pytest.param("http://127.1/", "https://", id="short for loopback"),
        pytest.param("http://2130706433/", "https://", id="loopback as a number"),
        pytest.param("http://0.0.0.0/", "https://", id="every address"),
        pytest.param("http://10.0.0.1/", "https://", id="private network"),
        pytest.param("ftp://sandbox.caxton.io", "https://", id="another scheme"),
        pytest.param("HTTPS://sandbox.caxton.io", "https://", id="scheme in capitals"),
        pytest.param("//sandbox.caxton.io/api", "https://", id="no scheme"),
        pytest.param("https:/sandbox.caxton.io", "host", id="one slash"),
        pytest.param("sandbox.caxton.io", "host", id="host alone"),
        pytest.param("", "host", id="nothing"),
        pytest.param("https://", "host", id="no host"),
        pytest.param("https://:443/", "host", id="port alone"),
        pytest.param("https://sandbox.caxton.io./api", "host", id="dot at the end of the host"),
        pytest.param("https://sandbox%2ecaxton.io/", "host", id="escape in the host"),
        pytest.param("https://sandbox.caxton.io;evil.example/", "host", id="two hosts"),
        pytest.param("https://[::1", "host", id="open bracket"),
        pytest.param("https://[fe80::1%25eth0]/", "host", id="zone"),
        pytest.param("https://sandbox.caxton.io:0/", "port", id="port zero"),
        pytest.param("https://sandbox.caxton.io:65536/", "port", id="port too high"),
        pytest.param("https://sandbox.caxton.io:x/", "port", id="port in letters"),
        pytest.param(f"https://{HIDDEN}@sandbox.caxton.io/", "user name", id="user name"),
        pytest.param(f"https://u:{HIDDEN}@sandbox.caxton.io/", "user name", id="password"),
        pytest.param("https://@sandbox.caxton.io/", "user name", id="empty user name"),
        pytest.param("https://sandbox.caxton.io/api?x=1", "query", id="query"),
        pytest.param("https://sandbox.caxton.io/api?", "query", id="empty query"),
        pytest.param("https://sandbox.caxton.io/api#x", "fragment", id="fragment"),
        pytest.param("https://sandbox.caxton.io/api#", "fragment", id="empty fragment"),
        pytest.param("https://sandbox.caxton.io/../admin", "path", id="dot segments"),
        pytest.param("https://sandbox.caxton.io/api/.", "path", id="dot segment at the end"),
        pytest.param("https://sandbox.caxton.io/%2e%2e/", "path", id="escaped dot segments"),
        pytest.param("https://sandbox.caxton.io/a//b", "path", id="empty segment"),
        pytest.param("https://sandbox.caxton.io/a;b", "path", id="semicolon"),
        pytest.param("https://sandbox.caxton.io/a b", "visible ASCII", id="space"),
        pytest.param("https://sandbox.caxton.io/\r\nHost: evil.example", "visible ASCII", id="line break"),
        pytest.param(" https://sandbox.caxton.io/", "visible ASCII", id="space before"),
        pytest.param("https://sandbox.caxton.io\\@evil.example/", "visible ASCII", id="backslash"),
        pytest.param("https://sandbox.caxtoп.io/", "visible ASCII", id="look-alike letter"),
        pytest.param("https://sandbox。caxton.io/", "visible ASCII", id="ideographic full stop"),
        pytest.param("https://sandbox.caxton.io/\x7f", "visible ASCII", id="delete"),
        pytest.param("https://sandbox.caxton.io/\ud800", "visible ASCII", id="half a character"),
        pytest.param(b"https://sandbox.caxton.io/", "visible ASCII", id="bytes"),
    ],
)
def test_a_base_url_that_could_mislead_is_refused(base_url: object, said: str) -> None:
    """Only https to a plainly written host is accepted, and the refusal does not repeat what it was given."""
    with pytest.raises(ConfigurationError, match=r"base_url .*") as refusal:
        Settings(base_url=base_url)

    assert said in str(refusal.value)
    assert HIDDEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("localhost.", False),
        ("localhost.localdomain", False),
        ("128.0.0.1", False),
        ("::2", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_its_literal_name(host: str, local: bool) -> None:
    """What DNS would have to decide is not loopback."""
    assert is_loopback(host) is local


@pytest.mark.parametrize(
    ("given_settings", "production"),
    [
        ({}, False),
        ({"environment": "staging"}, False),
        ({"environment": "Production"}, True),
        ({"base_url": "https://CAXAPI-integration.azurewebsites.net:443/"}, False),
        ({"base_url": "https://caxapi-integration.azurewebsites.net:8443/api"}, True),
        ({"base_url": "https://caxapi-integration.azurewebsites.net.evil.example/api"}, True),
        ({"base_url": "https://sandbox.caxton.io/api", "environment": Environment.SANDBOX}, True),
        ({"base_url": "http://127.0.0.1:1/", "environment": Environment.PRODUCTION}, False),
    ],
    ids=["default", "staging", "production", "sandbox by URL", "other port", "look-alike", "other host", "emulator"],
)
def test_anything_but_sandbox_staging_and_loopback_is_production(given_settings: dict, production: bool) -> None:
    """Where nobody knows, real money is assumed."""
    assert Settings(**given_settings).is_production is production


@pytest.mark.parametrize("path", ["token", "/token", "a/b-c/d.e_f~g", "wallets/{wallet_id}/cards"])
def test_a_plain_path_is_accepted(path: str) -> None:
    """A path of ordinary segments, from the root or not, is what it seems to be."""
    assert is_plain_path(path)
    assert Settings(paths={"x": path}).paths == {"x": path}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            "//a",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            "%2e%2e",
            "a%20b",
            "a b",
            "a?b",
            "a#b",
            "a\\b",
            "a\r\nb",
        ),
        *("a:b", "é", "a\n", None, 5),
    ],
    ids=repr,
)
def test_a_path_that_a_parser_would_change_is_refused(path: object) -> None:
    """Whatever would be shortened, decoded, cut off or split is not a path, and the endpoint is named."""
    assert not is_plain_path(path)
    with pytest.raises(ConfigurationError, match="the path of get_country"):
        Settings(paths={"get_country": path})


def test_paths_cannot_be_changed_afterwards() -> None:
    """Neither through the settings nor through the mapping that they were made from."""
    paths = {"x": "a"}
    settings = Settings(paths=paths)
    paths["x"] = "../b"

    assert settings.paths == {"x": "a"}
    with pytest.raises(TypeError):
        settings.paths["x"] = "b"


# --- the other settings ---


@pytest.mark.parametrize("name", ["connect_timeout_s", "attempt_timeout_s", "deadline_s", "token_timeout_s"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True, "5", None], ids=repr)
def test_a_duration_is_a_number_of_seconds_above_zero(name: str, value: object) -> None:
    """Anything else is refused by the name of its setting."""
    with pytest.raises(ConfigurationError, match=f"{name} is a number of seconds above zero"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["max_connections", "max_attempts", "max_reply_bytes"])
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "5", None], ids=repr)
def test_a_limit_is_a_whole_number_of_at_least_one(name: str, value: object) -> None:
    """Anything else is refused by the name of its setting."""
    with pytest.raises(ConfigurationError, match=f"{name} is a whole number of at least 1"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("given_settings", "said"),
    [
        pytest.param({"max_calls_per_second": 0}, "max_calls_per_second", id="pace of nothing"),
        pytest.param({"max_calls_per_second": True}, "max_calls_per_second", id="pace that is true"),
        pytest.param({"environment": "live"}, "sandbox, staging, production", id="unknown environment"),
        pytest.param({"environment": 1}, "sandbox, staging, production", id="environment as a number"),
        pytest.param({"proxy": "socks5://proxy.example:1"}, "proxy must begin with", id="unknown proxy"),
        pytest.param({"proxy": "proxy.example:3128"}, "proxy needs a plain host", id="proxy without scheme"),
        pytest.param({"user_agent_suffix": "a\r\nb"}, "user_agent_suffix", id="line break in a header"),
        pytest.param({"user_agent_suffix": " a"}, "user_agent_suffix", id="space before a header"),
        pytest.param({"user_agent_suffix": None}, "user_agent_suffix", id="suffix that is no text"),
        pytest.param({"paths": "token"}, "paths is a mapping", id="paths as text"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(given_settings: dict, said: str) -> None:
    """The refusal names the setting, and says what it can be."""
    with pytest.raises(ConfigurationError, match=said) as refusal:
        Settings(**given_settings)

    assert refusal.value.sent is Sent.NO
    assert refusal.value.__cause__ is None


def test_settings_that_work_are_kept_as_given() -> None:
    """Pace, proxy with a password, and suffix arrive; the password of the proxy is not shown."""
    settings = Settings(
        max_calls_per_second=2.5, proxy=f"http://u:{HIDDEN}%40@proxy.example:3128", user_agent_suffix="acme/1 (x)"
    )

    assert (settings.max_calls_per_second, settings.user_agent_suffix) == (2.5, "acme/1 (x)")
    assert HIDDEN in (settings.proxy or "")
    assert HIDDEN not in repr(settings)


def test_the_defaults_are_those_of_the_documentation() -> None:
    """Every duration is in seconds; a reply may have 8 MiB."""
    settings = Settings()

    assert settings.environment is Environment.SANDBOX
    assert (settings.connect_timeout_s, settings.attempt_timeout_s, settings.deadline_s) == (10, 30, 60)
    assert (settings.token_timeout_s, settings.max_connections, settings.max_attempts) == (30, 100, 3)
    assert (settings.max_reply_bytes, settings.max_calls_per_second) == (8_388_608, None)


@pytest.mark.parametrize("thing", [Settings(), Credentials("u", "c"), Configuration(Credentials("u", "c"), Settings())])
def test_what_a_client_is_told_cannot_be_changed(thing: object) -> None:
    """Settings and credentials are frozen, and have no place for anything else."""
    name = thing.__attrs_attrs__[0].name

    with pytest.raises(AttributeError):
        setattr(thing, name, None)
    assert not hasattr(thing, "__dict__")


# --- credentials ---


async def provider() -> str:
    """Provide a password."""
    return HIDDEN


@pytest.mark.parametrize(
    ("password", "kept"),
    [(None, None), (HIDDEN, Secret(HIDDEN)), (Secret(HIDDEN), Secret(HIDDEN)), (provider, provider)],
    ids=["none", "text", "secret", "callable"],
)
def test_a_password_is_kept_as_a_secret_or_asked_for(password: object, kept: object) -> None:
    """Text becomes a secret at once; a callable is asked later; no text shows either."""
    credentials = Credentials("u", "c", password)

    assert credentials.password == kept
    assert HIDDEN not in repr(credentials)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(("", "c"), "username is missing", id="no user name"),
        pytest.param((" ", "c"), "username is missing", id="blank user name"),
        pytest.param((None, "c"), "username is missing", id="user name None"),
        pytest.param(("u", ""), "client_name is missing", id="no client name"),
        pytest.param(("u\n", "c"), "username holds a control character", id="line break"),
        pytest.param(("u", "c\x7f"), "client_name holds a control character", id="delete"),
        pytest.param(("u", "c", ""), "the password is empty", id="empty password"),
        pytest.param(("u", "c", 5), "not int", id="password as a number"),
        pytest.param(("u", "c", HIDDEN.encode()), "not bytes", id="password as bytes"),
    ],
)
def test_credentials_that_cannot_work_are_refused(values: tuple, said: str) -> None:
    """What is missing or wrong is named, and a password is not shown."""
    with pytest.raises(ConfigurationError, match=said) as refusal:
        Credentials(*values)

    assert HIDDEN not in str(refusal.value)


async def test_a_password_file_is_read_at_each_login(tmp_path: Path) -> None:
    """The line break at its end does not belong to it, and a password that changed is found."""
    file = tmp_path / "password"
    read = password_from_file(file)

    file.write_text("one \r\n")
    first = await read()
    file.write_text("two\n")
    second = await read()

    assert (first, second) == (Secret("one "), Secret("two"))


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"\xff\xfe" + HIDDEN.encode()], ids=["none", "empty", "blank", "garbage"]
)
async def test_a_password_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    """The refusal says which file and why, without what it holds, also where the error came from."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"the password file .*password' cannot be used") as refusal:
        await password_from_file(file)()

    assert HIDDEN not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)


# --- the environment ---


def test_the_environment_gives_everything(tmp_path: Path) -> None:
    """Each documented variable arrives where it belongs."""
    configuration = from_env(
        WHO
        | {
            "CAXTON_ENVIRONMENT": "STAGING",
            "CAXTON_BASE_URL": "http://127.0.0.1:8080/api",
            "CAXTON_PASSWORD": HIDDEN,
            "CAXTON_USER_TOKEN": "tok-1",
            "CAXTON_IDENTITY_NUMBER": "ID 1",
            "CAXTON_PATH_GET_ACCESS_TOKEN": "/token",
            "CAXTON_PATH_MY_OWN": "x/y",
            "PATH": "/bin",
        }
    )

    assert configuration == Configuration(
        Credentials("u", "c", HIDDEN),
        Settings(
            environment=Environment.STAGING,
            base_url="http://127.0.0.1:8080/api",
            paths={"get_access_token": "/token", "my_own": "x/y"},
        ),
        Secret("tok-1"),
        "ID 1",
    )
    assert HIDDEN not in repr(configuration)
    assert "tok-1" not in repr(configuration)


def test_what_is_not_set_has_its_default() -> None:
    """Two names are enough; a password is asked for only by what logs in; empty counts as not set."""
    empty = {"CAXTON_ENVIRONMENT": "", "CAXTON_BASE_URL": "", "CAXTON_PASSWORD": "", "CAXTON_PASSWORD_FILE": ""}

    assert from_env(WHO) == from_env(WHO | empty) == Configuration(Credentials("u", "c"), Settings())


async def test_a_password_file_is_named_by_the_environment(tmp_path: Path) -> None:
    """The file is read when the password is needed, not before."""
    file = tmp_path / "password"
    configuration = from_env(WHO | {"CAXTON_PASSWORD_FILE": os.fspath(file)})

    file.write_text(HIDDEN)

    assert callable(configuration.credentials.password)
    assert await configuration.credentials.password() == Secret(HIDDEN)


def test_everything_that_is_missing_or_wrong_is_named_at_once() -> None:
    """One run tells the user all that there is to mend, and shows no secret."""
    wrong = {
        "CAXTON_CLIENT_NAME": "c\x00",
        "CAXTON_PASSWORD": HIDDEN,
        "CAXTON_PASSWORD_FILE": "/nowhere",
        "CAXTON_ENVIRONMENT": "live",
        "CAXTON_BASE_URL": f"https://u:{HIDDEN}@x",
        "CAXTON_USER_TOKEN": f"{HIDDEN}\n",
        "CAXTON_IDENTITY_NUMBER": "",
        "CAXTON_PATH_GET_COUNTRY": "../a",
        "CAXTON_PATH_LIST_BANKS": "",
    }

    with pytest.raises(ConfigurationError) as refusal:
        from_env(wrong)

    said = str(refusal.value)
    assert [name for name in (*wrong, "CAXTON_USERNAME") if name not in said] == []
    assert said.count(";") == len(wrong) - 1  # the two passwords are one problem, and the user name is missing
    assert "CAXTON_USERNAME is missing: give" in said
    assert HIDDEN not in said


@given(
    st.dictionaries(st.sampled_from(sorted({*WHO, "CAXTON_BASE_URL", "CAXTON_PATH_X", "CAXTON_USER_TOKEN"})), st.text())
)
def test_any_environment_is_accepted_or_refused(environ: dict[str, str]) -> None:
    """No value makes another error than the one that names it."""
    username = problem = None
    try:
        username = from_env(environ).credentials.username
    except ConfigurationError as error:
        problem = str(error)

    assert (
        username == environ["CAXTON_USERNAME"] if problem is None else any(name in problem for name in (*environ, *WHO))
    )


@given(st.text())
def test_what_a_header_can_carry_is_visible_ascii(text: str) -> None:
    """Inner spaces are fine; ends, control characters and other alphabets are not."""
    fits = bool(text) and text.strip(" ") == text and all(" " <= character <= "~" for character in text)

    assert bool(HEADER_VALUE.fullmatch(text)) == fits
