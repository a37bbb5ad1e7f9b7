"""What a worker process keeps open, and the one payment that its jobs make."""

import os
from contextlib import AsyncExitStack
from decimal import Decimal

from caxton_async import CaxtonClient, CaxtonError, InProgress, once, open_journal
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import MoveFunds


class Payments:
    """One client and one journal for all jobs of a process."""

    async def open(self) -> None:
        """Open both; the journal, opened last, is closed first and waits for its payments."""
        self.stack = AsyncExitStack()
        self.caxton = await self.stack.enter_async_context(CaxtonClient.from_env())
        self.journal = await self.stack.enter_async_context(open_journal(os.environ["PAYMENTS_JOURNAL"]))

    async def close(self) -> None:
        """Close both."""
        await self.stack.aclose()

    async def pay(self, invoice: str, amount: str) -> str:
        """Pay an invoice once, whatever becomes of its job, and say which job paid it."""
        request = MoveFunds("GBP", "POTBC-GBP", Decimal(amount))
        paid = await once(self.caxton, MOVE_FUNDS, request, reference=f"invoice-{invoice}", journal=self.journal)
        return "paid before" if paid.replayed else "paid"


def may_run_again(error: BaseException) -> bool:
    """Say whether the queue may run the job again by itself; an unknown outcome, for one, waits for a person."""
    return isinstance(error, InProgress) or (isinstance(error, CaxtonError) and error.safe_to_retry)
