"""The token stores that machines share: one login for all, holds for all, and nothing that another can read."""

import asyncio
import base64
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import redis
import time_machine
from attrs import evolve, frozen

from caxton_async import AuthenticationFailed, CaxtonClient, ConfigurationError, LoginRefused, Secret
from caxton_async.auth import stores
from caxton_async.auth.hold import Hold
from caxton_async.auth.token import Token
from caxton_async.emulator import Emulator, Fault
from tests.support.command import bare_environment, environment_for
from tests.support.database_server import write_key
from tests.support.harness import outcomes

TOKEN = Token(Secret("s3cret-token"), "bearer", 3600, time.time())
HOLD = Hold("the login could not be done", time.time() + 60.5, 2)
LOGIN = "get_access_token"
PREAMBLE = """
import asyncio, sys
from caxton_async import CaxtonClient
from caxton_async.auth import stores

def store():
    return getattr(stores, sys.argv[1])(sys.argv[2], sys.argv[3])
"""
# Takes the lock, says so, and keeps it until it is killed.
HOLDER = f"""{PREAMBLE}
async def main():
    async with store().lock("key"):
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
# One cold process: makes a call, for which it needs a token.
CALLER = f"""{PREAMBLE}
async def main():
    sys.stdin.readline()
    async with CaxtonClient.from_env(token_store=store()) as caxton:
        await caxton.banks.list()

asyncio.run(main())
"""


@frozen
class Shared:
    """A store that processes share: its kind, where it is, and the file of its key."""

    kind: str
    where: str
    key_file: str

    def open(self) -> Any:
        """Return the store, as another process would have it."""
        return getattr(stores, self.kind)(self.where, self.key_file)

    def content(self) -> bytes:
        """Return all that the server keeps."""
        if self.kind == "PostgresTokenStore":
            with psycopg.connect(self.where) as connection:
                return repr(connection.execute("SELECT * FROM caxton.tokens").fetchall()).encode()
        with redis.Redis.from_url(self.where) as client:
            return repr([(key, client.get(key)) for key in client.scan_iter()]).encode()

    async def run(self, program: str, folder: Path, **environment: str) -> asyncio.subprocess.Process:
        """Start a program with the place of the store."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, self.kind, self.where, self.key_file),
            env=bare_environment(folder) | environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )


