"""Who is right: what the client's journal says of each payment, beside what the emulator's ledger says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import frozen

from caxton_async.batch.input import Row
from caxton_async.journal.states import RowState
from caxton_async.models import MoveFunds, minor_units

_Key = tuple[str, str, str]


@frozen
class Story:
    """What the client's side knows: the moves made first, the payments, what became of them, and in which time."""

    first_moves: Sequence[MoveFunds]
    rows: Sequence[Row]
    states: Mapping[str, RowState]
    payroll: Sequence[str]  # the references that were accepted
    seconds: float
    is_refused: bool = True  # the same file, when it was run a second time


@frozen
class Comparison:
    """Payments by what the client says of them, how many of each the ledger holds, and where the two disagree."""

    counts: Mapping[RowState, int]
    carried_out: Mapping[RowState, int]
    payroll: int
    payroll_paid: int
    logins: int
    requests: int
    calls_per_second: float
    problems: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing was found that one side says and the other does not."""
        return not self.problems

    def as_data(self) -> dict[str, object]:
        """Return the comparison as JSON can carry it."""
        return {
            "calls": sum(self.counts.values()),
            **{state.value: self.counts.get(state, 0) for state in _SHOWN},
            "ledger": {state.value: self.carried_out.get(state, 0) for state in _SHOWN},
            "payroll": {"payments": self.payroll, "ledger": self.payroll_paid},
            "logins": self.logins,
            "requests": self.requests,
            "calls_per_second": round(self.calls_per_second, 1),
            "problems": list(self.problems),
            "agrees": self.agrees,
        }

    def lines(self) -> list[tuple[str, str, str]]:
        """Return the comparison as the rows of a table."""
        done = {state: str(self.carried_out.get(state, 0)) for state in _SHOWN}
        unknown = self.counts.get(RowState.UNKNOWN, 0) - self.carried_out.get(RowState.UNKNOWN, 0)
        said = {state: str(self.counts.get(state, 0)) for state in _SHOWN}
        return [
            ("payment calls", str(sum(self.counts.values())), f"{sum(self.carried_out.values())} carried out"),
            ("accepted", said[RowState.ACCEPTED], f"{done[RowState.ACCEPTED]} carried out, each once"),
            ("rejected", said[RowState.REJECTED], f"{done[RowState.REJECTED]} carried out"),
            ("unknown", said[RowState.UNKNOWN], f"{done[RowState.UNKNOWN]} carried out, {unknown} not"),
            ("payroll payments", f"{self.payroll} in one upload", f"{self.payroll_paid} paid"),
            ("logins made", "1", str(self.logins)),
            ("calls per second", f"{self.calls_per_second:.0f}", f"{self.requests} requests read"),
        ]


_SHOWN = (RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN)


def compare(story: Story, ledger: Mapping[str, Any]) -> Comparison:
    """Hold what the client says against the ledger.

    Payments that ask for the same cannot be told apart in the ledger: of each kind there must be at least as many as
    were accepted, and no more than were accepted or are unknown.
    """
    held, said = _held(story, ledger), _said(story)
    accepted, unknown = said[RowState.ACCEPTED], said[RowState.UNKNOWN]
    problems = list(ledger["problems"])
    problems += [f"accepted, and not in the ledger: {kind} x {n}" for kind, n in (accepted - held).items()]
    surplus = held - accepted - unknown
    problems += [f"in the ledger, and not expected there: {kind} x {n}" for kind, n in surplus.items()]
    left = sum(said[state].total() for state in RowState if state not in _SHOWN)
    problems += [f"{left} rows were not concluded"] * bool(left)
    paid = Counter(payment["reference"] for payment in ledger["payments"])
    expected = Counter(story.payroll)
    problems += ["the same file was carried out twice"] * (not story.is_refused)
    problems += ["the payroll is not paid once"] * (paid != expected)
    problems += [f"{ledger['logins']} logins were made"] * (ledger["logins"] != 1)
    return Comparison(
        counts={state: counter.total() for state, counter in said.items() if counter},
        carried_out={
            RowState.ACCEPTED: (held & accepted).total(),
            RowState.UNKNOWN: ((held - accepted) & unknown).total(),
            RowState.REJECTED: (surplus & said[RowState.REJECTED]).total(),
        },
        payroll=expected.total(),
        payroll_paid=paid.total(),
        logins=ledger["logins"],
        requests=sum(ledger["requests"].values()),
        calls_per_second=len(story.rows) / story.seconds if story.seconds else 0.0,
        problems=tuple(problems),
    )


def find_not_carried_out(story: Story, ledger: Mapping[str, Any]) -> str | None:
    """Return the reference of a row whose outcome is unknown, and of which the ledger has nothing."""
    surplus = _held(story, ledger) - _said(story)[RowState.ACCEPTED]
    for row in story.rows:
        if story.states[row.reference] is RowState.UNKNOWN and not surplus[_key(cast(MoveFunds, row.request))]:
            return row.reference
    return None


def _held(story: Story, ledger: Mapping[str, Any]) -> Counter[_Key]:
    held = Counter((source, target, amount) for _, source, target, amount in ledger["moves"])
    return held - Counter(_key(move) for move in story.first_moves)


def _said(story: Story) -> dict[RowState, Counter[_Key]]:
    said: dict[RowState, Counter[_Key]] = {state: Counter() for state in RowState}
    for row in story.rows:
        said[story.states[row.reference]][_key(cast(MoveFunds, row.request))] += 1
    return said


def _key(request: MoveFunds) -> _Key:
    # As the ledger writes an amount: with all minor units of its currency.
    amount = f"{request.amount:.{minor_units(request.from_currency)}f}"
    return request.from_currency, request.to_currency, amount
