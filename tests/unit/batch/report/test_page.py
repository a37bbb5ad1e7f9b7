"""The report as a page: complete in itself, harmless, and true to its journal."""

import base64
import datetime as dt
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve

from caxton_async.batch.report import page as page_module
from caxton_async.batch.report.markup import tag
from caxton_async.batch.report.page import render_page
from caxton_async.journal import RowState
from tests.support.batches import RowHistory, journal_in, write_batch
from tests.support.payments import MAY

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
ATTACK = "<script>alert(1)</script>\"'&\N{RIGHT-TO-LEFT OVERRIDE}"
VOID = {"meta"}


class Outline(HTMLParser):
    """The elements, attributes and text of a page; fails on an element that is not closed in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


@pytest.fixture
def render(tmp_path: Path):
    """Write a journal of the given rows and render its page."""

    async def run(*rows: RowHistory, **changes: str) -> str:
        batch = await write_batch(tmp_path, *rows, new=evolve(MAY, **changes))
        with journal_in(tmp_path) as journal:
            return render_page(journal, batch, NOW)

    return run


async def test_a_page_shows_what_became_of_the_batch(render) -> None:
    """Counts, sums, rows to look at and decisions with who, why and when stand on the page."""
    outline = Outline(
        await render(
            RowHistory(reference="A", amount="1234.50"),
            RowHistory(reference="B", state=RowState.UNKNOWN, error="no answer came"),
            RowHistory(reference="C", state=RowState.RESOLVED, who="ada", note="line 7 of May"),
            RowHistory(reference="D", state=RowState.NOT_SENT, amount=None, currency=None),
        )
    )

    for shown in (
        "may: move_funds", "ada of ACME (the main account) at http://127.0.0.1:1", "as of 2026-06-01 12:00:00 UTC",
        "1 outcome is unknown. Find out before paying again.", "1,234.50", "no answer came", "2026-05-28 20:26:40",
        "Rows to look at (2)", "Decisions (1)", "line 7 of May", "4 calls.",
    ):  # fmt: skip
        assert shown in outline.text
    assert outline.text.index("no answer came") < outline.text.index("Decisions")


@pytest.mark.parametrize(
    ("states", "headline"),
    [
        ([RowState.ACCEPTED] * 2, "Every outcome is known: 2 rows, none refused."),
        ([RowState.ACCEPTED, RowState.RESOLVED], "Every outcome is known: 2 rows, none refused."),
        ([RowState.ACCEPTED, RowState.REJECTED], "Every outcome is known; 1 row was refused."),
        ([RowState.REJECTED, RowState.PLANNED], "Not finished: 1 row is left to send."),
        ([RowState.NOT_SENT, RowState.PLANNED], "Not finished: 2 rows are left to send."),
        (
            [RowState.PLANNED, RowState.UNKNOWN, RowState.UNKNOWN],
            "2 outcomes are unknown. Find out before paying again.",
        ),
    ],
)
async def test_the_headline_says_the_worst_first(render, states: list[RowState], headline: str) -> None:
    """An unknown outcome outweighs what is left, and what is left outweighs a refusal."""
    page = await render(*(RowHistory(reference=str(number), state=state) for number, state in enumerate(states)))

    assert headline in Outline(page).text


async def test_a_page_loads_nothing_and_runs_nothing(render) -> None:
    """There is no script and no address to load from; the policy allows this page's own style and nothing else."""
    page = await render(RowHistory(reference="A"), RowHistory(reference="B", state=RowState.UNKNOWN))

    outline = Outline(page)
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = [meta["content"] for meta in outline.named("meta") if meta.get("http-equiv")]

    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert {name for name, _ in outline.elements}.isdisjoint({"script", "link", "img", "iframe", "a", "form", "object"})
    for _, attributes in outline.elements:
        assert attributes.keys().isdisjoint({"src", "href", "style", "action", "srcset"})
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in style
    assert "@import" not in style


async def test_whatever_a_journal_holds_is_shown_and_not_obeyed(render) -> None:
    """Text of the API, of the file and of people is escaped, and what cannot be seen becomes visible."""
    page = await render(
        RowHistory(reference=ATTACK, state=RowState.RESOLVED, who=ATTACK, note=ATTACK),
        RowHistory(reference="B", state=RowState.REJECTED, error=ATTACK),
        name=ATTACK,
    )

    outline = Outline(page)
    assert outline.named("script") == []
    assert (
        outline.text.count("<script>alert(1)</script>\"'&[U+202E]") == 6
    )  # title, heading, reference, who, why, error
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


def test_an_attribute_cannot_be_broken_out_of() -> None:
    """A quotation mark in an attribute is escaped like any other text."""
    assert tag("p", "x", class_='"><script>') == '<p class="&quot;&gt;&lt;script&gt;">x</p>'


async def test_a_batch_without_calls_has_a_page(render) -> None:
    """What is only planned shows no charts of calls, and no empty tables."""
    outline = Outline(await render(RowHistory(reference="A", state=RowState.PLANNED)))

    assert "Not finished: 1 row is left to send." in outline.text
    assert len(outline.named("svg")) == 1
    assert "Rows to look at" not in outline.text


async def test_a_batch_without_rows_has_a_page(render) -> None:
    """Nothing at all can be looked at too."""
    outline = Outline(await render())

    assert "Every outcome is known: 0 rows" in outline.text
    assert outline.named("svg") == []


async def test_long_lists_are_cut_and_say_so(render, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of ten thousand failures is no page; the rest is in the files."""
    monkeypatch.setattr(page_module, "_MAX_ROWS", 2)

    outline = Outline(await render(*(RowHistory(reference=f"ROW-{n}", state=RowState.REJECTED) for n in range(3))))

    assert "The first 2 of 3; the CSV and JSON reports have them all." in outline.text
    assert "ROW-1" in outline.text
    assert "ROW-2" not in outline.text


async def test_charts_stay_within_their_frame(render) -> None:
    """Bars of a long run with a pause lie inside the drawing; one line marks the pause."""
    rows = [
        RowHistory(
            reference=str(number), started_at=1000.0 + number + 5000 * (number > 150), elapsed_s=0.0005 * (number + 1)
        )
        for number in range(300)
    ]
    rows.append(RowHistory(reference="slow", started_at=1000.0, elapsed_s=100.0))

    outline = Outline(await render(*rows))

    places = [[float(rect[name]) for name in ("x", "y", "width", "height")] for rect in outline.named("rect")]
    assert all(x >= 0 and y >= 0 and width > 0 and height >= 0 for x, y, width, height in places)
    assert all(x + width <= 900 and y + height <= 200 for x, y, width, height in places)
    assert [line["class"] for line in outline.named("line")].count("pause") == 1
    assert "over 50 s: 1 call" in outline.text
