"""One batch over loopback, by whichever edition of the package is on the path: `journey_batch.py URL ROWS FOLDER`.

It uses what the first edition has too, so that both can be measured in one run, and prints the seconds.
"""

import asyncio
import os
import sys
import time
from decimal import Decimal
from pathlib import Path

from caxton_async import CaxtonClient, Credentials, Settings
from caxton_async.batch import run_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import MoveFunds


async def main(url: str, rows: int, folder: str) -> None:
    """Plan and send a batch, 64 calls in flight."""
    os.environ["CAXTON_STATE_DIR"] = folder
    settings = Settings(base_url=url, paths={"get_access_token": "token"})
    requests = [(f"row-{n}", MoveFunds("GBP", "POTBC-GBP", Decimal(n) / 100)) for n in range(1, rows + 1)]
    async with CaxtonClient(Credentials("ada", "ACME", "a password"), settings) as caxton:
        start = time.perf_counter()
        summary = await run_batch(caxton, MOVE_FUNDS, requests, journal=Path(folder) / "journal", concurrency=64)
        print(time.perf_counter() - start)
    assert summary.left == summary.unknown == 0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
