"""Sessions of PostgreSQL: how one is opened, what is refused, and what its errors mean."""

import os
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection

from caxton_async.errors import JournalFailed, JournalRefused
from caxton_async.secret import Secret

Rows = tuple[Any, ...]
CLASS: Final = 0x4378746A  # "Cxtj": the advisory locks of ours, among those of other programs in the same database
# A peer that is gone without a word is noticed within half a minute, on both sides.
_KEEPALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
# What the database has as its own defaults may be meant for others: a commit that is acknowledged is on disk, and no
# session of ours is ended for being idle.
_SETTINGS: Final = (
    "SET search_path = caxton; SET synchronous_commit = on; SET default_transaction_isolation = 'read committed';"
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    "SET idle_session_timeout = 0; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
    "SET tcp_keepalives_count = 4; SET tcp_user_timeout = 30000; SET default_transaction_read_only = off;"
    "SET client_encoding = 'UTF8'"
)
# A row is found by an index, whatever the statistics of a table say that was filled a moment ago.
BY_INDEX: Final = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off"
# Subscribers of logical replication are no copies that could take over.
_SAFETY: Final = """
SELECT current_setting('fsync'), pg_is_in_recovery(), current_setting('synchronous_standby_names') = '' AND EXISTS (
    SELECT FROM pg_stat_replication r WHERE coalesce(r.state, 'streaming') IN ('streaming', 'catchup')
    AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))
"""
# The server cannot be reached, is starting or stopping, or has no room: all of it passes.
_PASSING: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)


def is_passing(error: BaseException) -> bool:
    """Tell whether what failed may work when the server is back."""
    return isinstance(error, _PASSING)


def without_password(dsn: str) -> str:
    """Return a DSN as it may be shown."""
    parts = urllib.parse.urlsplit(dsn)
    user, at, host = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in urllib.parse.parse_qsl(parts.query) if name != "password"]
    shown = parts._replace(netloc=user.partition(":")[0] + at + host, query=urllib.parse.urlencode(query, safe="/"))
    return urllib.parse.urlunsplit(shown)


def host_name() -> str:
    """Return what names this process to people."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Server:
    """The database of a journal; each session that it opens is checked, and has our settings."""

    def __init__(self, dsn: Secret) -> None:
        self._dsn = dsn
        self.where = without_password(dsn.reveal())
        self._was_checked = False

    def connect(self, role: str) -> Connection[Rows]:
        """Open a session, in which each statement commits by itself; `role` names it in the server's lists.

        Raises:
            JournalFailed: the server cannot be reached.
            JournalRefused: the server, or what stands before it, loses what it acknowledged.
        """
        name = f"caxton {role} {host_name()}".encode("ascii", "backslashreplace").decode()[:63]
        with failing(self.where):
            connection = psycopg.connect(self._dsn.reveal(), autocommit=True, application_name=name, **_KEEPALIVE)
            try:
                connection.execute(_SETTINGS.encode())
                if is_pooled(connection):
                    self._check_pooler(connection)
                check_safety(connection, self.where)
            except BaseException:
                connection.close()
                raise
        return connection

    def _check_pooler(self, connection: Connection[Rows]) -> None:
        """Check that a pooler gives each client a session of its own.

        Raises:
            JournalRefused: it gives one for each transaction.
        """
        own = backend_of(connection)
        with psycopg.connect(self._dsn.reveal(), **_KEEPALIVE) as other:  # in a transaction that is left open
            is_shared = backend_of(other) == own or backend_of(connection) != own
        if is_shared:
            raise JournalRefused(
                f"{self.where} is a pooler in transaction mode, in which the locks of workers get lost: connect to the "
                "server itself, or to a pool in session mode"
            )


def is_pooled(connection: Connection[Rows]) -> bool:
    """Tell whether something stands between us and the server: it makes up the process id that we are told."""
    return backend_of(connection) != connection.info.backend_pid


def backend_of(connection: Connection[Rows]) -> int:
    """Return the process of the server that answers."""
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(found[0]) if found else 0


def check_safety(connection: Connection[Rows], where: str) -> None:
    """Check that what the server acknowledges outlives it.

    Raises:
        JournalRefused: it does not.
    """
    fsync, is_replica, is_asynchronous = connection.execute(_SAFETY).fetchone() or ("off", False, False)
    if fsync != "on":
        raise JournalRefused(f"{where} runs with fsync = off, so a crash loses what was sent: switch it on")
    if is_replica:
        raise JournalRefused(f"{where} is a replica, which only reads: connect to the primary")
    if is_asynchronous:
        raise JournalRefused(
            f"{where} has replicas and none of them is synchronous, so a failover loses what was sent: set "
            "synchronous_standby_names"
        )


@contextmanager
def failing(where: str) -> Iterator[None]:
    """Turn an error of the database into one of ours, which has no secret in its context."""
    try:
        yield
    except psycopg.Error as error:
        problem = describe(error)
    else:
        return
    raise JournalFailed(f"the journal {where} cannot be used ({problem})")


def describe(error: psycopg.Error) -> str:
    """Return the first line of what the server or the network says; a detail may hold values."""
    first = error.diag.message_primary or str(error) or type(error).__name__
    return first.strip().splitlines()[0]


Connect = Callable[[str], Connection[Rows]]
