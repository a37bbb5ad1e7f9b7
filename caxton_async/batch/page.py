"""The report of a batch as one page that needs nothing else: to look at, to print, and to send on.

What belongs here: figures to HTML and to charts, drawn by hand as SVG.  What does not: the figures (`report`).  The
page holds no script and loads nothing, and its policy forbids both.  Text enters it through `tag`, which escapes it.
"""

import base64
import datetime as dt
import hashlib
import html
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from importlib.resources import files
from itertools import islice
from string import Template

from caxton_async.batch.reader import JournalReader
from caxton_async.batch.report import LATENCY_BOUNDS, Latencies, Stretch, Summary, attention, summarise
from caxton_async.batch.states import STATES, JournalRow, RowState

_MAX_ROWS = 500  # in each list: more than anybody reads; the files for machines have them all
_STYLE = re.compile("<style>(.*?)</style>", re.DOTALL)
# Units of the drawing, not pixels: the page scales it.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 200, 46, 24, 14
_MAX_BARS = 120


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: object) -> Html:
    """Return an element; children that are not `Html` are escaped, and what cannot be seen is made visible."""
    words = [name, *(f'{key.rstrip("_").replace("_", "-")}="{_escape(value)}"' for key, value in attributes.items())]
    inner = "".join(child if isinstance(child, Html) else _escape(child) for child in children)
    return Html(f"<{' '.join(words)}>{inner}</{name}>")


def _escape(value: object) -> str:
    seen = "".join(each if each.isprintable() else f"[U+{ord(each):04X}]" for each in str(value))
    return html.escape(seen)


def render_page(journal: JournalReader, now: dt.datetime) -> str:
    """Return the report as an HTML page; `now` is printed on it as the time at which it was true."""
    summary = summarise(journal)
    body = [
        tag("h1", f"Batch of {summary.endpoint}"),
        tag("p", f"{summary.journal} · {summary.origin} · as of {_clock(now.timestamp())} UTC", class_="soft"),
        _verdict(summary),
        _tiles(summary),
        tag("section", tag("h2", "Where the rows stand"), _states_chart(summary), _money(summary)),
        _calls(summary),
        _attention(journal, summary),
        _settled(journal, summary),
        tag("section", tag("h2", "What the states mean"), _meanings()),
    ]
    page = (files("caxton_async.batch") / "page.html").read_text("utf-8")
    style = _STYLE.search(page)
    digest = hashlib.sha256(style[1].encode() if style else b"").digest()
    return Template(page).substitute(
        title=_escape(f"Batch of {summary.endpoint}: {summary.journal}"),
        style_hash=f"sha256-{base64.b64encode(digest).decode()}",
        body="\n".join(part for part in body if part),
    )


def _verdict(summary: Summary) -> Html:
    unknown, rejected = summary.count(RowState.UNKNOWN), summary.count(RowState.REJECTED)
    left = summary.count(RowState.PLANNED, RowState.NOT_SENT, RowState.SENDING)
    if unknown:
        said, kind = (
            f"{_counted(unknown, 'outcome is', 'outcomes are')} unknown. Find out before paying again.",
            "unknown",
        )
    elif left or summary.total is None:
        said, kind = f"Not finished: {_counted(left, 'row is', 'rows are')} left to send.", "planned"
    elif rejected:
        said, kind = f"Every outcome is known; {_counted(rejected, 'row was', 'rows were')} refused.", "rejected"
    else:
        said, kind = f"Every outcome is known: {_counted(summary.total, 'row', 'rows')}, none refused.", "accepted"
    return tag("p", said, class_=f"verdict {kind}")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _tiles(summary: Summary) -> Html:
    tiles = [
        tag("div", tag("b", f"{group.count:,}"), group.name.replace("_", " "), class_=f"tile {group.state.value}")
        for group in summary.groups
    ]
    return tag("div", *tiles, class_="tiles")


def _money(summary: Summary) -> str:
    currencies = sorted({currency for group in summary.groups for currency in group.amounts})
    rows = [
        [_state(group.state, group.name), f"{group.count:,}"]
        + [f"{group.amounts[currency]:,f}" if currency in group.amounts else "" for currency in currencies]
        for group in summary.groups
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


def _attention(journal: JournalReader, summary: Summary) -> str:
    count = summary.count(RowState.UNKNOWN, RowState.REJECTED, RowState.NOT_SENT)
    rows = (
        [
            row.reference,
            str(row.line or ""),
            _state(row.state, row.state.value),
            _amount(row),
            row.status.error or "",
            _time(row.status.started_at),
        ]
        for row in islice(attention(journal), _MAX_ROWS)
    )
    head = ("reference", "line", "state", "amount", "what happened", "when (UTC)")
    return _list("Rows to look at", count, _table(head, rows, numbers=("line", "amount")))


def _settled(journal: JournalReader, summary: Summary) -> str:
    rows = (
        [
            row.reference,
            _amount(row),
            "paid" if row.status.settled_as_paid else "not paid",
            row.status.settled_by or "",
            row.status.settled_note or "",
            _time(row.status.settled_at),
        ]
        for row in islice(journal.rows(RowState.SETTLED), _MAX_ROWS)
    )
    head = ("reference", "amount", "settled as", "by", "why", "when (UTC)")
    return _list("Settled rows", summary.count(RowState.SETTLED), _table(head, rows, numbers=("amount",)))


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
    return tag("time", "" if seconds is None else _clock(seconds))


def _meanings() -> str:
    return _table(("state", "meaning"), ([_state(state, state.value), rule.meaning] for state, rule in STATES.items()))


# --- charts ---


def _svg(title: str, height: int, *children: Html) -> Html:
    return tag("svg", tag("title", title), *children, viewBox=f"0 0 {_WIDTH} {height}", role="img")


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str) -> Html:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    return tag("rect", tag("title", title), **place, class_=kind, rx=2)


