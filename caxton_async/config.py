"""What a client is told before it starts: environment, credentials and settings, all frozen.

What belongs here: values, their checks, and reading them from environment variables.  What does not: opening
anything.  Every wrong value is a `ConfigurationError` that says which one and what to write instead.
"""

import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from attrs import Attribute, field, fields, frozen

from caxton_async.errors import ConfigurationError
from caxton_async.events import Event
from caxton_async.secret import Secret
from caxton_async.syntax import HEADER_VALUE, is_loopback, is_plain_path, split_url

PasswordProvider = Callable[[], Awaitable[str | Secret]]


class Environment(Enum):
    """The three environments of the vendor, by name.  Source: Caxton developer guide, environments."""

    SANDBOX = "sandbox"
    STAGING = "staging"
    PRODUCTION = "production"

    @property
    def base_url(self) -> str:
        """The URL below which every path of the API lies."""
        return _BASE_URLS[self]


_BASE_URLS = {
    Environment.SANDBOX: "https://caxapi-integration.azurewebsites.net/api/",
    Environment.STAGING: "https://caxapi-staging.caxton.io/api/",
    Environment.PRODUCTION: "https://caxtonapi.caxtonfx.com/api/",
}


def _to_password(value: str | Secret | PasswordProvider | None) -> Secret | PasswordProvider | None:
    if value == "":
        raise ConfigurationError("the password is empty: leave it out, or give the one that the API generated")
    if isinstance(value, str):
        return Secret(value)
    if value is None or isinstance(value, Secret) or callable(value):
        return value
    raise ConfigurationError(f"a password is a string, a Secret, None or an async callable, not {type(value).__name__}")


