"""What became of a batch: its figures, and its files for machines and for people."""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.journal import Journal
from caxton_async.batch.report import (
    LATENCY_BOUNDS,
    Summary,
    attention,
    guarded,
    summarise,
    write_csv,
    write_csv_for_people,
    write_json,
)
from caxton_async.batch.states import RowState
from tests.support.journals import Past, write_journal

FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def report(tmp_path: Path):
    """Write a journal of the given rows and return what a function makes of it."""

    async def run(function, *rows: Past) -> object:
        path = tmp_path / "rows.csv.move_funds.caxton-journal"
        if not path.exists():
            await write_journal(path, *rows)
        with Journal.read(path) as journal:
            return function(journal)

    return run


def text_of(write):
    """Return what a function writes of a journal."""

    def read(journal) -> str:
        file = io.StringIO(newline="")
        write(journal, file)
        return file.getvalue()

    return read


MIXED = (
    Past(reference="A", amount="0.10"),
    Past(reference="B", amount="0.20"),
    Past(reference="C", amount="7", currency="JPY"),
    Past(reference="D", state=RowState.UNKNOWN, error="no answer"),
    Past(reference="E", state=RowState.SETTLED, paid=True),
    Past(reference="F", state=RowState.SETTLED, paid=False),
    Past(reference="G", state=RowState.PLANNED, amount=None, currency=None),
)


async def test_rows_are_counted_and_added_up_by_how_they_stand(report) -> None:
    """Sums are exact by currency, and settled rows are told apart by how they were settled."""
    summary = await report(summarise, *MIXED)

    assert [(group.name, group.count, dict(group.amounts)) for group in summary.groups] == [
        ("planned", 1, {}),
        ("accepted", 3, {"GBP": Decimal("0.30"), "JPY": Decimal(7)}),
        ("unknown", 1, {"GBP": Decimal("10.00")}),
        ("settled as not paid", 1, {"GBP": Decimal("10.00")}),
        ("settled as paid", 1, {"GBP": Decimal("10.00")}),
    ]
    assert (summary.total, summary.endpoint, summary.origin) == (7, "move_funds", "https://caxapi-staging.caxton.io")
    assert (summary.count(RowState.SETTLED), summary.count(RowState.UNKNOWN, RowState.PLANNED)) == (2, 2)


async def test_a_pause_is_no_slow_second(report) -> None:
    """Calls are counted by the second in which they were answered; an hour without any splits the run."""
    times = [100.0, 100.5, 102.0, 5000.0]
    rows = [Past(reference=f"{at}", started_at=at, elapsed_s=0.25) for at in times]

    summary = await report(summarise, *rows)

    assert [(stretch.start, stretch.calls) for stretch in summary.stretches] == [(100, (2, 0, 1)), (5000, (1,))]
    assert summary.calls_per_second == 1.0


async def test_latencies_are_counted_in_classes(report) -> None:
    """Each call falls into one class; the shares are those of the calls themselves."""
    rows = [Past(reference=f"{number}", elapsed_s=number / 1000) for number in range(1, 101)]
    rows.append(Past(reference="slow", elapsed_s=1000.0))

    latencies = (await report(summarise, *rows)).latencies

    assert (latencies.count, sum(latencies.classes), latencies.classes[-1]) == (101, 101, 1)
    assert (latencies.median_s, latencies.p95_s, latencies.p99_s, latencies.longest_s) == (0.051, 0.096, 0.1, 1000.0)
    assert len(latencies.classes) == len(LATENCY_BOUNDS) + 1


async def test_a_batch_without_calls_has_figures_too(report) -> None:
    """What was planned and never sent has no pace and no length."""
    summary = await report(summarise, Past(reference="A", state=RowState.PLANNED))

    assert isinstance(summary, Summary)
    assert (summary.calls_per_second, summary.stretches, summary.latencies.count) == (0.0, (), 0)


