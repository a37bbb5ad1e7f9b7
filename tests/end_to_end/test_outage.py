"""An outage in each of its dresses: it pauses a batch early, and the batch goes on when it is over."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from caxton_async.batch import resume_batch, run_batch
from caxton_async.emulator import Emulator, Fault
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import RowState
from caxton_async.models import MoveFunds
from tests.support.batches import journal_in
from tests.support.harness import client

pytestmark = pytest.mark.long
ROWS, CONCURRENCY = 120, 16
MOVES = [(f"ref-{n}", MoveFunds("GBP", "POT1-GBP", Decimal(100 + n) / 100)) for n in range(1, ROWS + 1)]

DRESSES: dict[str, dict[str, Any]] = {
    "502 as HTML": {"kind": "html", "status": 502},
    "503 as HTML": {"kind": "html", "status": 503},
    "403 as HTML": {"kind": "html", "status": 403},
    "200 as HTML": {"kind": "html", "status": 200},
    "500 as JSON": {"kind": "server_error_before", "status": 500},
    "reset": {"kind": "reset_after_read"},
    "close": {"kind": "close_after_read"},
    "silence": {"kind": "black_hole"},
}


@pytest.mark.parametrize("accepted", [0, 60], ids=["from the start", "in the middle"])
@pytest.mark.parametrize("dress", DRESSES)
async def test_an_outage_costs_few_rows_and_no_payment(tmp_path: Path, dress: str, accepted: int) -> None:
    """At most ten rows are unknown at the start, and what was in flight and five later; the rest is paid once."""
    async with (
        Emulator() as emulator,
        client(emulator, attempt_timeout_s=0.3, deadline_s=1) as caxton,
        journal_in(tmp_path) as journal,
    ):
        main = emulator.ledger.accounts.main
        emulator.ledger.fund(main, "GBP", Decimal(10_000))
        emulator.ledger.create_pot(main, "GBP", "POT1", None)
        emulator.faults.add(Fault(endpoint="move_funds", after=accepted, times=None, **DRESSES[dress]))

        paused = await run_batch(caxton, MOVE_FUNDS, MOVES, journal=journal, concurrency=CONCURRENCY)
        emulator.faults.clear()
        finished = await resume_batch(caxton, paused.batch, journal=journal, concurrency=CONCURRENCY)

        assert paused.paused is not None
        assert paused.left >= ROWS - accepted - CONCURRENCY - 5
        assert paused.unknown <= (CONCURRENCY + 5 if accepted else 10)
        assert (finished.left, finished.paused, finished.unknown) == (0, None, paused.unknown)
        assert finished.counts[RowState.ACCEPTED] == ROWS - paused.unknown
        assert set(Counter(move.amount for move in emulator.ledger.moves).values()) == {1}
        assert len(emulator.ledger.moves) == ROWS - paused.unknown
