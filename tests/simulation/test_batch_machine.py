"""A state machine of runner and journal against the bank: Hypothesis decides what goes wrong, and when."""

import shutil
import tempfile
from pathlib import Path

import pytest
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

from caxton_async.errors import TransitionRefused
from caxton_async.journal import STATES, Decision, RowState
from tests.simulation.world import Batch, World
from tests.support.scale import scaled

MEMORY = Path("/dev/shm")
ENDS = st.sampled_from(["end", "stop", "cancel", "cancel twice", "kill"])
ROWS = 4


def reachable() -> dict[RowState, set[RowState]]:
    """Return for each state those that may be found later; the table has one circle, over `not_sent`."""
    found = {state: {state, *STATES[state].then} for state in RowState}
    found[RowState.RESOLVED] = {RowState.RESOLVED}  # a batch never sends such a row again
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

    @initialize(concurrency=st.integers(1, ROWS))
    def begin(self, concurrency: int) -> None:
        """Have a batch of which nothing was sent."""
        self.world = World(lambda options: options[0])
        self.batch = Batch(self.world, self.folder, rows=ROWS, concurrency=concurrency)

    @rule(end=ENDS, moment=st.integers(1, 50), data=st.data())
    def run(self, end: str, moment: int, data: st.DataObject) -> None:
        """Begin or go on; in a world of faults."""
        self.world.choose = lambda options: data.draw(st.sampled_from(options))
        self.batch.live(end, moment)

    @precondition(lambda self: RowState.UNKNOWN in self.known.values())
    @rule(paid=st.booleans(), data=st.data())
    def resolve(self, paid: bool, data: st.DataObject) -> None:
        """Let a person decide about a row that is unknown, and correct it; rows of other outcomes are refused."""
        unknown = sorted(row for row, state in self.known.items() if state is RowState.UNKNOWN)
        row = data.draw(st.sampled_from(unknown))
        with self.batch.read() as journal:
            for decision in (not paid, paid):
                journal.resolve(1, [Decision(f"ref-{row}", decision, "asked the bank")], who="Ann")
            for other in (row for row, state in self.known.items() if state is RowState.ACCEPTED):
                with pytest.raises(TransitionRefused):
                    journal.resolve(1, [Decision(f"ref-{other}", False, "thinks otherwise")], who="Bob")
        self.known[row] = RowState.RESOLVED

    @invariant()
    def the_books_agree(self) -> None:
        """Nothing was done twice or lost, and no row went where the table of states does not lead."""
        if not hasattr(self, "batch"):
            return
        self.batch.check()
        now = self.batch.states()
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
            max_examples=scaled(120, 10_000),
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
