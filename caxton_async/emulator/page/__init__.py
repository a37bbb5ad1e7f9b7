"""The emulator's own page at `/_emulator/`, and the small JSON API below it, for people and programs on this machine.

| request | what it does |
|---|---|
| `GET /_emulator/` | the page: one HTML file that loads nothing else |
| `GET /_emulator/state` | the ledger, whole |
| `GET /_emulator/live` | the last requests, the newest of the ledger, faults and conditions |
| `GET /_emulator/kinds` | what can be set: kinds of faults with their parameters, endpoints, conditions |
| `POST /_emulator/faults` | sets the fault that the body describes, as in a file of faults |
| `POST /_emulator/faults/release`, `.../clear` | lets go of, or clears, the fault with this `id`; without one, all |
| `POST /_emulator/conditions`, `.../clear` | sets, or clears, the condition with the `kind` of the body |

A request whose Host is not this machine is refused, and so is a POST without the header `X-Caxton-Emulator`: a page of
another site can neither read nor set anything.  No secret is shown.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Any

from aiohttp import web

from caxton_async.emulator.conditions import Conditions
from caxton_async.emulator.envelope import read_json, write_json
from caxton_async.emulator.fault import read_fault
from caxton_async.emulator.faults import Armed, Faults
from caxton_async.emulator.page.state import Recorded, describe, describe_fault, describe_kinds, describe_live

PREFIX = "/_emulator/"
GUARD = "X-Caxton-Emulator"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Answers what is asked below `PREFIX`."""

    def __init__(self, recorded: Recorded, faults: Faults, conditions: Conditions) -> None:
        self._recorded = recorded
        self._faults = faults
        self._conditions = conditions
        self._shown: Mapping[str, Callable[[], object]] = {
            "state": lambda: describe(recorded),
            "live": lambda: describe_live(recorded, faults, conditions),
            "kinds": describe_kinds,
        }
        self._done: Mapping[str, Callable[[dict[str, Any]], object]] = {
            "faults": self._set_fault,
            "faults/release": self._release,
            "faults/clear": self._clear,
            "conditions": lambda body: conditions.set(body.get("kind", ""), acting_for=body.get("acting_for")),
            "conditions/clear": lambda body: conditions.clear(body.get("kind")),
        }

    async def answer(self, incoming: web.BaseRequest) -> web.Response:
        """Answer a request for the page or its API."""
        name = incoming.path.removeprefix(PREFIX)
        if not _is_this_machine(incoming.headers.get("Host", "")):
            return _answer({"error": "ask by the name of this machine, such as 127.0.0.1"}, 403)
        if incoming.method == "POST":
            return await self._change(name, incoming)
        if incoming.method != "GET":
            return _answer({"error": "only GET and POST are known"}, 405)
        if name == "":
            page = (files("caxton_async.emulator.page") / "index.html").read_bytes()
            return web.Response(body=page, content_type="text/html", charset="utf-8", headers=_HEADERS)
        if name not in self._shown:
            return _answer({"error": "there is no such page"}, 404)
        return _answer(self._shown[name]())

    async def _change(self, name: str, incoming: web.BaseRequest) -> web.Response:
        if GUARD not in incoming.headers:
            return _answer({"error": f"a change needs the header {GUARD}"}, 403)
        if name not in self._done:
            return _answer({"error": "there is no such change"}, 404)
        try:
            body = read_json(await incoming.read() or b"{}")
            if not isinstance(body, dict):
                raise ValueError("the body is not a JSON object")  # noqa: TRY004 - the sender's mistake, answered below
            done = self._done[name](body)
        except ValueError as error:
            return _answer({"error": str(error)}, 400)
        return _answer(done if isinstance(done, dict) else {})

    def _set_fault(self, body: dict[str, Any]) -> dict[str, object]:
        seconds = body.get("seconds")
        values = body | {"seconds": float(seconds)} if isinstance(seconds, Decimal) else body
        return describe_fault(self._faults.add(read_fault(values)))

    def _release(self, body: dict[str, Any]) -> None:
        for armed in self._chosen(body):
            armed.release()

    def _clear(self, body: dict[str, Any]) -> None:
        for armed in self._chosen(body):
            self._faults.remove(armed)

    def _chosen(self, body: dict[str, Any]) -> list[Armed]:
        return [armed for armed in self._faults if body.get("id") in (None, armed.number)]


def _answer(document: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=write_json(document), content_type="application/json", headers=_HEADERS)


def _is_this_machine(host: str) -> bool:
    """Say whether a Host header names loopback; a foreign name that resolves to it does not count."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
