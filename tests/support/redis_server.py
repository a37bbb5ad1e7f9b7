"""A Redis server for the tests, where the machine has one."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a server on a Unix socket and give its URL; skip the test where there is no program."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on this machine: apt-get install redis-server")
    folder = Path(tempfile.mkdtemp(prefix="caxton-redis-"))
    command = [program, "--port", "0", "--unixsocket", str(folder / "socket"), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"unix://{folder / 'socket'}"
    try:
        with redis.Redis.from_url(url) as client:
            ends_at = time.monotonic() + 20
            while time.monotonic() < ends_at:
                with suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
