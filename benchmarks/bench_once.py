"""Single payments through `once`: `python benchmarks/bench_once.py [payments]`.

Without the network: each call gives way to the event loop once and is done.  `first` makes the payments, each durably
`sending` before its call and durably accepted after it; `again` asks for the same references and gets their results
back.  Both for 1 and for 64 callers at once, with a journal in clear on this disk.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from caxton_async import Credentials, once, open_journal
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import Balance, MoveFunds
from caxton_async.protocol.request import Caller

BALANCES = (Balance(Decimal("90.00"), "GBP"), Balance(Decimal("10.00"), "POT1-GBP"))


class Calls:
    """A client without a network."""

    settings = SimpleNamespace(origin="http://127.0.0.1:1", deadline_s=60.0)
    credentials = Credentials("ada", "ACME", "a password")
    caller = Caller()

    def with_options(self, **_: object) -> "Calls":
        return self

    async def call(self, _endpoint: object, _request: object) -> tuple[Balance, ...]:
        await asyncio.sleep(0)
        return BALANCES


async def measure(where: Path, payments: int, callers: int) -> list[str]:
    """Make the payments, then ask for all of them again."""
    lines = []
    async with open_journal(where, environ={"CAXTON_STATE_DIR": str(where.parent)}) as journal:
        for name in ("first", "again"):
            numbers, waits = iter(range(payments)), []

            async def caller(numbers: Iterator[int] = numbers, waits: list[float] = waits) -> None:
                for number in numbers:
                    began = time.perf_counter()
                    request = MoveFunds("GBP", "POT1-GBP", Decimal(number + 1) / 100)
                    await once(Calls(), MOVE_FUNDS, request, reference=f"invoice-{number}", journal=journal)
                    waits.append(time.perf_counter() - began)

            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(caller() for _ in range(callers)))
            rate, cpu = payments / (time.perf_counter() - began), (time.process_time() - cpu) / payments * 1e6
            lines.append(f"{callers:4} callers, {name}: {rate:8.0f}/s, {cpu:6.0f} µs of CPU, "
                         f"{statistics.median(waits) * 1000:6.2f} ms at the median")  # fmt: skip
    return lines


def main() -> None:
    payments = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    for callers, number in ((1, payments // 10), (64, payments)):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            print("\n".join(asyncio.run(measure(Path(folder) / "journal.db", number, callers))))


if __name__ == "__main__":
    main()
