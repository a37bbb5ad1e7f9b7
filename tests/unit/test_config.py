"""Settings and credentials: what can work is accepted, what cannot is refused by its name, and never shown."""

import copy
import functools
import json
import math
import os
import pickle
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path

import attrs
import keyring
import keyring.backend
import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_config_path

from caxton_async.config import (
    Configuration,
    Credentials,
    Environment,
    Settings,
    from_env,
    load_configuration,
    password_from_file,
    unknown_variables,
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
        ("http://[::1]:9/a/b", "http://[::1]:9/a/b/", "http://[::1]:9"),
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
        pytest.param(("u\n", "c"), "username holds a line break", id="line break"),
        pytest.param(("u", "c\x7f"), "client_name holds a line break or another control", id="delete"),
        pytest.param(("u ", "c"), "username begins or ends with white space", id="space after a user name"),
        pytest.param(("u\u00a0", "c"), "username begins or ends with white space", id="other white space"),
        pytest.param(("\ufeffu", "c"), "username holds a byte-order mark", id="mark before a user name"),
        pytest.param(("u", "c", f"{HIDDEN}\n"), "the password holds a line break", id="line break after a password"),
        pytest.param(("u", "c", Secret(f"\ufeff{HIDDEN}")), "the password holds a byte", id="mark before a password"),
        pytest.param(("u", "c", f" {HIDDEN}"), "the password begins or ends", id="space before a password"),
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
    assert shown_by_frames(refusal.value, HIDDEN) == []


async def test_a_password_file_is_read_at_each_login(tmp_path: Path) -> None:
    """The line break at its end does not belong to it, and a password that changed is found."""
    file = tmp_path / "password"
    read = password_from_file(file)

    file.write_bytes(b"one\r\n")
    first = await read()
    file.write_text("two\n")
    second = await read()

    assert (first, second) == (Secret("one"), Secret("two"))


@pytest.mark.parametrize(
    "content",
    [
        *(None, b"", b"\n", b"\xff\xfe" + HIDDEN.encode()),
        *(b"\xef\xbb\xbf" + HIDDEN.encode(), HIDDEN.encode() + b" \n", HIDDEN.encode() + b"\n\n"),
    ],
    ids=["none", "empty", "blank", "garbage", "mark", "space", "two-line-breaks"],
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
    """One run tells the user all that there is to mend, and shows no secret, nor does a frame."""
    wrong = {
        "CAXTON_CLIENT_NAME": "c\x00",
        "CAXTON_PASSWORD": HIDDEN,
        "CAXTON_PASSWORD_FILE": "/nowhere",
        "CAXTON_ENVIRONMENT": "live",
        "CAXTON_BASE_URL": f"https://u:{HIDDEN}@x",
        "CAXTON_DEADLINE_S": "soon",
        "CAXTON_MAX_ATTEMPTS": "2.5",
        "CAXTON_REUSE_CONNECTIONS": "perhaps",
        "CAXTON_USER_TOKEN": f"{HIDDEN}\n",
        "CAXTON_IDENTITY_NUMBER": "",
        "CAXTON_PATH_GET_COUNTRY": "../a",
        "CAXTON_PATH_LIST_BANKS": "",
    }

    with pytest.raises(ConfigurationError) as refusal:
        load_configuration(wrong)

    said = str(refusal.value)
    assert [name for name in (*wrong, "CAXTON_USERNAME") if name not in said] == []
    assert said.count(";") == len(wrong) - 1  # the two passwords are one problem, and the user name is missing
    assert "CAXTON_USERNAME is missing: give" in said
    assert "CAXTON_DEADLINE_S is a number of seconds above zero, not 'soon'" in said
    assert HIDDEN not in said
    assert shown_by_frames(refusal.value, HIDDEN) == []


def shown_by_frames(error: BaseException, secret: str) -> list[str]:
    """Name the variables of our frames that show a secret, as a crash reporter would."""
    return [
        f"{frame.f_code.co_name}.{name}"
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals["__name__"] != __name__
        for name, value in frame.f_locals.items()
        if secret in repr(value)
    ]


# --- every setting by variable, profile and keyword ---

BY_TEXT = {
    "environment": ("staging", Environment.STAGING),
    "base_url": ("http://localhost:1/", "http://localhost:1/"),
    "connect_timeout_s": ("1.5", 1.5),
    "attempt_timeout_s": ("2", 2),
    "deadline_s": (" 3 ", 3),
    "token_timeout_s": ("4", 4),
    "max_connections": ("5", 5),
    "max_attempts": ("6", 6),
    "max_reply_bytes": ("7", 7),
    "max_calls_per_second": ("8.5", 8.5),
    "reuse_connections": ("FALSE", False),
    "drain_s": ("0", 0),
    "ca_file": ("ca.pem", "ca.pem"),
    "proxy": (f"http://u:{HIDDEN}@proxy.example:3128", f"http://u:{HIDDEN}@proxy.example:3128"),
    "user_agent_suffix": ("acme/1", "acme/1"),
}


def test_every_setting_has_a_variable_but_those_that_are_objects() -> None:
    """Nothing that text can say needs code."""
    names = {attribute.name for attribute in attrs.fields(Settings)}

    assert names - BY_TEXT.keys() == {"paths", "ssl_context", "on_event"}


@pytest.mark.parametrize("name", BY_TEXT)
def test_a_setting_is_taken_from_keyword_variable_and_profile_in_this_order(name: str, tmp_path: Path) -> None:
    """Each way works by itself, and the nearer one wins."""
    text, value = BY_TEXT[name]
    in_profile = text if isinstance(value, (str, Environment)) else value
    (tmp_path / "config.toml").write_text(f"[profiles.p]\n{name} = {json.dumps(in_profile)}\n")
    profile = WHO | {"CAXTON_CONFIG": os.fspath(tmp_path / "config.toml"), "CAXTON_PROFILE": "p"}
    variable, other = f"CAXTON_{name.upper()}", getattr(Settings(), name)

    by_profile, by_unset = load_configuration(profile), load_configuration(profile | {variable: ""})
    by_variable = load_configuration(profile | {variable: text})
    by_keyword = load_configuration(profile | {variable: text}, None, **{name: other})

    expected = os.fspath(tmp_path / "ca.pem") if name == "ca_file" else value
    assert getattr(by_profile.settings, name) == getattr(by_unset.settings, name) == expected
    assert getattr(by_variable.settings, name) == value
    assert getattr(by_keyword.settings, name) == other
    assert HIDDEN not in repr([by_variable, by_profile])


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_truth_is_true_false_1_or_0(text: str, value: bool) -> None:
    """No other word is taken for one of them."""
    assert load_configuration(WHO | {"CAXTON_REUSE_CONNECTIONS": text}).settings.reuse_connections is value


# --- profiles ---

PROFILE = """
[profiles.sandbox]
username = "u"
client_name = "c"
password_file = "password"
user_token_file = "token"
identity_number = "ID-1"
deadline_s = 5

[profiles.sandbox.paths]
get_access_token = "/token"
list_banks = "banks"
"""


async def test_a_profile_says_who_and_how(tmp_path: Path) -> None:
    """Credentials, files beside the profiles' file, and paths arrive; variables go before each of them."""
    (tmp_path / "config.toml").write_text(PROFILE)
    (tmp_path / "password").write_text(f"{HIDDEN}\n")
    (tmp_path / "token").write_text("tok\n")
    environ = {"CAXTON_CONFIG": os.fspath(tmp_path / "config.toml")}

    found = load_configuration(environ, "sandbox")
    other = load_configuration(environ | {"CAXTON_USERNAME": "v", "CAXTON_PATH_LIST_BANKS": "b"}, "sandbox")

    assert (found.credentials.username, other.credentials.username) == ("u", "v")
    assert await found.credentials.password() == Secret(HIDDEN)
    assert (found.user_token, found.identity_number, found.settings.deadline_s) == (Secret("tok"), "ID-1", 5)
    assert found.settings.paths == {"get_access_token": "/token", "list_banks": "banks"}
    assert other.settings.paths == {"get_access_token": "/token", "list_banks": "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "cannot be read", id="no file"),
        pytest.param("[profiles", "it is not TOML", id="no TOML"),
        pytest.param("[profiles.q]", "there is no profile 'p' in", id="another profile"),
        pytest.param("profiles = 3", "its profiles are none", id="no profiles"),
        pytest.param("[profiles.p]\ndeadlines = 5", "did you mean deadline_s?", id="unknown key"),
        pytest.param(f"[profiles.p]\npassword = '{HIDDEN}'", "name a file or keyring as password_file", id="password"),
        pytest.param(f"[profiles.p]\nuser_token = '{HIDDEN}'", "as user_token_file", id="user token"),
        pytest.param("[profiles.p]\ndeadline_s = '5'", "deadline_s of the profile 'p' is a number", id="wrong type"),
        pytest.param("[profiles.p]\npaths = 5", "paths of the profile 'p' is a mapping", id="wrong paths"),
        pytest.param("[profiles.p.paths]\nx = '../b'", "the path of x is not one", id="wrong path"),
        pytest.param("[profiles.p]\nusername = 5", "username is missing", id="user name of no text"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    """The refusal names the key and the file, and shows no secret that stands where none should."""
    if text is not None:
        (tmp_path / "config.toml").write_text(text)

    with pytest.raises(ConfigurationError) as refusal:
        load_configuration({"CAXTON_CONFIG": os.fspath(tmp_path / "config.toml"), "CAXTON_PROFILE": "p"})

    assert said in str(refusal.value)
    assert HIDDEN not in str(refusal.value)


def test_profiles_lie_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `CAXTON_CONFIG` the file is the one of this user and host."""
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(tmp_path))
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    file = user_config_path("caxton") / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[profiles.p]\nusername = 'u'\nclient_name = 'c'")

    assert load_configuration({}, "p").credentials == Credentials("u", "c")


class Ring(keyring.backend.KeyringBackend):
    """A keyring that knows one user."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return {("caxton", "u"): HIDDEN, ("caxton-user-token", "u"): "tok"}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing is written")


async def test_a_secret_may_lie_in_the_keyring(tmp_path: Path) -> None:
    """`keyring` in place of a file asks the operating system, for the user name; what it lacks is named."""
    (tmp_path / "config.toml").write_text(
        "[profiles.p]\nclient_name = 'c'\npassword_file = 'keyring'\nuser_token_file = 'keyring'"
    )
    environ = {"CAXTON_CONFIG": os.fspath(tmp_path / "config.toml"), "CAXTON_PROFILE": "p", "CAXTON_USERNAME": "u"}
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        found = load_configuration(environ)
        password = await found.credentials.password()
        with pytest.raises(ConfigurationError, match="keyring set caxton-user-token v"):
            load_configuration(environ | {"CAXTON_USERNAME": "v"})
    finally:
        keyring.set_keyring(before)

    assert (password, found.user_token) == (Secret(HIDDEN), Secret("tok"))


# --- names that nothing reads ---


def test_a_variable_that_is_not_known_is_warned_of_with_the_nearest_name(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt variable would be ignored in silence; a keyword that is misspelt is refused."""
    environ = WHO | {"CAXTON_DEADLINE": "5", "CAXTON_PATH_MY_OWN": "a", "CAXTON_STATE_DIR": "/tmp", "OTHER": "x"}

    load_configuration(environ)
    with pytest.raises(ConfigurationError, match=r"there is no setting deadline: did you mean deadline_s\?"):
        load_configuration(WHO, None, deadline=5)

    assert [record.getMessage() for record in caplog.records] == [
        "the variable CAXTON_DEADLINE is not known: did you mean CAXTON_DEADLINE_S?"
    ]
    assert unknown_variables(environ) == ("CAXTON_DEADLINE",)


def test_secrets_by_two_ways_are_refused(tmp_path: Path) -> None:
    """A token and its file, both named, leave it open which of them counts."""
    with pytest.raises(ConfigurationError, match="CAXTON_USER_TOKEN and CAXTON_USER_TOKEN_FILE are both set"):
        load_configuration(WHO | {"CAXTON_USER_TOKEN": "t", "CAXTON_USER_TOKEN_FILE": os.fspath(tmp_path / "t")})


# --- settings as values ---


def test_a_proxy_shows_no_password() -> None:
    """Neither the settings' text nor that of a copy shows it, and no pickle holds it."""
    settings = Settings(proxy="http://u:p@h:1")

    for copied in (settings, copy.deepcopy(settings), copy.copy(settings)):
        assert "***@h:1" in repr(copied)
        assert "u:p" not in repr(copied)
        assert copied.proxy == "http://u:p@h:1"


async def asynchronous(event: object) -> None:
    """Be a hook that would have to be awaited."""


class AsynchronousCallable:
    """The same as an object."""

    async def __call__(self, event: object) -> None: ...


@pytest.mark.parametrize(
    "hook",
    [asynchronous, functools.partial(asynchronous), AsynchronousCallable(), AsynchronousCallable().__call__, 5],
    ids=["function", "partial", "object", "method", "number"],
)
def test_a_hook_is_a_plain_function(hook: object) -> None:
    """A coroutine function would be called and never awaited."""
    with pytest.raises(ConfigurationError, match="on_event is"):
        Settings(on_event=hook)


def test_a_file_of_certificates_and_a_context_exclude_each_other() -> None:
    """Which of them counts would be a guess."""
    with pytest.raises(ConfigurationError, match="ca_file and ssl_context are both given"):
        Settings(ca_file="ca.pem", ssl_context=ssl.create_default_context())


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
