"""A pooler in transaction mode, as small as can be: clients share server sessions, each for one transaction."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_SSL, _GSS = 80877103, 80877104  # what a client asks for before it starts
_HELLO = {"server_version": "18.0", "client_encoding": "UTF8", "server_encoding": "UTF8", "TimeZone": "UTC"}


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _read(source: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        more = source.recv(number - len(found))
        if not more:
            raise ConnectionError
        found += more
    return found


def _read_message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _read(source, 5)
    return head[:1], head + _read(source, struct.unpack("!I", head[1:])[0] - 4)


class TransactionPooler:
    """Stands before the server whose Unix socket is at `path`."""

    def __init__(self, path: str, database: str) -> None:
        self._path = path
        self._database = database
        self._free: list[socket.socket] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while struct.unpack("!I", _read(client, struct.unpack("!I", _read(client, 4))[0] - 4)[:4])[0] in (
                _SSL,
                _GSS,
            ):
                client.sendall(b"N")
            facts = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in _HELLO.items()]
            key = _message(b"K", struct.pack("!II", 4_000_000, 1))
            client.sendall(_message(b"R", struct.pack("!I", 0)) + b"".join(facts) + key + _message(b"Z", b"I"))
            while True:
                self._carry_out(client)

    def _carry_out(self, client: socket.socket) -> None:
        """Carry one transaction of a client to a session of the server."""
        kind, message = _read_message(client)
        if kind == b"X":
            raise ConnectionError
        server = self._free.pop() if self._free else self._connect()
        status = b""
        while status != b"I":
            server.sendall(message)
            if kind in b"QS":  # which are answered to their end
                kind_of_answer = b""
                while kind_of_answer != b"Z":
                    kind_of_answer, answer = _read_message(server)
                    client.sendall(answer)
                status = answer[5:6]
            if status != b"I":
                kind, message = _read_message(client)
        self._free.append(server)

    def _connect(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._path)
        self._sockets.append(server)
        facts = f"user\0postgres\0database\0{self._database}\0\0".encode()
        server.sendall(struct.pack("!II", len(facts) + 8, 196608) + facts)
        while _read_message(server)[0] != b"Z":
            pass
        return server


@contextlib.contextmanager
def pooled(path: str, database: str) -> Iterator[str]:
    """Give the DSN of a pooler before a database."""
    pooler = TransactionPooler(path, database)
    try:
        yield f"postgresql://postgres@127.0.0.1:{pooler.port}/{database}?sslmode=disable&gssencmode=disable"
    finally:
        pooler.close()
