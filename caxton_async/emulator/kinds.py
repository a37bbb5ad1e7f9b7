"""The kinds of faults, and a fault as a value.

A request is offered to the faults in the order in which they were added, and the first that takes it has it.
A fault counts the requests that it was offered and that are for its `endpoint`, and made for `acting_for` (the value
of the header `IdentityNumber` or `userapitoken`): it passes over the first `after`, takes each `every`-th of the rest,
and is used up after `times` of them (None: never).

Every fault that answers or breaks off can first wait: `seconds`, or until it is released (`held`).  The wait
stands after the work, if the work is done, and before the fault is applied.

| kind | work done | what the client sees |
|---|---|---|
| latency | yes | the right answer, after the wait |
| refuse | - | nothing listens, and idle connections are closed; from when it is added, or after `after` requests |
| reset_on_accept | no | a reset as soon as it has connected; no `endpoint` can be known then |
| reset_before_read | no | a reset at the first bytes of the request, which is not recorded |
| answer_before_read | no | the same with `raw` (a success) and the end; `held` reads no more until it is released |
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
| stale_bytes | yes | the right answer, and after the wait, unasked, `raw` or the same answer again |
| garbage | yes | bytes that are not HTTP |
| mangled | yes | `raw` in place of the answer, then the end of the connection |
| html | no | an HTML page with `status` (200) |
| wrong_content_type | yes | the right answer as text/plain |
| bom | yes | the right answer after a byte order mark |
| gzip_bomb | yes | the right answer in gzip, blown up with spaces to `size` (64 MiB) |
| huge_body | yes | the right answer, blown up with spaces to `size` (16 MiB) |
| many_items | yes | the right answer with one more list, of `size` bytes (8 MiB); `variant`: numbers, objects |
| redirect | no | 307 to `location` (the same path) |
| unauthorised | no | 401; `variant`: message (the framework's), empty, html, problem_json, header_only, errors |
| rate_limited | no | 429 with `retry_after` ("1") |
| server_error_before | no | `status` (503), with `retry_after` if given |
| server_error_after | yes | `status` (500) |
| odd_status | yes | the right body under `status` (202) |
| failing_envelope | no | a failing Model under `status` (200) |
| failing_item | yes | the right answer, but the last item of its first list (or its nested object) fails |
| failing_authorised | no | a successful Model beside a failing AuthorisedClientModel |
| failing_authorised_after | yes | the right answer beside a failing AuthorisedUserModel |
| contradictory_status | yes | a status that says two things; `variant`: the member that fails, name or code |
| status_whitespace | yes | the right answer with white space around each name of a status |
| upper_case_status | yes | the right answer with each name of a status in capitals |
| camel_case_members | yes | the right answer with members that begin with a small letter |
| unknown_members | yes | the right answer with a member more in each object of its Model |
| repeated_member | yes | the right answer with a second, failing `content` |
| error_member | yes | the right answer with an `error` beside its Content |
| null_lists | yes | the right answer with null for each list of its Model |
| bare_envelope | yes | success, and nothing of what the call did |
| foreign_echo | yes | the answer of somebody else's call: other pots, names and currencies |
| identity_encoding | yes | the right answer with a Content-Encoding that encodes nothing; `variant`: identity, empty |
| long_header | yes | the right answer under a header of `size` bytes (16 KiB) |
| duplicate_delivery | twice | the right answer to the first |
| login_error | no | `status` (400) and an error of RFC 6749, its code the `variant`, with `retry_after` if given |
| login_reply | yes | a token in another form; `variant`: the form |
"""

from __future__ import annotations

from typing import Literal

import attrs

EndpointName = Literal[
    "generate_password",
    "get_access_token",
    "reset_credentials",
    "create_sub_account",
    "create_user",
    "list_banks",
    "banks_for_currency",
    "list_countries",
    "get_country",
    "get_bank_requirements",
    "move_funds",
    "create_pot",
    "create_bulk_upload",
    "submit_bulk_payload",
    "get_card_rate",
    "create_wallet",
    "create_card",
    "enable_webhooks",
    "create_webhook_endpoint",
    "fund_sandbox",
    "decide_transfer",
]

