"""Each row of the fault matrix, by each kind of call that it can happen to, over real sockets."""

import asyncio

import pytest

from caxton_async import CaxtonError
from caxton_async.transport import Transport
from tests.faults.bench import Bench
from tests.faults.kinds import KINDS, Kind
from tests.faults.matrix import ROWS, Case
from tests.faults.outcomes import Outcome
from tests.support import canary

CASES = [
    pytest.param(case, kind, outcome, id=f"{row.number}-{name}-{kind.name}".replace(" ", "_"))
    for row in ROWS
    for name, case in row.cases.items()
    for kind in KINDS
    if isinstance(outcome := case.of(kind, row), Outcome)
]


async def carry_out(case: Case, bench: Bench) -> tuple[object, BaseException | None]:
    """Return what the call gave, and what it raised."""
    try:
        return await case.play(bench), None
    except (CaxtonError, asyncio.CancelledError) as error:
        return None, error


@pytest.mark.parametrize(("case", "kind", "expected"), CASES)
async def test_fault_has_its_outcome(case: Case, kind: Kind, expected: Outcome) -> None:
    """A fault ends as its row says, with its number of requests, and leaves nothing behind but its error."""
    await check(case, kind, expected)


@pytest.mark.long
@pytest.mark.parametrize(("case", "kind", "expected"), CASES)
async def test_fault_has_its_outcome_through_the_session(
    case: Case, kind: Kind, expected: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second kind of exchange, through `ClientSession.request`, keeps the same promises."""
    monkeypatch.setattr(Transport, "through_session", True)
    await check(case, kind, expected)


async def check(case: Case, kind: Kind, expected: Outcome) -> None:
    """Let a fault happen to a call, and hold what comes of it against its row."""
    async with Bench(kind) as bench:
        result, error = await carry_out(case, bench)

        told = (type(error) if error else None, getattr(error, "sent", None), getattr(error, "safe_to_retry", None))
        assert told == (expected.error, expected.sent, expected.safe), error
        assert (bench.requests, bench.attempts) == (expected.requests, expected.attempts)
        assert error is not None or expected.letter == "L" or kind.is_right(result)
        if expected.letter == "A" and kind.column == "money":
            assert bench.heard("outcome_unknown") == 1
        if bench.is_reachable:
            assert await bench.next_answer_is_right()
        await bench.close_clients()
        await bench.server.until(lambda: bench.server.open == 0)
    if error is not None:
        assert canary.found_in(*canary.texts_of(error)) == []
    assert canary.found_in(*map(repr, bench.events)) == []
