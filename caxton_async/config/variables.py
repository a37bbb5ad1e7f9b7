"""From environment, profile and keywords to what a client is made from."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import field, fields, frozen

from caxton_async.config.credentials import (
    KEYRING,
    Credentials,
    PasswordProvider,
    password_from_file,
    password_from_keyring,
    read_keyring,
    read_secret,
)
from caxton_async.config.profiles import default_file, did_you_mean, read_profile
from caxton_async.config.settings import ProxyUrl, Settings
from caxton_async.errors import ConfigurationError
from caxton_async.secret import ENVIRON, Secret, Variables
from caxton_async.syntax import HEADER_VALUE

Result = TypeVar("Result")
logger: Final = logging.getLogger("caxton_async")

_PATH: Final = "CAXTON_PATH_"
# Objects, which no text can name.
_IN_CODE_ALONE: Final = frozenset({"paths", "ssl_context", "on_event"})
_BY_TEXT: Final = tuple(each.name for each in fields(Settings) if each.name not in _IN_CODE_ALONE)
_VARIABLES: Final = (
    *(f"CAXTON_{name.upper()}" for name in _BY_TEXT),
    *("CAXTON_USERNAME", "CAXTON_CLIENT_NAME", "CAXTON_PASSWORD", "CAXTON_PASSWORD_FILE"),
    *("CAXTON_IDENTITY_NUMBER", "CAXTON_USER_ID", "CAXTON_USER_TOKEN", "CAXTON_USER_TOKEN_FILE"),
    *("CAXTON_CONFIG", "CAXTON_PROFILE"),
    *("CAXTON_STATE_DIR", "CAXTON_JOURNAL", "CAXTON_JOURNAL_KEY_FILE"),  # of the command line and the journal
)
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False, "1": True, "0": False}


@frozen
class Configuration:
    """What a client is made from: credentials, settings, and for whom it makes calls by default.

    `user_id` is what the API calls the user of `user_token`: batches know the user by it when the token is renewed.
    """

    credentials: Credentials
    settings: Settings
    user_token: Secret | None = None
    identity_number: str | None = None
    user_id: str | None = None


@frozen
class _Given:
    """What is given for one setting, and by what."""

    name: str
    value: object = field(repr=False)
    said_by: str

    def problem(self) -> str | None:
        """Return why it is refused, said of what gives it."""
        try:
            _make_settings({self.name: self.value})
        except ConfigurationError as error:
            said = str(error)
            is_about_it = said.startswith(self.name)
            return self.said_by + said.removeprefix(self.name) if is_about_it else f"{self.said_by}: {said}"
        return None


def _make_settings(values: Mapping[str, Any]) -> Settings:
    return Settings(**values)


def load_configuration(
    environ: Mapping[str, str] = ENVIRON, profile: str | None = None, **settings: object
) -> Configuration:
    """Return what keywords, the `CAXTON_...` variables and a profile say, in this order, and the defaults of the rest.

    The profile is the one that is named, or that `CAXTON_PROFILE` names; profiles stand in the file of `CAXTON_CONFIG`,
    else in `config.toml` in the user's folder of configuration.  `settings` are those of `Settings`.

    **Raises** ConfigurationError that names everything that is missing or wrong, all at once.
    """
    environ = Variables(environ)  # also for whoever looks at this frame
    name = profile or environ.get("CAXTON_PROFILE") or None
    said = _read(environ, name) if name else {}
    warn_of_unknown(environ)
    given = [*_settings(environ, said, settings, f"of the profile {name!r}")]
    problems = [problem for each in given if (problem := each.problem())]
    credentials = _attempt(problems, lambda: _credentials(environ, said))
    user_token = _attempt(problems, lambda: _user_token(environ, said))
    identity_number = _attempt(problems, lambda: _header_text(environ, said, "identity_number"))
    user_id = _attempt(problems, lambda: _header_text(environ, said, "user_id"))
    if problems or credentials is None:
        raise ConfigurationError(f"the configuration cannot be used: {'; '.join(problems)}")
    made = _make_settings({each.name: each.value for each in given})
    return Configuration(credentials, made, user_token, identity_number, user_id)


def warn_of_unknown(environ: Mapping[str, str]) -> None:
    """Warn of each `CAXTON_...` variable that nothing reads, with the nearest name that something does."""
    for name in unknown_variables(environ):
        logger.warning("the variable %s is not known%s", name, did_you_mean(name, _VARIABLES))


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of `CAXTON_...` variables that nothing reads."""
    names = (name for name in environ if name.startswith("CAXTON_") and not name.startswith(_PATH))
    return tuple(sorted(name for name in names if name not in _VARIABLES))


def _read(environ: Variables, name: str) -> dict[str, object]:
    file = environ.get("CAXTON_CONFIG")
    return read_profile(Path(file).expanduser() if file else default_file(), name, (*_BY_TEXT, "paths"))


