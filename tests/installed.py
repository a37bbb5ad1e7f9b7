"""What `nox -s installed` runs outside the project: the package in a zip, without metadata, and in forked workers."""

import asyncio
import importlib.metadata
import os
import subprocess
import sys

import pytest

import caxton_async
from caxton_async import CaxtonClient
from caxton_async.emulator import Emulator

FORKED = """
import asyncio, os
from caxton_async import CaxtonClient, Credentials, Settings

given, ids = os.environ, set()
credentials = Credentials(given["CAXTON_USERNAME"], given["CAXTON_CLIENT_NAME"], given["CAXTON_PASSWORD"])
settings = Settings(base_url=given["CAXTON_BASE_URL"], on_event=lambda event: ids.add(event.correlation_id))
client = CaxtonClient(credentials, settings)
worker = os.fork()

async def main():
    async with client:
        await client.banks.for_currency("EUR")

asyncio.run(main())
print(*ids, sep="\\n", flush=True)
if worker and os.waitpid(worker, 0)[1]:
    raise SystemExit("the forked worker failed")
"""


def run(*arguments: str, **environ: str) -> str:
    """Run a Python with these arguments, and return what it prints."""
    environment = {**os.environ, **environ}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    ).stdout


def test_the_package_comes_from_a_zip_without_metadata() -> None:
    """What is tested here is what the session made."""
    assert ".zip" in caxton_async.__file__
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("caxton-async")


async def test_a_call_is_made_without_metadata() -> None:
    """A client works, and says that its version is unknown."""
    async with Emulator() as emulator, CaxtonClient(emulator.credentials, emulator.settings) as caxton:
        await caxton.countries.list()

        assert emulator.requests[-1].headers["User-Agent"] == "caxton-async/unknown"


@pytest.mark.parametrize("arguments", [("--version",), ("endpoints", "--json"), ("demo",)], ids=lambda each: each[0])
def test_the_command_line_runs_from_a_zip(arguments: tuple[str, ...]) -> None:
    """The commands work, those that read files of the package among them."""
    assert run("-m", "caxton_async", *arguments)


async def test_forked_workers_have_ids_of_their_own() -> None:
    """Workers that share a client made before the fork give no two calls one id."""
    async with Emulator() as emulator:
        printed = await asyncio.to_thread(run, "-W", "ignore", "-c", FORKED, **emulator.environ)

        ids = printed.split()
        assert emulator.count("banks_for_currency") == 2
        assert len(ids) == len(set(ids)) >= 2
