"""Answers that are not what they should be, as pure functions of the right answer and the fault."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import attrs

from caxton_async.emulator.envelope import VALID, Answer, answer, content, failing, read_json, unauthorised
from caxton_async.emulator.kinds import Fault
from caxton_async.emulator.request import Request

_MIB = 1024 * 1024
_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Web Server</title></head><body><h1>Please try again later</h1></body></html>"
)


def render(right: Answer, *, chunked: bool = False) -> bytes:
    """Write an answer as HTTP/1.1 that keeps the connection; chunked, in one chunk and the last."""
    body = right.body
    if chunked:
        head, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        head = f"Content-Length: {len(body)}"
    lines = [f"HTTP/1.1 {right.status} {HTTPStatus(right.status).phrase}", head]
    lines += [f"{name}: {value}" for name, value in right.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


# What is written in place of the answer, before the connection ends.
BYTES: dict[str, Callable[[Answer, Fault], bytes]] = {
    "close_after_answer": lambda right, _: render(right),
    "truncated_body": lambda right, _: render(right)[: -(len(right.body) // 2 + 1)],
    "truncated_chunked": lambda right, _: render(right, chunked=True)[: -len(b"0\r\n\r\n")],
    "garbage": lambda _, __: b"\x16\x03\x01\x00\xff no HTTP at all \x00\r\n\r\n",
    "mangled": lambda _, fault: fault.raw or b"",
}


def _refused(_request: Request, fault: Fault) -> Answer:
    failure = failing(4999, "Failed", "The emulator was told to fail here.")
    return answer(content(failure), fault.status or 200)


def _denied(_request: Request, _fault: Fault) -> Answer:
    client = {"ClientId": None, "ClientRef": None} | failing(4998, "NotAuthorised", "The client is not authorised.")
    return answer(content(VALID, AuthorisedClientModel=client))


def _unavailable(status: int, fault: Fault, retry_after: str | None) -> Answer:
    plain = answer({"Message": "An error has occurred."}, fault.status or status)
    extra = {} if retry_after is None else {"Retry-After": retry_after}
    return attrs.evolve(plain, headers={**plain.headers, **extra})


def _redirected(request: Request, fault: Fault) -> Answer:
    return Answer(307, b"", {"Location": fault.location or request.path})


def _html(_request: Request, fault: Fault) -> Answer:
    return Answer(fault.status or 200, _PAGE, {"Content-Type": "text/html; charset=utf-8"})


def _with_type(right: Answer, media_type: str) -> Answer:
    return attrs.evolve(right, headers={**right.headers, "Content-Type": media_type})


def _bomb(right: Answer, fault: Fault) -> Answer:
    headers = {**right.headers, "Content-Encoding": "gzip"}
    return attrs.evolve(right, body=_deflate(right.body, fault.size or 64 * _MIB), headers=headers)


def _deflate(body: bytes, size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(body)]
    parts += [packer.compress(b" " * _MIB) for _ in range(size // _MIB)]
    return b"".join([*parts, packer.flush()])


def _fail_item(right: Answer, _fault: Fault) -> Answer:
    document = read_json(right.body)
    nested = _first_nested(document.get("Content", {}).get("Model", {}))
    if nested is None:
        return right
    nested |= failing(4997, "ItemFailed", "The emulator was told to fail this item.")
    return attrs.evolve(right, body=answer(document).body)


def _first_nested(model: dict[str, Any]) -> dict[str, Any] | None:
    for value in model.values():
        if isinstance(value, dict):
            return _first_nested(value) or value
        if isinstance(value, list) and value:
            return value[-1] if isinstance(value[-1], dict) else None
    return None


# Answered without the work being done.
BEFORE: dict[str, Callable[[Request, Fault], Answer]] = {
    "html": _html,
    "redirect": _redirected,
    "unauthorised": lambda _, __: unauthorised(),
    "rate_limited": lambda _, fault: _unavailable(429, fault, fault.retry_after or "1"),
    "server_error_before": lambda _, fault: _unavailable(503, fault, fault.retry_after),
    "failing_envelope": _refused,
    "failing_authorised": _denied,
}

# Answered in place of the right answer, the work being done.
AFTER: dict[str, Callable[[Answer, Fault], Answer]] = {
    "wrong_content_type": lambda right, _: _with_type(right, "text/plain; charset=utf-8"),
    "bom": lambda right, _: attrs.evolve(right, body=b"\xef\xbb\xbf" + right.body),
    "gzip_bomb": _bomb,
    "huge_body": lambda right, fault: attrs.evolve(right, body=right.body.ljust(fault.size or 16 * _MIB)),
    "server_error_after": lambda _, fault: _unavailable(500, fault, None),
    "failing_item": _fail_item,
}
