"""`caxton endpoints`: what can be called."""

from typing import Any

from attrs import fields_dict

from caxton_async.batch.input.columns import slots_of
from caxton_async.cli._output import show_json, show_table
from caxton_async.endpoints import CATALOGUE, Endpoint


def endpoints(*, json: bool = False) -> None:
    """List the calls of the API, with the fields that each takes.

    Args:
        json: Print a JSON list of {name, method, path, repeatable, documented, acts_for, fields}.
    """
    if json:
        show_json([_describe(endpoint) for endpoint in CATALOGUE.values()])
        return
    rows = []
    for endpoint in CATALOGUE.values():
        names = (slot.name if slot.required else f"[{slot.name}]" for slot in slots_of(endpoint.sends))
        notes = [
            text
            for text, applies in (("repeatable", endpoint.repeatable), ("path assumed", not endpoint.documented))
            if applies
        ]
        rows.append(
            (endpoint.name, endpoint.method, endpoint.path, " ".join(names), endpoint.acts_for, ", ".join(notes))
        )
    show_table(("name", "method", "path", "fields", "acts for", ""), rows)


def _describe(endpoint: Endpoint[Any, Any]) -> dict[str, object]:
    return {
        "name": endpoint.name,
        "method": endpoint.method,
        "path": endpoint.path,
        "repeatable": endpoint.repeatable,
        "documented": endpoint.documented,
        "acts_for": endpoint.acts_for,
        "fields": [] if endpoint.sends is None else list(fields_dict(endpoint.sends)),
    }
