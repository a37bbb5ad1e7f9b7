"""The report of a batch as one page that needs nothing else: to look at, to print, and to send on.

Its charts are SVG, drawn by hand.  The page holds no script and loads nothing, and its policy forbids both; text enters
it through `tag`, which escapes it.
"""

import base64
import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from importlib.resources import files
from string import Template

from caxton_async.batch.report.charts import latency_chart, pace_chart, states_chart
from caxton_async.batch.report.markup import Html, clock, counted, escape, in_seconds, tag
from caxton_async.batch.report.summary import BatchFigures, figures_of
from caxton_async.journal.binding import describe_binding
from caxton_async.journal.protocol import JournalReader
from caxton_async.journal.states import STATES, JournalRow, RowState

_MAX_ROWS = 500  # in each list: more than anybody reads; the files for machines have them all
_STYLE = re.compile("<style>(.*?)</style>", re.DOTALL)


def render_page(journal: JournalReader, batch: int, now: dt.datetime) -> str:
    """Return the report as an HTML page; `now` is printed on it as the time at which it was true."""
    figures = figures_of(journal, batch)
    info = figures.info
    sent_for = f"batch {info.id}, {describe_binding(info.binding)} · as of {clock(now.timestamp())} UTC"
    body = [
        tag("h1", f"{info.name}: {info.endpoint}"),
        tag("p", sent_for, class_="soft"),
        _headline(figures),
        _tiles(figures),
        tag("section", tag("h2", "Where the rows stand"), states_chart(figures), _money(figures)),
        _calls(figures),
        _attention(journal, figures),
        _decisions(journal, figures),
        tag("section", tag("h2", "What the states mean"), _meanings()),
    ]
    page = (files("caxton_async.batch.report") / "page.html").read_text("utf-8")
    style = _STYLE.search(page)
    digest = hashlib.sha256(style[1].encode() if style else b"").digest()
    return Template(page).substitute(
        title=escape(f"{info.name}: {info.endpoint}"),
        style_hash=f"sha256-{base64.b64encode(digest).decode()}",
        body="\n".join(part for part in body if part),
    )


def _headline(figures: BatchFigures) -> Html:
    unknown, rejected = figures.count(RowState.UNKNOWN), figures.count(RowState.REJECTED)
    left = figures.count(RowState.PLANNED, RowState.NOT_SENT, RowState.SENDING)
    if unknown:
        said, kind = (
            f"{counted(unknown, 'outcome is', 'outcomes are')} unknown. Find out before paying again.",
            "unknown",
        )
    elif left or figures.info.total is None:
        said, kind = f"Not finished: {counted(left, 'row is', 'rows are')} left to send.", "planned"
    elif rejected:
        said, kind = f"Every outcome is known; {counted(rejected, 'row was', 'rows were')} refused.", "rejected"
    else:
        said, kind = f"Every outcome is known: {counted(figures.info.total, 'row', 'rows')}, none refused.", "accepted"
    return tag("p", said, class_=f"headline {kind}")


def _tiles(figures: BatchFigures) -> Html:
    tiles = [
        tag("div", tag("b", f"{group.count:,}"), group.name, class_=f"tile {group.state.value}")
        for group in figures.groups
    ]
    return tag("div", *tiles, class_="tiles")


def _money(figures: BatchFigures) -> str:
    currencies = sorted({currency for group in figures.groups for currency in group.amounts})
    rows = [
        [_state(group.state, group.name), f"{group.count:,}"]
        + [f"{group.amounts[currency]:,f}" if currency in group.amounts else "" for currency in currencies]
        for group in figures.groups
    ]
    return _table(("state", "rows", *currencies), rows, numbers=("rows", *currencies))


def _state(state: RowState, name: str) -> Html:
    return tag("span", name.replace("_", " "), class_=f"state {state.value}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> str:
    """Return a table, in which the columns named in `numbers` stand to the right; nothing when there is no row."""
    kinds = ["number" if name in numbers else "text" for name in head]
    body = [tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows]
    header = tag("tr", *(tag("th", name, class_=kind) for name, kind in zip(head, kinds, strict=True)))
    return tag("table", tag("thead", header), tag("tbody", *body)) if body else ""


def _calls(figures: BatchFigures) -> str:
    latencies = figures.latencies
    if not latencies.count:
        return ""
    rate = figures.calls_per_second
    pace = f"{latencies.count:,} calls" + (f", {rate:,.1f} a second on average (pauses left out)." if rate else ".")
    length = (
        f"Half took at most {in_seconds(latencies.median_s)}, 95 % at most {in_seconds(latencies.p95_s)}, "
        f"99 % at most {in_seconds(latencies.p99_s)}; the longest took {in_seconds(latencies.longest_s)}."
    )
    return "\n".join(
        [
            tag("section", tag("h2", "Calls per second"), tag("p", pace, class_="soft"), pace_chart(figures.periods)),
            tag("section", tag("h2", "How long calls took"), tag("p", length, class_="soft"), latency_chart(latencies)),
        ]
    )


def _attention(journal: JournalReader, figures: BatchFigures) -> str:
    states = (RowState.UNKNOWN, RowState.REJECTED, RowState.NOT_SENT)
    found = itertools.chain.from_iterable(journal.rows(figures.info.id, (state,)) for state in states)
    rows = (
        [
            row.reference,
            str(row.line or ""),
            _state(row.state, row.state.value),
            _amount(row),
            row.beneficiary or "",
            row.status.error or "",
            _time(row.status.started_at),
        ]
        for row in itertools.islice(found, _MAX_ROWS)
    )
    head = ("reference", "line", "state", "amount", "beneficiary", "what happened", "when (UTC)")
    return _list("Rows to look at", figures.count(*states), _table(head, rows, numbers=("line", "amount")))


def _decisions(journal: JournalReader, figures: BatchFigures) -> str:
    decisions = list(journal.decisions(figures.info.id))
    rows = (
        [
            each.reference,
            ("paid" if each.paid else "not paid") + (" (the API said otherwise later)" if each.alarm else ""),
            each.who,
            each.note,
            _time(each.at),
        ]
        for each in decisions[:_MAX_ROWS]
    )
    return _list("Decisions", len(decisions), _table(("reference", "decision", "by", "why", "when (UTC)"), rows))


def _list(title: str, count: int, table: str) -> str:
    if not table:
        return ""
    more = f"The first {_MAX_ROWS} of {count:,}; the CSV and JSON reports have them all."
    return tag(
        "section", tag("h2", f"{title} ({count:,})"), table, *[tag("p", more, class_="soft")] * (count > _MAX_ROWS)
    )


def _amount(row: JournalRow) -> str:
    return f"{Decimal(row.amount):,f} {row.currency or ''}" if row.amount is not None else ""


def _time(seconds: float | None) -> Html:
    return tag("time", "" if seconds is None else clock(seconds))


def _meanings() -> str:
    return _table(("state", "meaning"), ([_state(state, state.value), rule.meaning] for state, rule in STATES.items()))
