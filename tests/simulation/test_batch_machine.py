"""A state machine of runner and journal against the bank: Hypothesis decides what goes wrong, and when."""

import shutil
import tempfile
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from caxton_async.batch import STATES, Journal, JournalRefused, RowState, TransitionRefused
from tests.simulation.world import Batch, World
from tests.support.scale import scaled

MEMORY = Path("/dev/shm")
ENDS = st.sampled_from(["end", "stop", "cancel", "cancel twice", "kill"])
ROWS = 4


def reachable() -> dict[RowState, set[RowState]]:
    """Return for each state those that may be found later; the table has one circle, over `not_sent`."""
    found = {state: {state, *STATES[state].then} for state in RowState}
    for _ in RowState:
        found = {state: set().union(*(found[after] for after in later)) for state, later in found.items()}
    return found


LATER = reachable()


class BatchMachine(RuleBasedStateMachine):
    """One batch, what is known of its rows, and all that may befall it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.known: dict[int, RowState] = {}
        self.was_killed = False

    @initialize(concurrency=st.integers(1, ROWS))
    def begin(self, concurrency: int) -> None:
        """Have a batch of which nothing was sent."""
        self.world = World(lambda options: options[0])
        self.batch = Batch(self.world, self.folder, rows=ROWS, concurrency=concurrency)

    @rule(end=ENDS, moment=st.integers(1, 50), data=st.data())
    def run(self, end: str, moment: int, data: st.DataObject) -> None:
        """Begin or go on; in a world of faults."""
        before, read = self.batch.path, self.world.read.copy()
        self.world.choose = lambda options: data.draw(st.sampled_from(options))
        self.batch.live(end, moment)
        # A kill before anything was sent may leave a file that is complete without its log.
        self.was_killed = self.batch.path != before and self.world.read != read

    @precondition(lambda self: RowState.UNKNOWN in self.known.values())
    @rule(paid=st.booleans(), data=st.data())
    def settle(self, paid: bool, data: st.DataObject) -> None:
        """Let a person decide about a row that is unknown."""
        unknown = sorted(row for row, state in self.known.items() if state is RowState.UNKNOWN)
        row = data.draw(st.sampled_from(unknown))
        with Journal.open(self.batch.path) as journal:
            journal.settle(f"ref-{row}", paid=paid, who="Ann", note="asked the bank")
            with pytest.raises(TransitionRefused):
                journal.settle(f"ref-{row}", paid=not paid, who="Bob", note="thinks otherwise")
        self.known[row] = RowState.SETTLED
        self.was_killed = False

    @precondition(lambda self: set(self.known.values()) - {RowState.PLANNED})
    @rule()
    def edit_the_input(self) -> None:
        """Try to go on with other rows: nothing is sent."""
        read = self.world.read.copy()
        other = evolve(self.batch, rows=ROWS + 1, lives=self.batch.lives)
        other.path = self.batch.path
        with pytest.raises(JournalRefused, match="not what it was"):
            other.live("end")
        assert self.world.read == read
        self.was_killed = False

    @precondition(lambda self: self.was_killed)
    @rule()
    def move_the_file_alone(self) -> None:
        """Take the log of a killed run away: the journal is refused, and comes back with its log."""
        log = self.batch.path.with_name(self.batch.path.name + "-wal")
        hidden = log.rename(log.with_name("hidden"))
        with pytest.raises(JournalRefused, match="missing or empty"):
            Journal.open(self.batch.path)
        hidden.rename(log)

    @invariant()
    def the_books_agree(self) -> None:
        """Nothing was done twice or lost, and no row went where the table of states does not lead."""
        if not hasattr(self, "batch"):
            return
        self.batch.check()
        now = self.batch.states() if self.batch.path.exists() else {}
        for row, before in self.known.items():
            assert now[row] in LATER[before], f"{row} went from {before.value} to {now[row].value}"
        self.known = now

    def teardown(self) -> None:
        """Finish in a calm world."""
        try:
            if hasattr(self, "batch"):
                self.batch.finish()
                self.the_books_agree()
        finally:
            shutil.rmtree(self.folder)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_story_makes_a_batch_do_anything_twice_or_lose_anything() -> None:
    """Hypothesis finds no order of faults, kills, stops and decisions that breaks a promise."""
    run_state_machine_as_test(
        BatchMachine,
        settings=settings(
            max_examples=scaled(200, 10_000),
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
