"""The emulator in a thread serves synchronous code, and can be asked from it."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from decimal import Decimal

import pytest

from caxton_async.emulator import EmulatorThread, Fault
from tests.support.caller import MOVE, TEN_POUNDS


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    """An emulator in a thread, with money in it and a pot."""
    with EmulatorThread(seed=7) as emulator:
        main = emulator.ledger.accounts.main
        emulator.ledger.fund(main, "GBP", 100)
        emulator.ledger.create_pot(main, "GBP", "POTBC", None)
        yield emulator


def move(emulator: EmulatorThread) -> str:
    """Move ten pounds with what the standard library has; return what is answered, or the error's name."""
    accounts = emulator.ledger.accounts
    token = accounts.log_in("emulated", emulator.environ["CAXTON_PASSWORD"])
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token.value}"}
    request = urllib.request.Request(emulator.base_url + MOVE, json.dumps(TEN_POUNDS).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()
    except OSError as error:
        return type(error).__name__


def test_a_synchronous_program_is_served(emulator: EmulatorThread) -> None:
    """What happened can be asked for from the test's own thread."""
    answer = move(emulator)

    assert '"Balance":90.00,"CcyCode":"GBP"' in answer
    assert (emulator.ledger.move_count, emulator.ledger.totals().moved) == (1, {"GBP": Decimal("10.00")})
    assert [request.endpoint for request in emulator.requests] == ["move_funds"]
    assert (emulator.count("move_funds"), emulator.logins, emulator.ledger.check()) == (1, 0, ())
    assert emulator.settings.base_url == emulator.base_url == emulator.environ["CAXTON_BASE_URL"]
    assert emulator.credentials.username == "emulated"


def test_faults_and_conditions_are_set_from_outside(emulator: EmulatorThread) -> None:
    """They hold from the instant in which the call that sets them returns."""
    reset = emulator.faults.add(Fault("reset_after_work"))
    lost = move(emulator)
    emulator.conditions.set("empty_balance")
    refused = move(emulator)
    emulator.conditions.clear()
    reset.applied()
    removed = emulator.faults.add(Fault("html", times=None))
    removed.remove()

    assert (lost, refused) == ("ConnectionResetError", "HTTPError")
    assert (reset.hits, reset.applied_count, emulator.conditions.active) == (1, 1, {})
    assert '"Balance":80.00' in move(emulator)


def test_a_held_call_is_waited_for_and_released(emulator: EmulatorThread) -> None:
    """A test can act while a call of another thread is in flight."""
    held = emulator.faults.add(Fault("latency", held=True))
    answers: list[str] = []
    calling = threading.Thread(target=lambda: answers.append(move(emulator)))
    calling.start()
    held.hit()
    emulator.seen("move_funds")
    before = list(answers)
    held.release()
    calling.join()
    emulator.faults.clear()

    assert before == []
    assert '"Balance":90.00' in answers[0]


def test_what_never_comes_is_an_error(emulator: EmulatorThread) -> None:
    """A wait ends, so that a test cannot hang."""
    with pytest.raises(TimeoutError):
        emulator.seen("create_card", timeout_s=0.01)


def test_a_copy_of_the_books_stays_as_it_was(emulator: EmulatorThread) -> None:
    """A collection that was asked for does not change below the reader."""
    moves = emulator.ledger.moves
    user = emulator.ledger.accounts.add_user()

    move(emulator)

    assert (len(moves), len(emulator.ledger.moves)) == (0, 1)
    assert emulator.ledger.accounts.users == {user.api_token: user}


def test_a_port_in_use_is_an_error(emulator: EmulatorThread) -> None:
    """It is raised in the thread that asks for it, and no thread is left."""
    port = int(emulator.base_url.removesuffix("/api/").rpartition(":")[2])
    before = threading.enumerate()
    with pytest.raises(OSError, match="in use"), EmulatorThread(port=port):
        pytest.fail("two servers on one port")

    assert threading.enumerate() == before
