"""One money step by itself."""

import time

from caxton_async import NotSent
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState
from caxton_async.journal.protocol import Recorded, Taken
from caxton_async.journal.step import take_step


class Kept:
    """A worker that keeps what is recorded."""

    def __init__(self) -> None:
        self.statuses = []

    async def record(self, taken, status, answer=None):
        self.statuses.append(status)
        return Recorded.TAKEN


async def test_a_claim_past_its_life_is_not_sent() -> None:
    """A row that was taken too long ago is recorded as not sent, and its caller is told so."""
    worker = Kept()
    taken = Taken(
        id=1, worker=1, attempt=1, reference="r", request=b"{}", started_at=0.0, expires_at=time.monotonic() - 1
    )

    step = await take_step(None, MOVE_FUNDS, None, worker=worker, rows=[taken])  # a client would be asked in vain

    assert [status.state for status in worker.statuses] == [RowState.NOT_SENT]
    assert (type(step.error), step.verdict.again) == (NotSent, True)
