"""Group commit: many callers wait, one thread writes, and each of its transactions takes all that has come by then.

What belongs here: the queue between an event loop and a thread.  What does not: what is written (`journal`).
A write that was submitted is carried out in its turn even when its caller is cancelled: whoever needs to record
something under a cancellation submits it and does not wait.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from attrs import field, frozen

from caxton_async.batch.states import JournalFailed


@frozen
class Write:
    """One statement and its parameters, carried out whole or not at all.

    With `exact`, each set of parameters must change exactly one row, else the journal does not hold what we believe.
    """

    sql: str
    rows: Sequence[tuple[Any, ...]] = field(repr=False)
    exact: bool = True


Commit = Callable[[Sequence[Write]], list[int]]
_Queued = tuple[Write, "asyncio.Future[int]"]

# Few enough that the first of a group does not wait noticeably for the last: about 20 ms of work.
_MAX_GROUP = 1_000


class GroupWriter:
    """Carries out writes in the order in which they are submitted; the thread starts with the first."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, write: Write) -> "asyncio.Future[int]":
        """Queue `write`; the future gets the number of rows changed once that is durable, or JournalFailed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="caxton-journal", daemon=True)
            self._thread.start()
        done = asyncio.get_running_loop().create_future()
        self._queue.put((write, done))
        return done

    def close(self) -> None:
        """Carry out what is queued and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._next_group()
            if not group:
                continue
            try:
                changed: list[int] | str = self._commit([write for write, _ in group])
            except JournalFailed as error:
                changed = str(error)
            # A loop that is closed by now has nobody left who waits.
            with suppress(RuntimeError):
                group[0][1].get_loop().call_soon_threadsafe(_tell, [done for _, done in group], changed)

    def _next_group(self) -> tuple[list[_Queued], bool]:
        group: list[_Queued] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) == _MAX_GROUP:
                return group, False
            try:
                item = self._queue.get_nowait()
            except Empty:
                return group, False
        return group, True


def _tell(waiting: "list[asyncio.Future[int]]", changed: list[int] | str) -> None:
    for index, done in enumerate(waiting):
        if done.done():
            continue
        if isinstance(changed, str):
            done.set_exception(JournalFailed(changed))
            # Whoever submitted without waiting (under a cancellation) never asks for it.
            done.exception()
        else:
            done.set_result(changed[index])
