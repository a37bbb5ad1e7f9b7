"""The charts of a report, drawn by hand as SVG: rows by state, calls of each second, and how long calls took."""

import math
from collections.abc import Sequence
from typing import Final

from caxton_async.batch.report.markup import Html, clock, counted, in_seconds, tag
from caxton_async.batch.report.summary import LATENCY_BOUNDS, ActivePeriod, BatchFigures, Latencies

# Units of the drawing, not pixels: the page scales it.
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 200, 46, 24, 14
_MAX_BARS: Final = 120


def _svg(title: str, height: int, *children: Html, **attributes: str) -> Html:
    return tag("svg", tag("title", title), *children, viewBox=f"0 0 {_WIDTH} {height}", role="img", **attributes)


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str) -> Html:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    return tag("rect", tag("title", title), **place, class_=kind, rx=2)


def _text(x: float, y: float, text: str, anchor: str = "middle") -> Html:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return tag("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=kind)


def states_chart(figures: BatchFigures) -> str:
    """Draw one bar of all rows; a group of a single row among a million can be seen too."""
    total = sum(group.count for group in figures.groups)
    if not total:
        return ""
    least = 5
    scale = (_WIDTH - least * len(figures.groups)) / total
    bars, x = [], 0.0
    for group in figures.groups:
        width = least + group.count * scale
        said = f"{group.name}: {group.count:,} of {total:,}"
        bars.append(_rect(x, 0, width - 1, 26, group.state.value, said))
        x += width
    # Squeezed as narrow as the page is: with a least width its right end would be out of sight on a telephone.
    return _svg("Rows by state", 36, *bars, class_="states", preserveAspectRatio="none")


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


def pace_chart(periods: Sequence[ActivePeriod]) -> Html:
    """Draw the calls of each second, or of as many as one bar has to stand for; a pause is a dashed line."""
    size = math.ceil(sum(len(period.calls) for period in periods) / _MAX_BARS)
    bars: list[tuple[int, float] | None] = []
    for period in periods:
        bars += [None] * bool(bars)
        for place in range(0, len(period.calls), size):
            part = period.calls[place : place + size]
            bars.append((period.start + place, sum(part) / len(part)))
    top, drawn = _axis(max(bar[1] for bar in bars if bar))
    step = min((_WIDTH - _LEFT) / len(bars), 40.0)
    for place, bar in enumerate(bars):
        x = _LEFT + place * step
        if bar is None:
            drawn.append(_line(x + step / 2, _TOP, x + step / 2, _HEIGHT - _BOTTOM, "pause"))
            continue
        height = _height_of(bar[1], top)
        said = f"{clock(bar[0])} UTC: {bar[1]:,.3g} a second"
        drawn.append(_rect(x, _HEIGHT - _BOTTOM - height, max(step - 1, 1), height, "bar", said))
    ends = periods[-1].start + len(periods[-1].calls)
    drawn.append(_text(_LEFT, _HEIGHT - 6, f"{clock(periods[0].start)} UTC", "start"))
    drawn.append(_text(_WIDTH, _HEIGHT - 6, f"until {clock(ends)} UTC", "end"))
    return _svg("Calls answered per second over the run", _HEIGHT, *drawn)


def latency_chart(latencies: Latencies) -> Html:
    """Draw how many calls took how long, from the shortest class that is used to the longest."""
    used = [place for place, count in enumerate(latencies.classes) if count]
    shown = range(used[0], used[-1] + 1)
    top, drawn = _axis(max(latencies.classes))
    step = min((_WIDTH - _LEFT) / len(shown), 90.0)
    for place, number in enumerate(shown):
        count = latencies.classes[number]
        above = number == len(LATENCY_BOUNDS)
        label = f"over {in_seconds(LATENCY_BOUNDS[-1])}" if above else f"to {in_seconds(LATENCY_BOUNDS[number])}"
        x, height = _LEFT + place * step, _height_of(count, top)
        drawn.append(
            _rect(x, _HEIGHT - _BOTTOM - height, step - 2, height, "bar", f"{label}: {counted(count, 'call', 'calls')}")
        )
        drawn.append(_text(x + step / 2, _HEIGHT - 6, label))
    return _svg("Calls by how long they took", _HEIGHT, *drawn)
