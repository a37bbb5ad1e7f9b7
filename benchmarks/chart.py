"""Draws `chart.svg`, the CPU of one call by each client, from the table that `bench_peers.py` prints.

`python benchmarks/chart.py` draws it anew from `RESULTS.md`.
"""

import re
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
PEERS = re.compile(
    r"^\| (?P<name>[^|]+?) +\| (?P<ratio>[\d.]+)x \| (?P<low>[\d.]+) to (?P<high>[\d.]+) \|", re.MULTILINE
)
TITLE = "CPU of one call, 32 in flight, caxton-async = 1 (bar: median; line: middle half)"
WIDTH, LEFT, TOP, STEP, BAR = 760, 230, 40, 26, 18  # in pixels


def bar(number: int, name: str, ratio: float, low: float, high: float, scale: float) -> str:
    """Return the bar of one client, with its name before it and its ratio behind it."""
    y = TOP + number * STEP
    middle = y + BAR / 2
    colour = "#0b6e4f" if "caxton" in name else "#9aa5b1"
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4:g}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LEFT}" y="{y}" width="{ratio * scale:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<path d="M{LEFT + low * scale:.1f} {middle:g}H{LEFT + high * scale:.1f}" stroke="#52606d"/>'
        f'<text x="{LEFT + high * scale + 6:.1f}" y="{middle + 4:g}">{ratio:.2f}x</text>'
    )


def draw(table: str, target: Path = HERE / "chart.svg") -> None:
    """Write the chart of the clients in `table`, the slowest on top, if there are any."""
    rows = [(m["name"], float(m["ratio"]), float(m["low"]), float(m["high"])) for m in PEERS.finditer(table)]
    if not rows:
        return
    scale = (WIDTH - LEFT - 60) / max(high for *_, high in rows)
    height = TOP + len(rows) * STEP + 8
    bars = [bar(number, *row, scale) for number, row in enumerate(sorted(rows, key=lambda row: -row[1]))]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="22" font-size="14">{escape(TITLE)}</text>',
        *bars,
        "</svg>",
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    draw((HERE / "RESULTS.md").read_text(encoding="utf-8"))
