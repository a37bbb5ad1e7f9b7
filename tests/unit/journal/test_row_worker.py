"""A worker that leaves: what is being taken for a caller that was cancelled is given back first."""

import asyncio

from caxton_async.journal import Taken
from caxton_async.journal.row_worker import RowWorker
from tests.support.payments import MAY, row

TAKEN = Taken(id=1, worker=7, attempt=1, reference="row-1", request=b"", started_at=0.0)


class SlowMoves:
    """A journal whose claim comes when it is told to, and that notes what it is asked for."""

    worker = 7

    def __init__(self) -> None:
        self.claim: asyncio.Future[list[Taken]] = asyncio.get_running_loop().create_future()
        self.asked: list[str] = []

    def claim_one(self, *_: object) -> asyncio.Future[list[Taken]]:
        return self.claim

    def record(self, taken, status, answer) -> asyncio.Future[list[object]]:
        self.asked.append(f"{taken[0].reference} {status.state.value}")
        return asyncio.get_running_loop().create_future()

    async def leave(self) -> None:
        self.asked.append("leave")


async def test_a_claim_that_nobody_waits_for_is_given_back_before_the_worker_leaves() -> None:
    """Else the row would be unknown, though nothing of it was sent."""
    moves = SlowMoves()
    worker = RowWorker(moves, 4)
    asking = asyncio.create_task(worker.take_one(MAY, row("row-1")))
    await asyncio.sleep(0)
    asking.cancel()
    leaving = asyncio.create_task(worker.__aexit__(None, None, None))
    await asyncio.wait([asking, leaving], return_when=asyncio.FIRST_COMPLETED)
    moves.claim.set_result([TAKEN])
    await leaving

    assert moves.asked == ["row-1 not_sent", "leave"]
