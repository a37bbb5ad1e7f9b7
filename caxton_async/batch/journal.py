"""The journal of a batch: what was sent and what came of it, on disk before anybody is told.

What belongs here: the life of a journal, and every change to it.  What does not: sending (`runner`), the file itself
(`database`, `custody`), and reading input (`rows`).

- `sending` is durable before a request leaves, and an outcome before it is reported: each move waits for its commit.
- After a failed write nothing more is written, so nothing more is sent.
- The main file says `running` before the first row is sent, and `closed` at the end, when everything is in it.  A
  `running` file without its write-ahead log is refused, for what was sent is in the log.  The log cannot be empty then:
  the mark itself goes through it, and it is never cut while the batch runs.
- Requests are not stored: rows carry a digest of theirs, and are read again from the input.
"""

import asyncio
import hashlib
import secrets
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

from attrs import evolve, frozen

from caxton_async.batch import custody, database, schema
from caxton_async.batch.reader import CHUNK, JournalReader, as_unknown, read_journal
from caxton_async.batch.states import (
    DuplicateReference,
    JournalFailed,
    JournalRefused,
    PlannedRow,
    RowState,
    RowStatus,
    check_transition,
)
from caxton_async.batch.writer import Commit, GroupWriter, Write
from caxton_async.errors import InvalidRequest

_STATES = {state.value: state for state in RowState}


@frozen
class Entry:
    """What a run needs of a row: where it stands in the input, and whether it is the same that was planned."""

    position: int
    reference: str
    digest: bytes
    state: RowState


