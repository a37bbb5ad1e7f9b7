"""Answers that are not what they should be, as bytes and as plays of one scripted answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults.bench import Bench
from tests.faults.kinds import Kind
from tests.faults.server import At, Script, bare, end, reply

Play = Callable[[Bench], Awaitable[object]]

PAGE = b"<html><body>Please try again later</body></html>"
MESSAGE = b'{"Message": "An error has occurred."}'
DENIED = reply(b'{"Message": "Authorization has been denied for this request."}', "401 Unauthorized")
VALID = b'{"ApiStatusCode": 100, "ApiStatus": "IsValid", "ApiStatusDescription": "Valid Operation"}'
INVALID = b'{"ApiStatusCode": 4711, "ApiStatus": "NoFunds", "ApiStatusDescription": "Not enough"}'


def answers(build: Callable[[Kind], Script], *, at: At = At.WHOLE, times: int | None = None, **settings: Any) -> Play:
    """Answer the call with a script."""

    async def play(bench: Bench) -> object:
        bench.arm(*build(bench.kind), at=at, times=times)
        return await bench.call(**settings)

    return play


def early(*script: Any) -> Play:
    """Carry a script out before the body was read, which is one of megabytes where that is possible."""

    async def play(bench: Bench) -> object:
        bench.arm(*script, at=At.HEAD)
        caxton = await bench.open()
        return await (bench.kind.call_big or bench.kind.call)(caxton)

    return play


def whole(build: Callable[[Kind], bytes]) -> Play:
    """Answer with these bytes, and keep the connection."""
    return answers(lambda kind: (build(kind),))


def cut(build: Callable[[Kind], bytes]) -> Play:
    """Answer with these bytes, and end the connection."""
    return answers(lambda kind: (build(kind), end))


def body(change: Callable[[bytes], bytes], *headers: str, media: str = "application/json") -> Play:
    """Answer with the right body, changed, and with headers more."""
    return whole(lambda kind: reply(change(kind.ok), "200 OK", *headers, media=media))


def member(value: bytes) -> Play:
    """Answer with the right body and a member more."""
    return whole(lambda kind: reply(kind.ok.replace(b"{", b'{"Extra": ' + value + b",", 1)))


def status(code: str, content: bytes = b"", *headers: str, media: str = "application/json") -> Play:
    """Answer with this status and body."""
    return whole(lambda _: reply(content, code, *headers, media=media))


def right_under(code: str, *headers: str) -> Play:
    """Answer with the right body under another status."""
    return whole(lambda kind: reply(kind.ok, code, *headers))


def chunked(content: bytes, *headers: str, last: bytes = b"0\r\n\r\n") -> bytes:
    """Write an answer in one chunk and the last."""
    return bare(b"%x\r\n%b\r\n" % (len(content), content) + last, "Transfer-Encoding: chunked", *headers)


def envelope(model: bytes, around: bytes = b"") -> bytes:
    """Write an envelope, with members `around` its Content."""
    return b'{"Content": {"Model": ' + model + b', "ExpectedResponses": ["IsValid"]}' + around + b"}"


def failing_item(ok: bytes) -> bytes:
    """Return a right body of which the last balance, or the one bank, says no."""
    changed = ok.replace(b'"CcyCode": "POTBC-GBP"', b'"CcyCode": "POTBC-GBP", ' + INVALID[1:-1])
    return changed.replace(b'"Type": 1', b'"Type": 1, ' + INVALID[1:-1])


def limited(retry_after: str) -> Play:
    """Answer 429 with this Retry-After, on the 21st of October 2026."""
    return status(
        "429 Too Many Requests", MESSAGE, f"Retry-After: {retry_after}", "Date: Wed, 21 Oct 2026 07:28:00 GMT"
    )


def unavailable(retry_after: str) -> Play:
    """Answer 503 with this Retry-After."""
    return status("503 Service Unavailable", MESSAGE, f"Retry-After: {retry_after}")
