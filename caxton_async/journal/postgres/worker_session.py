"""The session of a worker: it holds the worker's lock, and every claim and outcome of the worker goes through it."""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

import psycopg
from attrs import frozen
from psycopg import Connection

from caxton_async.encryption import Keyring
from caxton_async.errors import CaxtonError, JournalFailed
from caxton_async.journal.group_writer import GroupWriter
from caxton_async.journal.postgres import row_claims, statements
from caxton_async.journal.postgres.connecting import (
    BY_INDEX,
    CLASS,
    Rows,
    Server,
    describe,
    host_name,
    is_passing,
)
from caxton_async.journal.postgres.last_claim import ClaimMemory, LastClaim
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.row_claims import Outcome
from caxton_async.journal.states import RowState, to_storable

# ruff: noqa: S608 -- statements are put together from constants alone; every value is a parameter
_log: Final = logging.getLogger("caxton_async")
_PAUSES_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0)  # between attempts to reach the server; then the last again and again
_AWAY: Final = "outcomes wait in memory, and nothing more is sent until it is back"
_LOCK_WAIT_S: Final = 5  # for the server to end our session before this one
_COMPACT_AFTER: Final = 256  # commits
_DANGLING: Final = (
    "SELECT id, attempt FROM rows WHERE worker = %s AND (state = 'sending' OR state = 'unknown' AND error = %s) "
    "FOR UPDATE"
)
_DROP: Final = "UPDATE rows SET state = 'not_sent', sent = 'no', error = %s WHERE id = %s AND attempt = %s"


@frozen(kw_only=True)
class Joined:
    """A worker that was made: its number, the process of the server that holds its lock, and when it began."""

    worker: int
    backend: int
    since: float


