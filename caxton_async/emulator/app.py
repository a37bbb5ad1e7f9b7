"""The emulated API without its socket: the way from a request to its answer.

Requests are read strictly, as the Caxton developer guide shows them: another spelling, a member too many or a
number in place of a string is refused, so that a mistake of a client shows here and not at the vendor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from caxton_async.emulator.accounts import Token
from caxton_async.emulator.calls import Call
from caxton_async.emulator.conditions import Conditions
from caxton_async.emulator.envelope import Answer, LoginRefused, answer, read_json, refusal, unauthorised
from caxton_async.emulator.ledger import Ledger
from caxton_async.emulator.refusals import Refused
from caxton_async.emulator.request import Request
from caxton_async.emulator.responses import MAINTENANCE
from caxton_async.emulator.routes import ROUTES, Route


@attrs.frozen
class Match:
    """The call that a request asks for, with the values of its path."""

    route: Route
    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """The call's public name."""
        return self.route.name


class App:
    """The emulated API: `find` says which call a request is, `answer` carries it out.

    `paths` gives calls another path than the documented or assumed one; one that begins with `/` is from the root.

    **Raises** ValueError when `paths` names no call.
    """

    def __init__(self, ledger: Ledger, conditions: Conditions, paths: Mapping[str, str]) -> None:
        self.ledger = ledger
        self.conditions = conditions
        if unknown := set(paths) - {route.name for route in ROUTES}:
            raise ValueError(f"paths names no call: {', '.join(sorted(unknown))}")
        self._routes = [attrs.evolve(route, path=paths.get(route.name, route.path)) for route in ROUTES]
        # Most paths are known as they stand; only those with placeholders are compared part by part.
        self._fixed = {
            (route.method, route.full_path): Match(route, {}) for route in self._routes if "{" not in route.path
        }

    def find(self, method: str, path: str) -> Match | None:
        """Return the call at this path, None if there is none."""
        match = self._fixed.get((method, path))
        return match or next((match for match in self._at(path) if match.route.method == method), None)

    def name_of(self, method: str, path: str) -> str | None:
        """Name the call at this path."""
        match = self.find(method, path)
        return None if match is None else match.name

    def _at(self, path: str) -> Iterator[Match]:
        parts = path.partition("?")[0][1:].split("/")
        for route in self._routes:
            if len(route.segments) == len(parts):
                pairs = list(zip(route.segments, parts, strict=True))
                if all(part and (segment == part or segment[0] == "{") for segment, part in pairs):
                    yield Match(route, {segment[1:-1]: unquote(part) for segment, part in pairs if segment[0] == "{"})

    def answer(self, match: Match | None, request: Request) -> Answer:
        """Do what the request asks for, and answer it."""
        if self.conditions.holds("maintenance_page"):
            return MAINTENANCE
        if match is None:
            return self._unknown(request)
        try:
            call = self._admit(match, request)
            return unauthorised() if call is None else answer(match.route.handler(call))
        except Refused as refused:
            return refusal(refused)
        except LoginRefused as refused:
            return answer({"error": refused.error, "error_description": refused.description}, 400)

    def _unknown(self, request: Request) -> Answer:
        if any(self._at(request.path)):
            return answer({"Message": "The requested resource does not support this http method."}, 405)
        return answer({"Message": "No HTTP resource was found that matches the request URI."}, 404)

    def _admit(self, match: Match, request: Request) -> Call | None:
        """Say who calls with what, None for a call without a token, or a user's token, that is good."""
        route, accounts = match.route, self.ledger.accounts
        if not route.needs_token:
            return Call(self.ledger, None, accounts.main, None, match.values, _read_body(route, request))
        token = self._token(request)
        if token is None:
            return None
        if self.conditions:
            self._check_conditions(route, request)
        account = accounts.acting(token, request.headers.get("IdentityNumber"))
        user = accounts.find_user(request.headers.get("userapitoken"), account)
        if user is not None and user.ends_at <= accounts.clock():
            return None
        if route.needs_header is not None and not request.headers.get(route.needs_header):
            raise Refused("MissingHeader", f"The call needs the header {route.needs_header}.")
        return Call(self.ledger, token, account, user, match.values, _read_body(route, request))

    def _check_conditions(self, route: Route, request: Request) -> None:
        if self.conditions.holds("blocked_user", request.acting_for):
            raise Refused("UserBlocked", "The user or account is blocked.")
        if route.spends and self.conditions.holds("empty_balance", request.acting_for):
            raise Refused("InsufficientFunds", "The balance does not hold the amount.")

    def _token(self, request: Request) -> Token | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return self.ledger.accounts.find_token(value) if scheme == "Bearer" else None


def _read_body(route: Route, request: Request) -> Mapping[str, Any]:
    """Return the members of the body, each known to the call and of the right type."""
    if not request.body and not route.sends:
        return {}
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if media_type != route.media_type:
        raise Refused("WrongContentType", f"The body of this call is {route.media_type}.")
    body = _parse(route, request.body)
    known = route.members
    for name in route.sends:
        if name not in body:
            raise Refused("MissingMember", f"The body lacks {name}.")
    for name, value in body.items():
        if name not in known:
            raise Refused("UnexpectedMember", f"The body of this call has {', '.join(known) or 'no members'} only.")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise Refused("WrongType", f"{name} has not the type that the guide shows.")
    return body


def _parse(route: Route, body: bytes) -> dict[str, Any]:
    try:
        if route.media_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        parsed = read_json(body)
    except (ValueError, RecursionError):
        raise Refused("MalformedBody", "The body cannot be read.") from None
    if not isinstance(parsed, dict):
        raise Refused("MalformedBody", "The body is not a JSON object.")
    return parsed
