"""Batches by the hundred thousand: `python benchmarks/bench_batch.py [--full] [PART ...]`.

Without the network: each call gives way to the event loop once and is done.  Scheduling is the processor's time for
each row beyond that of the bare calls, with a journal that keeps nothing; all else is with the real journal on this
disk.  Each line is measured in a process of its own; the machine's other work shows.  With `--full` a batch has a
million rows, which takes a quarter of an hour; PART names some of the parts.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import anyio
from method import verdict

from caxton_async import Credentials, open_journal
from caxton_async.batch import PlanOptions, plan_batch, resume_batch
from caxton_async.batch.input import InputFile
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import BatchInfo, Binding, Journal, RowState, RowStatus, Taken
from caxton_async.journal.sqlite import claims
from caxton_async.journal.stored import encode_request
from caxton_async.models import MoveFunds
from caxton_async.protocol.request import Caller

IN_FLIGHT = 64
PEERS_ROWS = 200_000  # of what keeps a task for each row: a million would not fit into many a machine
SHORT, FULL = 150_000, 1_000_000  # rows of a batch
CLAIM, SAMPLES = 64, 100  # rows of a claim, and how many claims are timed at either end of a batch
BATCHES = 10  # of the journal that is opened for one of them
OPENINGS = 5  # of which the median counts
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


ALLOWED = PlanOptions(allow_duplicates=True)
ACCEPTED = RowStatus(state=RowState.ACCEPTED, started_at=1.0, elapsed_s=0.1)
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

    async def record_and_take(self, *_: object) -> Taken | None:
        return next(self.left, None)


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


async def bare(count: int) -> list[float]:
    """The calls alone, by as many workers: what every variant has to do."""
    work = rows(count)

    async def worker() -> None:
        for _, request in work:
            await Calls().call(MOVE_FUNDS, request)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return []


async def scheduling(count: int) -> list[float]:
    memory = Memory()
    await resume_batch(Calls(), 1, journal=Forgetful(count), concurrency=IN_FLIGHT, on_progress=memory)
    return [memory.growth]


async def gather(count: int) -> list[float]:
    before = resident_mib()
    work = [Calls().call(MOVE_FUNDS, request) for _, request in rows(count)]
    gathered = asyncio.gather(*work)
    await asyncio.sleep(0)
    memory = resident_mib() - before
    await gathered
    return [memory]


async def semaphore(count: int) -> list[float]:
    before, limit = resident_mib(), asyncio.Semaphore(IN_FLIGHT)

    async def one(request: MoveFunds) -> None:
        async with limit:
            await Calls().call(MOVE_FUNDS, request)

    async with asyncio.TaskGroup() as tasks:
        for _, request in rows(count):
            tasks.create_task(one(request))
        await asyncio.sleep(0)
        memory = resident_mib() - before
    return [memory]


async def from_file(count: int) -> list[float]:
    """Plan and run a batch from a CSV file, as `caxton run` does; return the growth of memory and bytes a row."""
    planning, running = Memory(), Memory()
    with a_folder() as folder:
        write_input(folder / "rows.csv", count)
        file = InputFile(folder / "rows.csv", MOVE_FUNDS)
        async with journal_in(folder) as journal:
            options = PlanOptions()
            seen = (row for row in file if planning(row) is None)
            planned = await plan_batch(journal, MOVE_FUNDS, seen, binding=BINDING, options=options)
            summary = await resume_batch(
                Calls(), planned.id, journal=journal, concurrency=IN_FLIGHT, on_progress=running
            )
            assert summary.counts[RowState.ACCEPTED] == count
        size = (folder / "journal.sqlite").stat().st_size / count
    return [max(planning.growth, running.growth), size]


async def planning(count: int) -> list[float]:
    with a_folder() as folder:
        async with journal_in(folder) as journal:
            await plan_batch(journal, MOVE_FUNDS, rows(count), binding=BINDING, options=ALLOWED)
    return []


async def claiming(count: int) -> list[float]:
    """Return the milliseconds of a claim and its outcomes: at the first rows, at the last, and both beside a report.

    The report is another process in the middle of reading all rows; it began before the first claim.
    """
    with a_folder() as folder:
        async with journal_in(folder) as journal:
            batch = (await plan_batch(journal, MOVE_FUNDS, rows(count), binding=BINDING, options=ALLOWED)).id
            worker = (await journal.join()).id
            database, at = journal._database, 0

            def step(wanted: int) -> float:
                nonlocal at
                began = time.perf_counter()
                with database.transaction() as tx:
                    taken = claims.take(tx, worker, batch, at, wanted)
                with database.transaction() as tx:
                    for row in taken:
                        claims.record(tx, row, ACCEPTED, None)
                at += wanted
                assert len(taken) == wanted
                return (time.perf_counter() - began) * 1e3

            with reading(folder):
                first_beside = statistics.median(step(CLAIM) for _ in range(SAMPLES))
            first = statistics.median(step(CLAIM) for _ in range(SAMPLES))
            with reading(folder):
                while at < count - (2 * SAMPLES + 1) * CLAIM:
                    step(min(1_000, count - (2 * SAMPLES + 1) * CLAIM - at) or 1)
                last_beside = statistics.median(step(CLAIM) for _ in range(SAMPLES))
            last = statistics.median(step(CLAIM) for _ in range(SAMPLES))
    return [first, last, first_beside, last_beside]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Have another process in the middle of a report on the first batch."""
    with child("report", folder) as report:
        report.stdout.readline()
        yield
        report.stdin.close()


