"""What is read of a journal in a file, in chunks that keep no writer waiting."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from caxton_async.encryption import Cipher
from caxton_async.errors import JournalRefused
from caxton_async.journal.seal import Seal
from caxton_async.journal.sqlite import tables
from caxton_async.journal.sqlite.checks import check_all
from caxton_async.journal.sqlite.database import Database
from caxton_async.journal.sqlite.duplicates import find_duplicates
from caxton_async.journal.states import (
    LAST,
    BatchInfo,
    Duplicates,
    JournalRow,
    KeptDecision,
    PlannedRow,
    Reason,
    RowState,
    row_id,
)

_REASONS: Final = (
    "SELECT state, coalesce(api_status, error), count(*) FROM rows WHERE id > ? AND id <= ? "
    "AND state IN ('rejected', 'not_sent', 'unknown') GROUP BY 1, 2"
)
_REASON_CHUNK: Final = 20_000  # positions that are grouped in one read
_DECISIONS: Final = (
    "SELECT row, paid, note, who, at, alarm, checksum, id FROM decisions WHERE row > ? AND row <= ? "
    "AND id > ? ORDER BY id LIMIT 1000"
)


class SqliteBatches:
    """The batches of a journal in a file; see `journal.protocol.JournalReader`."""

    def __init__(self, path: Path, state_folder: Path, cipher: Cipher | None) -> None:
        self._path = path
        self._state_folder = state_folder
        self._cipher = cipher
        self._opened: Database | None = None

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise JournalRefused(f"the journal {self._path} is not open: use it in a `with` or `async with` block")
        return self._opened

    @property
    def where(self) -> str:
        """The path of the journal."""
        return str(self._path)

    @property
    def salt(self) -> bytes:
        """What the digests of requests are made with."""
        salt = bytes.fromhex(self._database.facts["salt"])
        return salt if self._cipher is None else salt[:8] + self._cipher.digest_key[:8]

    @property
    def is_encrypted(self) -> bool:
        """Whether requests and answers are encrypted."""
        return self._cipher is not None

    def batches(self) -> Sequence[BatchInfo]:
        """Return all batches, the newest first."""
        return [self._with_total(tables.to_batch(values)) for values in reversed(self._database.ask(tables.BATCHES))]

    def batch(self, batch: int) -> BatchInfo:
        """Return a batch."""
        found = self._database.ask(f"{tables.BATCHES} WHERE id = ?", batch)
        if not found:
            raise JournalRefused(f"the journal {self._path} has no batch {batch}")
        return self._with_total(tables.to_batch(found[0]))

    def _with_total(self, batch: BatchInfo) -> BatchInfo:
        return batch if batch.kind != "once" else evolve(batch, total=sum(self.counts(batch.id).values()))

    def counts(self, batch: int) -> Mapping[RowState, int]:
        """Return how many rows of a batch are in each state."""
        found = dict(self._database.ask("SELECT state, rows FROM counts WHERE batch = ?", batch))
        return {state: found.get(state.value, 0) for state in RowState}


class SqliteRows(SqliteBatches):
    """The rows of a journal in a file; see `journal.protocol.JournalReader`."""

    def reasons(self, batch: int) -> Sequence[Reason]:
        """Return the rows that were refused, not sent or unknown by state and reason."""
        totals: dict[tuple[str, str | None], int] = {}
        for first in range(0, sum(self.counts(batch).values()), _REASON_CHUNK):
            for state, reason, rows in self._database.ask(
                _REASONS, row_id(batch, first), row_id(batch, first + _REASON_CHUNK)
            ):
                totals[state, reason] = totals.get((state, reason), 0) + rows
        largest = sorted(totals.items(), key=lambda item: -item[1])
        return [Reason(state=RowState(state), reason=reason, rows=rows) for (state, reason), rows in largest]

    def rows(self, batch: int, states: Collection[RowState] = (), *, after: int = 0) -> Iterator[JournalRow]:
        """Yield the rows of a batch in the order of the input."""
        wanted = " ".join(state.value for state in states) or tables.ALL_STATES
        for values in self._database.rows(tables.ROWS, row_id(batch, after), row_id(batch, LAST), wanted):
            yield self._row(values)

    def row(self, batch: int, reference: str) -> JournalRow:
        """Return one row."""
        found = self._database.ask(tables.BY_REFERENCE, batch, reference)
        if not found:
            raise JournalRefused(f"batch {batch} has no reference {reference!r}")
        return self._row(found[0])

    def _row(self, values: Sequence[Any]) -> JournalRow:
        row = tables.to_row(values, self._cipher)
        # Only these may be followed up, so the rest need no second look.
        if row.state in {RowState.REJECTED, RowState.RESOLVED}:
            followed = self._database.ask("SELECT row FROM follow_ups WHERE source = ?", row.id)
            return evolve(row, followed_by=followed[0][0]) if followed else row
        return row

    def decisions(self, batch: int) -> Iterator[KeptDecision]:
        """Yield what was decided about the rows of a batch, and every alarm."""
        last = 0
        while found := self._database.ask(_DECISIONS, row_id(batch, 0), row_id(batch, LAST), last):
            last = found[-1][-1]
            for *values, kept, _ in found:
                row, paid, note, who, at, alarm = values
                if tables.checksum(*values) != kept:
                    raise tables.damaged(f"a decision about batch {batch}")
                reference = self._database.ask("SELECT reference FROM rows WHERE id = ?", row)[0][0]
                yield KeptDecision(reference=reference, paid=bool(paid), note=note, who=who, at=at, alarm=bool(alarm))

    def same_requests(self, asked: Iterable[PlannedRow], *, since: float) -> Duplicates:
        """Find rows that ask for the same as another."""
        own = ((position, row.digest, row.reference, row.line) for position, row in enumerate(asked, 1))
        return find_duplicates(self._database, own, since=since)

    def check(self) -> None:
        """Look at everything in the journal."""
        check_all(self._database)
        for batch in self.batches():
            for _ in self.decisions(batch.id):  # which compares their checksums
                pass

    def seal(self, batch: int) -> str:
        """Return the digest of the batch's rows as they are in the journal."""
        seal = Seal()
        for values in self._database.rows(tables.ROWS, row_id(batch, 0), row_id(batch, LAST), tables.ALL_STATES):
            tables.verify(values)
            seal.add(values[1], tables.open_sealed(self._cipher, values[2], values[0], b"request") or b"")
        return seal.hexdigest()
