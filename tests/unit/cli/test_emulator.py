"""`caxton emulator`: what it tells, how it is stopped, and that it tells no password."""

import asyncio
import json
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from caxton_async.emulator import Emulator
from tests.support.command import Desk, bare_environment

_LIMIT_S = 60


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder and the command; the emulator is the one that the test starts."""
    yield Desk(tmp_path, Emulator(), bare_environment(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_it_serves_until_it_is_stopped(desk: Desk, number: signal.Signals) -> None:
    """Its first line on stdout is what a client has to be told, and a signal ends it with 0."""
    process = await desk.start("emulator", "--json", "--seed", "7")
    assert process.stdout is not None
    variables = json.loads(await asyncio.wait_for(process.stdout.readline(), _LIMIT_S))

    password = await desk.caxton("auth", "password", "--out", "password", **variables)
    called = await desk.caxton(
        *("call", "create_wallet", "name=Travel", "--json"),
        **variables,
        CAXTON_PASSWORD_FILE=str(desk.folder / "password"),
    )
    process.send_signal(number)
    done = await desk.end(process)

    assert [password.code, called.code, done.code] == [0, 0, 0]
    assert json.loads(called.out)["name"] == "Travel"
    assert called.err == ""  # every path is named, so none is warned of
    assert done.err.splitlines()[-1] == "stopped"
    assert (desk.folder / "password").read_text() not in done.out + done.err


async def test_a_shell_can_take_what_it_prints(desk: Desk) -> None:
    """Without --json stdout is lines of `export`, which a shell reads."""
    process = await desk.start("emulator", "--seed", "7")
    assert process.stdout is not None
    lines = [await asyncio.wait_for(process.stdout.readline(), _LIMIT_S) for _ in range(12)]
    process.terminate()
    done = await desk.end(process)
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-c", b"".join(lines).decode() + "env"), stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    )
    told, _ = await shell.communicate()

    assert b"CAXTON_BASE_URL=http://127.0.0.1:" in told
    assert b"CAXTON_PATH_GET_COUNTRY=reference/lookup/countries/{code}" in told
    assert "caxton auth password --out FILE" in done.err
    password = Emulator(seed=7).credentials.password
    assert password is not None
    assert password.reveal() not in b"".join(lines).decode() + done.out + done.err  # type: ignore[union-attr]


async def test_with_a_profile_the_next_terminal_needs_only_its_name(desk: Desk) -> None:
    """The profile holds all that a client has to be told, its password in a private file; stdout stays empty."""
    desk.environment["CAXTON_CONFIG"] = str(desk.folder / "caxton" / "config.toml")
    process = await desk.start("emulator", "--profile", "local")
    await said(process, b"In another terminal: caxton --profile local call list_banks")

    before = await desk.caxton("--profile", "local", "call", "create_wallet", "name=Travel", "--json")
    after = await desk.caxton("auth", "token", "--profile=local")
    other = await desk.caxton("auth", "token", "--profile", "lokal")
    process.terminate()
    done = await desk.end(process)

    assert [before.code, after.code, other.code, done.code] == [0, 0, 2, 0]
    assert (before.err, done.out) == ("", "")
    assert "there is no profile 'lokal'" in other.err
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (desk.folder / "caxton").iterdir()}
    assert modes == {"config.toml": 0o600, "local.password": 0o600}
    password = (desk.folder / "caxton" / "local.password").read_text()
    assert password not in (desk.folder / "caxton" / "config.toml").read_text() + done.err


async def said(process: asyncio.subprocess.Process, text: bytes) -> None:
    """Wait until a command has said something on stderr."""
    assert process.stderr is not None
    while text not in await asyncio.wait_for(process.stderr.readline(), _LIMIT_S):
        pass


async def test_faults_come_from_a_file(desk: Desk) -> None:
    """They are in use from the first request on."""
    desk.write("faults.json", ['[{"kind": "failing_envelope", "endpoint": "generate_password"}]'])
    process = await desk.start("emulator", "--json", "--faults", "faults.json")
    assert process.stdout is not None
    variables = json.loads(await asyncio.wait_for(process.stdout.readline(), _LIMIT_S))

    done = await desk.caxton("auth", "password", "--out", "password", **variables)
    process.terminate()
    await desk.end(process)

    assert done.code == 1
    assert not (desk.folder / "password").exists()


async def test_wrong_faults_are_told_by_entry_and_field(desk: Desk) -> None:
    """Nothing is served with half of them."""
    desk.write("faults.json", ['[{"kind": "garbage"}, {"kind": "garbage", "colour": 1}]'])

    done = await desk.caxton("emulator", "--faults", "faults.json")

    assert (done.code, done.out) == (2, "")
    assert "entry 2: colour is not a parameter" in done.err


async def test_a_port_that_is_taken_is_named(desk: Desk) -> None:
    """The sentence has the port in it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = await desk.caxton("emulator", "--port", str(port))

    assert done.code == 2
    assert f"(port {port})" in done.err


async def test_its_ledger_is_told_to_programs_on_this_machine_without_secrets(tmp_path: Path) -> None:
    """`/_emulator/state` is the ledger in plain words: amounts as text, no password and no token."""
    async with Emulator() as emulator:
        accounts = emulator.ledger.accounts
        emulator.ledger.fund(accounts.main, "GBP", 100)
        emulator.ledger.create_pot(accounts.main, "GBP", "POT1", None)
        emulator.ledger.move(accounts.main, "GBP", "POT1-GBP", "10")
        accounts.log_in("emulated", accounts.main_password)
        url = emulator.base_url.replace("/api/", "/_emulator/state")
        program = f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())"
        reading = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program), stdout=asyncio.subprocess.PIPE, env=bare_environment(tmp_path)
        )
        out, _ = await reading.communicate()
        secrets = {*accounts.main.passwords, *accounts.tokens}

    told = json.loads(out)
    assert told["moves"] == [["emulated", "GBP", "POT1-GBP", "10.00"]]
    assert told["balances"]["emulated"] == {"GBP": "90.00", "POT1-GBP": "10.00"}
    assert (told["logins"], told["move_count"], told["problems"], told["requests"]) == (1, 1, [], {})
    assert [secret for secret in secrets if secret in out.decode()] == []
