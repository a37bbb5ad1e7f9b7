"""What the demo makes of two sides that disagree, and of a file that it cannot carry out."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from caxton_async import CaxtonError
from caxton_async.batch import Row
from caxton_async.cli.demo import demo, show_comparison
from caxton_async.cli.demo.compare import Story, compare
from caxton_async.cli.demo.setup import plan_scene
from caxton_async.journal import RowState
from caxton_async.models import MoveFunds

FIRST = MoveFunds("GBP", "POT1-GBP", 50)
MOVES = [MoveFunds("GBP", "POT1-GBP", Decimal(text)) for text in ("1.10", "1.2", "1.30", "1.40")]
STATES = [RowState.ACCEPTED, RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN]
STORY = Story(
    [FIRST],
    [Row(f"r{n}", move, n) for n, move in enumerate(MOVES)],
    {f"r{n}": state for n, state in enumerate(STATES)},
    ["p1"],
    seconds=2.0,
)


def ledger(*amounts: str, **changes: Any) -> dict[str, Any]:
    """Return what the emulator would tell if these amounts had been moved, after the first 50."""
    return {
        "moves": [["emulated", "GBP", "POT1-GBP", amount] for amount in ("50.00", *amounts)],
        "payments": [{"reference": "p1"}],
        "problems": [],
        "logins": 1,
        "requests": {"move_funds": 5},
    } | changes


@pytest.mark.parametrize(
    ("amounts", "unknown_done"),
    [
        pytest.param(["1.10", "1.20"], 0, id="the unknown was not carried out"),
        pytest.param(["1.40", "1.10", "1.20"], 1, id="the unknown was carried out"),
    ],
)
def test_both_ends_of_an_unknown_outcome_agree(amounts: list[str], unknown_done: int) -> None:
    """What is unknown may have been carried out or not; both are right."""
    found = compare(STORY, ledger(*amounts))

    assert found.agrees
    assert found.carried_out[RowState.UNKNOWN] == unknown_done
    assert found.calls_per_second == 2.0


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        pytest.param(ledger("1.10"), "accepted, and not in the ledger", id="lost"),
        pytest.param(ledger("1.10", "1.10", "1.20"), "not expected there", id="paid twice"),
        pytest.param(ledger("1.10", "1.20", "1.40", "1.40"), "not expected there", id="unknown paid twice"),
        pytest.param(ledger("1.10", "1.20", "1.30"), "not expected there", id="rejected and paid"),
        pytest.param(ledger("1.10", "1.20", payments=[]), "payroll", id="payroll not paid"),
        pytest.param(ledger("1.10", "1.20", payments=[{"reference": "p1"}] * 2), "payroll", id="payroll paid twice"),
        pytest.param(ledger("1.10", "1.20", logins=2), "2 logins were made", id="two logins"),
        pytest.param(ledger("1.10", "1.20", problems=["GBP: lost"]), "GBP: lost", id="money does not add up"),
    ],
)
def test_a_disagreement_is_found_and_told(
    told: dict[str, Any], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever one side says and the other does not is named, and nobody is told that all is well."""
    found = compare(STORY, told)
    show_comparison(found, as_json=False)

    said = capsys.readouterr().err
    assert not found.agrees
    assert problem in said
    assert said.startswith("\nthey disagree: ")
    assert "Both agree" not in said


def test_rows_that_were_not_concluded_are_a_disagreement() -> None:
    """A batch that ended early is no success."""
    found = compare(evolve(STORY, states=STORY.states | {"r2": RowState.NOT_SENT}), ledger("1.10", "1.20"))

    assert found.problems == ("1 rows were not concluded",)


def test_a_scene_has_money_for_every_order_of_the_payments() -> None:
    """Each pot holds what will leave it before anything does, and each currency what will leave and go ahead."""
    back = MoveFunds("POT1-GBP", "GBP", 7)

    scene = plan_scene([*MOVES, back], [])

    assert scene.funds == {"GBP": Decimal("12.00")}
    assert scene.first_moves == [MoveFunds("GBP", "POT1-GBP", 7)]


def test_an_emulator_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo ends with a sentence when its other half cannot be had."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(CaxtonError, match="the emulator did not start"):
        demo()


def test_a_file_that_is_too_long_to_compare_is_refused(tmp_path: Path) -> None:
    """The emulator remembers so many payments and no more."""
    file = tmp_path / "long.csv"
    rows = "".join(f"r{n},GBP,POT1-GBP,1\n" for n in range(20_001))
    file.write_text("reference,from_currency,to_currency,amount\n" + rows)

    with pytest.raises(CaxtonError, match="compares at most 20000"):
        demo(file)
