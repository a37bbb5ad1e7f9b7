"""Reading one answer into attrs classes with exact decimals: `python benchmarks/bench_decode.py`."""

import json
import random
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import server
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import BaseModel, Field

from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.protocol.request import HttpReply, read_reply

ROUNDS = 61
ENVELOPE = json.loads(server.ENVELOPE)
ONE = ENVELOPE["Content"]["Model"]["Balances"][0]
LIST = {"Content": {**ENVELOPE["Content"], "Model": {**ENVELOPE["Content"]["Model"], "Balances": [ONE] * 500}}}
BODIES = {"envelope": server.ENVELOPE, "list of 500": json.dumps(LIST, separators=(",", ":")).encode()}

GOALS = {"envelope": "less than pydantic", "list of 500": "less than pydantic, and 1.20x"}


class Status(BaseModel):
    api_status_code: int | None = Field(None, alias="ApiStatusCode")
    api_status: str | None = Field(None, alias="ApiStatus")
    api_status_description: str | None = Field(None, alias="ApiStatusDescription")


class Balance(Status):
    balance: float = Field(alias="Balance")
    ccy_code: str = Field(alias="CcyCode")
    base_ccy_code: str | None = Field(None, alias="BaseCcyCode")
    friendly_name: str | None = Field(None, alias="FriendlyName")
    alphabetic_code: str | None = Field(None, alias="AlphabeticCode")
    description: str | None = Field(None, alias="Description")
    numeric_code: str | None = Field(None, alias="NumericCode")
    symbol: str | None = Field(None, alias="Symbol")


class Model(Status):
    balances: list[Balance] = Field(alias="Balances")


class Content(BaseModel):
    model: Model = Field(alias="Model")
    expected_responses: list[str] = Field(alias="ExpectedResponses")


class Envelope(BaseModel):
    content: Content = Field(alias="Content")


def reader(body: bytes) -> Callable[[], object]:
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", "Content-Length": str(len(body))}))
    reply = HttpReply(200, headers, body)
    return lambda: read_reply(MOVE_FUNDS, reply)


def measure(variants: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Return the microseconds of each variant in each round."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name in random.sample(list(variants), len(variants)):
            start = time.process_time()
            for _ in range(repeats):
                variants[name]()
            taken[name].append((time.process_time() - start) / repeats * 1e6)
    return taken


def main() -> None:
    """Print the table."""
    print(
        "## Reading an answer\n\n"
        "Bytes to objects of the language (`json.loads`), to models of pydantic, or to the envelope of caxton-async,\n"
        "whose amounts are exact and whose statuses have been judged.\n"
        f"CPU is the median of {ROUNDS} paired ratios.\n\n"
        "| body | by | exact | CPU | µs | goal |\n|---|---|---|---|---|---|"
    )
    for title, body in BODIES.items():
        variants: dict[str, Callable[[], object]] = {
            "`json.loads`": lambda body=body: json.loads(body),
            "`json.loads`, again": lambda body=body: json.loads(body),
            "`json.loads(parse_float=Decimal)`": lambda body=body: json.loads(body, parse_float=Decimal),
            "pydantic": lambda body=body: Envelope.model_validate_json(body),
            "caxton-async": reader(body),
        }
        taken = measure(variants, 2000 if body is server.ENVELOPE else 20)
        for name, times in taken.items():
            ratio = statistics.median(mine / its for mine, its in zip(times, taken["`json.loads`"], strict=True))
            exact = "yes" if "Decimal" in name or "caxton" in name else "no"
            goal = GOALS[title] if "caxton" in name else ""
            print(f"| {title} | {name} | {exact} | {ratio:.2f}x | {statistics.median(times):.1f} | {goal} |")


if __name__ == "__main__":
    main()
