"""A state machine against every kind of journal: whatever workers and people do, the rows are where a model says."""

import asyncio
from collections.abc import Callable

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

from caxton_async.errors import JournalRefused, TransitionRefused
from caxton_async.journal import Decision, Journal, Recorded, RowState, Taken
from caxton_async.journal.states import SENDABLE
from tests.support.payments import Place, outcome, plan, states_of
from tests.support.scale import scaled

ROWS = 6
OUTCOMES = [RowState.ACCEPTED, RowState.REJECTED, RowState.NOT_SENT, RowState.UNKNOWN]
workers, positions = st.sampled_from(["one", "two"]), st.integers(1, ROWS)


class JournalMachine(RuleBasedStateMachine):
    """Two workers in two open journals, a person, and a model of six rows."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.place = place
        self.states = [RowState.PLANNED] * ROWS
        self.owner: list[tuple[str, int] | None] = [None] * ROWS  # who has a row, and its attempt
        self.paid: list[bool | None] = [None] * ROWS
        self.taken: dict[str, dict[int, Taken]] = {"one": {}, "two": {}}

    def do(self, work):
        return self.loop.run_until_complete(work)

    @initialize()
    def open(self) -> None:
        self.journals: dict[str, Journal] = {name: self.place.open() for name in self.taken}
        for journal in self.journals.values():
            self.do(journal.__aenter__())
        self.batch = self.do(plan(self.journals["one"], ROWS)).id
        self.workers = {name: self.do(journal.join()) for name, journal in self.journals.items()}

    @rule(name=workers)
    def take(self, name: str) -> None:
        self.workers[name].rewind(self.batch)
        taken = self.do(self.workers[name].take(self.batch))
        free = [n for n, state in enumerate(self.states) if state in SENDABLE]
        assert (taken.id & 0xFFFF if taken else 0) == (free[0] + 1 if free else 0)
        if taken:
            self._is_taken(name, free[0], taken)

    def _is_taken(self, name: str, row: int, taken: Taken) -> None:
        assert taken.attempt == (self.owner[row] or ("", 0))[1] + 1
        self.states[row], self.owner[row] = RowState.SENDING, (name, taken.attempt)
        self.taken[name][row] = taken

    @rule(name=workers, position=positions)
    def take_again(self, name: str, position: int) -> None:
        row = position - 1
        if (held := self.taken[name].get(row)) is None:
            return
        taken = self.do(self.workers[name].take_again(held))
        may = self.states[row] is RowState.NOT_SENT and self.owner[row] == (name, held.attempt)
        assert (taken is not None) is may
        if taken:
            self._is_taken(name, row, taken)

    @rule(name=workers, position=positions, state=st.sampled_from(OUTCOMES))
    def record(self, name: str, position: int, state: RowState) -> None:
        row = position - 1
        if (held := self.taken[name].get(row)) is None:
            return
        recorded = self.do(self.workers[name].record(held, outcome(state)))
        is_mine = self.owner[row] == (name, held.attempt)
        if is_mine and self.states[row] is RowState.SENDING:
            assert recorded is Recorded.TAKEN
            self.states[row] = state
        elif is_mine:
            assert recorded is Recorded.LATE
            if self.states[row] is RowState.UNKNOWN:
                self.states[row] = state
            elif self.states[row] is RowState.RESOLVED and state is not RowState.UNKNOWN:
                self.paid[row] = state is RowState.ACCEPTED
        else:
            assert recorded is Recorded.NOT_MINE
            if self.states[row] is RowState.RESOLVED and state is RowState.ACCEPTED:
                self.paid[row] = True

    @rule(name=workers)
    def leave(self, name: str) -> None:
        """The worker ends, as if its process had died, and another one comes; the outcomes of the first may be late."""
        left = self.workers[name]
        self.do(left.__aexit__(None, None, None))
        with pytest.raises(JournalRefused):
            self.do(left.take(self.batch))
        for row, owner in enumerate(self.owner):
            if owner and owner[0] == name and self.states[row] is RowState.SENDING:
                self.states[row] = RowState.UNKNOWN
        # What the first one took stays its own: a name of the model is a worker.
        self.owner = [("gone " + name, owner[1]) if owner and owner[0] == name else owner for owner in self.owner]
        self.taken[name] = {}
        self.workers[name] = self.do(self.journals[name].join())

    @rule(name=workers, position=positions, paid=st.booleans())
    def resolve(self, name: str, position: int, paid: bool) -> None:
        row, decision = position - 1, [Decision(f"row-{position}", paid, "note")]
        if self.states[row] in {RowState.UNKNOWN, RowState.RESOLVED}:
            assert self.journals[name].resolve(self.batch, decision, who="ada") == 1
            self.states[row], self.paid[row] = RowState.RESOLVED, paid
        else:
            with pytest.raises(TransitionRefused):
                self.journals[name].resolve(self.batch, decision, who="ada")

    @rule(name=workers)
    def sweep(self, name: str) -> None:
        assert self.journals[name].sweep() == 0

    @precondition(lambda self: hasattr(self, "workers"))
    @invariant()
    def the_rows_are_where_the_model_says(self) -> None:
        for journal in self.journals.values():
            assert states_of(journal, self.batch) == [state.value for state in self.states]
        found = [row.status.paid for row in self.journals["one"].rows(self.batch)]
        assert [paid for paid, state in zip(found, self.states, strict=True) if state is RowState.RESOLVED] == [
            paid for paid, state in zip(self.paid, self.states, strict=True) if state is RowState.RESOLVED
        ]

    def teardown(self) -> None:
        for name, journal in getattr(self, "journals", {}).items():
            self.do(self.workers[name].__aexit__(None, None, None))
            self.do(journal.__aexit__(None, None, None))
        self.loop.close()


@pytest.mark.parametrize(
    "examples",
    [7, pytest.param(scaled(60, 5_000), marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_the_rows_are_where_a_model_says(new_place: Callable[[], Place], examples: int) -> None:
    """Claims, outcomes, late ones, workers that leave and decisions in any order keep journal and model alike."""
    run_state_machine_as_test(
        lambda: JournalMachine(new_place()),
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
