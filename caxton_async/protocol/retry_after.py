"""How long `Retry-After` asks to wait.  Source: RFC 9110, 10.2.3."""

import datetime as dt
import email.utils
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_DATE: Final = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z :-]+[0-9](?: [A-Za-z]+| [+-][0-9]+)?")
_LONGEST_S: Final = 1e10  # three centuries; more is no wait, and no float has to hold it


def retry_after_s(headers: Mapping[str, str], clock: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that `Retry-After` asks for, None where it says nothing sensible; of several, the longest.

    Fractions are rounded up.  A date counts from the reply's own `Date`, so that our clock need not be right, and from
    `clock` where there is none.
    """
    if "Retry-After" not in headers:
        return None
    getall = getattr(headers, "getall", None)
    values: Iterable[str] = getall("Retry-After") if getall is not None else [headers["Retry-After"]]
    waits = [wait for value in values for wait in _waits(value, headers, clock)]
    return max(waits, default=None)


def _waits(value: str, headers: Mapping[str, str], clock: Callable[[], float]) -> Iterable[float]:
    for text in _DATE.findall(value):
        if (until := _http_date(text)) is not None:
            now = _http_date(headers.get("Date", ""))
            yield max(0.0, until - (clock() if now is None else now))
    for text in _DATE.sub("", value).split(","):
        if _SECONDS.fullmatch(text.strip()):
            yield min(_LONGEST_S, float(math.ceil(float(text))) if len(text) < 300 else _LONGEST_S)


def _http_date(text: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
