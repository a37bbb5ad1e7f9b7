"""The kinds of faults, and a fault as a value.

Which request a fault takes belongs to `faults`, how it is carried out to `mangle` (answers) and `connection`.

A request is offered to the faults in the order in which they were added, and the first that takes it has it.
A fault counts the requests that it was offered and that are for its `endpoint`: it passes over the first `after`,
takes each `every`-th of the rest, and is used up after `times` of them (None: never).

Every fault that answers or breaks off can first wait: `seconds`, or until it is released (`held`).  The wait
stands after the work, if the work is done, and before the fault bites.

| kind | work done | what the client sees |
|---|---|---|
| latency | yes | the right answer, after the wait |
| refuse | - | nothing listens, and idle connections are closed; from when it is added, or after `after` requests |
| reset_on_accept | no | a reset as soon as it has connected; no `endpoint` can be known then |
| reset_before_read | no | a reset at the first bytes of the request, which is not recorded |
| answer_before_read | no | `raw`, then the end, at the first bytes of the request, which is not recorded |
| reset_after_read | no | a reset once the whole request was read |
| reset_after_work | yes | a reset in place of the answer |
| close_after_read | no | the end of the connection in place of the answer |
| close_after_work | yes | the same |
| close_after_answer | yes | the right answer with a promise to keep the connection, and its end |
| black_hole | no | silence until it is released or gives up |
| black_hole_after_work | yes | the same |
| slow_head | yes | the right answer from its first byte on, a byte every `seconds` (0.05) |
| slow_body | yes | the right answer, its body a byte every `seconds` (0.05) |
| truncated_body | yes | half a body under the Content-Length of the whole |
| truncated_chunked | yes | one chunk without the last one |
| stale_bytes | yes | the right answer, and after the wait, unasked, `raw` or a second answer |
| garbage | yes | bytes that are not HTTP |
| mangled | yes | `raw` in place of the answer, then the end of the connection |
| html | no | an HTML page with `status` (200) |
| wrong_content_type | yes | the right answer as text/plain |
| bom | yes | the right answer after a byte order mark |
| gzip_bomb | yes | the right answer in gzip, blown up with spaces to `size` (64 MiB) |
| huge_body | yes | the right answer, blown up with spaces to `size` (16 MiB) |
| redirect | no | 307 to `location` (the same path) |
| unauthorised | no | the framework's 401 |
| rate_limited | no | 429 with `retry_after` ("1") |
| server_error_before | no | `status` (503), with `retry_after` if given |
| server_error_after | yes | `status` (500) |
| failing_envelope | no | a failing Model under `status` (200) |
| failing_item | yes | the right answer, but the last item of its first list (or its nested object) fails |
| failing_authorised | no | a successful Model beside a failing AuthorisedClientModel |
| duplicate_delivery | twice | the right answer to the first |
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from caxton_async.emulator.app import ROUTES

CALL_NAMES = tuple(route.name for route in ROUTES)

# Where a fault takes its request: at the listening socket, at a new connection, at the first bytes, or once it is read.
LISTEN, CONNECT, FIRST_BYTES, READ = "listen", "connect", "first bytes", "read"


@attrs.frozen
class Kind:
    """What a kind of fault is: how often the work is done, where it bites, which parameters it has."""

    work: int
    takes: frozenset[str] = frozenset()
    stage: str = READ


_GENERAL = frozenset(("kind", "endpoint", "times", "every", "after", "seconds", "held"))


def _kind(work: int, *takes: str) -> Kind:
    return Kind(work, _GENERAL | set(takes))


KINDS: dict[str, Kind] = {
    "latency": _kind(1),
    "refuse": Kind(0, _GENERAL - {"times", "every", "held"}, LISTEN),
    "reset_on_accept": Kind(0, _GENERAL - {"endpoint", "seconds", "held"}, CONNECT),
    "reset_before_read": Kind(0, _GENERAL - {"seconds", "held"}, FIRST_BYTES),
    "answer_before_read": Kind(0, _GENERAL - {"seconds", "held"} | {"raw"}, FIRST_BYTES),
    "reset_after_read": _kind(0),
    "reset_after_work": _kind(1),
    "close_after_read": _kind(0),
    "close_after_work": _kind(1),
    "close_after_answer": _kind(1),
    "black_hole": _kind(0),
    "black_hole_after_work": _kind(1),
    "slow_head": Kind(1, _GENERAL - {"held"}),
    "slow_body": Kind(1, _GENERAL - {"held"}),
    "truncated_body": _kind(1),
    "truncated_chunked": _kind(1),
    "stale_bytes": _kind(1, "raw"),
    "garbage": _kind(1),
    "mangled": _kind(1, "raw"),
    "html": _kind(0, "status"),
    "wrong_content_type": _kind(1),
    "bom": _kind(1),
    "gzip_bomb": _kind(1, "size"),
    "huge_body": _kind(1, "size"),
    "redirect": _kind(0, "location"),
    "unauthorised": _kind(0),
    "rate_limited": _kind(0, "retry_after"),
    "server_error_before": _kind(0, "status", "retry_after"),
    "server_error_after": _kind(1, "status"),
    "failing_envelope": _kind(0, "status"),
    "failing_item": _kind(1),
    "failing_authorised": _kind(0),
    "duplicate_delivery": _kind(2),
}

UNTIL_RELEASED = frozenset(("refuse", "black_hole", "black_hole_after_work"))


def _whole(least: int, most: float = math.inf) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 3600


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


# parameter: (its check, what it has to be); None is right where it is the default
PARAMETERS: dict[str, tuple[Callable[[object], bool], str]] = {
    "kind": (lambda value: value in KINDS, f"one of {', '.join(KINDS)}"),
    "endpoint": (lambda value: value in CALL_NAMES, f"one of {', '.join(CALL_NAMES)}"),
    "times": (lambda value: value is None or _whole(1)(value), "a whole number from 1, or None"),
    "every": (_whole(1), "a whole number from 1"),
    "after": (_whole(0), "a whole number from 0"),
    "seconds": (_seconds, "a number from 0 to 3600"),
    "held": (_is(bool), "true or false"),
    "status": (_whole(100, 999), "a whole number from 100 to 999"),
    "retry_after": (_is(str), "text, as the header has it"),
    "location": (_is(str), "text"),
    "raw": (_is(bytes), "bytes (text in a file)"),
    "size": (_whole(1), "a whole number of bytes"),
}


@attrs.frozen
class Fault:
    """One thing that goes wrong; the module's table says what each kind does and which parameters it has.

    **Raises** ValueError, naming the field, when a value is wrong or means nothing to the kind.
    """

    kind: str
    endpoint: str | None = None
    times: int | None = 1
    every: int = 1
    after: int = 0
    seconds: float = 0
    held: bool = False
    status: int | None = None
    retry_after: str | None = None
    location: str | None = None
    raw: bytes | None = None
    size: int | None = None

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Fault):
            value = getattr(self, field.name)
            is_right, expected = PARAMETERS[field.name]
            if value != field.default or type(value) is not type(field.default):
                if not is_right(value):
                    raise ValueError(f"{field.name} is {expected}")
                if field.name not in KINDS[self.kind].takes:
                    raise ValueError(f"{field.name} means nothing to {self.kind}")
