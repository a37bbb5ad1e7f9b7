"""The workers of `examples` pay each invoice once, though they are killed or ended under load."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.programs import open_programs
from tests.support.queues import Queue, open_arq, open_procrastinate

_IN_FLIGHT = 10  # jobs that a worker runs at once, at most


@pytest.fixture(params=["arq", "procrastinate"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    """A queue of each kind."""
    opened = open_arq() if request.param == "arq" else open_procrastinate(request.getfixturevalue("databases").make())
    async with opened as queue:
        yield queue


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
async def test_a_worker_that_stops_under_load_pays_each_invoice_once(
    tmp_path: Path, queue: Queue, number: signal.Signals
) -> None:
    """Each invoice is paid at most once, each job ends, and only a kill leaves outcomes unknown."""
    invoices = range(101, 141)
    async with open_programs(tmp_path, latency_s=0.1) as programs:
        programs.environ |= queue.environ
        for _ in range(2):  # somebody asks for each invoice twice
            await queue.put((str(pence), f"{pence / 100:.2f}") for pence in invoices)

        process = await programs.start(*queue.command)
        await programs.emulator.seen("move_funds", 15)
        await programs.end(process, number)
        await queue.notice()
        process = await programs.start(*queue.command)
        async with asyncio.timeout(60):
            ended = await queue.ended()
            while ended.total() < 2 * len(invoices):
                await asyncio.sleep(0.1)  # another process cannot set an event of ours
                ended = await queue.ended()
        await programs.end(process)

        recorded = programs.recorded()
        unknown = {pence for pence in invoices if (f"invoice-{pence}", "unknown") in recorded}
        assert len(unknown) <= (_IN_FLIGHT if number == signal.SIGKILL else 0)
        assert recorded == Counter(
            (f"invoice-{pence}", "unknown" if pence in unknown else "accepted") for pence in invoices
        )
        assert ended["failed"] == 2 * len(unknown)
        moved = programs.moved()
        assert set(moved.values()) == {1}
        assert {(None, pence) for pence in invoices if pence not in unknown} <= set(moved)
        assert programs.emulator.count("move_funds") <= len(invoices)