@pytest.fixture(params=["PostgresTokenStore", "RedisTokenStore"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    """Return an empty store."""
    key_file = write_key(tmp_path)
    if request.param == "PostgresTokenStore":
        return Shared(request.param, request.getfixturevalue("databases").make(), key_file)
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return Shared(request.param, url, key_file)


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Run an emulator."""
    async with Emulator() as running:
        yield running


async def test_what_one_store_saves_another_finds_by_its_key_alone(shared: Shared) -> None:
    """Token and hold come back in every part, under no other key, and the last one counts."""
    one, other = shared.open(), shared.open()
    await one.save("key", evolve(TOKEN, token_type="old"))
    await one.save("key", TOKEN)
    for hold in (HOLD, evolve(HOLD, refused="digest")):
        await one.save_hold("key", hold)

        assert await other.load_hold("key") == hold
    assert await other.load("key") == TOKEN
    assert (await other.load("else"), await other.load_hold("else")) == (None, None)
    await other.save_hold("key", None)
    assert await one.load_hold("key") is None


@pytest.mark.long
async def test_sixteen_cold_processes_make_one_login(shared: Shared, emulator: Emulator, tmp_path: Path) -> None:
    """They all need a token at the same time; one of them logs in, and the others read what it stored."""
    variables = environment_for(emulator, tmp_path)
    password = emulator.credentials.password
    assert isinstance(password, Secret)
    processes = [await shared.run(CALLER, tmp_path, **variables, CAXTON_PASSWORD=password.reveal()) for _ in range(16)]
    await asyncio.gather(*(process.communicate(b"\n") for process in processes))

    assert [process.returncode for process in processes] == [0] * 16
    assert emulator.count("list_banks") == 16
    assert emulator.logins == 1
    content = shared.content()
    assert password.reveal().encode() not in content
    assert not [token for token in emulator.ledger.accounts.tokens if token.encode() in content]


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (Fault("server_error_before", endpoint=LOGIN, times=None), {3}),
        (Fault("login_error", endpoint=LOGIN, times=None, variant="invalid_grant"), {1, 2}),
    ],
    ids=["fails", "wrong-password"],
)
async def test_sixteen_clients_keep_to_one_hold(shared: Shared, fault: Fault, attempts: set[int]) -> None:
    """Sixteen that share a store and call for eight seconds make three attempts; with a wrong password one or two."""
    with time_machine.travel(time.time(), tick=True) as clock:
        async with Emulator(faults=[fault]) as emulator:
            opened = [shared.open() for _ in range(16)]
            clients = [CaxtonClient(emulator.credentials, emulator.settings, token_store=each) for each in opened]
            for caxton in clients:
                await caxton.open()
            for _ in range(8):
                errors = await outcomes(caxton.wallets.create("w") for caxton in clients)
                clock.shift(1)
            for caxton in clients:
                await caxton.aclose()

            assert emulator.count(LOGIN) in attempts
            assert {type(error) for error in errors} <= {LoginRefused, AuthenticationFailed}


async def test_a_killed_holder_of_the_lock_blocks_nobody(shared: Shared, tmp_path: Path) -> None:
    """Kill -9 of the process that holds the lock gives it to the next one, sooner than anybody gives up waiting."""
    holder = await shared.run(HOLDER, tmp_path)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"

    async def wait_in_turn() -> None:
        async with shared.open().lock("key"):
            pass

    waiting = asyncio.create_task(wait_in_turn())
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert done == set()
    holder.send_signal(signal.SIGKILL)
    await holder.communicate()

    await asyncio.wait_for(waiting, 30)


async def test_two_of_one_process_wait_for_each_other(shared: Shared) -> None:
    """The lock holds within a process too, also beyond a lease; what is saved under it the next one finds."""
    order: list[Any] = []
    first, second = shared.open(), shared.open()

    async def wait_in_turn() -> None:
        async with second.lock("key"):
            order.append(await second.load("key"))

    async with first.lock("key"):
        waiting = asyncio.create_task(wait_in_turn())
        done, _ = await asyncio.wait({waiting}, timeout=3.5 if shared.kind == "RedisTokenStore" else 0.1)
        assert done == set()
        await first.save("key", TOKEN)
        order.append("first")
    await waiting

    assert order == ["first", TOKEN]


async def test_a_cancelled_waiter_leaves_the_lock_to_others(shared: Shared) -> None:
    """Whether it was waiting or had just got the lock, it gives it back."""

    async def wait_in_turn() -> None:
        async with shared.open().lock("key"):
            pass

    async with shared.open().lock("key"):
        waiting = [asyncio.create_task(wait_in_turn()) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    await asyncio.wait_for(wait_in_turn(), 30)


async def test_another_key_file_reads_nothing(shared: Shared, tmp_path: Path) -> None:
    """A machine with another key is told so, and what it is told holds nothing of the token."""
    await shared.open().save("key", TOKEN)
    (tmp_path / "other").mkdir()
    other = evolve(shared, key_file=write_key(tmp_path / "other", base64.b64encode(b"x" * 32)))

    with pytest.raises(ConfigurationError, match="another key") as caught:
        await other.open().load("key")

    assert "s3cret" not in repr(caught.value)
    assert caught.value.__context__ is None
    assert b"s3cret" not in shared.content()


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("PostgresTokenStore", "postgresql://ada:s3cret@127.0.0.1:1/x"),
        ("RedisTokenStore", "redis://ada:s3cret@127.0.0.1:1/0"),
    ],
)
async def test_a_server_that_is_not_there_stops_no_call(
    kind: str, where: str, emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The call is made with a token of its own, and the log says what is wrong, without the password of the server."""
    store = Shared(kind, where, write_key(tmp_path)).open()

    async with CaxtonClient(emulator.credentials, emulator.settings, token_store=store) as caxton:
        await caxton.banks.list()

    assert emulator.logins == 1
    assert "cannot be used" in caplog.text
    assert "s3cret" not in caplog.text
