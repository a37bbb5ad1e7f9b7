"""What is printed, and where: data on stdout, words for people on stderr."""

import datetime as dt
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

from attrs import fields, has

from caxton_async.errors import ConfigurationError
from caxton_async.secret import Secret

# Names of calls, and most references, are no longer.
_NAME_WIDTH: Final = 32
# More than any secret of the API, and a block of every file system.
_ROOM_BYTES: Final = 4_096


def prepare_streams() -> None:
    """Make stdout and stderr safe to write to, whatever they are.

    A descriptor that was closed would be given to the next file that is opened, which may be the journal.  A character
    that a stream cannot carry is written as its number.
    """
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115, PTH123 -- for good
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def echo_err(text: str) -> None:
    """Say something to a person."""
    write_to(sys.stderr, printable(text) + "\n")


def echo(text: str) -> None:
    """Print data; a stdout that cannot be written is told on stderr, and decides nothing."""
    problem = write_to(sys.stdout, text + "\n")
    if problem:
        echo_err(f"warning: stdout cannot be written ({problem})")


def write_to(stream: TextIO, text: str) -> str | None:
    """Write at once to a stream that may be full or gone; return what went wrong, and write nothing there any more."""
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:
        silence(stream)
        return None if isinstance(error, BrokenPipeError) else str(getattr(error, "strerror", None) or "it is closed")
    return None


def silence(stream: TextIO) -> None:
    """Let a stream that failed lead nowhere: what is left in its buffer would fail again when Python ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


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
    echo(json.dumps(data, indent=2))  # in ASCII, which every stdout can carry


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
        echo(printable(json.dumps(data, ensure_ascii=False)))


def show_table(names: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table: ruled on a terminal, plain columns elsewhere; without `names` it has no heading."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    echo(_ruled(names, cells, title) if sys.stdout.isatty() else _columns(names, cells, title))


def _columns(names: Sequence[str], cells: Sequence[Sequence[str]], title: str | None) -> str:
    """Return a line for each row, however long, which programs can take apart."""
    lines = [[cell.replace("\n", " ") for cell in row] for row in ([names] if names else []) + [*cells]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [" " + "  ".join(map(str.ljust, line, widths)) for line in lines]
    return "\n".join(line.rstrip() for line in ([title] if title else []) + shown)


def _ruled(names: Sequence[str], cells: Sequence[Sequence[str]], title: str | None) -> str:
    """Return a table that is no wider than the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    heads = [*names] or ([""] * len(cells[0]) if cells else [])
    columns = [Column(name, overflow="fold") for name in heads]
    if columns:  # what a row is about stays in one piece, where that leaves room for the rest
        longest = max((len(row[0]) for row in cells), default=0)
        columns[0].min_width = longest if longest <= _NAME_WIDTH else None
    table = Table(*columns, title=title, show_header=bool(names), box=SIMPLE_HEAD)
    for row in cells:
        table.add_row(*map(Text, row))
    printed = io.StringIO()  # so that `echo` alone writes to stdout, which may be full
    Console(file=printed, force_terminal=True, highlight=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


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


@contextmanager
def secret_file(path: Path) -> Iterator[Callable[[Secret], None]]:
    """Open a new private file with room for a secret, and give what writes the secret there durably.

    The room is taken before anything is sent: a disk that is full cannot lose what is told only once.

    **Raises** ConfigurationError when the file exists already, or cannot be made or written.
    """
    with private_file(path) as descriptor:
        is_kept = False

        def keep(secret: Secret) -> None:
            nonlocal is_kept
            os.ftruncate(descriptor, os.pwrite(descriptor, secret.reveal().encode(), 0))
            os.fsync(descriptor)
            is_kept = True

        try:
            _take_room(path, descriptor)
            yield keep
        finally:
            if not is_kept:
                os.ftruncate(descriptor, 0)  # so that `private_file` removes it after a failure


def _take_room(path: Path, descriptor: int) -> None:
    try:
        os.write(descriptor, b" " * _ROOM_BYTES)
        os.fsync(descriptor)
    except OSError as error:
        problem = error.strerror
    else:
        return
    raise ConfigurationError(f"{path} cannot be written ({problem}); nothing was sent")
