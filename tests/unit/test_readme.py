"""The prose: its code is run, and its table of the calls is made from the catalogue."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from caxton_async import CATALOGUE
from caxton_async.batch import STATES
from tests.support.places import ROOT

README = ROOT / "README.md"
ROW_STATES = ROOT / "docs" / "reference" / "row-states.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def catalogue_table() -> str:
    """Return the table of the calls as the README shows it."""
    lines = ["| call | sent to | path | may be repeated |", "|---|---|---|---|"]
    for endpoint in CATALOGUE.values():
        path = "documented" if endpoint.documented else "assumed"
        repeatable = "yes" if endpoint.repeatable else "no"
        lines.append(f"| `{endpoint.name}` | `{endpoint.method} {endpoint.path}` | {path} | {repeatable} |")
    return "\n".join(lines)


def states_table() -> str:
    """Return the table of the states of a row as its page shows it."""
    lines = ["| state | it means | then |", "|---|---|---|"]
    for state, rule in STATES.items():
        then = ", ".join(f"`{following.value}`" for following in rule.then) or "nothing: this is the end"
        lines.append(f"| `{state.value}` | {rule.meaning} | {then} |")
    return "\n".join(lines)


# Each table of a page that is made from the code: its page, its name in the page, and what makes it.
TABLES = [(README, "catalogue", catalogue_table), (ROW_STATES, "states", states_table)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_every_page_runs(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a reader copies from a page works."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(page)

    for example in document.examples():
        example.evaluate()

    if page == README:
        assert capsys.readouterr().out == "990.00 10.00\n"


@pytest.mark.parametrize(("page", "name", "make"), TABLES, ids=[name for _, name, _ in TABLES])
def test_a_table_of_a_page_is_that_of_the_code(page: Path, name: str, make: Callable[[], str]) -> None:
    """A page says what the code says; run this file as a program to write its tables anew."""
    shown = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", page.read_text(), re.DOTALL)

    assert shown is not None
    assert shown[1].strip() == make()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """A link to a file of the project names a file that is there."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())

    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []


def write_anew(page: Path, name: str, table: str) -> None:
    """Put `table` into the place of `name` in a page."""
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, rest = page.read_text().split(start)
    page.write_text(before + start + table + end + rest.split(f"<!-- /{name} -->")[1])


if __name__ == "__main__":
    for page, name, make in TABLES:
        write_anew(page, name, make())