def _text(x: float, y: float, text: str, anchor: str = "middle") -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=kind)


def _states_chart(summary: Summary) -> str:
    """Draw one bar of all rows; a group of a single row among a million can be seen too."""
    total = sum(group.count for group in summary.groups)
    if not total:
        return ""
    least = 5
    scale = (_WIDTH - least * len(summary.groups)) / total
    bars, x = [], 0.0
    for group in summary.groups:
        width = least + group.count * scale
        said = f"{group.name.replace('_', ' ')}: {group.count:,} of {total:,}"
        bars.append(_rect(x, 0, width - 1, 26, group.state.value, said))
        x += width
    return _svg("Rows by state", 36, *bars)


def _calls(summary: Summary) -> str:
    latencies = summary.latencies
    if not latencies.count:
        return ""
    pace = f"{latencies.count:,} calls, {summary.calls_per_second:,.1f} a second on average (pauses left out)."
    length = (
        f"Half took at most {_seconds(latencies.median_s)}, 95 % at most {_seconds(latencies.p95_s)}, "
        f"99 % at most {_seconds(latencies.p99_s)}; the longest took {_seconds(latencies.longest_s)}."
    )
    return "\n".join(
        [
            tag(
                "section", tag("h2", "Calls per second"), tag("p", pace, class_="soft"), _pace_chart(summary.stretches)
            ),
            tag(
                "section", tag("h2", "How long calls took"), tag("p", length, class_="soft"), _latency_chart(latencies)
            ),
        ]
    )


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _axis(highest: float) -> tuple[float, list[Html]]:
    """Return the value at the top of a chart, a round one, and the lines and numbers of its scale."""
    power = 10 ** math.floor(math.log10(highest))
    top = next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= highest)
    drawn = []
    for share in (0, 0.5, 1):
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
        drawn += [_line(_LEFT, y, _WIDTH, y, "grid"), _text(_LEFT - 6, y + 4, f"{top * share:,.10g}", "end")]
    return top, drawn


def _height_of(value: float, top: float) -> float:
    return value / top * (_HEIGHT - _BOTTOM - _TOP)


def _pace_chart(stretches: Sequence[Stretch]) -> Html:
    """Draw the calls of each second, or of as many as one bar has to stand for; a pause is a dashed line."""
    size = math.ceil(sum(len(stretch.calls) for stretch in stretches) / _MAX_BARS)
    bars: list[tuple[int, float] | None] = []
    for stretch in stretches:
        bars += [None] * bool(bars)
        for place in range(0, len(stretch.calls), size):
            part = stretch.calls[place : place + size]
            bars.append((stretch.start + place, sum(part) / len(part)))
    top, drawn = _axis(max(bar[1] for bar in bars if bar))
    step = min((_WIDTH - _LEFT) / len(bars), 40.0)
    for place, bar in enumerate(bars):
        x = _LEFT + place * step
        if bar is None:
            drawn.append(_line(x + step / 2, _TOP, x + step / 2, _HEIGHT - _BOTTOM, "pause"))
            continue
        height = _height_of(bar[1], top)
        said = f"{_clock(bar[0])} UTC: {bar[1]:,.3g} a second"
        drawn.append(_rect(x, _HEIGHT - _BOTTOM - height, max(step - 1, 1), height, "bar", said))
    ends = stretches[-1].start + len(stretches[-1].calls)
    drawn.append(_text(_LEFT, _HEIGHT - 6, f"{_clock(stretches[0].start)} UTC", "start"))
    drawn.append(_text(_WIDTH, _HEIGHT - 6, f"until {_clock(ends)} UTC", "end"))
    return _svg("Calls answered per second over the run", _HEIGHT, *drawn)


def _clock(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}"


def _latency_chart(latencies: Latencies) -> Html:
    used = [place for place, count in enumerate(latencies.classes) if count]
    shown = range(used[0], used[-1] + 1)
    top, drawn = _axis(max(latencies.classes))
    step = min((_WIDTH - _LEFT) / len(shown), 90.0)
    for place, number in enumerate(shown):
        count = latencies.classes[number]
        above = number == len(LATENCY_BOUNDS)
        label = f"over {_seconds(LATENCY_BOUNDS[-1])}" if above else f"to {_seconds(LATENCY_BOUNDS[number])}"
        x, height = _LEFT + place * step, _height_of(count, top)
        drawn.append(
            _rect(
                x, _HEIGHT - _BOTTOM - height, step - 2, height, "bar", f"{label}: {_counted(count, 'call', 'calls')}"
            )
        )
        drawn.append(_text(x + step / 2, _HEIGHT - 6, label))
    return _svg("Calls by how long they took", _HEIGHT, *drawn)
