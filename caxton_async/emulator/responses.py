"""Answers that are not what they should be, as pure functions of the right answer and the fault."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import attrs

from caxton_async.emulator.edits import EDITS
from caxton_async.emulator.envelope import JSON, VALID, Answer, answer, content, failing, read_json, unauthorised
from caxton_async.emulator.fault import Fault
from caxton_async.emulator.request import Request

_MIB = 1024 * 1024
_KIB = 1024
_JSON_LINES = b"Content-Type: application/json; charset=utf-8\r\n"  # `JSON`, for nearly every answer
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Web Server</title></head><body><h1>Please try again later</h1></body></html>"
)
MAINTENANCE = Answer(503, PAGE, {"Content-Type": "text/html; charset=utf-8"})
SUCCESS = answer(content(VALID))


def render(right: Answer, *, chunked: bool = False, closing: bool = False, second: int | None = None) -> bytes:
    """Write an answer as HTTP/1.1, chunked (in one chunk and the last) or whole.

    `closing` ends the connection; `second`, in seconds since 1970, becomes the date.
    """
    body = right.body
    if chunked:
        length, body = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        length = b"Content-Length: %d\r\n" % len(body)
    if right.headers is not JSON:
        headers = "".join(f"{name}: {value}\r\n" for name, value in right.headers.items()).encode()
    else:
        headers = _JSON_LINES
    end = b"Connection: close\r\n\r\n" if closing else b"\r\n"
    date = b"" if second is None else _date_line(second)
    return b"".join((_status_line(right.status), date, length, headers, end, body))


@lru_cache(maxsize=1)
def _date_line(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()


@lru_cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Odd"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


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
    return _with_headers(
        answer({"Message": "An error has occurred."}, fault.status or status), _retry_after(retry_after)
    )


def _redirected(request: Request, fault: Fault) -> Answer:
    return Answer(307, b"", {"Location": fault.location or request.path})


def _html(_request: Request, fault: Fault) -> Answer:
    return Answer(fault.status or 200, PAGE, {"Content-Type": "text/html; charset=utf-8"})


def _retry_after(value: str | None) -> dict[str, str]:
    return {} if value is None else {"Retry-After": value}


def _with_headers(right: Answer, headers: Mapping[str, str]) -> Answer:
    return attrs.evolve(right, headers={**right.headers, **headers})


def _with_encoding(right: Answer, fault: Fault) -> Answer:
    return _with_headers(right, {"Content-Encoding": "identity" if fault.chosen_variant == "identity" else ""})


def _bomb(right: Answer, fault: Fault) -> Answer:
    packed = attrs.evolve(right, body=_deflate(right.body, fault.size or 64 * _MIB))
    return _with_headers(packed, {"Content-Encoding": "gzip"})


def _deflate(body: bytes, size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(body)]
    parts += [packer.compress(b" " * _MIB) for _ in range(size // _MIB)]
    return b"".join([*parts, packer.flush()])


def edit(right: Answer, fault: Fault) -> Answer:
    """Return the right answer with its document edited as the fault says."""
    document = read_json(right.body)
    EDITS[fault.kind](document, fault)
    return attrs.evolve(right, body=answer(document).body)


def _unauthorised(_request: Request, fault: Fault) -> Answer:
    plain, challenge = "text/plain; charset=utf-8", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    html = "text/html; charset=utf-8"
    forms = {
        "message": unauthorised(),
        "empty": Answer(401, b"", {}),
        "html": Answer(401, PAGE, {"Content-Type": html, **challenge}),
        "problem_json": Answer(
            401, b'{"title":"Unauthorized","status":401}', {"Content-Type": "application/problem+json", **challenge}
        ),
        "header_only": Answer(401, b"", {"Content-Type": plain, **challenge}),
        "errors": answer({"errors": [{"code": "401"}]}, 401),
    }
    return forms[fault.chosen_variant]


def _login_error(_request: Request, fault: Fault) -> Answer:
    said = {"error": fault.chosen_variant, "error_description": "The emulator was told to refuse this login."}
    return _with_headers(answer(said, fault.status or 400), _retry_after(fault.retry_after))


# Answered without the work being done.
BEFORE: dict[str, Callable[[Request, Fault], Answer]] = {
    "html": _html,
    "redirect": _redirected,
    "unauthorised": _unauthorised,
    "rate_limited": lambda _, fault: _unavailable(429, fault, fault.retry_after or "1"),
    "server_error_before": lambda _, fault: _unavailable(503, fault, fault.retry_after),
    "failing_envelope": _refused,
    "failing_authorised": _denied,
    "login_error": _login_error,
}

# Answered in place of the right answer, the work being done.
AFTER: dict[str, Callable[[Answer, Fault], Answer]] = {
    **dict.fromkeys(EDITS, edit),
    "wrong_content_type": lambda right, _: _with_headers(right, {"Content-Type": "text/plain; charset=utf-8"}),
    "bom": lambda right, _: attrs.evolve(right, body=b"\xef\xbb\xbf" + right.body),
    "gzip_bomb": _bomb,
    "huge_body": lambda right, fault: attrs.evolve(right, body=right.body.ljust(fault.size or 16 * _MIB)),
    "server_error_after": lambda _, fault: _unavailable(500, fault, None),
    "odd_status": lambda right, fault: attrs.evolve(right, status=fault.status or 202),
    "identity_encoding": _with_encoding,
    "long_header": lambda right, fault: _with_headers(
        right, {"Set-Cookie": "policy=".ljust(fault.size or 16 * _KIB, "x")}
    ),
}
