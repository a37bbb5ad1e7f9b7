"""The decision records: their shape, their index, and the order of the glossary."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
RECORDS = sorted((DOCS / "explanation" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_four_parts(record: Path) -> None:
    """A record says context, decision, alternatives and consequences, in this order and under its own number."""
    text = record.read_text()

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Alternatives", "Consequences"]
    assert text.startswith(f"# {record.name[:3]}: ")


def test_the_index_lists_every_record_once() -> None:
    """The numbers run without a gap, and the index names each record in that order."""
    index = (RECORDS[0].parent / "index.md").read_text()

    listed = re.findall(r"^\| \[(\d{3})\]\((.+?)\) \|", index, re.MULTILINE)

    assert listed == [(f"{number:03}", record.name) for number, record in enumerate(RECORDS, 1)]


def test_the_glossary_is_in_alphabetical_order() -> None:
    """Each part of the glossary can be searched by eye, and explains each word once."""
    _, *parts = (DOCS / "glossary.md").read_text().split("\n## ")

    for part in parts:
        terms = re.findall(r"^(.+)\n: ", part, re.MULTILINE)
        assert terms == sorted(set(terms), key=str.casefold)
