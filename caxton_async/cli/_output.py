"""What is printed, and where: data on stdout, words for people on stderr."""

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from attrs import fields, has

from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret

# Cells are not wrapped where nobody looks at them.
_WIDE = 100_000


def echo_err(text: str) -> None:
    """Say something to a person."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return `text` without characters that would act on a terminal; a server's words pass through here."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def plain(value: object, *, reveal: bool = False) -> object:
    """Return `value` as JSON can carry it: exact amounts as text, secrets masked unless they are to be revealed."""
    if isinstance(value, Secret):
        return value.reveal() if reveal else str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [plain(item, reveal=reveal) for item in value]
    cls: Any = type(value)
    return {a.name: plain(getattr(value, a.name), reveal=reveal) for a in fields(cls)} if has(cls) else value


def show_json(data: object) -> None:
    """Print data for a program."""
    print(json.dumps(data, indent=2, ensure_ascii=False), flush=True)


def show(data: object) -> None:
    """Print what `plain` returned for a person: records as a table, one record as names and values."""
    if data is None:
        return
    if isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        # A column in which nothing stands tells nobody anything.
        names = [name for name in data[0] if any(item.get(name) is not None for item in data)]
        show_table(names, [[item.get(name) for name in names] for item in data])
    elif isinstance(data, dict):
        show_table((), list(data.items()))
    else:
        print(printable(json.dumps(data, ensure_ascii=False)))


def show_table(names: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table: ruled on a terminal, plain columns elsewhere; without `names` it has no heading."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    table = Table(*names, title=title, show_header=bool(names), box=SIMPLE_HEAD if on_terminal else None)
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))
    Console(width=None if on_terminal else _WIDE, highlight=False, emoji=False).print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value)
    return printable(json.dumps(value, ensure_ascii=False))


@contextmanager
def private_file(path: Path) -> Iterator[int]:
    """Open a new file that nobody else can read, before there is a secret to write; a failure leaves none behind.

    **Raises** ConfigurationError when it exists already or cannot be made.
    """
    problem = "exists already: name a new file"
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        problem = f"cannot be made ({error.strerror})"
    if descriptor < 0:
        raise ConfigurationError(f"{path} {problem}; nothing was sent")
    try:
        yield descriptor
        os.fsync(descriptor)
    except BaseException:
        # What was written is worth keeping even if the disk is in trouble; an empty file is not.
        with suppress(OSError):
            if not os.fstat(descriptor).st_size:
                path.unlink()
        raise
    finally:
        os.close(descriptor)


class Bar(Protocol):
    """Shows how far a thing of known size has come."""

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` of the whole is done."""
        ...


class _Lines:
    """A line at each tenth of the way."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._told = title, total, 0

    def update(self, done: int, note: str = "") -> None:
        tenth = 10 * done // max(self._total, 1)
        if tenth > self._told:
            self._told = tenth
            echo_err(f"{self._title}: {done} of {self._total}{f', {note}' if note else ''}")


@contextmanager
def progress(title: str, total: int) -> Iterator[Bar]:
    """Show progress on stderr: a bar on a terminal, a few plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(title, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    note_column = TextColumn("{task.fields[note]}", markup=False)
    with Progress(*columns, note_column, console=Console(stderr=True, highlight=False)) as shown:
        task = shown.add_task(title, total=total, note="")

        class _Bar:
            def update(self, done: int, note: str = "") -> None:
                shown.update(task, completed=done, note=note)

        yield _Bar()
