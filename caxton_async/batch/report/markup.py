"""Text as HTML: every value enters the page through `tag`, which escapes it."""

import datetime as dt
import html


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: object) -> Html:
    """Return an element; children that are not `Html` are escaped, and what cannot be seen is made visible."""
    words = [name, *(f'{key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())]
    inner = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    return Html(f"<{' '.join(words)}>{inner}</{name}>")


def escape(value: object) -> str:
    """Return a value as text that is no markup, its invisible characters shown by number."""
    seen = "".join(each if each.isprintable() else f"[U+{ord(each):04X}]" for each in str(value))
    return html.escape(seen)


def counted(count: int, one: str, many: str) -> str:
    """Return a count with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many}"


def in_seconds(seconds: float) -> str:
    """Return a length of time for a person: `250 ms`, `1.5 s`."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def clock(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as date and time of day in UTC."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}"