async def report(folder: Path) -> None:
    """Begin to read all rows, and read on once stdin ends."""
    with journal_in(folder) as journal:
        found = journal.rows(1)
        next(found)
        print("begun", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for _ in found:
            pass


async def opening(count: int) -> list[float]:
    """Return the seconds of CPU from opening a journal to the first call, of one batch and of ten."""
    taken = []
    with a_folder() as folder:
        for batches in (1, BATCHES - 1):
            async with journal_in(folder) as journal:
                for _ in range(batches):
                    new = await plan_batch(journal, MOVE_FUNDS, rows(count), binding=BINDING, options=ALLOWED)
            runs = []
            for _ in range(OPENINGS):
                with child("open", folder, str(new.id)) as opened:
                    runs.append(float(opened.stdout.readline()))
            taken.append(statistics.median(runs))
    return taken


class Timing(Calls):
    """Tells the processor time since `began` at its first call, and stops the run."""

    def __init__(self, began: float, stop: anyio.Event) -> None:
        self.began, self.stop = began, stop

    async def call(self, _endpoint: object, _request: object) -> None:
        if not self.stop.is_set():
            print(time.process_time() - self.began, flush=True)
        self.stop.set()


async def open_one(folder: Path, batch: str) -> None:
    """Open the journal, and close it properly: after an end that was not proper the whole of it is checked."""
    began, stop = time.process_time(), anyio.Event()
    async with journal_in(folder) as journal:
        await resume_batch(Timing(began, stop), int(batch), journal=journal, concurrency=1, stop=stop)


async def sharing(count: int) -> list[float]:
    """Return the rows a second that one process and two make durable: claims and outcomes, calls that cost nothing."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for processes in (1, 2) * OPENINGS:
        with a_folder() as folder:
            async with journal_in(folder) as journal:
                await plan_batch(journal, MOVE_FUNDS, rows(count * processes), binding=BINDING, options=ALLOWED)
            with ExitStack() as workers:
                for _ in range(processes):
                    workers.enter_context(child("work", folder))
            seen: dict[int | None, list[float]] = {}
            with journal_in(folder) as journal:
                for row in journal.rows(1):
                    seen.setdefault(row.worker, []).append(row.status.started_at or 0.0)
            # All are at work from when the last has begun until the first has nothing left.
            first, last = max(map(min, seen.values())), min(map(max, seen.values()))
            rates[processes].append(
                sum(first <= at <= last for times in seen.values() for at in times) / (last - first)
            )
    return [statistics.median(each) for each in rates.values()]


async def work(folder: Path) -> None:
    async with journal_in(folder) as journal:
        await resume_batch(Calls(), 1, journal=journal, concurrency=IN_FLIGHT)


@contextmanager
def child(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a part of this file in another process, and wait for its end."""
    command = [sys.executable, __file__, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@contextmanager
def a_folder() -> Iterator[Path]:
    """Give a folder on this disk; `/tmp` may be memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        yield Path(name)


def journal_in(folder: Path) -> Journal:
    return open_journal(folder / "journal.sqlite", environ={"CAXTON_STATE_DIR": str(folder)})


def write_input(path: Path, count: int) -> None:
    """Write a CSV file of so many payments, no two alike."""
    with path.open("w", encoding="ascii") as file:
        file.write("reference,from_currency,to_currency,amount\n")
        file.writelines(f"row-{n},GBP,POTBC-GBP,{n // 100}.{n % 100:02}\n" for n in range(1, count + 1))


VARIANTS = {
    "bare": bare,
    "scheduling": scheduling,
    "gather": gather,
    "semaphore": semaphore,
    "planning": planning,
    "file": from_file,
    "claiming": claiming,
    "opening": opening,
    "sharing": sharing,
}


def measure_here(name: str, count: int) -> None:
    """Measure in this process, and print what the parent reads."""
    cpu, wall = time.process_time(), time.perf_counter()
    figures = asyncio.run(VARIANTS[name](count))
    print(json.dumps([(time.process_time() - cpu) / count * 1e6, count / (time.perf_counter() - wall), *figures]))


def measure(name: str, count: int) -> list[float]:
    """Measure in a process of its own: microseconds of CPU a row, rows a second, and what else there is to say."""
    done = subprocess.run([sys.executable, __file__, name, str(count)], check=True, stdout=subprocess.PIPE, text=True)
    return list(json.loads(done.stdout))


def line(what: str, count: int, figure: float, goal: str = "", *, digits: int = 2) -> None:
    print(f"| {what} | {count:,} | {figure:,.{digits}f} | {goal} |", flush=True)


def tell_scheduling(total: int) -> None:
    few = min(total, PEERS_ROWS)
    base = measure("bare", few)[0]
    ours, _, growth = measure("scheduling", total)
    line("`run_batch`: scheduling, µs of CPU a row", total, ours - base, verdict(ours - base, 12))
    line("`run_batch`: growth after the first 100,000, MiB", total, growth, verdict(growth, 4), digits=1)
    for name, what in (("gather", "`asyncio.gather`"), ("semaphore", "a task and a semaphore for each")):
        each, _, growth = measure(name, few)
        line(f"{what}: µs of CPU a row", few, each - base)
        line(f"{what}: memory, MiB", few, growth, digits=1)


def tell_planning(total: int) -> None:
    cpu, rate = measure("planning", total)
    line("planned in bulk and compared, rows a second", total, rate, verdict(rate, 20_000, at_least=True), digits=0)
    line("planned in bulk and compared, µs of CPU a row", total, cpu)


def tell_file(total: int) -> None:
    cpu, rate, growth, size = measure("file", total)
    line("from a CSV file to the end: growth after the first 100,000, MiB", total, growth, verdict(growth, 4), digits=1)
    line("from a CSV file to the end: µs of CPU a row", total, cpu)
    line("from a CSV file to the end: rows a second", total, rate, digits=0)
    line("the journal: bytes a row", total, size, digits=0)


def tell_claiming(total: int) -> None:
    _, _, first, last, first_beside, last_beside = measure("claiming", total)
    what = f"claims of {CLAIM} rows and their outcomes: pace at the last rows to that at the first"
    line(what, total, first / last, verdict(first / last, 0.9, at_least=True))
    beside = first_beside / last_beside
    line(f"{what}, beside a report", total, beside, verdict(beside, 0.9, at_least=True))
    line(f"claims of {CLAIM} rows and their outcomes, ms", total, last)


def tell_opening(total: int) -> None:
    each = total // BATCHES
    _, _, one, ten = measure("opening", each)
    what = f"a journal of {BATCHES} batches, opened for one of them: CPU to the first call, to that of one batch alone"
    line(what, each, ten / one, verdict(ten / one, 1.1))


def tell_sharing(total: int) -> None:
    each = total // 40
    _, _, one, two = measure("sharing", each)
    line("two processes on one journal: rows a second, to those of one", each, two / one)
    line("one process: rows a second", each, one, digits=0)


PARTS: dict[str, Callable[[int], None]] = {
    "scheduling": tell_scheduling,
    "planning": tell_planning,
    "file": tell_file,
    "claiming": tell_claiming,
    "opening": tell_opening,
    "sharing": tell_sharing,
}


def main() -> None:
    """Print the table, or the lines of the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million rows")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    print(
        "## Batches by the hundred thousand\n\nCalls that cost nothing, 64 in flight, and the journal on this disk.\n"
    )
    print("| what | rows | measured | goal |\n|---|---|---|---|")
    for part in options.parts or PARTS:
        PARTS[part](FULL if options.full else SHORT)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["report", folder]:
            asyncio.run(report(Path(folder)))
        case ["open", folder, batch]:
            asyncio.run(open_one(Path(folder), batch))
        case ["work", folder]:
            asyncio.run(work(Path(folder)))
        case [name, count] if count.isdecimal():
            measure_here(name, int(count))
        case _:
            main()
