"""The testing kit, as a user's own test suite finds it."""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from caxton_async import ApiError, CaxtonClient, Credentials, NotSent, OutcomeUnknown, Settings
from caxton_async.models import Wallet
from caxton_async.testing import aioresponses_shim
from tests.support.command import bare_environment
from tests.support.places import ROOT

ASYNCHRONOUS = """
import os
from decimal import Decimal

import pytest

from caxton_async import OutcomeUnknown
from caxton_async.config import from_env
from caxton_async.emulator import Fault


@pytest.mark.asyncio
async def test_money_moves(caxton_client, caxton_emulator):
    await caxton_client.sandbox.fund(currency="GBP", amount=100, user_id="me")
    await caxton_client.balances.create_pot("GBP", "POT1")

    await caxton_client.balances.move_funds(from_currency="GBP", to_currency="POT1-GBP", amount=Decimal("10"))

    assert caxton_emulator.ledger.accounts.main.balances == {"GBP": Decimal("90"), "POT1-GBP": Decimal("10")}


@pytest.mark.asyncio
async def test_each_test_has_an_emulator_of_its_own(caxton_client, caxton_emulator):
    caxton_emulator.faults.add(Fault("reset_after_work", endpoint="create_wallet"))

    with pytest.raises(OutcomeUnknown):
        await caxton_client.wallets.create("Travel")

    assert caxton_emulator.ledger.move_count == 0
    assert len(caxton_emulator.ledger.wallets) == 1


@pytest.mark.asyncio
async def test_the_environment_is_that_of_the_emulator_in_use(caxton_emulator, caxton_environ):
    assert from_env(os.environ).settings.base_url == caxton_emulator.base_url
"""

# A web service as FastAPI users write it, and a synchronous test of it.
SYNCHRONOUS = """
import os
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from caxton_async import CaxtonClient, OutcomeUnknown
from caxton_async.emulator import Fault


@asynccontextmanager
async def lifespan(app):
    async with CaxtonClient.from_env() as app.state.caxton:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/wallets/{name}")
async def create_wallet(name: str):
    try:
        return {"id": (await app.state.caxton.wallets.create(name)).wallet_id}
    except OutcomeUnknown:
        raise HTTPException(502, "the outcome is unknown") from None


@pytest.fixture
def web(caxton_environ):
    with TestClient(app) as web:
        yield web


def test_a_wallet_is_created(web, caxton_emulator_thread):
    assert web.post("/wallets/Travel").json()["id"] in caxton_emulator_thread.ledger.wallets
    assert "old" not in os.environ.get("CAXTON_USER_TOKEN", "")


def test_a_lost_answer_is_told(web, caxton_emulator_thread):
    caxton_emulator_thread.faults.add(Fault("reset_after_work", endpoint="create_wallet", times=None))
    caxton_emulator_thread.conditions.set("empty_balance")

    assert web.post("/wallets/Lost").status_code == 502


def test_faults_ended_with_their_test(web, caxton_emulator_thread):
    assert web.post("/wallets/Home").status_code == 200
    assert caxton_emulator_thread.conditions.active == {}
    assert len(caxton_emulator_thread.ledger.wallets) == 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project without a conftest, in whose environment this package is installed."""
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = tmp_path / "site" / "caxton_async_under_test-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: caxton-async-under-test\nVersion: 1\n")
    lines = [f"{name} = {value}" for name, value in entry_points["pytest11"].items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    return tmp_path


def run_theirs(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a user's tests in a process of their own, warnings being errors."""
    environment = bare_environment(project) | {"CAXTON_USER_TOKEN": "old"}
    environment["PYTHONPATH"] += f":{project / 'site'}"
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *options]
    command += ["-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:cacheprovider"]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.parametrize("conftest", ["", 'pytest_plugins = ["caxton_async.testing"]\n'], ids=["found", "named"])
def test_the_plugin_gives_an_emulator_and_a_client(project: Path, conftest: str) -> None:
    """The tests of a user run without a line in a conftest, in pytest-asyncio's strict mode; one line does no harm."""
    (project / "conftest.py").write_text(conftest)
    (project / "test_theirs.py").write_text(ASYNCHRONOUS)

    done = run_theirs(project)

    assert "3 passed" in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr


def test_a_synchronous_test_of_a_web_service_passes(project: Path) -> None:
    """Starlette's client blocks its thread while the emulator serves in another."""
    (project / "test_theirs.py").write_text(SYNCHRONOUS)

    done = run_theirs(project)

    assert "3 passed" in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr


def test_the_client_does_without_pytest() -> None:
    """Nothing of the library imports the plugin, or pytest; the plugin imports the library when it is used."""
    client = (
        "import sys, caxton_async.client, caxton_async.batch, caxton_async.emulator; print('pytest' in sys.modules)"
    )
    plugin = "import sys, caxton_async.testing; print('aiohttp' in sys.modules)"

    done = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for program in (client, plugin)
    ]

    assert done == ["False\n", "False\n"]


