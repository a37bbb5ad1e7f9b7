"""`caxton call` and `caxton auth` against the emulator: results, exit codes, secrets, and one login for all."""

import datetime as dt
import json
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.command import Desk, open_desk

NEW_WALLET = ("call", "create_wallet", "name=Marketing")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command, and search all that was said for secrets at the end."""
    async with open_desk(tmp_path) as opened:
        yield opened
        accounts = opened.emulator.ledger.accounts
        secrets = {*accounts.main.passwords, *accounts.tokens, *accounts.users}
        assert [secret for secret in secrets if any(secret in text for text in opened.said)] == []


async def test_a_result_stands_on_stdout_and_nothing_else(desk: Desk) -> None:
    """With --json the result is exact JSON on stdout."""
    done = await desk.caxton(
        "call", "move_funds", "from_currency=GBP", "to_currency=POT1-GBP", "amount=10.50", "--json"
    )

    balances = [(item["balance"], item["ccy_code"]) for item in json.loads(done.out)]
    assert balances == [("9989.50", "GBP"), ("10.50", "POT1-GBP")]
    assert (done.code, done.err) == (0, "")


async def test_a_call_without_a_result_says_that_it_was_accepted(desk: Desk) -> None:
    """What is for people goes to stderr."""
    done = await desk.caxton("call", "fund_sandbox", "currency=GBP", "amount=5", "user_id=me")

    assert (done.code, done.out, done.err) == (0, "", "accepted\n")


async def test_several_commands_make_one_login(desk: Desk) -> None:
    """The token is kept between commands."""
    for _ in range(3):
        await desk.caxton("call", "list_banks")

    assert desk.emulator.logins == 1
    assert stat.S_IMODE((desk.folder / "state" / "tokens.sqlite").stat().st_mode) == 0o600


async def test_calls_are_made_for_the_account_and_user_that_the_environment_names(desk: Desk) -> None:
    """`CAXTON_IDENTITY_NUMBER` and `CAXTON_USER_TOKEN` become the headers of a call."""
    accounts = desk.emulator.ledger.accounts
    account = accounts.add_sub_account("Child Ltd")
    user = accounts.add_user(account)

    done = await desk.caxton(
        *NEW_WALLET, CAXTON_IDENTITY_NUMBER=account.identity_number, CAXTON_USER_TOKEN=user.api_token
    )

    assert done.code == 0
    headers = desk.emulator.requests[-1].headers
    assert (headers["IdentityNumber"], headers["userapitoken"]) == (account.identity_number, user.api_token)


@pytest.mark.parametrize(
    ("kind", "endpoint", "arguments", "code", "said"),
    [
        pytest.param("failing_envelope", "create_wallet", NEW_WALLET, 1, "create_wallet was refused", id="rejected"),
        pytest.param("reset_after_work", "create_wallet", NEW_WALLET, 4, "may or may not", id="unknown"),
        pytest.param("black_hole", "create_wallet", ("call", "create_walet"), 2, "did you mean", id="usage"),
        pytest.param("failing_envelope", "get_access_token", NEW_WALLET, 3, "login", id="login"),
        pytest.param("unauthorised", "create_wallet", NEW_WALLET, 3, "401", id="not authorised"),
        pytest.param("server_error_before", "list_banks", ("call", "list_banks"), 5, "503", id="may be tried again"),
    ],
)
async def test_exit_codes_tell_what_happened(
    desk: Desk, kind: str, endpoint: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Each kind of failure has its exit code and one sentence on stderr."""
    desk.fault(kind, endpoint=endpoint, times=None)

    done = await desk.caxton(*arguments)

    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err


async def test_an_api_that_is_not_there_is_worth_another_try(desk: Desk) -> None:
    """Where the token is known and no connection can be made, code 5 says that nothing was sent."""
    await desk.caxton("auth", "token")
    desk.fault("refuse")

    done = await desk.caxton(*NEW_WALLET)

    assert done.code == 5
    assert "create_wallet was not sent" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_a_call_that_is_interrupted_in_flight_is_unknown(desk: Desk, number: signal.Signals) -> None:
    """Whoever interrupts a payment is told that it may have been made."""
    held = desk.fault("latency", endpoint="create_wallet", held=True)

    process = await desk.start(*NEW_WALLET)
    await held.hit()
    process.send_signal(number)
    done = await desk.end(process)

    assert done.code == 4
    assert "caxton: interrupted while create_wallet was in flight" in done.err
    assert "Traceback" not in done.err


