"""The pytest plugin: an emulator for each test, and a client of it.

Enable it with `pytest_plugins = ["caxton_async.testing"]` in the `conftest.py` of your tests; it needs pytest and
pytest-asyncio.  What belongs here: fixtures.  What does not: what the emulator can do (`emulator`).
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from caxton_async.client import CaxtonClient
from caxton_async.emulator import Emulator


@pytest_asyncio.fixture
async def caxton_emulator() -> AsyncIterator[Emulator]:
    """Run an emulated API: `faults` is what goes wrong, and `ledger` what happened."""
    async with Emulator() as emulator:
        yield emulator


@pytest_asyncio.fixture
async def caxton_client(caxton_emulator: Emulator) -> AsyncIterator[CaxtonClient]:
    """Give a client of `caxton_emulator`, open while the test runs."""
    async with CaxtonClient(caxton_emulator.credentials, caxton_emulator.settings) as client:
        yield client
