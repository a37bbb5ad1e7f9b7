"""The locks beside a journal: flocks, which the kernel releases when their process ends, however it ends.

    write       held, blocking, around each transaction and around opening and closing; shared around each read
    open        shared while the journal is open to write; whoever gets it alone is the first, or the last
    plan        held while a plan is compared with the others
    worker-N    held as long as worker N lives

SQLite's own locks keep transactions apart as well; but a waiter polls for them, and they say nothing of who lives.
"""

import fcntl
import logging
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from caxton_async.errors import JournalFailed, JournalRefused

_log = logging.getLogger("caxton_async")
_TELL_AFTER_S: Final = (
    5.0  # a transaction takes milliseconds, a check after an unclean end a second for each million rows
)
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Locks:
    """The locks of one open journal, in a folder beside it.

    Raises:
        JournalRefused: the folder cannot be used.
    """

    def __init__(self, journal: Path) -> None:
        self._folder = _folder_of(journal)
        self._files: dict[str, int] = {}
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for name in ("write", "open", "plan"):
                self._open(name)
        except OSError as error:
            problem = os.strerror(error.errno or 0)
        else:
            _OPEN.add(self)
            return
        self.close()
        raise JournalRefused(f"the locks of the journal in {self._folder} cannot be used ({problem}); nothing is sent")

    def _open(self, name: str) -> int:
        self._files[name] = os.open(self._folder / name, _FLAGS, 0o600)
        return self._files[name]

    @contextmanager
    def held(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Hold a lock; wait for it, and say so when that takes long.

        Raises:
            JournalFailed: the file of the lock was removed or replaced, so others may hold another one.
        """
        descriptor = self._files[name]
        _acquire(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, self._folder)
        try:
            self._check_in_place(name, descriptor)
            yield
        finally:
            if self._files.get(name) == descriptor:  # a forked child closed it
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _check_in_place(self, name: str, descriptor: int) -> None:
        with suppress(FileNotFoundError):
            found, held = (self._folder / name).stat(), os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
                return
        raise JournalFailed(
            f"the lock {self._folder / name} was removed while the journal was in use: nothing more is sent"
        )

    def try_alone(self) -> bool:
        """Tell whether nobody else has the journal open to write; it changes the lock, so `write` is held meanwhile."""
        try:
            fcntl.flock(self._files["open"], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Have the journal open together with others; only while `write` is held."""
        fcntl.flock(self._files["open"], fcntl.LOCK_SH)

    @property
    def opened_file(self) -> str:
        """What the first process noted of the file that all have open."""
        return os.pread(self._files["open"], 100, 0).decode("ascii", "replace")

    @opened_file.setter
    def opened_file(self, identity: str) -> None:
        os.truncate(self._files["open"], 0)
        os.pwrite(self._files["open"], identity.encode("ascii"), 0)

    def own_worker(self, worker: int) -> None:
        """Hold the lock of a new worker.

        Raises:
            JournalRefused: it cannot be made, or is held.
        """
        try:
            fcntl.flock(self._open(f"worker-{worker}"), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            problem = os.strerror(error.errno or 0)
        else:
            return
        raise JournalRefused(f"the lock of a worker in {self._folder} cannot be held ({problem}); nothing is sent")

    def drop_worker(self, worker: int) -> None:
        """Remove the lock of a worker that ended."""
        name = f"worker-{worker}"
        (self._folder / name).unlink(missing_ok=True)
        if name in self._files:
            os.close(self._files.pop(name))

    def is_gone(self, worker: int) -> bool:
        """Tell whether nobody holds the lock of a worker, or it was removed; a new holder never comes."""
        name = f"worker-{worker}"
        if name in self._files:
            return False
        try:
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """Release everything."""
        for name in list(self._files):
            os.close(self._files.pop(name))


@contextmanager
def shared_with_writers(journal: Path) -> Iterator[None]:
    """Keep writers away for a moment, without being one of them; where there are no locks yet nobody writes."""
    try:
        descriptor = os.open(_folder_of(journal) / "write", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        _acquire(descriptor, fcntl.LOCK_SH, _folder_of(journal))
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, how: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return
    # Waiting in the kernel: at two processes 1.9 times as many transactions as with SQLite's polling.
    told = f"waiting for another process, which may be frozen, to release the locks in {folder}"
    telling = threading.Timer(_TELL_AFTER_S, _log.warning, [told])
    telling.daemon = True
    telling.start()
    try:
        fcntl.flock(descriptor, how)
    finally:
        telling.cancel()


def _folder_of(journal: Path) -> Path:
    return journal.with_name(journal.name + "-locks")


_OPEN: "weakref.WeakSet[Locks]" = weakref.WeakSet()


def _close_in_child() -> None:
    # A child shares the open files of its parent, and would keep the locks of a parent that died.
    for locks in list(_OPEN):
        locks.close()


os.register_at_fork(after_in_child=_close_in_child)