async def test_an_interrupted_login_sent_nothing(desk: Desk) -> None:
    """Ctrl-C before the call was sent is no unknown outcome."""
    held = desk.fault("latency", endpoint="get_access_token", held=True)

    process = await desk.start(*NEW_WALLET)
    await held.hit()
    process.send_signal(signal.SIGINT)
    done = await desk.end(process)

    assert (done.code, done.err) == (130, "caxton: interrupted\n")
    assert desk.emulator.count("create_wallet") == 0


async def test_an_assumed_path_is_warned_of_in_one_line(desk: Desk) -> None:
    """The warning names what confirms the path."""
    del desk.environment["CAXTON_PATH_LIST_BANKS"]

    done = await desk.caxton("call", "list_banks", "--json")

    assert done.code == 0
    assert done.err.startswith("warning: the path of list_banks")
    assert done.err.count("\n") == 1


async def test_values_come_from_files_and_from_the_environment(desk: Desk) -> None:
    """`@FILE` is read without the line break at its end, `env:VARIABLE` as it is."""
    desk.write("name", ["Grüße"])

    first = await desk.caxton("call", "create_wallet", "name=@name", "--json")
    second = await desk.caxton("call", "create_wallet", "name=env:WALLET", "--json", WALLET="Travel")

    assert [json.loads(done.out)["name"] for done in (first, second)] == ["Grüße", "Travel"]


async def test_a_value_that_is_not_text_is_refused(desk: Desk) -> None:
    """A file of another encoding is named, and what is in it is not told."""
    (desk.folder / "name").write_bytes(b"canary\xff")

    done = await desk.caxton("call", "create_wallet", "name=@name")

    assert done.code == 2
    assert "the file name cannot be read (it is not UTF-8 text)" in done.err
    assert "canary" not in done.err


async def test_a_state_folder_that_cannot_be_made_is_told(desk: Desk) -> None:
    """The variable that names another one stands in the message."""
    desk.write("taken", ["a file"])

    done = await desk.caxton("call", "list_banks", CAXTON_STATE_DIR=str(desk.folder / "taken"))

    assert done.code == 2
    assert "set CAXTON_STATE_DIR to another one" in done.err


# --- secrets ---


async def test_a_secret_result_needs_a_place_to_go_before_the_call_is_made(desk: Desk) -> None:
    """Without --out or --show nothing is sent, for the secret would be lost."""
    done = await desk.caxton("call", "generate_password", "username=emulated", "clientname=cxtnclient")
    refused = await desk.caxton("auth", "password")

    assert (done.code, refused.code) == (2, 2)
    assert "add --out FILE" in done.err
    assert desk.emulator.requests == []


async def test_a_secret_result_goes_to_a_private_file(desk: Desk) -> None:
    """The file holds the secret, stdout a mask."""
    done = await desk.caxton(
        *("call", "generate_password", "username=emulated", "clientname=cxtnclient", "--out", "made", "--json")
    )

    password = json.loads((desk.folder / "made").read_text())["client_password"]
    assert password in desk.emulator.ledger.accounts.main.passwords
    assert stat.S_IMODE((desk.folder / "made").stat().st_mode) == 0o600
    assert json.loads(done.out)["client_password"] == "***"


async def test_a_file_that_exists_is_not_overwritten_and_nothing_is_sent(desk: Desk) -> None:
    """It is opened before the call."""
    desk.write("taken", ["kept"])

    done = await desk.caxton("auth", "password", "--out", "taken")

    assert done.code == 2
    assert "taken exists already: name a new file; nothing was sent" in done.err
    assert desk.emulator.requests == []


async def test_a_secret_is_printed_when_asked_for(desk: Desk) -> None:
    """--show prints it in clear."""
    done = await desk.caxton("auth", "password", "--show", "--json")

    assert json.loads(done.out)["client_password"] in desk.emulator.ledger.accounts.main.passwords
    desk.said.clear()


