"""The fault matrix: what may go wrong between the client and the API, and what has to come of it.

What belongs here: one row for each fault, with its cases, as data.  What does not: how a case is carried out (`plays`,
`scripts`), and its judgement (`test_faults`).  `docs/reference/faults.md` is made from this table.
"""

import gzip
import zlib
from collections.abc import Mapping

from attrs import frozen

from tests.faults import outcomes as o
from tests.faults import plays as p
from tests.faults import surroundings as s
from tests.faults.kinds import KINDS, PAYLOAD, Kind
from tests.faults.outcomes import Expected, Outcome
from tests.faults.scripts import (
    DENIED,
    INVALID,
    MESSAGE,
    PAGE,
    VALID,
    Play,
    answers,
    body,
    chunked,
    cut,
    early,
    envelope,
    failing_item,
    limited,
    member,
    right_under,
    status,
    unavailable,
    whole,
)
from tests.faults.server import At, bare, drip, end, reply, reset, silence
from tests.support import canary


@frozen
class Case:
    """One way for a fault to come about; `kinds` bounds the calls to which it can happen, `why_not` says why."""

    play: Play
    expected: Expected | None = None
    kinds: frozenset[str] = frozenset()
    why_not: str = ""

    def of(self, kind: Kind, row: "Row") -> Outcome | str:
        """Return what has to come of a kind of call, or why the case means nothing to it."""
        return self.why_not if self.kinds and kind.name not in self.kinds else (self.expected or row.expected).of(kind)


@frozen
class Row:
    """One fault by its number, what the client does about it in words, and what has to come of its cases."""

    number: int
    fault: str
    ours: str
    expected: Expected
    cases: Mapping[str, Case]


def _row(number: int, fault: str, ours: str, expected: Expected, cases: Mapping[str, Play | Case]) -> Row:
    named = {name: case if isinstance(case, Case) else Case(case) for name, case in cases.items()}
    return Row(number, fault, ours, expected, named)


def _only(play: Play, *kinds: str, why_not: str, expected: Expected | None = None) -> Case:
    return Case(play, expected, frozenset(kinds), why_not)


def _with_body(play: Play, expected: Expected | None = None) -> Case:
    return Case(play, expected, frozenset(kind.name for kind in KINDS if kind.has_body), o.NO_BODY)


_BOMB = b" " * 2**24