FaultKind = Literal[
    "latency",
    "refuse",
    "reset_on_accept",
    "reset_before_read",
    "answer_before_read",
    "reset_after_read",
    "reset_after_work",
    "close_after_read",
    "close_after_work",
    "close_after_answer",
    "black_hole",
    "black_hole_after_work",
    "slow_head",
    "slow_body",
    "truncated_body",
    "truncated_chunked",
    "stale_bytes",
    "garbage",
    "mangled",
    "html",
    "wrong_content_type",
    "bom",
    "gzip_bomb",
    "huge_body",
    "many_items",
    "redirect",
    "unauthorised",
    "rate_limited",
    "server_error_before",
    "server_error_after",
    "odd_status",
    "failing_envelope",
    "failing_item",
    "failing_authorised",
    "failing_authorised_after",
    "contradictory_status",
    "status_whitespace",
    "upper_case_status",
    "camel_case_members",
    "unknown_members",
    "repeated_member",
    "error_member",
    "null_lists",
    "bare_envelope",
    "foreign_echo",
    "identity_encoding",
    "long_header",
    "duplicate_delivery",
    "login_error",
    "login_reply",
]

Variant = Literal[
    "numbers",
    "objects",
    "message",
    "empty",
    "html",
    "problem_json",
    "header_only",
    "errors",
    "name",
    "code",
    "identity",
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "invalid_request",
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "expires_in_float",
    "expires_in_text",
    "expires_in_padded",
    "expires_in_null",
    "expires_in_missing",
    "token_line_end",
    "type_line_end",
    "upper_case_type",
]

# Where a fault takes its request: at the listening socket, at a new connection, at the first bytes, or once it is read.
LISTEN, CONNECT, FIRST_BYTES, READ = "listen", "connect", "first bytes", "read"
LOGIN: EndpointName = "get_access_token"


@attrs.frozen
class Kind:
    """What a kind of fault is: how often the work is done, which parameters it has, where it takes its request.

    The first of the `variants` is taken where a fault names none; `only` is the one endpoint that has it.
    """

    work: int
    takes: frozenset[str] = frozenset()
    stage: str = READ
    variants: tuple[Variant, ...] = ()
    only: EndpointName | None = None


_COUNTED = frozenset(("kind", "times", "every", "after"))
_GENERAL = _COUNTED | {"endpoint", "acting_for", "seconds", "held"}


def _kind(work: int, *takes: str, variants: tuple[Variant, ...] = (), only: EndpointName | None = None) -> Kind:
    return Kind(work, _GENERAL | set(takes) | ({"variant"} if variants else set()), READ, variants, only)


KINDS: dict[FaultKind, Kind] = {
    "latency": _kind(1),
    "refuse": Kind(0, frozenset(("kind", "endpoint", "after", "seconds")), LISTEN),
    "reset_on_accept": Kind(0, _COUNTED, CONNECT),
    "reset_before_read": Kind(0, _COUNTED | {"endpoint"}, FIRST_BYTES),
    "answer_before_read": Kind(0, _COUNTED | {"endpoint", "raw", "held"}, FIRST_BYTES),
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
    "many_items": _kind(1, "size", variants=("numbers", "objects")),
    "redirect": _kind(0, "location"),
    "unauthorised": _kind(0, variants=("message", "empty", "html", "problem_json", "header_only", "errors")),
    "rate_limited": _kind(0, "retry_after"),
    "server_error_before": _kind(0, "status", "retry_after"),
    "server_error_after": _kind(1, "status"),
    "odd_status": _kind(1, "status"),
    "failing_envelope": _kind(0, "status"),
    "failing_item": _kind(1),
    "failing_authorised": _kind(0),
    "failing_authorised_after": _kind(1),
    "contradictory_status": _kind(1, variants=("name", "code")),
    "status_whitespace": _kind(1),
    "upper_case_status": _kind(1),
    "camel_case_members": _kind(1),
    "unknown_members": _kind(1),
    "repeated_member": _kind(1),
    "error_member": _kind(1),
    "null_lists": _kind(1),
    "bare_envelope": _kind(1),
    "foreign_echo": _kind(1),
    "identity_encoding": _kind(1, variants=("identity", "empty")),
    "long_header": _kind(1, "size"),
    "duplicate_delivery": _kind(2),
    "login_error": _kind(
        0,
        "status",
        "retry_after",
        variants=(
            "temporarily_unavailable",
            "server_error",
            "slow_down",
            "invalid_request",
            "invalid_grant",
            "invalid_client",
            "unauthorized_client",
        ),
        only=LOGIN,
    ),
    "login_reply": _kind(
        1,
        variants=(
            "expires_in_float",
            "expires_in_text",
            "expires_in_padded",
            "expires_in_null",
            "expires_in_missing",
            "token_line_end",
            "type_line_end",
            "upper_case_type",
        ),
        only=LOGIN,
    ),
}

# These stay as they are until they are released, also where the fault is not `held`.
UNTIL_RELEASED = frozenset(("refuse", "black_hole", "black_hole_after_work"))