# --- aioresponses ---

API = "https://caxton.test/api/"
PATHS = {"get_access_token": "token"}
TOKEN = {"access_token": "a-long-enough-token", "token_type": "bearer", "expires_in": 3600}
WALLET = {"Content": {"Model": {"WalletId": 7, "Name": "Travel", "ApiStatusCode": 100, "ApiStatus": "IsValid"}}}


@pytest.fixture
def fake() -> Iterator[aioresponses]:
    """Answers by aioresponses, a login among them."""
    with aioresponses_shim() as fake:
        fake.post(f"{API}token", payload=TOKEN)
        yield fake


def caxton() -> CaxtonClient:
    """Return a client of an API that is nowhere."""
    return CaxtonClient(Credentials("user", "client", "password"), Settings(base_url=API, paths=PATHS))


async def test_a_faked_answer_is_the_result(fake: aioresponses) -> None:
    """A payload is enough: it needs no header of its own."""
    fake.post(f"{API}wallets", payload=WALLET)

    async with caxton() as client:
        wallet = await client.wallets.create("Travel")

    assert wallet == Wallet(7, "Travel")
    (sent,) = fake.requests["POST", URL(f"{API}wallets")]
    assert sent.kwargs["data"] == b'{"Name":"Travel"}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 400, "payload": {"Message": "no"}}, ApiError),
        ({"status": 503, "body": "<html>"}, OutcomeUnknown),
        ({"exception": aiohttp.ServerDisconnectedError()}, OutcomeUnknown),
        ({"exception": aiohttp.ClientConnectionError()}, NotSent),
    ],
    ids=["refused", "outage", "lost", "unreachable"],
)
async def test_a_faked_failure_is_the_error(fake: aioresponses, answer: dict, error: type[Exception]) -> None:
    """Statuses, a lost connection and one that could not be made are what they are on a socket."""
    fake.post(f"{API}wallets", repeat=True, **answer)

    async with caxton().with_options(max_attempts=1) as client:
        with pytest.raises(error):
            await client.wallets.create("Travel")


async def test_a_fake_of_ones_own_works_within_the_shim() -> None:
    """The shim alone changes nothing for calls to a server."""
    with aioresponses_shim(), aioresponses() as own:
        own.post(f"{API}token", payload=TOKEN)
        own.post(f"{API}wallets", callback=lambda url, **_: None, payload=WALLET)

        async with caxton() as client:
            wallet = await client.wallets.create("Travel")

    assert wallet.name == "Travel"


@pytest.mark.parametrize("size", [0, 1, 128 * 1024 + 1, 1_000_000], ids=["empty", "short", "over-limit", "long"])
async def test_a_faked_reply_is_read_whole(fake: aioresponses, size: int) -> None:
    """A body of any size comes out of a faked reply as it went in."""
    fake.get(API, body=b"x" * size)

    async with aiohttp.ClientSession() as session, session.get(API) as reply:
        body = await asyncio.wait_for(reply.read(), timeout=10)

    assert body == b"x" * size
