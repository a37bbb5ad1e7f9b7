"""The pytest plugin, as a user's test suite enables it."""

import subprocess
import sys
from pathlib import Path

from tests.support.command import bare_environment

TESTS = """
from decimal import Decimal

import pytest

from caxton_async import OutcomeUnknown
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
"""


def test_the_plugin_gives_an_emulator_and_a_client(tmp_path: Path) -> None:
    """One line in a conftest, and the tests of a user run, in pytest-asyncio's strict mode too."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["caxton_async.testing"]\n')
    (tmp_path / "test_theirs.py").write_text(TESTS)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"],
        cwd=tmp_path,
        env=bare_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "2 passed" in done.stdout
    assert done.returncode == 0


def test_the_client_does_without_pytest() -> None:
    """Nothing of the library imports the plugin, or pytest."""
    program = (
        "import sys, caxton_async.client, caxton_async.batch, caxton_async.emulator; print('pytest' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
