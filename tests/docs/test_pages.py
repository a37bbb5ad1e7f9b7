"""The pages: their code runs, their tables are those of the code, and the site shows them all."""

import logging
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

import caxton_async
from caxton_async.cli import build, split_profile
from tests.docs.generate import API, TABLES
from tests.docs.tables import find
from tests.support.places import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]


def name_of(page: object) -> str | None:
    """Return the path of a page within the project, for the name of a test."""
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else None


@pytest.fixture
def _as_before(tmp_path: Path) -> Iterator[None]:
    """Give a page a state folder of its own, and put back what it sets for the whole process."""
    logger, variables = logging.getLogger("caxton_async"), dict(os.environ)
    level = logger.level
    os.environ["CAXTON_STATE_DIR"] = str(tmp_path)
    yield
    logger.setLevel(level)
    os.environ.clear()
    os.environ.update(variables)


def with_snippets(page: Path) -> str:
    """Return the text of a page with the files that it includes; `{.python}` keeps ruff from formatting their names."""
    included = re.compile(r'^```\{\.python\}\n--8<-- "(.+)"$', re.MULTILINE)
    return included.sub(lambda found: "```python\n" + (ROOT / found[1]).read_text(), page.read_text())


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_python_of_every_page_runs(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reader copies from a page works."""
    document = Document(with_snippets(page), str(page))
    for region in PythonCodeBlockParser()(document):
        document.add(region)
    # Some of what a page defines asks for the module that it stands in.
    monkeypatch.setitem(sys.modules, "page", page_module := ModuleType("page"))
    document.namespace = vars(page_module)

    for example in document.examples():
        example.evaluate()

    printed = capsys.readouterr().out
    shown = re.findall(r"^```output\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert [output for output in shown if output not in printed] == []


@pytest.mark.parametrize(("page", "name", "make"), TABLES, ids=[name for _, name, _ in TABLES])
def test_a_table_of_a_page_is_that_of_the_code(page: Path, name: str, make: Callable[[], str]) -> None:
    """A page says what the code says, and each row has its meaning."""
    shown = find(page, name)

    assert shown == make(), "write the tables anew: python -m tests.docs.generate"
    assert not re.search(r"\|\s*\|$", shown, re.MULTILINE), "give each new row its meaning, in the page"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "examples" / "README.md"], ids=name_of)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """A link to a file of the project names a file that is there; those of the README hold on other sites too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    links = re.findall(rf"\]\((?:{project}/(?:blob|tree)/main/([^)#]+)|(?!https?://|#)([^)#]+))", page.read_text())

    targets = [ROOT / absolute if absolute else page.parent / relative for absolute, relative in links]
    missing = [target for target in targets if not target.exists()]

    assert missing == []
    assert page != README or not any(relative for _, relative in links)


def commands(page: Path) -> Iterator[str]:
    """Yield what a page has its reader type at `caxton`."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in re.findall(r"^\$ (.+)$", block, re.MULTILINE):
            yield from (part.strip() for part in re.split(r"&&?|>|\|", line) if part.strip().startswith("caxton "))


@pytest.mark.parametrize("command", sorted({command for page in PAGES for command in commands(page)}), ids=str)
def test_a_command_of_a_page_is_understood(command: str) -> None:
    """Each command that a page shows exists, with its options."""
    rest, _ = split_profile(shlex.split(command)[1:])

    build().parse_args(rest, exit_on_error=False, print_error=False)


def leaves(nav: object) -> Iterator[str]:
    """Yield the pages that a navigation holds, at any depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(part)


def test_the_site_shows_every_page_once() -> None:
    """No page is written that nobody can reach."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]

    assert sorted(leaves(nav)) == sorted(str(page.relative_to(DOCS)) for page in PAGES[1:])


def test_the_table_of_rooms_is_that_of_the_layers() -> None:
    """A newcomer finds each module and package of the first level, from the lowest layer up."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("| room | what belongs there |")[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.strip("()") for layer in reversed(contracts[0]["layers"])]
    entries = (ROOT / "caxton_async").iterdir()

    rooms = {entry.stem for entry in entries if entry.suffix == ".py" or (entry / "__init__.py").exists()}

    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert listed == [layer for layer in layers if layer in rooms - {"__main__"}]


@pytest.mark.parametrize("name", sorted(caxton_async.__all__))
def test_a_public_name_has_an_entry_and_an_example(name: str) -> None:
    """Whoever looks a name up finds what it does, and code that uses it, on one page."""
    pages = [page.read_text() for page in API.glob("*.md")]

    entries = [page for page in pages if re.search(rf"^::: caxton_async\.{name}$", page, re.MULTILINE)]

    assert len(entries) == 1, f"write `::: caxton_async.{name}` into one page of docs/reference/api"
    examples = "".join(re.findall(r"```python\n(.*?)```", entries[0], re.DOTALL))
    assert re.search(rf"\b{name}\b", examples), f"use {name} in an example of that page"
