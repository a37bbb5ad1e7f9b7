"""The stores in which processes share a token."""

from importlib import import_module
from typing import TYPE_CHECKING

from caxton_async.auth.stores.memory import MemoryStore
from caxton_async.auth.stores.protocol import TokenStore

if TYPE_CHECKING:
    from caxton_async.auth.stores.postgres import PostgresTokenStore
    from caxton_async.auth.stores.redis import RedisTokenStore
    from caxton_async.auth.stores.sqlite import SqliteTokenStore

__all__ = ["MemoryStore", "PostgresTokenStore", "RedisTokenStore", "SqliteTokenStore", "TokenStore"]

# These bring a database's library with them.
_HOMES = {
    "PostgresTokenStore": "caxton_async.auth.stores.postgres",
    "RedisTokenStore": "caxton_async.auth.stores.redis",
    "SqliteTokenStore": "caxton_async.auth.stores.sqlite",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