async def test_a_new_password_logs_in_until_it_is_reset(desk: Desk) -> None:
    """`auth password`, `auth token` and `auth reset` are the life of a credential."""
    made = await desk.caxton("auth", "password", "--out", "new", "--json")
    variables = {"CAXTON_PASSWORD_FILE": str(desk.folder / "new")}
    token = await desk.caxton("auth", "token", "--out", "token", "--json", **variables)
    reset = await desk.caxton("auth", "reset", **variables)
    after = await desk.caxton("auth", "token", **(variables | {"CAXTON_STATE_DIR": str(desk.folder / "other")}))

    assert [done.code for done in (made, token, reset, after)] == [0, 0, 0, 3]
    assert f"export CAXTON_PASSWORD_FILE={desk.folder / 'new'}" in made.err
    assert json.loads(token.out) == {"access_token": "***", "token_type": "bearer", "expires_in": 2_591_999}
    assert "the password and the tokens are void" in reset.err
    assert "refused the login" in after.err


async def test_a_token_that_is_asked_for_by_hand_lifts_a_hold(desk: Desk) -> None:
    """`auth token` logs in at once, whatever other processes have learnt, and they go on after it."""
    desk.fault("login_error", endpoint="get_access_token", variant="slow_down", status=429, retry_after="60")
    held = [await desk.caxton("call", "list_banks") for _ in range(2)]
    token = await desk.caxton("auth", "token")
    after = await desk.caxton("call", "list_banks")

    assert [done.code for done in (*held, token, after)] == [3, 3, 0, 0]
    assert desk.emulator.count("get_access_token") == 2


async def test_the_credentials_of_a_sub_account_are_reset_for_it(desk: Desk) -> None:
    """With `CAXTON_IDENTITY_NUMBER` one's own password stays."""
    account = desk.emulator.ledger.accounts.add_sub_account("Child Ltd")

    done = await desk.caxton("auth", "reset", CAXTON_IDENTITY_NUMBER=account.identity_number)

    assert done.code == 0
    assert desk.emulator.requests[-1].headers["IdentityNumber"] == account.identity_number
    assert desk.emulator.ledger.accounts.main.passwords


async def test_the_token_is_found_at_once_by_the_next_command(desk: Desk) -> None:
    """`auth token` after a call makes no login of its own."""
    await desk.caxton("call", "list_banks")
    done = await desk.caxton("auth", "token")

    assert done.code == 0
    assert desk.emulator.logins == 1


@pytest.mark.parametrize(
    ("days", "said"),
    [
        pytest.param(0, "", id="a month left"),
        pytest.param(24, "in 5 days: make a new one", id="a week left"),
        pytest.param(31, "ended on", id="nothing left"),
    ],
)
async def test_a_password_that_ends_soon_is_warned_of(tmp_path: Path, days: int, said: str) -> None:
    """The end is remembered from when the password was generated; the password itself is not."""
    async with open_desk(tmp_path, clock=lambda: time.time() - days * 86_400) as desk:
        await desk.caxton("auth", "password", "--out", "new")
        done = await desk.caxton("call", "create_walet", CAXTON_PASSWORD_FILE=str(tmp_path / "new"))
        told = await desk.caxton("doctor", CAXTON_PASSWORD_FILE=str(tmp_path / "new"))
        kept = [file.read_bytes() for file in (tmp_path / "state").iterdir()]

    assert "password" not in done.err
    assert ("warning: the password" in told.err) == bool(said)
    assert said in told.err
    secret = (tmp_path / "new").read_bytes()
    assert [content for content in kept if secret in content] == []


async def test_a_password_file_is_read_again_for_each_login(desk: Desk) -> None:
    """A password that was replaced in its file is used by the next command that logs in."""
    password = desk.folder / "password"
    good = password.read_text()
    password.write_text("wrong")
    before = await desk.caxton("auth", "token")
    password.write_text(good)
    after = await desk.caxton("auth", "token")

    assert (before.code, after.code) == (3, 0)


async def test_the_end_of_a_password_is_told_in_the_answer(desk: Desk) -> None:
    """The dates of a generated password are shown."""
    done = await desk.caxton("auth", "password", "--out", "new", "--json")

    end = dt.datetime.fromisoformat(json.loads(done.out)["end_date"])
    assert dt.timedelta(days=29) < end - dt.datetime.now(dt.UTC) < dt.timedelta(days=31)
