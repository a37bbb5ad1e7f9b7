"""The pace of calls where several machines make them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from caxton_async.config import Settings
from caxton_async.journal.protocol import Journal


class Pace(Protocol):
    """The pace that workers on many machines share."""

    async def wait(self, halted: anyio.Event) -> bool:
        """Wait until the next call may be made; False when the run halts first."""
        ...

    def keep_quiet(self, seconds: float) -> None:
        """Let no worker make a call for so long."""
        ...

    async def aclose(self) -> None:
        """End the session in which the pace is asked for."""
        ...


@asynccontextmanager
async def paced(journal: Journal, settings: Settings) -> AsyncIterator[Pace | None]:
    """Give the pace that a journal shares between machines, None for one on a single host: there the client paces."""
    share = getattr(journal, "shared_pace", None)
    pace: Pace | None = share(settings.origin, settings.max_calls_per_second) if share is not None else None
    try:
        yield pace
    finally:
        if pace is not None:
            await pace.aclose()
