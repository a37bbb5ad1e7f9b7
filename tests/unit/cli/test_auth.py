"""`caxton auth`: rotation into a private file, and the passwords of sub-accounts."""

import errno
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caxton_async.cli import main
from caxton_async.emulator import EmulatorThread, Fault
from tests.support.command import own_handlers, set_environment

Out = pytest.CaptureFixture[str]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> Iterator[EmulatorThread]:
    """Serve the API and set the variables that reach it; nothing that was printed may hold a secret."""
    with EmulatorThread() as emulator, own_handlers():
        password = tmp_path / "password"
        set_environment(monkeypatch, tmp_path, emulator.environ)
        password.write_text(os.environ["CAXTON_PASSWORD"])
        monkeypatch.delenv("CAXTON_PASSWORD")
        monkeypatch.setenv("CAXTON_PASSWORD_FILE", str(password))
        yield emulator
        accounts = emulator.ledger.accounts
        told = capsys.readouterr()
        secrets = {*accounts.main.passwords, *accounts.tokens}
        assert [secret for secret in secrets if secret in told.out + told.err] == []


@contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    """Do something beside the command."""
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_a_rotation_leaves_the_new_password_in_a_private_file(served: EmulatorThread, tmp_path: Path) -> None:
    """One reset, one new password, one login more; it is the only password, and the token is shared."""
    main(["call", "list_banks"])

    code = main(["auth", "rotate", "--out", str(tmp_path / "new")])

    assert code == 0
    assert {(tmp_path / "new").read_text()} == set(served.ledger.accounts.main.passwords)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert (served.count("reset_credentials"), served.count("generate_password"), served.logins) == (1, 1, 2)
    assert main(["call", "list_banks"]) == 0
    assert served.logins == 2


def test_a_rotation_is_kept_before_it_is_used(served: EmulatorThread, tmp_path: Path) -> None:
    """When the login with the new password arrives, the password is in the file."""
    held = served.faults.add(Fault("latency", endpoint="get_access_token", after=1, held=True))
    found: list[str] = []

    def look() -> None:
        held.hit()
        found.append((tmp_path / "new").read_text())
        held.release()

    with in_thread(look):
        code = main(["auth", "rotate", "--out", str(tmp_path / "new")])

    assert code == 0
    assert set(found) == set(served.ledger.accounts.main.passwords)


def test_a_refused_reset_changes_nothing_and_leaves_no_file(
    served: EmulatorThread, tmp_path: Path, capsys: Out
) -> None:
    """The old password stays."""
    before = set(served.ledger.accounts.main.passwords)
    served.faults.add(Fault("failing_envelope", endpoint="reset_credentials", times=None))

    code = main(["auth", "rotate", "--out", str(tmp_path / "new")])

    assert code == 1
    assert set(served.ledger.accounts.main.passwords) == before
    assert not (tmp_path / "new").exists()


def test_an_interrupted_rotation_is_finished_first(served: EmulatorThread, tmp_path: Path, capsys: Out) -> None:
    """Ctrl-C between the reset and the new password leaves no client without a password."""
    held = served.faults.add(Fault("latency", endpoint="generate_password", held=True))

    def interrupt() -> None:
        held.hit()
        os.kill(os.getpid(), signal.SIGINT)
        held.release()

    with in_thread(interrupt):
        code = main(["auth", "rotate", "--out", str(tmp_path / "new")])

    assert code == 0
    assert "the rotation is being finished" in capsys.readouterr().err
    assert {(tmp_path / "new").read_text()} == set(served.ledger.accounts.main.passwords)


@pytest.mark.parametrize("command", ["password", "rotate"])
def test_a_full_disk_is_found_before_anything_is_sent(
    served: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, command: str
) -> None:
    """A password that is told once needs its place first."""

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("caxton_async.cli._output.os.write", full)

    code = main(["auth", command, "--out", str(tmp_path / "new")])

    assert code == 2
    assert "(No space left on device); nothing was sent" in capsys.readouterr().err
    assert served.requests == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["password", "rotate"])
def test_the_main_password_is_not_changed_in_an_accounts_view(
    served: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, command: str
) -> None:
    """With `CAXTON_IDENTITY_NUMBER` it would be another's than was meant."""
    monkeypatch.setenv("CAXTON_IDENTITY_NUMBER", "ID-1")

    code = main(["auth", command, "--out", str(tmp_path / "new")])

    assert code == 2
    assert "the password of the main account, but CAXTON_IDENTITY_NUMBER names another" in capsys.readouterr().err
    assert served.requests == []


def test_a_sub_account_gets_a_password_of_its_own(
    served: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reset it, make its password, log in as it: the main account's password stays."""
    account = served.ledger.accounts.add_sub_account("Child Ltd")
    main_passwords = set(served.ledger.accounts.main.passwords)
    monkeypatch.setenv("CAXTON_IDENTITY_NUMBER", str(account.identity_number))
    out = str(tmp_path / "child")

    reset = main(["auth", "reset"])
    made = main(["auth", "password", "--sub-account", account.username, account.name, "--out", out])
    monkeypatch.delenv("CAXTON_IDENTITY_NUMBER")
    for name, value in (("USERNAME", account.username), ("CLIENT_NAME", account.name), ("PASSWORD_FILE", out)):
        monkeypatch.setenv(f"CAXTON_{name}", value)
    logged_in = main(["auth", "token"])

    assert [reset, made, logged_in] == [0, 0, 0]
    assert {Path(out).read_text()} == set(account.passwords)
    assert set(served.ledger.accounts.main.passwords) == main_passwords
