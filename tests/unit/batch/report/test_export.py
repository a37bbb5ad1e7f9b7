"""The rows of a batch as files: true for programs, harmless for people, private, and over nothing that matters."""

import asyncio
import csv
import io
import json
import os
import re
import stat
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch.lookup import INPUT
from caxton_async.batch.outcome import summarise
from caxton_async.batch.report.export import (
    JSON_FIELDS,
    Records,
    batch_record,
    defused,
    json_rows,
    new_file,
    write_csv,
    write_json,
    write_spreadsheet,
)
from caxton_async.errors import ConfigurationError
from caxton_async.journal import RowState
from tests.support.batches import RowHistory, journal_in, write_batch
from tests.support.payments import MAY
from tests.unit.batch.report.test_summary import MIXED

FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def report(tmp_path: Path):
    """Write a batch of the given rows and return what a function writes of its records."""

    async def run(write, *rows: RowHistory) -> str:
        batch = await write_batch(tmp_path, *rows)
        file = io.StringIO(newline="")
        with journal_in(tmp_path) as journal:
            write(Records(journal, journal.batch(batch))(), file)
        return file.getvalue()

    return run


async def test_csv_for_programs_holds_every_value_as_it_is(report) -> None:
    """A reference that a spreadsheet would run is not altered for a program."""
    row = RowHistory(reference=FORMULA, state=RowState.RESOLVED, paid=False, error="a, b", note="=1")

    (record,) = csv.DictReader(io.StringIO(await report(write_csv, row)))

    assert (record["reference"], record["note"], record["error"]) == (FORMULA, "=1", "a, b")
    assert (record["state"], record["decision"], record["amount"]) == ("resolved", "not_paid", "10.00")
    assert (record["started_at"], record["line"], record["sent"]) == ("2026-05-28T20:26:40.000Z", "2", "yes")


async def test_a_spreadsheet_runs_no_cell(report) -> None:
    """Every cell is quoted, whatever begins like a formula is shown as it is, and the file says that it is UTF-8."""
    row = RowHistory(
        reference=FORMULA, state=RowState.RESOLVED, error="\N{FULLWIDTH EQUALS SIGN}1", note=" @x", who="a;=1"
    )

    text = await report(write_spreadsheet, row)
    (record,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))

    assert text.startswith('\ufeff"reference","line",')
    assert record["reference"] == f"'{FORMULA}"
    assert (record["error"], record["note"]) == ("'\N{FULLWIDTH EQUALS SIGN}1", "' @x")
    assert '"a;\'=1"' in text


async def test_json_holds_the_batch_and_every_row(tmp_path: Path) -> None:
    """One object says how many rows are in each state and why, and then what became of each."""
    batch = await write_batch(tmp_path, *MIXED)
    file = io.StringIO()

    with journal_in(tmp_path) as journal:
        info = journal.batch(batch)
        head = batch_record(journal, info, summarise(journal, batch))
        write_json(head, json_rows(Records(journal, info)()), file)
    found = json.loads(file.getvalue())

    assert (found["endpoint"], found["total"], found["counts"]["accepted"]) == ("move_funds", 7, 3)
    assert found["reasons"] == [{"state": "unknown", "reason": "no answer", "rows": 1}]
    assert [row["reference"] for row in found["rows"]] == list("ABCDEFG")
    assert (found["rows"][3]["state"], found["rows"][3]["error"]) == ("unknown", "no answer")
    assert found["rows"][5]["decision"] == "not_paid"
    assert {tuple(row) for row in found["rows"]} == {JSON_FIELDS}


# --- where files go ---


def test_a_file_is_private_and_new(tmp_path: Path) -> None:
    """Nobody else can read it, and one that exists is replaced only by force, whole or not at all."""
    batch, path = asyncio.run(write_batch(tmp_path, *MIXED)), tmp_path / "out.csv"

    with journal_in(tmp_path) as journal:
        with new_file(path, journal) as file:
            file.write("first")
        with pytest.raises(ConfigurationError, match="exists already"), new_file(path, journal):
            pass
        with pytest.raises(TypeError), new_file(path, journal, force=True) as file:
            file.write(b"half")
        kept = path.read_text()
        with new_file(path, journal, force=True) as file:
            file.write("second")

    assert (kept, path.read_text(), batch) == ("first", "second", 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.glob("*out*")) == ["out.csv"]


@pytest.mark.parametrize("target", ["journal", "input", "link to the journal", "folder"])
def test_neither_journal_nor_input_is_ever_overwritten(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tab completion names the wrong file easily: with --force too it stays what it was."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(write_batch(tmp_path, *MIXED, new=evolve(MAY, details={INPUT: str(tmp_path / "may.csv")})))
    (tmp_path / "may.csv").write_text("the input")
    paths = {
        "journal": tmp_path / "journal.sqlite",
        "input": Path("may.csv"),
        "link to the journal": tmp_path / "link",
        "folder": tmp_path / "folder",
    }
    paths["link to the journal"].symlink_to(paths["journal"])
    paths["folder"].mkdir()
    before = (tmp_path / "journal.sqlite").read_bytes()

    with (
        journal_in(tmp_path) as journal,
        pytest.raises(ConfigurationError, match=r"is a journal|is the input|is not a file"),
        new_file(paths[target], journal, force=True),
    ):
        pass

    assert os.path.lexists(paths[target])
    assert ((tmp_path / "journal.sqlite").read_bytes() == before, (tmp_path / "may.csv").read_text()) == (
        True,
        "the input",
    )


@pytest.mark.parametrize(
    "text",
    [
        "=1", "+1", "-1", "@x", "\tx", "\rx", "  =1", "\u00a0=1", "\u200b=1", "\ufeff+1", "\n-1",
        "\N{FULLWIDTH PLUS SIGN}1", "\N{FULLWIDTH COMMERCIAL AT}x", "\N{SMALL HYPHEN-MINUS}1",
        "\N{FULLWIDTH HYPHEN-MINUS}1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_defused(text: str) -> None:
    """Each way to begin a formula gets an apostrophe before it."""
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "A=1", "10.50", "PAY-001", "é", "'=1", "\u200b"])
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    """An apostrophe where none is needed would alter what people read."""
    assert defused(text) == text


@pytest.mark.parametrize(("text", "found"), [("r;=2+5;x", "r;'=2+5;x"), ("a|@b\t-c", "a|'@b\t'-c"), ("1;2", "1;2")])
def test_a_cell_of_another_country_s_spreadsheet_is_defused(text: str, found: str) -> None:
    """Where cells are separated by semicolons, tabs or bars, what follows one begins no formula."""
    assert defused(text) == found


@given(st.text())
def test_no_cell_of_a_defused_text_begins_like_a_formula(text: str) -> None:
    """Nothing but apostrophes is ever added, and no cell begins with anything dangerous, however they are separated."""
    found = defused(text)

    assert found.replace("'", "") == text.replace("'", "")
    assert all(cell.lstrip()[:1] not in {"=", "+", "-", "@"} for cell in re.split(r"[;\t|]", found))
