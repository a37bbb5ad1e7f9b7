"""Replies and requests made by hand: the vendor's samples, and whatever else a server may say."""

import json
from decimal import Decimal
from typing import Any

from multidict import CIMultiDict

from caxton_async.config import Settings
from caxton_async.endpoints import Endpoint
from caxton_async.protocol.request import Caller, HttpReply, HttpRequest, build_request, route
from tests.support.places import SAMPLES

VALID = {"ApiStatusCode": 100, "ApiStatus": "IsValid", "ApiStatusDescription": "Valid Operation"}
FAILED = {"ApiStatusCode": 217, "ApiStatus": "Failed", "ApiStatusDescription": "No can do"}
NOBODY = Caller()


def sample(name: str) -> bytes:
    """Return the bytes of a sample of the guide by the beginning of its name."""
    (path,) = SAMPLES.glob(f"{name}*.json")
    return path.read_bytes()


def as_json(value: object) -> bytes:
    """Write JSON as compactly as the client does, with each Decimal as the number that it is."""
    if isinstance(value, dict):
        return b"{" + b",".join(as_json(key) + b":" + as_json(item) for key, item in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(as_json(item) for item in value) + b"]"
    return str(value).encode() if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False).encode()


def reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> HttpReply:
    """Build a whole reply; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else as_json(body)
    return HttpReply(status, CIMultiDict({"Content-Length": str(len(content))} | (headers or {})), content)


def envelope(model: object, expected: object = None, **around: object) -> dict[str, Any]:
    """Build an answer of the API, with the names that mean success, and what stands around the content."""
    content = {"Model": model} | ({} if expected is None else {"ExpectedResponses": expected})
    return {"Content": content, **around}


def build(
    endpoint: Endpoint[Any, Any], request: object = None, caller: Caller = NOBODY, settings: Settings | None = None
) -> HttpRequest:
    """Build what the client sends for a call."""
    return build_request(endpoint, request, route(endpoint, settings or Settings(), "tests"), caller, "id-1")