async def test_what_needs_attention_comes_in_order_of_harm(report) -> None:
    """Unknown outcomes come before refusals, and these before what was not sent."""
    states = [RowState.NOT_SENT, RowState.ACCEPTED, RowState.REJECTED, RowState.UNKNOWN, RowState.REJECTED]
    rows = [Past(reference=str(number), state=state) for number, state in enumerate(states)]

    found = await report(lambda journal: [row.reference for row in attention(journal)], *rows)

    assert found == ["3", "2", "4", "0"]


async def test_csv_for_machines_holds_every_value_as_it_is(report) -> None:
    """A reference that a spreadsheet would run is not altered for a program."""
    row = Past(reference=FORMULA, state=RowState.SETTLED, paid=False, error="a, b", note="=1")

    (record,) = csv.DictReader(io.StringIO(await report(text_of(write_csv), row)))

    assert (record["reference"], record["settled_note"], record["error"]) == (FORMULA, "=1", "a, b")
    assert (record["state"], record["settled_as_paid"], record["amount"]) == ("settled", "False", "10.00")
    assert (record["started_at"], record["line"], record["sent"]) == ("2026-05-28T20:26:40.000Z", "2", "yes")


async def test_csv_of_no_rows_still_names_its_columns(report) -> None:
    """A program that reads the file finds its columns, whatever is below them."""
    assert (await report(text_of(write_csv))).startswith("reference,line,state,sent,error,")


async def test_csv_for_people_holds_no_formula(report) -> None:
    """Whatever stands in a cell, a spreadsheet shows it and runs nothing; it is told that this is UTF-8."""
    row = Past(reference=FORMULA, state=RowState.SETTLED, error="\N{FULLWIDTH EQUALS SIGN}1", note=" @x", who="-a")

    text = await report(text_of(write_csv_for_people), row)
    (record,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))

    assert text.startswith('\ufeff"reference","line",')
    assert record["reference"] == f"'{FORMULA}"
    assert (record["error"], record["settled_note"]) == ("'\N{FULLWIDTH EQUALS SIGN}1", "' @x")
    assert record["settled_by"] == "'-a"


async def test_json_holds_counts_and_every_row(report) -> None:
    """One object says how many rows are in each state, and then what became of each."""
    found = json.loads(await report(text_of(write_json), *MIXED))

    assert (found["endpoint"], found["total"], found["counts"]["accepted"]) == ("move_funds", 7, 3)
    assert [row["reference"] for row in found["rows"]] == list("ABCDEFG")
    assert (found["rows"][3]["state"], found["rows"][3]["error"]) == ("unknown", "no answer")
    assert found["rows"][5]["settled_as_paid"] is False
    assert found["rows"][6]["started_at"] is None


@pytest.mark.parametrize(
    "text",
    [
        "=1", "+1", "-1", "@x", "\tx", "\rx", "  =1", "\u00a0=1", "\u200b=1", "\ufeff+1", "\n-1",
        "\N{FULLWIDTH PLUS SIGN}1", "\N{FULLWIDTH COMMERCIAL AT}x", "\N{SMALL HYPHEN-MINUS}1",
        "\N{FULLWIDTH HYPHEN-MINUS}1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_guarded(text: str) -> None:
    """Each way to begin a formula gets an apostrophe before it."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "A=1", "10.50", "PAY-001", "é", "'=1", "\u200b"])
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    """An apostrophe where none is needed would alter what people read."""
    assert guarded(text) == text


@pytest.mark.parametrize(("text", "found"), [("r;=2+5;x", "r;'=2+5;x"), ("a|@b\t-c", "a|'@b\t'-c"), ("1;2", "1;2")])
def test_a_cell_of_another_country_s_spreadsheet_is_guarded(text: str, found: str) -> None:
    """Where cells are separated by semicolons, tabs or bars, what follows one begins no formula."""
    assert guarded(text) == found


@given(st.text())
def test_no_cell_of_a_guarded_text_begins_like_a_formula(text: str) -> None:
    """Nothing but apostrophes is ever added, and no cell begins with anything dangerous, however they are separated."""
    found = guarded(text)

    assert found.replace("'", "") == text.replace("'", "")
    assert all(cell.lstrip()[:1] not in {"=", "+", "-", "@"} for cell in re.split(r"[;\t|]", found))
