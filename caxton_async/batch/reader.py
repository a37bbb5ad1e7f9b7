"""A journal as somebody sees it who only looks.

What belongs here: questions to a journal, and what is read from its rows.  What does not: writing (`journal`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from attrs import evolve

from caxton_async.batch import custody, schema
from caxton_async.batch.database import Reading, check_log
from caxton_async.batch.states import JournalRefused, JournalRow, RowState
from caxton_async.errors import Sent

SUFFIX = ".caxton-journal"
# Rows that are read at once: a read that goes on for long would keep the log from being folded in.
CHUNK = 500


class JournalReader:
    """A journal as it stands, for whoever only looks: what is in it, while another process may be writing.

    Rows that a run left `sending` when it died are shown as `unknown`, which is what they are.
    """

    def __init__(self, path: Path, reading: Reading, *, died: bool) -> None:
        self.path = path
        self._reading = reading
        self._died = died
        self._facts = reading.verified_facts()

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that the batch is for."""
        return self._facts["endpoint"]

    @property
    def origin(self) -> str:
        """The origin that the batch is for."""
        return self._facts["origin"]

    @property
    def digest(self) -> str | None:
        """The digest of the input, None until it is known."""
        return self._facts.get("digest")

    @property
    def salt(self) -> bytes:
        """What the digests of this journal's rows are made with, so that they tell nothing of another's."""
        return bytes.fromhex(self._facts["salt"])

    @property
    def total(self) -> int | None:
        """How many rows the batch has; None until all are planned, and nothing is sent before that."""
        return int(self._facts["total"]) if "total" in self._facts else None

    @property
    def details(self) -> Mapping[str, str]:
        """What else was noted about the batch, such as where its input is."""
        prefix = "detail."
        return {name.removeprefix(prefix): value for name, value in self._facts.items() if name.startswith(prefix)}

    def counts(self) -> Mapping[RowState, int]:
        """Return how many rows are in each state."""
        found = Counter({RowState(state): n for state, n in self._reading.ask(schema.COUNTS)})
        if self._died:
            found[RowState.UNKNOWN] += found.pop(RowState.SENDING, 0)
        return {state: found[state] for state in RowState}

    def rows(self, state: RowState | None = None) -> Iterator[JournalRow]:
        """Yield the rows in the order of the input, all or those in one state."""
        wanted = list(RowState) if state is None else [state]
        if self._died and state is RowState.UNKNOWN:
            wanted.append(RowState.SENDING)
        names, position = " ".join(each.value for each in wanted), 0
        while found := self._reading.ask(schema.ROWS, position, names, CHUNK):
            yield from (self._seen(schema.row_of(values)) for values in found)
            position = found[-1][0]

    def row(self, reference: str) -> JournalRow:
        """Return one row.

        **Raises** JournalRefused when the journal has no such reference.
        """
        found = self._reading.ask(schema.ROW, reference)
        if not found:
            raise JournalRefused(f"the journal {self.path} has no row {reference!r}")
        return self._seen(schema.row_of(found[0]))

    def references_not_paid(self) -> Iterator[str]:
        """Yield the references of rows settled as not paid: what a new batch may send."""
        return (row.reference for row in self.rows(RowState.SETTLED) if row.status.settled_as_paid is False)

    def _seen(self, row: JournalRow) -> JournalRow:
        return as_unknown(row) if self._died and row.state is RowState.SENDING else row

    def close(self) -> None:
        """Close the file."""
        self._reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def as_unknown(row: JournalRow) -> JournalRow:
    """Return what a row is that was found `sending` when nobody was running the batch."""
    error = "the run ended while this was being sent"
    return evolve(row, status=evolve(row.status, state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=error))


def read_journal(path: Path | str) -> JournalReader:
    """Open a journal to look at it, also while another process runs it.

    **Raises** JournalRefused when it is missing, damaged, or readable by others.
    """
    path = Path(path)
    custody.check_private(path)
    in_use = custody.is_locked(path)
    if not in_use:
        check_log(path)
    # With no log everything is in the main file, and a plain opening would leave an empty log behind.
    folded = not in_use and not custody.beside(path, "-wal").exists()
    reading = Reading(path, folded=folded)
    try:
        return JournalReader(path, reading, died=not in_use)
    except BaseException:
        reading.close()
        raise


def default_path(source: Path, endpoint: str) -> Path:
    """Return where the journal of an input file stands unless told otherwise: beside it."""
    return source.with_name(f"{source.name}.{endpoint}{SUFFIX}")


def check_not_run_before(source: Path, *, endpoint: str, origin: str, digest: str) -> None:
    """Check that no journal beside the input is of the same batch.

    **Raises** JournalRefused, naming `resume`, when there is one, or one that cannot be read and so not be ruled out.
    """
    for path in sorted(source.absolute().parent.glob(f"*{SUFFIX}")):
        if path.name == default_path(source, endpoint).name:
            raise JournalRefused(f"this batch was begun before: caxton resume {path}")
        try:
            with read_journal(path) as found:
                same = (found.endpoint, found.origin, found.digest) == (endpoint, origin, digest)
        except JournalRefused as error:
            problem = str(error)
        else:
            if not same:
                continue
            problem = "it holds the same input"
        raise JournalRefused(f"{path} may be the journal of this batch ({problem}): resume it, or move it away")
