"""The journal as files: who may read them, who holds them, and whether anything was taken from them.

What belongs here: permissions, the lock, and the checks of SQLite's write-ahead log that SQLite itself passes over.
What does not: what the database says.  Source of the log's layout: "WAL file format", sqlite.org.
"""

import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from caxton_async.batch.states import JournalRefused

_WAL_MAGIC = 0x377F0683  # the last bit says in which order of bytes the checksums are made
_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
# The lock is asked for by `status` too, for an instant, so one refusal does not mean a second runner.
_LOCK_ATTEMPTS = 10
_LOCK_PAUSE_S = 0.02


def beside(path: Path, suffix: str) -> Path:
    """Return the path of the file that belongs to the journal at `path`."""
    return path.with_name(path.name + suffix)


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Give the path of a new file that nobody else can read; it takes the name `path` once it was written whole.

    **Raises** JournalRefused when something of that name exists, or it cannot be made.
    """
    draft = beside(path, "-new")
    try:
        for leftover in (draft, beside(draft, "-wal"), beside(draft, "-shm")):
            leftover.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        yield draft
        os.link(draft, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except FileExistsError:
        problem = "exists already: resume it, or move it away if its batch is settled"
    except OSError as error:
        problem = f"cannot be made ({os.strerror(error.errno or 0)})"
    else:
        return
    finally:
        draft.unlink(missing_ok=True)
    raise JournalRefused(f"the journal {path} {problem}")


def remove(path: Path) -> None:
    """Remove a journal of which nothing was sent."""
    for suffix in ("", "-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)


def check_private(path: Path) -> None:
    """Check that the journal is a plain file of ours that nobody else can read.

    **Raises** JournalRefused when it is not.
    """
    for file in (path, beside(path, "-wal")):
        try:
            found = file.lstat()
        except FileNotFoundError:
            if file == path:
                raise JournalRefused(f"there is no journal {path}") from None
            continue
        if not stat.S_ISREG(found.st_mode):
            raise JournalRefused(f"{file} is not a plain file: a journal is never reached through a link")
        if found.st_uid != os.geteuid():
            raise JournalRefused(f"{file} belongs to another user")
        if found.st_mode & 0o077:
            raise JournalRefused(f"{file} can be read by others: make it private with chmod 600")


class Lock:
    """The right to write to a journal; it dies with the process that holds it.

    It stands on a file of its own: closing a second descriptor of the database would drop SQLite's own locks.

    **Raises** JournalRefused when another process, or another part of this one, holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = beside(path, "-lock")
        for _ in range(_LOCK_ATTEMPTS):
            if self._try():
                return
            time.sleep(_LOCK_PAUSE_S)
        raise JournalRefused(f"the journal {path} is in use by another run: wait for it, or stop it")

    def _try(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
        else:
            reason = ""
        if reason:
            raise JournalRefused(f"the lock {self._path} cannot be opened ({reason})")
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file between our opening and our locking it.
            if os.fstat(self._descriptor).st_ino == self._path.stat().st_ino:
                return True
        os.close(self._descriptor)
        return False

    def release(self) -> None:
        """Give the right back, and leave nothing behind."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether somebody is writing to the journal."""
    try:
        descriptor = os.open(beside(path, "-lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def wal_holds_a_commit(path: Path) -> bool:
    """Tell whether the log is there and long enough to hold anything."""
    try:
        return beside(path, "-wal").stat().st_size > _WAL_HEADER_BYTES + _FRAME_HEADER_BYTES
    except FileNotFoundError:
        return False


def check_wal(path: Path) -> None:
    """Check that what can be read of the log is all that was ever committed to it.

    SQLite silently drops a frame that it cannot read, and all that follow.  That is right for the torn end of a write
    that nobody was told of; of a damaged log it would forget payments.

    **Raises** JournalRefused when frames would be lost.
    """
    if not wal_holds_a_commit(path):
        return
    log = beside(path, "-wal")
    with log.open("rb") as file:
        if _is_sound(file):
            return
    raise JournalRefused(
        f"{log} is damaged, and what it says of rows that were sent cannot be read: restore it, or compare the batch "
        "with the bank's statement; nothing was sent"
    )


def _is_sound(file: BinaryIO) -> bool:
    header = file.read(_WAL_HEADER_BYTES)
    magic, _, page_size, _, *salts, one, two = struct.unpack(">8I", header)
    order = ">" if magic & 1 else "<"
    sums = (one, two)
    if magic | 1 != _WAL_MAGIC or _checksum(order, header[:24], (0, 0)) != sums:
        return False
    size = _FRAME_HEADER_BYTES + page_size
    while len(frame := file.read(size)) == size:
        sums = _checksum(order, frame[24:], _checksum(order, frame[:8], sums))
        if struct.unpack(">4I", frame[8:24]) != (*salts, *sums):
            return _is_torn_end(file, frame, salts)
    return True


def _is_torn_end(file: BinaryIO, frame: bytes, salts: list[int]) -> bool:
    """Tell whether a kill can have left `frame`, which cannot be read, and all that follows it.

    Frames are written in order, each its header first.  So none of this generation of the log follows a torn one: at
    the end of the file it is cut short, and before frames of an older generation the older content shows behind its
    header.  (A failing of power may leave more, which cannot be told from damage and counts as such.)
    """
    size = len(frame)
    following = file.read(size)
    if not following:
        return not _is_of(frame, salts)
    while following:
        if _is_of(following, salts):
            return False
        following = file.read(size)
    return True


def _is_of(frame: bytes, salts: list[int]) -> bool:
    """Tell whether a frame bears the salts of this generation; each generation has two new ones, so one is enough."""
    found = struct.unpack(">2I", frame[8:16]) if len(frame) >= 16 else ()
    return any(one == other for one, other in zip(found, salts, strict=False))


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    """Go on with the log's running checksum over `data`."""
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, two in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second