def _named(_instance: object, attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{attribute.name} is missing: give the one that the vendor issued")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise ConfigurationError(f"{attribute.name} holds a control character")


@frozen
class Credentials:
    """Who logs in: the user name and client name that the vendor issued, and the generated password.

    `password` may be an async callable that returns it; it is then asked before each login, so that a password
    in a vault or a file can change while the client runs.

    **Raises** ConfigurationError when a name is missing.
    """

    username: str = field(validator=_named)
    client_name: str = field(validator=_named)
    password: Secret | PasswordProvider | None = field(default=None, converter=_to_password)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _seconds(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if not _is_positive(value):
        raise ConfigurationError(f"{attribute.name} is a number of seconds above zero, not {value!r}")


def _wait(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value != 0 and not _is_positive(value):
        raise ConfigurationError(f"{attribute.name} is a number of seconds from zero, not {value!r}")


def _pace(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and not _is_positive(value):
        raise ConfigurationError(f"{attribute.name} is a number above zero or None, not {value!r}")


def _count(_instance: object, attribute: "Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} is a whole number of at least 1, not {value!r}")


def _truth(_instance: object, attribute: "Attribute[bool]", value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name} is True or False, not {value!r}")


def _base_url(_instance: object, _attribute: "Attribute[str | None]", value: str | None) -> None:
    if value is None:
        return
    parts = split_url(value, "base_url")
    if "@" in parts.netloc:
        raise ConfigurationError("base_url holds a user name or password: leave them out, credentials go elsewhere")
    if "?" in value or "#" in value:
        raise ConfigurationError("base_url ends with its path: leave out the query and the fragment")
    if parts.path.strip("/") and not is_plain_path(parts.path.rstrip("/")):
        raise ConfigurationError("base_url has a path with characters that cannot be sent as they are")
    if not value.startswith("https://") and not (value.startswith("http://") and is_loopback(parts.hostname or "")):
        raise ConfigurationError("base_url must begin with https:// (http:// is for this machine only)")


def _frozen_paths(value: Mapping[str, str]) -> Mapping[str, str]:
    given: object = value
    return MappingProxyType(dict(value)) if isinstance(given, Mapping) else value


def _sorted_items(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(value.items()))


def _paths(_instance: object, _attribute: "Attribute[Mapping[str, str]]", value: object) -> None:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"paths is a mapping of names of endpoints to paths, not {type(value).__name__}")
    for name, path in value.items():
        if not is_plain_path(path):
            raise ConfigurationError(
                f"the path of {name} is not one that can be sent: write it like 'clients/auth/token'"
            )


def _proxy(_instance: object, _attribute: "Attribute[str | None]", value: str | None) -> None:
    if value is not None and split_url(value, "proxy").scheme not in {"http", "https"}:
        raise ConfigurationError("proxy must begin with http:// or https://")


def _suffix(_instance: object, _attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or (value and not HEADER_VALUE.fullmatch(value)):
        raise ConfigurationError("user_agent_suffix holds characters that a header cannot carry")


def _to_environment(value: "Environment | str") -> Environment:
    try:
        return Environment(value.lower() if isinstance(value, str) else value)
    except ValueError:
        names = ", ".join(environment.value for environment in Environment)
        raise ConfigurationError(f"the environment is one of {names}") from None


@frozen
class Settings:
    """How the client behaves; every duration is in seconds.

    `base_url` replaces the environment's (https only, but for loopback).  `paths` maps names of endpoints to paths: one
    that begins with `/` is taken from the origin's root, any other from the base URL.  `deadline_s` covers a whole
    call: queue, token, attempts and backoff; `attempt_timeout_s` one attempt of it, `connect_timeout_s` the making
    of a connection, `token_timeout_s` one login.  `max_calls_per_second` paces calls.  `on_event` is called, in the
    event loop, with each `Event`.  With `reuse_connections=False` each call has a connection of its own.  A client that
    is closed waits up to `drain_s` for calls that were sent.  `ssl_context` replaces the client's own (TLS 1.2 or
    newer, system certificates).

    **Raises** ConfigurationError, naming the setting, for a value that cannot work.
    """

    environment: Environment = field(default=Environment.SANDBOX, converter=_to_environment)
    base_url: str | None = field(default=None, validator=_base_url)
    paths: Mapping[str, str] = field(factory=dict, converter=_frozen_paths, validator=_paths, eq=_sorted_items)
    connect_timeout_s: float = field(default=10, validator=_seconds)
    attempt_timeout_s: float = field(default=30, validator=_seconds)
    deadline_s: float = field(default=60, validator=_seconds)
    token_timeout_s: float = field(default=30, validator=_seconds)
    max_connections: int = field(default=100, validator=_count)
    max_attempts: int = field(default=3, validator=_count)
    max_reply_bytes: int = field(default=8 * 1024 * 1024, validator=_count)
    max_calls_per_second: float | None = field(default=None, validator=_pace)
    reuse_connections: bool = field(default=True, validator=_truth)
    drain_s: float = field(default=5.0, validator=_wait)
    ssl_context: ssl.SSLContext | None = None
    # A proxy's URL may hold a password.
    proxy: str | None = field(default=None, validator=_proxy, repr=False)
    on_event: Callable[[Event], None] | None = None
    user_agent_suffix: str = field(default="", validator=_suffix)

    def __reduce__(self) -> tuple[object, ...]:
        if self.proxy is not None and "@" in self.proxy:
            raise TypeError("settings whose proxy has a password cannot be pickled")
        values = {**{a.name: getattr(self, a.name) for a in fields(Settings)}, "paths": dict(self.paths)}
        return _settings_from, (values,)

    def __deepcopy__(self, memo: dict[int, object]) -> "Settings":
        return self  # it cannot be changed

    @property
    def root_url(self) -> str:
        """The base URL in force, with exactly one slash at its end."""
        return (self.base_url or self.environment.base_url).rstrip("/") + "/"

    @property
    def origin(self) -> str:
        """Scheme, host and port in their one canonical spelling: what a token is bound to."""
        parts = urlsplit(self.root_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{parts.hostname}:{port}"

    @property
    def is_production(self) -> bool:
        """Whether real money may move: any origin but the sandbox's, staging's and loopback."""
        if is_loopback(urlsplit(self.root_url).hostname or ""):
            return False
        harmless = {Settings(environment=e).origin for e in (Environment.SANDBOX, Environment.STAGING)}
        return self.origin not in harmless


def _settings_from(values: dict[str, Any]) -> Settings:
    return Settings(**values)


@frozen
class Configuration:
    """What the environment variables say: credentials, settings, and for whom calls are made by default."""

    credentials: Credentials
    settings: Settings
    user_token: Secret | None = None
    identity_number: str | None = None


def password_from_file(path: str | Path) -> PasswordProvider:
    """Return a provider that reads the password from `path` before each login, without the line break at its end.

    **Raises** (the provider) ConfigurationError when the file cannot be read or is empty.
    """
    file = Path(path)

    async def read() -> Secret:
        problem = "it is empty"
        try:
            # A thread would cost more than reading one line does.
            if secret := Secret(file.read_text(encoding="utf-8").rstrip("\r\n")):  # noqa: ASYNC240
                return secret
        except (OSError, UnicodeDecodeError) as error:
            problem = type(error).__name__
        raise ConfigurationError(f"the password file {str(path)!r} cannot be used ({problem})")

    return read


def _refusal(variable: str, make: Callable[..., object], **given: object) -> str | None:
    """Return why what a variable gives is refused, said of the variable."""
    try:
        make(**given)
    except ConfigurationError as error:
        said, name = str(error), variable.removeprefix("CAXTON_").lower()
        return variable + said.removeprefix(name) if said.startswith(name) else f"{variable}: {said}"
    return None


def from_env(environ: Mapping[str, str]) -> Configuration:
    """Read the `CAXTON_...` variables of `environ`.

    `CAXTON_USERNAME` and `CAXTON_CLIENT_NAME` are required; `CAXTON_PASSWORD` or `CAXTON_PASSWORD_FILE` is needed by
    whatever logs in.  `CAXTON_PATH_<NAME OF AN ENDPOINT>` sets a path.

    **Raises** ConfigurationError that names every variable that is missing or wrong, all at once.
    """
    username, client_name = environ.get("CAXTON_USERNAME", ""), environ.get("CAXTON_CLIENT_NAME", "")
    password, file = environ.get("CAXTON_PASSWORD"), environ.get("CAXTON_PASSWORD_FILE")
    given = ((name, environ.get(f"CAXTON_{name.upper()}")) for name in ("environment", "base_url"))
    settings: dict[str, Any] = {name: value for name, value in given if value}
    prefix = "CAXTON_PATH_"
    paths = {name.removeprefix(prefix).lower(): path for name, path in environ.items() if name.startswith(prefix)}
    refusals = [
        _refusal("CAXTON_USERNAME", Credentials, username=username, client_name="any"),
        _refusal("CAXTON_CLIENT_NAME", Credentials, username="any", client_name=client_name),
        "CAXTON_PASSWORD and CAXTON_PASSWORD_FILE are both set: keep one" if password and file else None,
        *(_refusal(f"CAXTON_{name.upper()}", Settings, **{name: value}) for name, value in settings.items()),
        *(_refusal(prefix + name.upper(), Settings, paths={name: path}) for name, path in paths.items()),
        *(
            f"{name} is empty, or holds characters that a header cannot carry"
            for name in ("CAXTON_IDENTITY_NUMBER", "CAXTON_USER_TOKEN")
            if name in environ and not HEADER_VALUE.fullmatch(environ[name])
        ),
    ]
    if any(refusals):
        raise ConfigurationError(f"the environment variables cannot be used: {'; '.join(filter(None, refusals))}")
    token = environ.get("CAXTON_USER_TOKEN")
    return Configuration(
        Credentials(username, client_name, password_from_file(file) if file else password or None),
        Settings(paths=paths, **settings),
        None if token is None else Secret(token),
        environ.get("CAXTON_IDENTITY_NUMBER"),
    )