class Journal(JournalReader):
    """The journal of a batch that this process runs or settles: made by `create` or `open`, closed by `with`.

    Only one can be open at a time.  A journal whose rows were never all planned is removed when it is closed: nothing
    was sent, and the input can be put right and run anew.
    """

    # The simulation of the tests replaces it by one without a thread.
    _writer_class: Callable[[Commit], GroupWriter] = GroupWriter

    def __init__(self, path: Path, lock: custody.Lock) -> None:
        self._lock = lock
        self._writing = database.Writing(path)
        reading = database.Reading(path)
        # The last to close must be one that cannot fold the log in: it stays beside a file that says `running`, also
        # when nobody closes the journal.
        self._abandon = weakref.finalize(self, _close_both, self._writing, reading)
        try:
            super().__init__(path, reading, died=False)
            self._counts = Counter(dict(reading.ask(schema.COUNTS)))
        except BaseException:
            self._abandon()
            raise
        self._writer = self._writer_class(self._commit)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        endpoint: str,
        origin: str,
        digest: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> Self:
        """Make the journal of a new batch, pinned to an endpoint, an origin and (if given) the digest of its input.

        `details` holds what resuming it needs, and no secret.

        **Raises** JournalRefused when the file exists or cannot be made.
        """
        path = Path(path)
        facts = {"endpoint": endpoint, "origin": origin, "mark": database.PLANNING, "salt": secrets.token_hex(16)}
        if digest is not None:
            facts["digest"] = digest
        facts |= {f"detail.{name}": value for name, value in (details or {}).items()}
        lock = custody.Lock(path)
        try:
            with custody.made_whole(path) as draft:
                database.write_new(draft, facts)
            return cls(path, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: Path | str, *, digest: str | None = None) -> Self:
        """Open the journal of a batch to go on with it; rows found `sending` become `unknown`.

        **Raises** JournalRefused when it is missing, in use, damaged, readable by others, or (with `digest`) when
        it was begun with another input.
        """
        path = Path(path)
        custody.check_private(path)
        lock = custody.Lock(path)
        try:
            database.check_log(path)
            journal = cls(path, lock)
        except BaseException:
            lock.release()
            raise
        try:
            journal._adopt(digest)
        except BaseException:
            journal.close()
            raise
        return journal

    read = staticmethod(read_journal)

    def _adopt(self, digest: str | None) -> None:
        if self.total is None:
            # Nothing was sent yet, so the input may have changed since.
            if digest is not None:
                self._set_facts(digest=digest)
        elif digest not in {None, self.digest}:
            raise JournalRefused(
                f"the input is not the one that the journal {self.path} was begun with: restore it, nothing was sent"
            )
        left = [
            schema.move_values(row.position, row.state, as_unknown(row).status) for row in self.rows(RowState.SENDING)
        ]
        if left:
            self._commit([Write(schema.MOVE, left)])

    def counts(self) -> Mapping[RowState, int]:
        """Return how many rows are in each state; costs nothing."""
        return {state: self._counts[state.value] for state in RowState}

    def entries(self) -> Iterator[Entry]:
        """Yield what a run needs of each row, in the order of the input."""
        position = 0
        while found := self._reading.ask(schema.ENTRIES, position, CHUNK):
            for position, reference, digest, state in found:
                yield Entry(position, reference, digest, _STATES[state])

    async def plan(self, rows: Iterable[PlannedRow]) -> None:
        """Write every row of the batch; what an interrupted planning left is replaced.

        **Raises** DuplicateReference when two rows have the same reference, JournalFailed when writing failed.
        """
        self._counts.clear()
        await self._writer.submit(Write("DELETE FROM rows", [()], exact=False))
        seal, total, left = hashlib.sha256(), 0, iter(rows)
        while chunk := list(islice(left, CHUNK)):
            values = [
                (position, row.reference, row.line, row.amount, row.currency, row.digest)
                for position, row in enumerate(chunk, total + 1)
            ]
            # Nothing else plans meanwhile: a journal has one run.
            if await self._writer.submit(Write(schema.PLAN, values, exact=False)) != len(values):
                raise self._duplicate(values)
            for row in chunk:
                seal.update(ascii((row.reference, row.digest)).encode())
            total += len(chunk)
        self._counts[RowState.PLANNED.value] = total
        self._set_facts(total=str(total), digest=self.digest or seal.hexdigest())

    def _duplicate(self, values: list[tuple[Any, ...]]) -> DuplicateReference:
        for position, reference, line, *_ in values:
            first = self.row(reference)
            if first.position != position:
                return DuplicateReference(
                    f"the reference {reference!r} stands in line {first.line or first.position} and again in line "
                    f"{line or position}: give each row its own; nothing was sent"
                )
        raise JournalFailed(f"the journal {self.path} did not take every row")

    def start(self) -> None:
        """Mark the main file `running`: the last thing before the first row is sent.

        **Raises** JournalFailed when the mark could not be made durable.
        """
        self._set_facts(mark=database.RUNNING)
        self._writing.fold()

    def submit(self, positions: Sequence[int], before: RowState, status: RowStatus) -> "asyncio.Future[int]":
        """Queue the move of rows, together, from the state `before` to a new status.

        The future is done once it is durable.  Moves are carried out in the order of submission, also when nobody
        waits for the future any more.

        **Raises** TransitionRefused when that state cannot follow; the future, JournalFailed.
        """
        check_transition(before, status.state)
        return self._writer.submit(
            Write(schema.MOVE, [schema.move_values(position, before, status) for position in positions])
        )

    def note(self, **facts: str) -> None:
        """Note something about the batch in its details, durably."""
        self._set_facts(**{f"detail.{name}": value for name, value in facts.items()})

    def settle(self, reference: str, *, paid: bool, who: str, note: str) -> None:
        """Record the decision of a person, or of a statement, about a row whose outcome is unknown.

        **Raises** TransitionRefused when the row's outcome is not unknown, JournalRefused when there is no such row,
        InvalidRequest without `who` and `note`.
        """
        if not who.strip() or not note.strip():
            raise InvalidRequest("settling a row needs who decided it, and why")
        row = self.row(reference)
        status = evolve(
            row.status,
            state=RowState.SETTLED,
            settled_as_paid=paid,
            settled_by=who,
            settled_note=note,
            settled_at=time.time(),
        )
        check_transition(row.state, status.state)
        self.start()
        self._commit([Write(schema.MOVE, [schema.move_values(row.position, row.state, status)])])

    def _set_facts(self, **facts: str) -> None:
        self._commit([Write(schema.SET_FACT, list(facts.items()))])
        self._facts.update(facts)

    def _commit(self, writes: Sequence[Write]) -> list[int]:
        changed = self._writing.commit(writes)
        for write in writes:
            if write.sql is schema.MOVE:
                for values in write.rows:
                    self._counts[values[-1]] -= 1
                    self._counts[values[0]] += 1
        return changed

    def close(self) -> None:
        """End the writing thread, mark the file `closed` with all that is known in it, and give the lock back."""
        self._writer.close()
        try:
            if self.total is not None and not self._writing.is_broken:
                self._set_facts(mark=database.CLOSED)
                self._writing.fold(cut=True)
                self._reading.close()
        finally:
            self._abandon()
            if self.total is None:
                custody.remove(self.path)
            self._lock.release()


def _close_both(writing: database.Writing, reading: database.Reading) -> None:
    writing.close()
    reading.close()