# fmt: off
ROWS: tuple[Row, ...] = (
    _row(1, "connection refused", "not sent; tried again", o.NEVER_SENT, {"refused": p.refused}),
    _row(2, "host name does not resolve", "not sent; tried again", o.NEVER_SENT, {"no such host": p.no_such_host}),
    _row(3, "connecting meets silence", "not sent; tried again", o.NEVER_SENT, {"full queue": p.no_room_to_connect}),
    _row(4, "no place in the pool before the deadline", "not sent; a login needs no place", o.QUEUED,
         {"all places taken": p.no_free_place}),
    _row(5, "reset at the first byte", "unknown", o.CUT,
         {"reset": answers(lambda _: (reset,), at=At.FIRST_BYTE)}),
    _row(6, "reset after the request was read", "unknown", o.CUT, {"reset": answers(lambda _: (reset,))}),
    _row(7, "connection ended after the request was read", "unknown", o.CUT, {"end": answers(lambda _: (end,))}),
    _row(8, "connection ended when it is used again", "unknown; a look-up is repeated", o.MENDED,
         {"end": p.dies_when_used_again}),
    _row(9, "idle connection ended", "a new one is made", o.RIGHT, {"end": p.ended_while_idle}),
    _row(10, "late answer on an idle connection", "thrown away with the connection, before use", o.RIGHT,
         {"answer": p.pushed(lambda kind: reply(kind.other)),
          "answer, read by then": p.pushed(lambda kind: reply(kind.other), turns=9),
          "half an answer": p.pushed(lambda kind: reply(kind.other)[:40])}),
    _row(11, "two answers in one packet", "the first is read; the connection is not used again", o.RIGHT,
         {"two": whole(lambda kind: reply(kind.ok) + reply(kind.other))}),
    _row(12, "408 on an idle connection", "thrown away with the connection, before use", o.RIGHT,
         {"408": p.pushed(lambda _: reply(MESSAGE, "408 Request Timeout"))}),
    _row(13, "silence after the request", "unknown when the attempt's time is over", o.CUT,
         {"silence": p.slow(lambda _: (silence,))}),
    _row(14, "answer byte by byte", "unknown when the attempt's time is over", o.CUT,
         {"head": p.slow(lambda kind: (drip(reply(kind.ok)),)),
          "body": p.slow(lambda kind: (reply(b"", length=len(kind.ok)), drip(kind.ok)))}),
    _row(15, "body shorter than its Content-Length", "unknown", o.CUT,
         {"end": cut(lambda kind: reply(kind.ok[:-9], length=len(kind.ok))),
          "reset": answers(lambda kind: (reply(kind.ok[:-9], length=len(kind.ok)), reset)),
          "nothing": cut(lambda kind: reply(b"", length=len(kind.ok)))}),
    _row(16, "chunked body without its last chunk", "unknown", o.CUT,
         {"between chunks": cut(lambda kind: chunked(kind.ok, last=b"")),
          "within a chunk": cut(lambda kind: chunked(kind.ok)[:-30])}),
    _row(17, "body that ends with the connection", "unknown: nothing says that it is whole", o.GARBLED,
         {"cut": cut(lambda kind: bare(kind.ok[:-9])), "whole": cut(lambda kind: bare(kind.ok))}),
    _row(18, "contradictory framing", "unknown", o.CUT,
         {"chunk size": whole(lambda kind: bare(b"zz\r\n" + kind.ok, "Transfer-Encoding: chunked")),
          "length and chunks": whole(lambda kind: chunked(kind.ok, f"Content-Length: {len(kind.ok)}")),
          "two lengths": whole(lambda kind: bare(kind.ok, "Content-Length: 1", f"Content-Length: {len(kind.ok)}"))}),
    _row(19, "bytes that are not HTTP/1.1", "unknown", o.CUT,
         {"garbage": cut(lambda _: b"\x16\x03\x01\x00\xff no HTTP: %b\r\n\r\n" % canary.TOKEN.encode()),
          "HTTP/0.9": cut(lambda kind: kind.ok)}),
    _row(20, "head beyond all bounds", "unknown", o.CUT,
         {"long header": right_under("200 OK", "X-Long: " + "a" * 70_000),
          "many headers": right_under("200 OK", *(f"X-{number}: 1" for number in range(200))),
          "NUL": right_under("200 OK", "X-Nul: a\x00b")}),
    _row(21, "204 with a body", "unknown", o.CUT, {"body": right_under("204 No Content")}),
    _row(22, "100 Continue a thousand times", "read over", o.RIGHT,
         {"thousand": whole(lambda kind: b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + reply(kind.ok))}),
    _row(23, "101 Switching Protocols", "unknown", o.GARBLED,
         {"upgrade": right_under("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")}),
    _row(24, "status that does not exist", "unknown; a look-up is repeated", o.GARBLED,
         {"999": right_under("999 Strange")}),
    _row(25, "redirect to the same host", "unknown; not followed", o.GARBLED,
         {code: whole(lambda kind, code=code: reply(kind.ok, f"{code} Moved", f"Location: {kind.path}"))
          for code in ("301", "302", "303", "307", "308")}),
    _row(26, "redirect to another host", "unknown; not followed, nothing goes there", o.GARBLED,
         {"307": p.redirects_elsewhere}),
    _row(27, "200 with nothing in it", "unknown", o.GARBLED,
         {"empty": body(lambda _: b""), "blank": body(lambda _: b" \r\n")}),
    _row(28, "JSON that is no object", "unknown", o.GARBLED,
         {"null": body(lambda _: b"null"), "list": body(lambda ok: b"[" + ok + b"]"),
          "string": body(lambda _: b'"ok"'), "number": body(lambda _: b"1")}),
    _row(29, "invalid JSON", "unknown", o.GARBLED,
         {"cut short": body(lambda ok: ok.rstrip()[:-1]), "twice": body(lambda ok: ok + ok)}),
    _row(30, "page of HTML under 200", "unknown", o.GARBLED, {"page": body(lambda _: PAGE, media="text/html")}),
    _row(31, "another content type, or none", "the body is read for what it is", o.RIGHT,
         {"text/json": body(bytes, media="text/json"), "text": body(bytes, media="text/plain"),
          "none": body(bytes, media="")}),
    _row(32, "byte-order mark", "read over", o.RIGHT, {"UTF-8": body(lambda ok: b"\xef\xbb\xbf" + ok)}),
    _row(33, "encoding other than UTF-8", "unknown", o.GARBLED,
         {"UTF-16": body(lambda ok: ok.decode().encode("utf-16")), "Latin-1": member('"£"'.encode("latin-1"))}),
    _row(34, "strange or hostile charset", "ignored: JSON is UTF-8", o.RIGHT,
         {"hex": body(bytes, media="application/json; charset=hex"),
          "unknown": body(bytes, media="application/json; charset=no-such-thing")}),
    _row(35, "numbers that are none, or out of all proportion", "unknown", o.GARBLED,
         {"NaN": member(b"NaN"), "infinite": member(b"-Infinity"),
          "1e999 as an amount": _only(body(lambda ok: ok.replace(b"1040.31", b"1e999")), "payment",
                                      why_not="has no amount in its answer"),
          "1e999 as a life": _only(body(lambda ok: ok.replace(b"2591999", b"1e999")), "login",
                                   why_not="has no life in its answer")}),
    _row(36, "duplicate keys", "the last one counts", o.RIGHT,
         {"twice": body(lambda ok: ok.replace(b"{", b'{"Content": null, "access_token": "wrong", ', 1))}),
    _row(37, "integer of 5,000 digits", "unknown", o.GARBLED, {"digits": member(b"9" * 5000)}),
    _row(38, "nesting without end", "unknown", o.GARBLED, {"lists": member(b"[" * 100_000 + b"]" * 100_000)}),
    _row(39, "gzip bomb", "unknown; nothing compressed is read", o.GARBLED,
         {"bomb": body(lambda ok: gzip.compress(ok + _BOMB), "Content-Encoding: gzip")}),
    _row(40, "body larger than `max_reply_bytes`", "unknown; no more than that is read", o.CUT,
         {"huge": answers(lambda kind: (reply(kind.ok + b" " * 2**20),), max_reply_bytes=2**16),
          "endless": answers(lambda kind: (chunked(kind.ok + b" " * 2**20, last=b""), silence),
                             max_reply_bytes=2**16)}),
    _row(41, "truncated gzip", "unknown; nothing compressed is read", o.GARBLED,
         {"cut": body(lambda ok: gzip.compress(ok)[:-9], "Content-Encoding: gzip")}),
    _row(42, "damaged compression", "unknown; nothing compressed is read", o.GARBLED,
         {"checksum": body(lambda ok: gzip.compress(ok)[:-8] + bytes(8), "Content-Encoding: gzip"),
          "deflate": body(lambda ok: zlib.compress(ok)[:-9], "Content-Encoding: deflate")}),
    _row(43, "unknown Content-Encoding", "unknown, even where the body could be read", o.GARBLED,
         {"unknown": body(bytes, "Content-Encoding: rot13"), "not true": body(bytes, "Content-Encoding: gzip")}),
    _row(44, "413 before the body was read", "the refusal, if it is an answer; else unknown", o.REFUSED,
         {"answer": _with_body(early(reply(MESSAGE, "413 Payload Too Large"), end), o.TOO_LARGE),
          "page": _with_body(early(reply(PAGE, "413 Payload Too Large", media="text/html"), end), o.GARBLED)}),
    _row(45, "200 before the request was read", "the answer, if all was handed over; else unknown", o.RIGHT,
         {"early": answers(lambda kind: (reply(kind.ok), end), at=At.FIRST_BYTE),
          "body on its way": _only(early(reply(PAYLOAD.ok), end), "payload", why_not="is handed over in one go",
                                   expected=o.GARBLED)}),
    _row(46, "reset while the body is on its way", "unknown", o.CUT, {"reset": _with_body(early(reset))}),
    _row(47, "caller cancelled, or out of time, in flight", "unknown; said by an event, and by the error", o.OVERDUE,
         {"cancelled": Case(p.cancelled, o.CANCELLED), "deadline": p.deadline}),
    _row(48, "401", "one login and one replay, where the API says so in its own words", o.REPLAYED,
         {"framework's words": answers(lambda _: (DENIED,), times=1),
          "envelope": Case(answers(lambda _: (reply(envelope(INVALID), "401 Unauthorized"),), times=1)),
          "page": Case(status("401 Unauthorized", PAGE, media="text/html"), o.GARBLED)}),
    _row(49, "401 for many calls at once", "one login; each is replayed once", o.STORM, {"storm": p.storm}),
    _row(50, "login refused for many calls at once", "one login; each caller gets its own error", o.OUTSIDE,
         {"refused": p.nobody_gets_in}),
    _row(51, "429 or 503 with Retry-After", "429 says not carried out: tried again in time; 503: unknown", o.LIMITED,
         {"429, 0": limited("0"), "429, a date gone by": limited("Wed, 21 Oct 2026 07:27:00 GMT"),
          "429, negative": limited("-1"), "429, garbage": limited("soon"),
          "429, too long": Case(limited("99999999999999999999"), o.LIMITED_FOR_LONG),
          "429, a date too late": Case(limited("Wed, 21 Oct 2037 07:28:00 GMT"), o.LIMITED_FOR_LONG),
          "503, 0": Case(unavailable("0"), o.FAILED), "503, garbage": Case(unavailable("soon"), o.FAILED)}),
    _row(52, "5xx, whole", "unknown; a look-up is repeated", o.FAILED,
         {"page": status("502 Bad Gateway", PAGE, media="text/html"),
          "framework's words": status("500 Internal Server Error", MESSAGE),
          "failing envelope": status("500 Internal Server Error", envelope(INVALID)),
          "right answer": right_under("500 Internal Server Error")}),
    _row(53, "200 that says no, or contradicts itself", "refused; where it contradicts itself, unknown", o.REFUSED,
         {"Model": status("200 OK", envelope(INVALID)),
          "Model under 400": status("400 Bad Request", envelope(INVALID)),
          "framework's words": status("400 Bad Request", MESSAGE),
          "item": _only(body(failing_item), "look-up", "payment", why_not=o.NO_LIST, expected=o.CONTRADICTORY),
          "AuthorisedClientModel": Case(
              status("200 OK", envelope(b"{}", b', "AuthorisedClientModel": ' + INVALID)), o.DENIED),
          "AuthorisedUserModel beside success": Case(
              status("200 OK", envelope(VALID, b', "AuthorisedUserModel": ' + INVALID)), o.CONTRADICTORY),
          "code beside another name": Case(
              status("200 OK", envelope(VALID.replace(b"IsValid", b"Failed"))), o.CONTRADICTORY),
          "stray white space": _only(body(lambda ok: ok.replace(b'"IsValid"', rb'" isvalid\r\n"')),
                                     "payment", "upload", "payload", "reset", why_not="moves no money",
                                     expected=o.RIGHT),
          "two Contents": Case(
              status("200 OK", envelope(VALID, b', "content": {"Model": ' + INVALID + b"}")), o.CONTRADICTORY),
          "error beside success": Case(status("200 OK", envelope(VALID, b', "error": "failed"')), o.CONTRADICTORY),
          "202": Case(right_under("202 Accepted"), o.GARBLED),
          "206": Case(right_under("206 Partial Content"), o.GARBLED),
          "409 in the framework's words": Case(status("409 Conflict", MESSAGE), o.GARBLED),
          "408 in the framework's words": Case(status("408 Request Timeout", MESSAGE), o.GARBLED),
          "right answer under 400": Case(right_under("400 Bad Request"), o.CONTRADICTORY)}),
    _row(54, "answer that names another thing", "unknown: it answers another request", o.GARBLED,
         {"another upload": _only(status("200 OK", envelope(VALID[:-1] + b', "UploadRecordId": 5678}')), "payload",
                                  why_not="names nothing that its answer repeats"),
          "another currency": _only(status("200 OK", envelope(VALID[:-1] + b', "Ccy": "USD", "BankDetails": []}')),
                                    "look-up", why_not="names nothing that its answer repeats")}),
    _row(55, "header value that a header cannot carry", "refused before sending", o.BAD_ARGUMENT,
         {"line break": p.bad_header("1\r\nX: 1"), "NUL": p.bad_header("1\x00"), "surrogate": p.bad_header("1\ud800"),
          "not ASCII": p.bad_header("1é"), "outer space": p.bad_header(" 1"), "empty": p.bad_header(""),
          "user name with a line break": Case(p.bad_name("u\r\nX: 1"), o.BAD_SETTING),
          "token with a line break": _only(p.token_with_line_break, "login", why_not="gets no token",
                                           expected=o.GARBLED)}),
    _row(56, "value that would change the path", "refused before sending", o.BAD_PATH,
         {"dots": p.bad_path(".."), "one dot": p.bad_path("."), "escaped dots": p.bad_path("%2e%2e"),
          "slash": p.bad_path("a/../b"), "line break": p.bad_path("EUR\r\nX: 1"), "query": p.bad_path("EUR?x=1"),
          "fragment": p.bad_path("EUR#x"),
          "dot before it": _only(p.bad_path(".EUR"), "look-up", why_not=o.NO_VALUE),
          "dot after it": _only(p.bad_path("EUR."), "look-up", why_not=o.NO_VALUE)}),
    _row(57, "Set-Cookie", "ignored", o.RIGHT, {"cookie": p.sets_a_cookie}),
    _row(58, "proxy or netrc in the environment", "ignored", o.RIGHT,
         {"proxy": s.proxies_in_the_environment, "netrc": s.netrc_in_the_environment}),
    _row(59, "user name, or other host, in the URL", "refused before sending", o.BAD_SETTING,
         {"user name": p.bad_url("https://user:password@api.example/api/"),
          "dot at the end": p.bad_url("https://api.example./api/"),
          "backslash": p.bad_url("https://api.example\\@evil.example/"),
          "not ASCII": p.bad_url("https://\u0430pi.example/"),
          "escapes": p.bad_url("https://api.example%2eevil.example/")}),
    _row(60, "certificate that is not trusted", "not sent; never tried again", o.UNTRUSTED,
         {"unknown authority": s.tls(trusted=False), "another host": s.tls("other.example"),
          "expired": s.tls(expired=True), "trusted": Case(s.tls(), o.RIGHT)}),
    _row(61, "pinned certificate", "pins are not offered, as they switch off other checks; an authority of one's own "
         "keeps them", o.RIGHT,
         {"own authority": s.tls(given=True), "own authority, another host": Case(s.tls("other.example", given=True),
                                                                                 o.UNTRUSTED)}),
    _row(62, "plain HTTP where TLS is spoken, and the inverse", "https only, but for this machine", o.NEVER_SENT,
         {"TLS on a plain port": s.tls_on_a_plain_port, "plain on a TLS port": Case(s.plain_on_a_tls_port, o.UNSEEN),
          "plain to another host": Case(p.bad_url("http://api.example/api/"), o.BAD_SETTING)}),
)
# fmt: on