def _settings(
    environ: Variables, said: Mapping[str, object], keywords: Mapping[str, object], profile: str
) -> Iterator[_Given]:
    known = {each.name for each in fields(Settings)}
    for name in keywords:
        if name not in known:
            raise ConfigurationError(f"there is no setting {name}{did_you_mean(name, known)}")
        yield _Given(name, keywords[name], name)
    for name in _BY_TEXT:
        variable = f"CAXTON_{name.upper()}"
        if name in keywords:
            continue
        if environ.get(variable):
            yield _Given(name, _parsed(name, environ), variable)
        elif name in said:
            yield _Given(name, said[name], f"{name} {profile}")
    if "paths" not in keywords:
        yield from _paths(environ, said.get("paths", {}), f"paths {profile}")


def _parsed(name: str, environ: Variables) -> object:
    """Return the value of a variable, as it is where it cannot be read: the setting then says what it wants."""
    text = environ[f"CAXTON_{name.upper()}"].strip()
    kind = getattr(fields(Settings), name).type
    if name == "proxy":
        return ProxyUrl(text)
    if kind is bool:
        return _TRUTHS.get(text.lower(), text)
    for number in (int, float) if kind is int or kind in {float, float | None} else ():
        try:
            return number(text)
        except ValueError:
            pass
    return text


def _paths(environ: Variables, said: object, profile: str) -> Iterator[_Given]:
    if not isinstance(said, Mapping):
        yield _Given("paths", said, profile)
        return
    ours = {name.removeprefix(_PATH).lower(): name for name in environ if name.startswith(_PATH)}
    paths = {**said, **{name: environ[variable] for name, variable in ours.items()}}
    wrong = [each for each in paths.items() if _Given("paths", dict([each]), "").problem()]
    for name, path in wrong:
        yield _Given("paths", {name: path}, ours.get(name, profile))
    if paths and not wrong:
        yield _Given("paths", paths, profile)


def _attempt(problems: list[str], make: Callable[[], Result]) -> Result | None:
    try:
        return make()
    except ConfigurationError as error:
        problems.append(str(error))
    return None


def _credentials(environ: Variables, said: Mapping[str, object]) -> Credentials:
    problems: list[str] = []
    values = {}
    for name in ("username", "client_name"):
        variable = f"CAXTON_{name.upper()}"
        value, said_by = (environ[variable], variable) if environ.get(variable) else (said.get(name), name)
        other = {"username": "any", "client_name": "any", name: value}
        try:
            Credentials(**other)  # type: ignore[arg-type]  # it is checked there
        except ConfigurationError as error:
            missing = value is None and not said
            problems.append((variable if missing else said_by) + str(error).removeprefix(name))
        values[name] = value
    password: Secret | PasswordProvider | None = None
    try:
        password = _password(environ, said, str(values["username"]))
        Credentials("any", "any", password)
    except ConfigurationError as error:
        problems.append(str(error).replace("the password ", "CAXTON_PASSWORD ", 1))
    if problems:
        raise ConfigurationError("; ".join(problems))
    return Credentials(str(values["username"]), str(values["client_name"]), password)


def _password(environ: Variables, said: Mapping[str, object], username: str) -> Secret | PasswordProvider | None:
    secret, file = environ.secret("CAXTON_PASSWORD"), environ.get("CAXTON_PASSWORD_FILE")
    if secret and file:
        raise ConfigurationError("CAXTON_PASSWORD and CAXTON_PASSWORD_FILE are both set: keep one")
    if secret:
        return secret
    name = file or said.get("password_file")
    if name is None or not name:
        return None
    return password_from_keyring(username) if name == KEYRING else password_from_file(Path(str(name)).expanduser())


def _user_token(environ: Variables, said: Mapping[str, object]) -> Secret | None:
    file = environ.get("CAXTON_USER_TOKEN_FILE")
    if "CAXTON_USER_TOKEN" in environ:
        if file:
            raise ConfigurationError("CAXTON_USER_TOKEN and CAXTON_USER_TOKEN_FILE are both set: keep one")
        token, said_by = Secret(environ["CAXTON_USER_TOKEN"]), "CAXTON_USER_TOKEN"
    elif name := file or said.get("user_token_file"):
        said_by = f"the user token of {name}"
        username = environ.get("CAXTON_USERNAME") or str(said.get("username"))
        token = (
            read_keyring("caxton-user-token", username)
            if name == KEYRING
            else read_secret(Path(str(name)).expanduser(), "user token")
        )
    else:
        return None
    if not HEADER_VALUE.fullmatch(token.reveal()):
        raise ConfigurationError(f"{said_by} is empty, or holds characters that a header cannot carry")
    return token


def _header_text(environ: Variables, said: Mapping[str, object], key: str) -> str | None:
    variable = f"CAXTON_{key.upper()}"
    value, said_by = (environ[variable], variable) if variable in environ else (said.get(key), key)
    if value is None:
        return None
    if not isinstance(value, str) or not HEADER_VALUE.fullmatch(value):
        raise ConfigurationError(f"{said_by} is empty, or holds characters that a header cannot carry")
    return value
