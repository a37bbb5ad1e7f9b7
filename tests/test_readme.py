"""The prose: its code is run, and its table of the calls is made from the catalogue."""

import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from caxton_async import CATALOGUE

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def catalogue_table() -> str:
    """Return the table of the calls as the README shows it."""
    lines = ["| call | sent to | path | may be repeated |", "|---|---|---|---|"]
    for endpoint in CATALOGUE.values():
        path = "documented" if endpoint.documented else "assumed"
        repeatable = "yes" if endpoint.repeatable else "no"
        lines.append(f"| `{endpoint.name}` | `{endpoint.method} {endpoint.path}` | {path} | {repeatable} |")
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_every_page_runs(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a reader copies from a page works."""
    document = Sybil(parsers=[PythonCodeBlockParser()]).parse(page)

    for example in document.examples():
        example.evaluate()

    if page == README:
        assert capsys.readouterr().out == "990.00 10.00\n"


def test_the_table_of_calls_is_that_of_the_catalogue() -> None:
    """The README says of each call what the catalogue says; run this file as a program to write the table anew."""
    shown = re.search(r"<!-- catalogue -->\n(.*?)\n?<!-- /catalogue -->", README.read_text(), re.DOTALL)

    assert shown is not None
    assert shown[1].strip() == catalogue_table()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """A link to a file of the project names a file that is there."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())

    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []


if __name__ == "__main__":
    text = README.read_text()
    table = f"<!-- catalogue -->\n{catalogue_table()}\n<!-- /catalogue -->"
    README.write_text(re.sub(r"<!-- catalogue -->.*<!-- /catalogue -->", lambda _: table, text, flags=re.DOTALL))
