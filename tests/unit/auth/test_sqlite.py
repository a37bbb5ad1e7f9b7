"""The token store of one host: one login for many processes, a lock that dies with its holder, and a private file."""

# ruff: noqa: ASYNC240 -- the files of these tests are small
import asyncio
import os
import signal
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from attrs import evolve

from caxton_async import ConfigurationError, Secret
from caxton_async.auth.hold import Hold
from caxton_async.auth.stores.sqlite import SqliteTokenStore
from caxton_async.auth.token import Token
from caxton_async.emulator import Emulator
from tests.support.command import bare_environment, environment_for
from tests.support.harness import client, hold

TOKEN = Token(Secret("tok"), "bearer", 3600, 1_700_000_000.0)
HOLD = Hold("the login could not be done", 1_800_000_000.5, 2)
# Takes the lock, says so, and keeps it until it is killed.
HOLDER = """
import asyncio, sys
from caxton_async.auth.stores.sqlite import SqliteTokenStore

async def main():
    async with SqliteTokenStore(sys.argv[1]).lock("key"):
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
# One cold process: makes a call, for which it needs a token.
CALLER = """
import asyncio, os, sys
from caxton_async import CaxtonClient
from caxton_async.auth.stores.sqlite import SqliteTokenStore

async def main():
    sys.stdin.readline()
    async with CaxtonClient.from_env(token_store=SqliteTokenStore(sys.argv[1])) as caxton:
        await caxton.banks.list()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the store is to be."""
    return tmp_path / "tokens.sqlite"


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Run an emulator."""
    async with Emulator() as running:
        yield running


def token(text: str, issued_at: float = 1_000.0) -> Token:
    """Return a token of an hour."""
    return Token(Secret(text), "bearer", 3600, issued_at)


async def run(program: str, path: Path, **environment: str) -> asyncio.subprocess.Process:
    """Start a program with the path of the store."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(path)),
        env=bare_environment(path.parent) | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def test_a_token_is_found_again_by_its_key_alone(path: Path) -> None:
    """What one store saves another reads, in every part, and under no other key."""
    async with SqliteTokenStore(path).lock("one"):
        await SqliteTokenStore(path.with_name("other")).save("one", token("elsewhere"))
    await SqliteTokenStore(path).save("one", token("canary"))
    store = SqliteTokenStore(path)

    assert await store.load("one") == token("canary")
    assert await store.load("two") is None


async def test_a_new_token_replaces_the_old_one_without_trace(path: Path) -> None:
    """An old token, and one that has expired, are gone from the file itself."""
    store = SqliteTokenStore(path)
    await store.save("one", token("canary-old"))
    await store.save("two", token("canary-expired", issued_at=0.0))

    await store.save("one", token("canary-new", issued_at=10_000.0))

    content = path.read_bytes()
    assert [text for text in (b"canary-old", b"canary-expired") if text in content] == []
    assert b"canary-new" in content


async def test_sixteen_cold_processes_make_one_login(emulator: Emulator, path: Path) -> None:
    """They all need a token at the same time; one of them logs in, and the others read what it stored."""
    variables = environment_for(emulator, path.parent)
    password = emulator.credentials.password
    assert isinstance(password, Secret)
    processes = [await run(CALLER, path, **variables, CAXTON_PASSWORD=password.reveal()) for _ in range(16)]

    codes = await asyncio.gather(*(_let_go(process) for process in processes))

    assert codes == [0] * 16
    assert emulator.count("list_banks") == 16
    assert emulator.logins == 1


async def _let_go(process: asyncio.subprocess.Process) -> int | None:
    await process.communicate(b"\n")
    return process.returncode


async def test_a_killed_holder_of_the_lock_blocks_nobody(path: Path) -> None:
    """Kill -9 of the process that holds the lock gives it to the next one."""
    holder = await run(HOLDER, path)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    store = SqliteTokenStore(path)
    waiting = asyncio.create_task(store.save("key", token("canary")))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert done == set()

    holder.send_signal(signal.SIGKILL)
    await holder.communicate()
    await asyncio.wait_for(waiting, 30)

    assert await store.load("key") == token("canary")


async def test_two_stores_of_one_process_wait_for_each_other(path: Path) -> None:
    """The lock holds within a process too; who waits blocks no event loop."""
    order: list[str] = []
    first, second = SqliteTokenStore(path), SqliteTokenStore(path)

    async def wait_in_turn() -> None:
        async with second.lock("key"):
            order.append("second")

    async with first.lock("key"):
        waiting = asyncio.create_task(wait_in_turn())
        for _ in range(50):
            await asyncio.sleep(0.001)
        order.append("first")
    await waiting

    assert order == ["first", "second"]


async def test_a_cancelled_waiter_leaves_the_lock_to_others(path: Path) -> None:
    """Whether it was waiting or had just got the lock, it gives it back."""
    store = SqliteTokenStore(path)
    async with SqliteTokenStore(path).lock("key"):
        waiting = [asyncio.create_task(store.save("key", token("canary"))) for _ in range(5)]
        await asyncio.sleep(0.005)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    await asyncio.wait_for(store.save("key", token("kept")), 30)

    assert await store.load("key") == token("kept")


async def test_an_error_under_the_lock_stores_nothing(path: Path) -> None:
    """What was saved before a failure is taken back with it."""
    store = SqliteTokenStore(path)

    with pytest.raises(KeyError):
        await _save_and_fail(store)

    assert await store.load("key") is None


async def _save_and_fail(store: SqliteTokenStore) -> None:
    async with store.lock("key"):
        await store.save("key", token("canary"))
        raise KeyError


async def test_the_file_is_its_users_alone(path: Path) -> None:
    """It is made with mode 0600 whatever the umask, and no draft is left beside it."""
    before = os.umask(0)
    try:
        await SqliteTokenStore(path).save("key", token("canary"))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["readable", "link", "dangling", "folder", "garbage", "no folder"])
async def test_a_file_that_cannot_be_trusted_is_refused(path: Path, kind: str) -> None:
    """One that others can read, a link, a folder and a damaged one: each is named, and what to do."""
    target = path.with_name("target")
    match kind:
        case "readable":
            await SqliteTokenStore(path).save("key", token("canary"))
            path.chmod(0o640)
        case "link":
            await SqliteTokenStore(target).save("key", token("canary"))
            path.symlink_to(target)
        case "dangling":
            path.symlink_to(target)
        case "folder":
            path.mkdir()
        case "garbage":
            path.write_bytes(b"canary" * 1000)
            path.chmod(0o600)
        case _:
            path = path / "no" / "folder"

    with pytest.raises(ConfigurationError) as raised:
        await SqliteTokenStore(path).load("key")

    assert str(path) in str(raised.value)
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None
    assert not (kind == "dangling" and target.exists())


async def test_the_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever made it could read what is put into it."""
    await SqliteTokenStore(path).save("key", token("canary"))
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)

    with pytest.raises(ConfigurationError, match="not a plain file of yours"):
        await SqliteTokenStore(path).load("key")


