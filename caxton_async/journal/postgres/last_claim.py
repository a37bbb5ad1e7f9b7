"""Tells a restored database from the journal that it was: each machine knows the last row that it took there.

A database that was put back to an earlier state does not know of claims that it had acknowledged, and would have their
rows sent again.  No sound server loses such a claim, so there is no false alarm: not after a crash, a failover to a
synchronous replica, or a move to another server.  A machine that never took a row is let in.
"""

import json
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import asdict, frozen
from psycopg import Connection

from caxton_async.errors import JournalRefused
from caxton_async.journal.postgres.connecting import Rows
from caxton_async.journal.postgres.migrations import read_facts, set_fact
from caxton_async.journal.states import LAST

_log: Final = logging.getLogger("caxton_async")
_FOLDER: Final = "databases"
RESTORED: Final = "restored"  # the fact of a journal in which nothing is sent until a person adopts it
_ID: Final = re.compile("[0-9a-f]{16}")
_BYTES: Final = 160  # of the file, so that one write replaces all of it
_IS_KNOWN: Final = (
    "SELECT r.attempt > %s OR r.attempt = %s AND r.worker = %s FROM rows r, workers w "
    "WHERE r.id = %s AND w.id = %s AND w.started_at = %s"
)
_STOP_ALL: Final = "UPDATE workers SET ended_at = extract(epoch FROM now()), ended_how = 'gone' WHERE ended_at IS NULL"


@frozen(kw_only=True)
class LastClaim:
    """A row that a worker took; `since` is when the worker began, for after a restore its number is given out again."""

    row: int
    attempt: int
    worker: int
    since: float


class ClaimMemory:
    """What a machine remembers of journals in databases: a file for each in its state folder."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / _FOLDER
        self._journal: str | None = None
        self._last: LastClaim | None = None
        self._can_keep = True

    def keep(self, claim: LastClaim) -> None:
        """Remember a claim that the database has acknowledged."""
        self._last = claim
        if self._journal is None or not self._can_keep:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._folder / self._journal, flags, 0o600)
            try:
                # Not synced: if the machine loses power it remembers an earlier claim, which the database knows too.
                os.write(descriptor, json.dumps(asdict(claim)).ljust(_BYTES).encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            self._can_keep = False
            problem = os.strerror(error.errno or 0)
            _log.warning("%s cannot be written (%s): a restored database may go unnoticed", self._folder, problem)

    def check(self, connection: Connection[Rows], where: str) -> None:
        """Check that a database knows of the last claim, and was not found to be restored by another machine.

        Where it does not, all of its workers are stopped.

        Raises:
            JournalRefused: it was restored, and nobody has adopted it since.
        """
        facts = read_facts(connection)
        problem, journal = facts.get(RESTORED), facts.get("id", "")
        if problem is None and _ID.fullmatch(journal):
            if journal != self._journal:
                self._journal, self._last = journal, None
            kept = filter(None, (self._last, self._read(journal)))
            lost = next((claim for claim in kept if not _is_known(connection, claim)), None)
            if lost is not None:
                problem = f"it does not know that row {lost.row & LAST} of batch {lost.row >> 32} was sent"
                set_fact(connection, RESTORED, problem)
                connection.execute(_STOP_ALL)
        if problem is not None:
            raise JournalRefused(
                f"the journal {where} was restored, or is a copy, so nothing is sent ({problem}): use the one that was "
                "used last, or take this one with `caxton journal adopt --note WHY`"
            )

    def _read(self, journal: str) -> LastClaim | None:
        with suppress(OSError, ValueError, TypeError):
            return LastClaim(**json.loads((self._folder / journal).read_bytes()))
        return None


def _is_known(connection: Connection[Rows], claim: LastClaim) -> bool:
    values = (claim.attempt, claim.attempt, claim.worker, claim.row, claim.worker, claim.since)
    return connection.execute(_IS_KNOWN, values).fetchone() == (True,)
