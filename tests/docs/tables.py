"""A table in a page: where it stands, how it is written, and the column of it that is written by hand."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path


def find(page: Path, name: str) -> str:
    """Return what stands between the marks of `name` in a page."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", page.read_text(), re.DOTALL)
    assert found is not None, f"{page} has no <!-- {name} --> ... <!-- /{name} -->"
    return found[1].strip()


def kept(page: Path, name: str) -> dict[str, str]:
    """Return the last column of a table that is in a page, by the first."""
    rows = (re.split(r"(?<!\\)\|", line) for line in find(page, name).splitlines()[2:])
    return {row[1].strip(): row[-2].strip() for row in rows}


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown; `head` has its columns between bars."""
    lines = [f"| {head} |", "|" + "---|" * len(head.split(" | "))]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def code(value: object) -> str:
    """Return a value, or a type by its short name, as code in a cell."""
    text = str(value) if isinstance(value, str | int) else inspect.formatannotation(value)
    return "`" + re.sub(r"caxton_async\.\w+\.", "", text).replace("|", "\\|") + "`"


def first_sentence(thing: object) -> str:
    """Return the first sentence of a docstring on one line."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", text)[0]


def write(page: Path, name: str, text: str) -> None:
    """Put `text` between the marks of `name` in a page."""
    start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, rest = page.read_text().split(start)
    page.write_text(before + start + text + end + rest.split(f"<!-- /{name} -->")[1])
