"""How the client behaves: one frozen value, each part of it checked when it is made."""

import inspect
import math
import ssl
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from caxton_async.errors import ConfigurationError
from caxton_async.events import Event
from caxton_async.secret import hiding
from caxton_async.syntax import HEADER_VALUE, is_loopback, is_plain_path, split_url


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
    if isinstance(value, ProxyUrl):
        del parts  # it holds them in clear
        raise ConfigurationError("base_url holds a user name or password: leave them out, credentials go elsewhere")
    if "?" in value or "#" in value:
        raise ConfigurationError("base_url ends with its path: leave out the query and the fragment")
    if parts.path.strip("/") and not is_plain_path(parts.path.rstrip("/")):
        raise ConfigurationError("base_url has a path with characters that cannot be sent as they are")
    if not value.startswith("https://") and not (value.startswith("http://") and is_loopback(parts.hostname or "")):
        raise ConfigurationError("base_url must begin with https:// (http:// is for this machine only)")


class Paths(Mapping[str, str]):
    """A mapping of names of endpoints to paths that cannot be changed, and can be hashed and pickled."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)

    def __getitem__(self, name: str) -> str:
        return self._paths[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __hash__(self) -> int:
        return hash(frozenset(self._paths.items()))

    def __repr__(self) -> str:
        return repr(self._paths)


def _frozen_paths(value: Mapping[str, str]) -> Mapping[str, str]:
    given: object = value
    return Paths(value) if isinstance(given, Mapping) else value


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


class ProxyUrl(str):
    """The URL of a proxy, which shows no password; written as text it is whole."""

    __slots__ = ()

    def __repr__(self) -> str:
        scheme, slashes, rest = self.partition("://")
        return repr(f"{scheme}{slashes}{'***@' if '@' in rest else ''}{rest.rpartition('@')[2]}")

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        if "@" in self:
            raise TypeError("the URL of a proxy that holds a password cannot be pickled")
        return ProxyUrl, (str(self),)


def _to_proxy(value: Any) -> Any:  # noqa: ANN401  # of a wrong type it stays, to be refused
    return ProxyUrl(value) if isinstance(value, str) else value


def _hide_userinfo(value: object) -> object:
    return ProxyUrl(value) if isinstance(value, str) and "@" in value else value


def _hook(_instance: object, _attribute: "Attribute[Any]", value: object) -> None:
    if value is None:
        return
    if not callable(value):
        raise ConfigurationError(f"on_event is a function that takes an Event, not {type(value).__name__}")
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__):
        raise ConfigurationError("on_event is called and not awaited: give a plain function, and let it start a task")


def _ca_file(_instance: object, _attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and not (isinstance(value, str) and value):
        raise ConfigurationError(f"ca_file is the path of a file of certificates (PEM) or None, not {value!r}")


def _suffix(_instance: object, _attribute: "Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or (value and not HEADER_VALUE.fullmatch(value)):
        raise ConfigurationError("user_agent_suffix holds characters that a header cannot carry")


def _to_environment(value: "Environment | str") -> Environment:
    try:
        return Environment(value.lower() if isinstance(value, str) else value)
    except ValueError:
        names = ", ".join(environment.value for environment in Environment)
        raise ConfigurationError(f"the environment is one of {names}") from None


@hiding(proxy=_to_proxy, base_url=_hide_userinfo)
@frozen
class Settings:
    """How the client behaves; every duration is in seconds.

    `base_url` replaces the environment's (https only, but for loopback).  `paths` maps names of endpoints to paths: one
    that begins with `/` is taken from the origin's root, any other from the base URL.  `deadline_s` covers a whole
    call: queue, token, attempts and backoff; `attempt_timeout_s` one attempt of it, `connect_timeout_s` the making
    of a connection, `token_timeout_s` one login.  `max_calls_per_second` paces calls.  `on_event` is called, in the
    event loop, with each `Event`.  With `reuse_connections=False` each call has a connection of its own.  A client that
    is closed waits up to `drain_s` for calls that were sent.  Certificates of `ca_file` are trusted beside those of the
    system; `ssl_context` replaces the client's own context (TLS 1.2 or newer).

    **Raises** ConfigurationError, naming the setting, for a value that cannot work.
    """

    environment: Environment = field(default=Environment.SANDBOX, converter=_to_environment)
    base_url: str | None = field(default=None, validator=_base_url)
    paths: Mapping[str, str] = field(factory=dict, converter=_frozen_paths, validator=_paths)
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
    ca_file: str | None = field(default=None, validator=_ca_file)
    ssl_context: ssl.SSLContext | None = None
    proxy: str | None = field(default=None, converter=_to_proxy, validator=_proxy)
    on_event: Callable[[Event], None] | None = field(default=None, validator=_hook)
    user_agent_suffix: str = field(default="", validator=_suffix)

    def __deepcopy__(self, memo: dict[int, object]) -> "Settings":
        return self  # it cannot be changed

    def __attrs_post_init__(self) -> None:
        if self.ca_file is not None and self.ssl_context is not None:
            raise ConfigurationError("ca_file and ssl_context are both given: load the file into the context")

    @property
    def root_url(self) -> str:
        """The base URL in force, with exactly one slash at its end."""
        return (self.base_url or self.environment.base_url).rstrip("/") + "/"

    @property
    def origin(self) -> str:
        """Scheme, host and port in their one canonical spelling: what a token is bound to."""
        parts = urlsplit(self.root_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def is_production(self) -> bool:
        """Whether real money may move: any origin but the sandbox's, staging's and loopback."""
        if is_loopback(urlsplit(self.root_url).hostname or ""):
            return False
        harmless = {Settings(environment=e).origin for e in (Environment.SANDBOX, Environment.STAGING)}
        return self.origin not in harmless