async def test_a_store_that_cannot_be_used_is_warned_of_in_its_own_words(
    emulator: Emulator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells what is wrong with the store, and the call is made with a token of its own."""
    path.write_bytes(b"")
    path.chmod(0o644)

    async with client(emulator, store=SqliteTokenStore(path)) as caxton:
        await caxton.banks.list()

    assert emulator.logins == 1
    assert "can be read by others" in caplog.text


async def test_a_token_belongs_to_its_origin_and_credential(path: Path) -> None:
    """Two emulators share a store and no token, and so do two sub-accounts."""
    async with Emulator(seed=1) as one, Emulator(seed=2) as two:
        for emulator in (one, two, one):
            async with client(emulator, store=SqliteTokenStore(path)) as caxton:
                await caxton.banks.list()

    assert (one.logins, two.logins) == (1, 1)


async def test_a_token_that_the_api_forgot_is_replaced_for_all(emulator: Emulator, path: Path) -> None:
    """A 401 drops the stored token: one login follows, and the next process finds its result."""
    for _ in range(2):
        async with client(emulator, store=SqliteTokenStore(path)) as caxton:
            await caxton.banks.list()
    emulator.ledger.accounts.revoke_tokens()
    for _ in range(2):
        async with client(emulator, store=SqliteTokenStore(path)) as caxton:
            await caxton.banks.list()

    assert emulator.logins == 2


async def test_a_password_is_never_stored(emulator: Emulator, path: Path) -> None:
    """The file holds the token and nothing that could fetch another."""
    password = emulator.credentials.password
    assert isinstance(password, Secret)

    async with client(emulator, store=SqliteTokenStore(path)) as caxton:
        await caxton.banks.list()

    assert password.reveal().encode() not in path.read_bytes()


async def test_closing_a_client_during_its_login_frees_the_lock(emulator: Emulator, path: Path) -> None:
    """The login of a closed client holds nobody up, and no thread is left."""
    held = hold(emulator)
    async with client(emulator, store=SqliteTokenStore(path)) as caxton:
        call = asyncio.create_task(caxton.banks.list())
        await held.hit()
    await asyncio.gather(call, return_exceptions=True)
    held.release()

    async with client(emulator, store=SqliteTokenStore(path)) as caxton:
        await asyncio.wait_for(caxton.banks.list(), 30)
    for thread in threading.enumerate():
        if thread.name.startswith("caxton-tokens"):
            thread.join(10)

    assert emulator.logins == 2
    assert [thread for thread in threading.enumerate() if thread.name.startswith("caxton-tokens")] == []


async def test_a_reader_of_the_file_keeps_back_a_commit_and_does_not_break_it(path: Path) -> None:
    """SQLITE_BUSY at COMMIT is waited out like at BEGIN, and what was saved is there."""
    store = SqliteTokenStore(path)
    await store.save("key", TOKEN)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM tokens").fetchall()

    saving = asyncio.create_task(store.save_hold("key", HOLD))
    await asyncio.wait({saving}, timeout=0.1)
    was_kept_back = not saving.done()
    reader.close()
    await saving

    assert was_kept_back
    assert await store.load_hold("key") == HOLD


async def test_a_hold_is_kept_until_it_is_lifted(path: Path) -> None:
    """Any process finds the hold of a key, with the digest of a refused password, and no hold of another key."""
    for kept in (HOLD, evolve(HOLD, refused="digest")):
        await SqliteTokenStore(path).save_hold("key", kept)
        assert await SqliteTokenStore(path).load_hold("key") == kept
        assert await SqliteTokenStore(path).load_hold("other") is None

    await SqliteTokenStore(path).save_hold("key", None)

    assert await SqliteTokenStore(path).load_hold("key") is None
