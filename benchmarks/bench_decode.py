"""Reading one answer into attrs classes with exact decimals: `python benchmarks/bench_decode.py`."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bodies import BALANCES, NEW, VALID, envelope
from method import verdict
from multidict import CIMultiDict, CIMultiDictProxy

from caxton_async.endpoints import CATALOGUE, MOVE_FUNDS, Endpoint
from caxton_async.protocol import codec
from caxton_async.protocol.request import HttpReply, read_reply

ROUNDS = 150
BYTES_A_ROUND = 25_000
COUNTS = (2, 50, 500)
GOAL = 2.3
SPREAD_GOAL = 1.3
LOW = 0.1  # the share of rounds that no other process disturbed
SAMPLES = Path(__file__).parents[1] / "tests" / "samples"
# The call that each sample of the guide answers, by its number.
ANSWERS = {
    "01": "generate_password",
    "02": "get_access_token",
    "03": "create_sub_account",
    "04": "create_user",
    "05": "list_banks",
    "06": "banks_for_currency",
    "07": "list_countries",
    "08": "get_country",
    "09": "get_bank_requirements",
    "10": "move_funds",
    "11": "create_pot",
    "12": "create_bulk_upload",
    "13": "get_card_rate",
    "14": "create_wallet",
    "15": "create_card",
    "16": "create_webhook_endpoint",
    "17": "fund_sandbox",
}


def camel(value: Any) -> Any:
    """Spell each key as many servers do."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def compact(value: object) -> bytes:
    """Write JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def balances(count: int, **added: str) -> bytes:
    """Return an answer with many balances."""
    return envelope({"Balances": [{**BALANCES[0], **VALID, **added} for _ in range(count)]})


def bodies() -> dict[str, tuple[Endpoint[Any, Any], bytes]]:
    """Return each body by its title, and the call that it answers."""
    found: dict[str, tuple[Endpoint[Any, Any], bytes]] = {}
    for path in sorted(SAMPLES.glob("*_response.json")):
        if (name := ANSWERS.get(path.name[:2])) is not None:
            found[name] = CATALOGUE[name], path.read_bytes()
    for count in COUNTS:
        found[f"{count} balances"] = MOVE_FUNDS, balances(count)
        found[f"{count} balances, an unknown member in each"] = MOVE_FUNDS, balances(count, **NEW)
        found[f"{count} balances, camelCase"] = MOVE_FUNDS, compact(camel(json.loads(balances(count))))
    found["2 balances, byte-order mark"] = MOVE_FUNDS, b"\xef\xbb\xbf" + balances(2)
    found["2 balances, unknown member at the top"] = MOVE_FUNDS, compact({**json.loads(balances(2)), **NEW})
    return found


def cheapest(variants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the microseconds of each variant in its undisturbed rounds."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name in random.sample(list(variants), len(variants)):
            start = time.perf_counter()
            for _ in range(repeats):
                variants[name]()
            taken[name].append((time.perf_counter() - start) / repeats * 1e6)
    return {name: sorted(times)[int(len(times) * LOW)] for name, times in taken.items()}


def main() -> None:
    """Print the table."""
    print(
        "## Reading an answer\n\n"
        "Bytes to objects of the language (`json.loads`), and to the envelope of caxton-async with its exact amounts:\n"
        "*structured* is parsed and structured, *read* is judged as well: all that a call does with its reply.\n"
        f"Each figure is the {LOW:.0%} quantile of {ROUNDS} rounds, as a ratio to `json.loads` of the same bytes.\n"
        "The guide's own samples are small, so that what is done once for each answer weighs most there.\n\n"
        "| body | `json.loads`, µs | structured | read | goal |\n|---|---|---|---|---|"
    )
    found: dict[str, float] = {}
    for title, (endpoint, body) in bodies().items():
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", "Content-Length": str(len(body))}))
        reply, text = HttpReply(200, headers, body), body.removeprefix(b"\xef\xbb\xbf")
        returns: Any = endpoint.returns
        read = codec.envelope_reader(returns, endpoint.at_steps)

        def structured(endpoint: Any = endpoint, body: bytes = body, read: Any = read) -> object:
            raw = codec.decode(body)
            return codec.structure(raw, endpoint.returns) if endpoint.body == "form" else read(raw)

        variants: dict[str, Callable[[], object]] = {
            "json": lambda text=text: json.loads(text),
            "structured": structured,
            "read": lambda endpoint=endpoint, reply=reply: read_reply(endpoint, reply),
        }
        times = cheapest(variants, max(1, BYTES_A_ROUND // len(body)))
        alone, found[title] = (times[name] / times["json"] for name in ("structured", "read"))
        about = f"{title}, {len(body):,} bytes | {times['json']:.1f} | {alone:.2f}x"
        print(f"| {about} | {found[title]:.2f}x | {verdict(found[title], GOAL)} |", flush=True)
    print("\n| the dearest beside the cheapest of a size | read | goal |\n|---|---|---|")
    for count in COUNTS:
        alike = [ratio for title, ratio in found.items() if title.startswith(f"{count} balances")]
        spread = max(alike) / min(alike)
        print(f"| {count} balances, however they are written | {spread:.2f}x | {verdict(spread, SPREAD_GOAL)} |")


if __name__ == "__main__":
    main()
