"""The pace of all workers that call one origin: a row of the database says when the next call may be made."""

import asyncio
import logging
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import anyio

from caxton_async.encryption import Keyring
from caxton_async.errors import JournalError
from caxton_async.journal.postgres.connecting import Server
from caxton_async.journal.postgres.query_session import QuerySession
from caxton_async.journal.postgres.statements import NOW

_log: Final = logging.getLogger("caxton_async")
_AHEAD_S: Final = 0.2  # of calls that one question asks for: a server is asked five times a second, not for each call
_LATE_S: Final = 0.05  # a turn that was missed by more is not taken any more: calls that are made up for come in a heap
_AWAY_S: Final = 1.0  # between two questions while the server is away

# ruff: noqa: S608 -- statements are put together from constants alone; every value is a parameter
_MAKE: Final = "INSERT INTO pace VALUES (%s, 0, 0) ON CONFLICT DO NOTHING"
_RESERVE: Final = (
    f"WITH now AS MATERIALIZED (SELECT {NOW} AS t), found AS MATERIALIZED (SELECT origin, "
    "greatest(next_at, quiet_until, now.t) AS first FROM pace, now WHERE origin = %s FOR UPDATE OF pace) "
    "UPDATE pace SET next_at = found.first + %s FROM found, now WHERE pace.origin = found.origin "
    "RETURNING found.first - now.t"
)
_KEEP_QUIET: Final = f"UPDATE pace SET quiet_until = greatest(quiet_until, {NOW} + %s) WHERE origin = %s"


class SharedPace:
    """Gives out the turns of this process; without `per_second` calls wait only while the API asks for quiet."""

    def __init__(self, server: Server, keyring: Keyring, origin: str, per_second: float | None) -> None:
        self._server = server
        self._keyring = keyring
        self._origin = origin
        self._interval_s = 1 / per_second if per_second else 0.0
        self._turns: deque[float] = deque()  # in the loop's time
        self._free_until = -math.inf
        self._asking = asyncio.Lock()
        self._session: QuerySession | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="caxton-pace")

    async def wait(self, halted: anyio.Event) -> bool:
        """Wait until the next call may be made; False when the run halts first."""
        clock = asyncio.get_running_loop().time
        while not halted.is_set():
            at = await self._next_turn(clock())
            with anyio.move_on_after(max(0.0, at - clock())):
                await halted.wait()
                return False
            if clock() - at <= _LATE_S:
                return True
        return False

    def keep_quiet(self, seconds: float) -> None:
        """Let no worker make a call for so long."""
        self._turns.clear()
        self._free_until = -math.inf
        self._thread.submit(self._ask, _KEEP_QUIET, seconds, self._origin)

    async def aclose(self) -> None:
        """End the session."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def _next_turn(self, now: float) -> float:
        """Return when the next call may be made, in the loop's time."""
        async with self._asking:
            while self._turns and self._turns[0] < now - _LATE_S:
                self._turns.popleft()
            if not self._turns and now > self._free_until:
                await self._reserve()
            return self._turns.popleft() if self._turns else now

    async def _reserve(self) -> None:
        number = max(1, round(_AHEAD_S / self._interval_s)) if self._interval_s else 0
        loop = asyncio.get_running_loop()
        while True:
            try:
                question = (_RESERVE, self._origin, number * self._interval_s)
                wait_s, asked = await loop.run_in_executor(self._thread, self._ask, *question)
            except JournalError as error:
                _log.warning("no call is made while the pace of all workers is not known: %s", error)
                await asyncio.sleep(_AWAY_S)
                continue
            break
        asked_at = loop.time() - (time.monotonic() - asked)
        first = max(asked_at + wait_s, loop.time()) if wait_s <= 0 else asked_at + wait_s
        if self._interval_s:
            self._turns.extend(first + turn * self._interval_s for turn in range(number))
        elif wait_s > 0:
            self._turns.append(first)
        else:
            self._free_until = asked_at + _AHEAD_S

    def _ask(self, statement: str, *parameters: object) -> tuple[float, float]:
        """Return what the server answers, and when it was asked: not before this thread had its turn."""
        if self._session is None:
            session = QuerySession(self._server, self._keyring, 0.0)
            with session.transaction() as tx:
                tx.run(_MAKE, self._origin)
            self._session = session
        with self._session.transaction() as tx:
            asked = time.monotonic()
            if statement is _KEEP_QUIET:
                return float(tx.run(statement, *parameters)), asked
            return float(tx.ask(statement, *parameters)[0][0]), asked

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
