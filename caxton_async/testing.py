"""The pytest plugin, found by its entry point: emulators, a client, their environment, and help with aioresponses.

Importing this module imports neither the client nor the emulator, since pytest does so in every project.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

if TYPE_CHECKING:
    from aioresponses import aioresponses

    from caxton_async.client import CaxtonClient
    from caxton_async.emulator import Emulator, EmulatorThread

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # anyio's plugin runs fixtures that are made with pytest's own decorator
    async_fixture = pytest.fixture  # type: ignore[assignment]  # they are used alike here

__all__ = ["aioresponses_shim", "caxton_client", "caxton_emulator", "caxton_emulator_thread", "caxton_environ"]


@async_fixture
async def caxton_emulator() -> AsyncIterator[Emulator]:
    """Run an emulated API for one test: `faults` and `conditions` are what goes wrong, `ledger` what happened."""
    from caxton_async.emulator import Emulator  # noqa: PLC0415 - see the module's docstring

    async with Emulator() as emulator:
        yield emulator


@async_fixture
async def caxton_client(caxton_emulator: Emulator) -> AsyncIterator[CaxtonClient]:
    """Give a client of `caxton_emulator`, open while the test runs."""
    from caxton_async.client import CaxtonClient  # noqa: PLC0415 - see the module's docstring

    async with CaxtonClient(caxton_emulator.credentials, caxton_emulator.settings) as client:
        yield client


@pytest.fixture(scope="session")
def caxton_emulator_thread() -> Iterator[EmulatorThread]:
    """Run one emulated API in a thread for all synchronous tests.

    Ledger and requests go on from test to test; faults and conditions end with the test that set them.
    """
    from caxton_async.emulator import EmulatorThread  # noqa: PLC0415 - see the module's docstring

    with EmulatorThread() as emulator:
        yield emulator


@pytest.fixture
def caxton_environ(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Set the `CAXTON_...` variables that reach an emulator, and no others, for one test; return them.

    It is `caxton_emulator` where the test uses that, else `caxton_emulator_thread`.
    """
    name = "caxton_emulator" if "caxton_emulator" in request.fixturenames else "caxton_emulator_thread"
    variables = {**request.getfixturevalue(name).environ, "CAXTON_STATE_DIR": str(tmp_path / "caxton")}
    for known in [known for known in os.environ if known.startswith("CAXTON_")]:
        monkeypatch.delenv(known)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return variables


@pytest.hookimpl(tryfirst=True)  # while the emulator still runs, and before what holds a client waits for its calls
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """End the faults and conditions of a test that used the session's emulator."""
    thread = getattr(item, "funcargs", {}).get("caxton_emulator_thread")
    if thread is not None:
        thread.faults.clear()
        thread.conditions.clear()


@contextmanager
def aioresponses_shim() -> Iterator[aioresponses]:
    """Let aioresponses (0.7.9) answer the calls of clients that are opened within.

    Within `with aioresponses_shim() as fake:`, `fake.post(url, payload=...)` adds an answer.  From the first one on,
    calls that `fake` does not know are refused.  An `aioresponses()` of your own works inside the shim too.
    A faked reply that names no length gets the one of its body, since a reply without one may have been cut off.

    **Raises** ModuleNotFoundError when aioresponses is not installed.
    """
    core: Any = importlib.import_module("aioresponses.core")
    with ExitStack() as stack:
        for patch in _patches(core):
            stack.enter_context(patch)

        class Fake(core.aioresponses):  # type: ignore[misc]  # it is imported when it is needed
            """Starts with the first answer that it is given."""

            is_started = False

            def add(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - theirs
                if not self.is_started:
                    self.is_started = True
                    self.start()
                    stack.callback(self.stop)
                super().add(*args, **options)

        yield Fake()


def _patches(core: Any) -> Iterator[AbstractContextManager[object]]:  # noqa: ANN401 - theirs
    """Give what changes aioresponses, and the client, while the shim is in use."""
    from caxton_async.transport import Transport  # noqa: PLC0415 - see the module's docstring

    compat: Any = importlib.import_module("aioresponses.compat")
    new_response, build = core.ClientResponse, core.RequestMatch._build_response
    answer = core.aioresponses._request_mock

    async def request_mock(fake: object, *args: object, **options: Any) -> object:  # noqa: ANN401 - theirs
        if hasattr(options.get("data"), "as_bytes"):  # what a test compares is the body itself
            options["data"] = await options["data"].as_bytes()
        return await answer(fake, *args, **options)

    def build_response(match: object, *args: object, **options: Any) -> object:  # noqa: ANN401 - theirs
        return build(match, *args, **{**options, "headers": _with_length(core, options)})

    def client_response(*args: object, **options: object) -> object:
        # Since aiohttp 3.14 a response has the writer of its request, which has counted the bytes written.
        return new_response(*args, stream_writer=SimpleNamespace(output_size=0), **options)

    def stream_reader(loop: object) -> object:
        # A body over twice the limit would pause a connection that a faked response does not have.
        return compat.StreamReader(compat.ResponseHandler(loop=loop), limit=2**40, loop=loop)

    yield mock.patch.object(Transport, "through_session", new=True)  # what aioresponses takes the place of
    yield mock.patch.object(core.aioresponses, "_request_mock", request_mock)
    yield mock.patch.object(core.RequestMatch, "_build_response", build_response)
    yield mock.patch.object(core, "ClientResponse", client_response)
    yield mock.patch.object(core, "stream_reader_factory", stream_reader)


def _with_length(core: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401 - theirs
    """Return the headers of a faked reply, with the length of its body if they name none."""
    headers = core.CIMultiDict(options.get("headers") or {})
    body = options.get("body", "") if options.get("payload") is None else json.dumps(options["payload"])
    if "Transfer-Encoding" not in headers:
        headers.setdefault("Content-Length", str(len(body if isinstance(body, bytes) else body.encode())))
    return headers
