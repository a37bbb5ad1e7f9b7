"""A batch of a million rows: `python benchmarks/bench_batch.py [rows]`.

Without the network: each call gives way to the event loop once and is done.  Scheduling is the processor's time for
each row beyond that of the bare calls, with a journal that keeps nothing; durable figures are with the real journal on
this disk.  Goals: 12 µs a row of scheduling, 4 MiB of growth after the first 100,000 rows, 20,000 durable rows a second
in bulk.  Each line is measured in a process of its own; the machine's other work shows.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Self

from caxton_async import Credentials, open_journal
from caxton_async.batch import PlanOptions, plan_batch, resume_batch, run_batch
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import BatchInfo, Binding, Journal, RowState, Taken
from caxton_async.journal.stored import encode_request
from caxton_async.models import MoveFunds
from caxton_async.protocol.request import Caller

IN_FLIGHT = 64
PEERS_ROWS = 200_000  # of what keeps a task for each row: a million would not fit into many a machine
REQUESTS = [MoveFunds("GBP", "POT1-GBP", Decimal(n) / 100) for n in range(1, 1001)]
SETTLING = 100_000  # rows after which memory should grow no more


class Calls:
    """A client without a network."""

    settings = SimpleNamespace(origin="http://127.0.0.1:1", deadline_s=60.0)
    credentials = Credentials("ada", "ACME", "a password")
    caller = Caller()

    def with_options(self, **_: object) -> "Calls":
        return self

    async def call(self, _endpoint: object, _request: object) -> None:
        await asyncio.sleep(0)


BINDING = Binding(origin=Calls.settings.origin, username="ada", client_name="ACME")


class Forgetful:
    """A journal, and its worker, that keep nothing, to tell scheduling from writing."""

    where, salt, is_encrypted, id = "nowhere", b"", False, 1

    def __init__(self, rows: int) -> None:
        self.info = BatchInfo(id=1, name="b", endpoint=MOVE_FUNDS.name, binding=BINDING, created_at=0.0, total=rows)
        requests = [encode_request(request, is_encrypted=False) for request in REQUESTS]
        self.left = (
            Taken(id=n, worker=1, attempt=1, reference=f"ref-{n}", request=requests[n % 1000], started_at=0.0)
            for n in range(rows)
        )

    def batches(self) -> list[BatchInfo]:
        return [self.info]

    def batch(self, _: int) -> BatchInfo:
        return self.info

    def counts(self, _: int) -> dict[RowState, int]:
        return dict.fromkeys(RowState, 0)

    def reasons(self, _: int) -> list[object]:
        return []

    def sweep(self) -> int:
        return 0

    def pause(self, _batch: int, _reason: object) -> None: ...

    async def join(self, **_: object) -> "Forgetful":
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def take(self, _: int) -> Taken | None:
        return next(self.left, None)

    async def record(self, *_: object) -> None: ...


def rows(count: int) -> Iterator[tuple[str, MoveFunds]]:
    for n in range(count):
        yield f"ref-{n}", REQUESTS[n % 1000]


def resident_mib() -> float:
    """Return the memory that this process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Memory:
    """Notes memory now and then, beginning when the first rows are through."""

    def __init__(self) -> None:
        self.seen = 0
        self.first = self.most = 0.0

    def __call__(self, _: object = None) -> None:
        self.seen += 1
        if self.seen == SETTLING:
            self.first = resident_mib()
        if self.seen % 5_000 == 0:
            self.most = max(self.most, resident_mib())

    @property
    def growth(self) -> float:
        return self.most - self.first


async def bare(count: int) -> str:
    """The calls alone, by as many workers: what every variant has to do."""
    work = rows(count)

    async def worker() -> None:
        for _, request in work:
            await Calls().call(MOVE_FUNDS, request)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return ""


async def ours_scheduling(count: int) -> str:
    memory = Memory()
    await resume_batch(Calls(), 1, journal=Forgetful(count), concurrency=IN_FLIGHT, on_progress=memory)
    return f"{memory.growth:8.1f} MiB after the first {SETTLING:,}"


async def gather(count: int) -> str:
    before = resident_mib()
    work = [Calls().call(MOVE_FUNDS, request) for _, request in rows(count)]
    gathered = asyncio.gather(*work)
    await asyncio.sleep(0)
    memory = resident_mib() - before
    await gathered
    return f"{memory:8.1f} MiB"


async def semaphore(count: int) -> str:
    before, limit = resident_mib(), asyncio.Semaphore(IN_FLIGHT)

    async def one(request: MoveFunds) -> None:
        async with limit:
            await Calls().call(MOVE_FUNDS, request)

    async with asyncio.TaskGroup() as tasks:
        for _, request in rows(count):
            tasks.create_task(one(request))
        await asyncio.sleep(0)
        memory = resident_mib() - before
    return f"{memory:8.1f} MiB"


async def ours_durable(count: int) -> str:
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder:
        async with _journal(folder) as journal:
            await run_batch(
                Calls(),
                MOVE_FUNDS,
                rows(count),
                journal=journal,
                concurrency=IN_FLIGHT,
                allow_duplicates=True,
                on_progress=memory,
            )
            size = (Path(folder) / "journal.sqlite").stat().st_size / count
    return f"{memory.growth:8.1f} MiB after the first {SETTLING:,}; {size:.0f} bytes a row on disk"


async def planning(count: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        async with _journal(folder) as journal:
            options = PlanOptions(allow_duplicates=True)
            await plan_batch(journal, MOVE_FUNDS, rows(count), binding=BINDING, options=options)
    return "rows made durable in bulk, with their requests, and compared"


def _journal(folder: str) -> Journal:
    return open_journal(Path(folder) / "journal.sqlite", environ={"CAXTON_STATE_DIR": folder})


VARIANTS = {
    "the calls alone": bare,
    "run_batch, forgetful journal": ours_scheduling,
    "asyncio.gather": gather,
    "a task and a semaphore for each": semaphore,
    "plan_batch": planning,
    "run_batch, planning and all": ours_durable,
}


def measure_here(name: str, count: int) -> None:
    """Measure in this process, and print what the parent reads."""
    cpu, wall = time.process_time(), time.perf_counter()
    said = asyncio.run(VARIANTS[name](count))
    print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall, said]))


def measure(name: str, count: int, *, beyond_us: float = 0.0) -> float:
    """Measure in a process of its own, print a line, and return the processor's microseconds for each row."""
    done = subprocess.run([sys.executable, __file__, name, str(count)], check=True, capture_output=True, text=True)
    cpu_s, wall_s, said = json.loads(done.stdout)
    each = cpu_s / count * 1e6 - beyond_us
    print(f"{name:32} {count:>9,} rows {each:8.2f} µs CPU a row {count / wall_s:>9,.0f} rows/s  {said}", flush=True)
    return each


def measure_all(total: int) -> None:
    few = min(total, PEERS_ROWS)
    base = measure("the calls alone", few)
    print("--- scheduling, beyond the calls alone")
    measure("run_batch, forgetful journal", total, beyond_us=base)
    measure("asyncio.gather", few, beyond_us=base)
    measure("a task and a semaphore for each", few, beyond_us=base)
    print("--- durable")
    measure("plan_batch", total)
    measure("run_batch, planning and all", total)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure_here(sys.argv[1], int(sys.argv[2]))
    else:
        measure_all(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
