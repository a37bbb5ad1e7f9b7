"""A static server of the API's answers, in a process of its own: it costs the client under test no CPU."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from answers import ANSWERS
from bodies import BODIES

ENVELOPE = BODIES["leanest"]
TOKEN = b'{"access_token":"benchmark","token_type":"bearer","expires_in":2591999}'
TOKEN_PATH = b"/token"
SILENT = "silent"  # below the base URL: what is never answered


def _reply(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_REPLIES = {path.encode(): _reply(json.dumps(body, separators=(",", ":")).encode()) for path, body in ANSWERS.items()}
_REPLIES[f"/api/{SILENT}".encode()] = b""
_BY_SEGMENT = {name.encode(): _reply(body) for name, body in BODIES.items()}


class _Static(asyncio.Protocol):
    """Answers each whole request at once; counts the logins it sees."""

    answer = _reply(ENVELOPE)
    token = _reply(TOKEN)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            path = head.split(b" ", 2)[1]
            reply = self.token if TOKEN_PATH in path else _REPLIES.get(path)
            segment = path.split(b"/", 2)[1]
            answer = reply if reply is not None else _BY_SEGMENT.get(segment, self.answer)
            delay = segment.removesuffix(b"ms")
            if delay != segment and delay.isdigit() and int(delay):  # `/20ms/...` is answered after 20 milliseconds
                self.loop.call_later(int(delay) / 1000, self.transport.write, answer)
            else:
                self.transport.write(answer)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Static, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Run the server and give its port; it ends with the block, or with this process."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
