"""How far a batch has come, on stderr: one line that changes on a terminal, a few plain lines elsewhere."""

import asyncio
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from attrs import define, field

from caxton_async.cli._output import echo_err, printable, write_to
from caxton_async.journal.states import SENDABLE, RowState

_EVERY_S: Final = 0.1  # a person reads no faster
_CLEAR: Final = "\r\x1b[2K"


@define
class Progress:
    """Shows counts by state, calls per second and the time left; use as `with Progress(...)`, which clears the line.

    `counts` are those before the run, `answered` how many rows it has dealt with; `clock` gives seconds.
    """

    title: str
    counts: Counter[RowState]
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    answered: int = 0
    _done_before: int | None = None
    _shown_at: float = -1.0
    _tenth: int = 0
    _timer: asyncio.TimerHandle | None = None
    _on_terminal: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()
        self._on_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        """Begin to show."""
        self._show(self.clock())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing on the line."""
        if self._timer is not None:
            self._timer.cancel()
        self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else can be said."""
        if self._on_terminal:
            write_to(sys.stderr, _CLEAR)

    def add(self, state: RowState) -> None:
        """Count a row that the run has dealt with."""
        before = next((each for each in SENDABLE if self.counts[each]), RowState.PLANNED)
        self.counts[before] -= 1
        self.counts[state] += 1
        self.answered += 1
        self._show(self.clock())

    def update(self, counts: Mapping[RowState, int]) -> None:
        """Show counts that were read elsewhere."""
        done = sum(counts.values()) - self._left(counts)
        if self._done_before is None:
            self._done_before, self._began = done, self.clock()
        self.answered, self.counts = done - self._done_before, Counter(counts)
        self._show(self.clock())

    @staticmethod
    def _left(counts: Mapping[RowState, int]) -> int:
        return sum(counts.get(state, 0) for state in (*SENDABLE, RowState.SENDING))

    def _show(self, now: float) -> None:
        total = self.counts.total()
        done = total - self._left(self.counts)
        if self._on_terminal:
            if (early_s := self._shown_at + _EVERY_S - now) > 0:
                self._show_in(early_s)
                return
            self._shown_at = now
            width = shutil.get_terminal_size().columns - 1
            write_to(sys.stderr, _CLEAR + printable(self.line(now))[:width])
        elif (tenth := 10 * done // max(total, 1)) > self._tenth:
            self._tenth = tenth
            echo_err(self.line(now))

    def _show_in(self, seconds: float) -> None:
        """Show what has come too soon to be shown, also if nothing comes after it while one slow call is awaited."""
        if self._timer is None:
            with suppress(RuntimeError):  # where no event loop runs, somebody else updates
                self._timer = asyncio.get_running_loop().call_later(seconds, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._show(self.clock())

    def line(self, now: float) -> str:
        """Return what is shown: `move_funds: 40 of 100, 39 accepted, 1 unknown, 12.3/s, 0:05 left`."""
        total, left = self.counts.total(), self._left(self.counts)
        parts = [f"{self.title}: {total - left} of {total}"]
        parts += [
            f"{count} {state.value.replace('_', ' ')}"
            for state, count in sorted(self.counts.items(), key=lambda item: list(RowState).index(item[0]))
            if count and state is not RowState.PLANNED
        ]
        rate = self.answered / (now - self._began) if now > self._began else 0.0
        if rate and left:
            minutes, seconds = divmod(round(left / rate), 60)
            parts += [f"{rate:.1f}/s", f"{minutes}:{seconds:02d} left"]
        return ", ".join(parts)
