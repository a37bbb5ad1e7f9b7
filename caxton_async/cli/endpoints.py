"""`caxton endpoints`: what can be called."""

from typing import Any

from attrs import fields_dict

from caxton_async.batch.input.columns import slots_of
from caxton_async.batch.lookup import BULK_PAYMENTS
from caxton_async.cli._output import show_json, show_table
from caxton_async.endpoints import CATALOGUE, Endpoint


def endpoints(*, json: bool = False) -> None:
    """List the calls of the API, with the fields that each takes; those in brackets may be left out.

    A call acts for the client, for the account of CAXTON_IDENTITY_NUMBER, or for the user of CAXTON_USER_TOKEN too.

    Args:
        json: Print a JSON list of {name, method, path, repeatable, documented, acts_for, fields}.
    """
    listed: list[Endpoint[Any, Any]] = [*CATALOGUE.values(), BULK_PAYMENTS]
    if json:
        show_json([_describe(endpoint) for endpoint in listed])
        return
    rows = []
    for endpoint in listed:
        names = (slot.name if slot.required else f"[{slot.name}]" for slot in slots_of(endpoint.sends))
        notes = {
            "repeatable": endpoint.repeatable,
            "path assumed": not endpoint.documented,
            "a file, with caxton run": endpoint is BULK_PAYMENTS,
        }
        said = ", ".join(text for text, applies in notes.items() if applies)
        rows.append((endpoint.name, " ".join(names), endpoint.acts_for, said))
    show_table(("name", "fields", "for", ""), rows)


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