class WorkerSession(GroupWriter[PgTransaction]):
    """Carries out what a worker asks for, in commits that concurrent calls share.

    While the server is away, outcomes wait in memory and nothing is claimed; then a new session takes the lock of the
    worker again, or begins a new worker where others have given up the old one.
    """

    def __init__(self, server: Server, keyring: Keyring, memory: ClaimMemory, *, name: str, grace_s: float) -> None:
        super().__init__(_no_begin)
        self.worker = 0
        self._server = server
        self._keyring = keyring
        self._memory = memory
        self._name = name
        self._grace_s = grace_s
        self._connection: Connection[Rows] | None = None
        self._backend = 0
        self._since = 0.0
        self._in_flight: set[tuple[int, int]] = set()
        self._commits = 0
        self._has_left = False
        self._give_up_at_once = threading.Event()
        _SESSIONS.add(self)

    def leave(self, wait_s: float) -> None:
        """End the worker; an outcome that comes later is still recorded, in a session of its own."""
        self.close(wait_s)
        self._has_left = True

    def close(self, wait_s: float = 0.0) -> None:
        """Carry out what is queued, for as long as the server answers or `wait_s` lasts, and end the session."""
        timer = threading.Timer(wait_s, self._give_up_at_once.set)
        timer.start()
        try:
            super().close()
        finally:
            timer.cancel()
            self._disconnect()

    def commit(self, works: Sequence[Callable[[PgTransaction], Any]]) -> list[Any]:
        """Carry out `works` in one transaction, again and again until the server is there."""
        told: set[str] = set()
        for attempt in count():
            found = self._attempt(works)
            if not isinstance(found, str):
                if attempt:
                    _log.info("the journal %s is back: all outcomes are written", self._server.where)
                return found
            self._disconnect()
            if found not in told:
                told.add(found)
                _log.warning("the journal %s is away (%s): %s", self._server.where, found, _AWAY)
            if self._give_up_at_once.wait(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]):
                left = f"{len(self._in_flight)} rows have no outcome in it, and become unknown"
                return [JournalFailed(f"the journal {self._server.where} is away ({found}): {left}")] * len(works)
        raise AssertionError

    def _attempt(self, works: Sequence[Callable[[PgTransaction], Any]]) -> list[Any] | str:
        """Return what `works` returned or raised; why there is no answer, where it is worth trying again."""
        try:
            if self._connection is None:
                self._connect()
            return self._carry_out(works)
        except psycopg.Error as error:
            problem = describe(error)
            if is_passing(error):
                return problem
        except CaxtonError as error:
            if self.worker:
                return str(error)
            return [error] * len(works)  # nothing was ever taken, so there is nothing to wait for
        except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            return [error] * len(works)
        return [JournalFailed(f"the journal {self._server.where} failed ({problem})")] * len(works)

    def _carry_out(self, works: Sequence[Callable[[PgTransaction], Any]]) -> list[Any]:
        while True:
            try:
                return self._commit_once(works)
            except psycopg.errors.DeadlockDetected:
                continue  # whoever we were in each other's way with has gone on
            except CaxtonError as error:
                if len(works) == 1:
                    return [error]
                break
        # One of them was refused, and took all with it: each by itself, then.
        return [self._carry_out([work])[0] for work in works]

    def _commit_once(self, works: Sequence[Callable[[PgTransaction], Any]]) -> list[Any]:
        assert self._connection is not None  # noqa: S101 -- for the type checker
        outcomes = [work for work in works if isinstance(work, Outcome)]
        with self._connection.transaction():
            tx = PgTransaction(self._connection, self._keyring, self.worker)
            recorded = iter(row_claims.record(tx, outcomes))
            results = [next(recorded) if isinstance(work, Outcome) else work(tx) for work in works]
            self._commits += 1
            if self._commits % _COMPACT_AFTER == 0:
                tx.run(statements.COMPACT, self.worker)
            tx.finish()
        # Only what is durable counts: a claim whose commit got lost on the way is looked for when the server is back.
        self._in_flight.difference_update((one.id, one.attempt) for outcome in outcomes for one in outcome.taken)
        self._in_flight.update((one.id, one.attempt) for one in tx.taken)
        for one in tx.taken[-1:]:
            self._memory.keep(LastClaim(row=one.id, attempt=one.attempt, worker=one.worker, since=self._since))
        return results

    # --- the session ---

    def _connect(self) -> None:
        connection = self._server.connect(self._name or "worker")
        try:
            connection.execute(BY_INDEX)
            if not self._has_left:
                self._memory.check(connection, self._server.where)
                if not (self.worker and self._take_up(connection)):
                    joined = join(connection, self._keyring, self._name, self._grace_s)
                    self.worker, self._backend, self._since = joined.worker, joined.backend, joined.since
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _take_up(self, connection: Connection[Rows]) -> bool:
        """Take the lock of this worker again, and tell whether it is still one."""
        # The server may not have noticed yet that our session before this one is gone.
        connection.execute(
            "SELECT pg_terminate_backend(%s) FROM workers WHERE id = %s AND backend = %s",
            (self._backend, self.worker, self._backend),
        )
        connection.execute(statements.sql(f"SET lock_timeout = '{_LOCK_WAIT_S}s'"))
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (CLASS, self.worker))
        connection.execute("SET lock_timeout = 0")
        with connection.transaction():
            # From here on nothing that the old session was told is still under way.
            is_alive = connection.execute(
                "UPDATE workers SET backend = pg_backend_pid() WHERE id = %s AND ended_at IS NULL RETURNING backend",
                (self.worker,),
            ).fetchone()
            self._drop_dangling(connection)
        if is_alive:
            self._backend = is_alive[0]
        return is_alive is not None

    def _drop_dangling(self, connection: Connection[Rows]) -> None:
        """Give back rows whose claim was committed, but never reached us: nobody has sent them."""
        tx = PgTransaction(connection, self._keyring, self.worker)
        for row, attempt in connection.execute(_DANGLING, (self.worker, row_claims.GIVEN_UP)).fetchall():
            if (row, attempt) not in self._in_flight:
                before = statements.to_row(tx.ask(statements.BY_ID, row)[0], self._keyring).state
                tx.run(_DROP, "the journal was away when it was claimed: nothing was sent", row, attempt)
                tx.count(row >> 32, before.value, RowState.NOT_SENT.value)
        tx.finish()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def forget_in_child(self) -> None:
        """Let go of the socket in a process that was forked, so that it does not keep the lock of its parent alive."""
        if self._connection is not None:
            with suppress(psycopg.Error, OSError):
                nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                os.dup2(nothing, self._connection.fileno(), inheritable=False)
                os.close(nothing)


def _no_begin() -> Any:  # noqa: ANN401 -- never called: `WorkerSession.commit` does the work
    raise NotImplementedError


def join(connection: Connection[Rows], keyring: Keyring, name: str, grace_s: float) -> Joined:
    """Make a worker whose lock this session holds, before anybody can see it."""
    with connection.transaction():
        tx = PgTransaction(connection, keyring)
        row_claims.sweep(tx)
        tx.finish()
    with connection.transaction():
        found = connection.execute("SELECT nextval(pg_get_serial_sequence('caxton.workers', 'id')), pg_backend_pid()")
        worker, backend = found.fetchone() or (0, 0)
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (CLASS, worker))
        made = connection.execute(
            "INSERT INTO workers (id, name, host, backend, grace_s, started_at) "
            f"VALUES (%s, %s, %s, pg_backend_pid(), %s, {statements.NOW}) RETURNING started_at",
            (worker, to_storable(name), host_name(), grace_s),
        )
        (since,) = made.fetchone() or (0.0,)
    return Joined(worker=worker, backend=backend, since=since)


_SESSIONS: "weakref.WeakSet[WorkerSession]" = weakref.WeakSet()


def _after_fork() -> None:
    for session in _SESSIONS:
        session.forget_in_child()


os.register_at_fork(after_in_child=_after_fork)
