"""Group commit: many callers wait, one thread writes, and each of its transactions takes all that has come by then."""

import asyncio
import copy
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from caxton_async.errors import CaxtonError, JournalFailed

T = TypeVar("T")
Transaction = TypeVar("Transaction")
# Few enough that the first of a group does not wait noticeably for the last: about 20 ms of work.
_MAX_GROUP: Final = 1_000
Begin = Callable[[], AbstractContextManager[Transaction]]


@frozen(eq=False)
class _Queued(Generic[Transaction]):
    work: Callable[[Transaction], Any]
    done: "asyncio.Future[Any]"


class GroupWriter(Generic[Transaction]):
    """Carries out pieces of work in the order in which they come; the thread starts with the first.

    What was submitted is carried out even when its caller is cancelled.  Work that raises an error of ours fails alone,
    so it raises before it writes.
    """

    def __init__(self, begin: Begin[Transaction]) -> None:
        self._begin = begin
        self._queue: SimpleQueue[_Queued[Transaction] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """Queue `work`; the future gets what it returned once that is durable, or its error."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="caxton-journal", daemon=True)
            self._thread.start()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(_Queued(work, done))
        return done

    def close(self) -> None:
        """Carry out what is queued and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def commit(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        """Carry out `works` in one transaction, in the thread, and return what each returned, or its error."""
        return commit_group(self._begin, works)

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._next_group()
            if group:
                outcomes = self.commit([queued.work for queued in group])
                # A loop that is closed by now has nobody left who waits.
                with suppress(RuntimeError):
                    group[0].done.get_loop().call_soon_threadsafe(tell, [queued.done for queued in group], outcomes)

    def _next_group(self) -> tuple[list[_Queued[Transaction]], bool]:
        group: list[_Queued[Transaction]] = []
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


def commit_group(begin: Begin[Transaction], works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
    """Carry out `works` in one transaction and return what each returned, or the error that it raised."""
    outcomes: list[Any] = []
    try:
        with begin() as tx:
            for work in works:
                try:
                    outcomes.append(work(tx))
                except JournalFailed:
                    raise
                except CaxtonError as error:
                    outcomes.append(error)
    except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
        return [error] * len(works)
    return outcomes


def tell(waiting: "list[asyncio.Future[Any]]", outcomes: list[Any]) -> None:
    """Hand outcomes to those who wait."""
    for done, outcome in zip(waiting, outcomes, strict=True):
        if done.done():
            continue
        if isinstance(outcome, Exception):
            # Each its own: an error that is raised twice grows its traceback and carries the context of another.
            done.set_exception(copy.copy(outcome))
            # Who submitted without waiting (under a cancellation) never asks for it.
            done.exception()
        else:
            done.set_result(outcome)
