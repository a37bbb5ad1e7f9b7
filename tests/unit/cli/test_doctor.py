"""`caxton doctor`, step by step, and the look at a server that it takes without the client."""

import asyncio
import datetime as dt
import json
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Unpack

import pytest
import pytest_asyncio
import trustme
from attrs import evolve

from caxton_async import Settings
from caxton_async.cli import main
from caxton_async.cli._probe import Greeting, clock_difference_s, probe_tls, probe_token_path, resolve
from caxton_async.cli.doctor import doctor
from caxton_async.emulator import EmulatorThread, Fault
from caxton_async.emulator.thread import EmulatorOptions
from tests.support.command import Desk, Done, bare_environment, open_desk, own_handlers, set_environment


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command; no money may move, and no secret may be told."""
    async with open_desk(tmp_path) as opened:
        yield opened
        ledger = opened.emulator.ledger
        assert (ledger.move_count, len(ledger.payments), len(ledger.wallets)) == (0, 0, 0)
        secrets = {*ledger.accounts.main.passwords, *ledger.accounts.tokens}
        assert [secret for secret in secrets if any(secret in text for text in opened.said)] == []


def steps(done: Done) -> list[tuple[str, str]]:
    """Return each step and its status."""
    return [(step["step"], step["status"]) for step in json.loads(done.out)]


def text_of(done: Done, step: str) -> str:
    """Return what the last finding of a step says."""
    found: str = [each["text"] for each in json.loads(done.out) if each["step"] == step][-1]
    return found


async def test_a_healthy_way_to_the_api_is_confirmed_step_by_step(desk: Desk) -> None:
    """Every step is told, in its order, and the exit code is 0."""
    done = await desk.caxton("doctor", "--json")

    assert steps(done) == [
        *[(step, "ok") for step in ("settings", "settings", "password", "DNS", "TLS", "clock", "token path", "login")],
        *[
            (f"call {name}", "ok")
            for name in (
                *("list_banks", "banks_for_currency", "list_countries"),
                *("get_country", "get_bank_requirements", "get_card_rate"),
            )
        ],
    ]
    assert done.code == 0
    assert desk.emulator.logins == 1


async def test_for_a_person_the_findings_are_a_table(desk: Desk) -> None:
    """A second look finds the token of the first, and says so."""
    await desk.caxton("doctor")
    done = await desk.caxton("doctor")

    assert "a token from an earlier login works still" in done.out
    assert (done.code, desk.emulator.logins) == (0, 1)


async def test_missing_settings_are_named_and_nothing_else_is_tried(tmp_path: Path, desk: Desk) -> None:
    """Without settings there is nowhere to look."""
    desk.environment = bare_environment(tmp_path)

    done = await desk.caxton("doctor", "--json")

    assert steps(done) == [("settings", "ok"), ("settings", "failed")]
    assert "CAXTON_USERNAME" in text_of(done, "settings")
    assert done.code == 2


async def test_a_missing_password_is_told_before_the_login_fails_for_it(desk: Desk) -> None:
    """The finding names the variables that give one."""
    del desk.environment["CAXTON_PASSWORD_FILE"]

    done = await desk.caxton("doctor", "--json")

    assert "CAXTON_PASSWORD_FILE" in text_of(done, "password")
    assert ("login", "failed") in steps(done)
    assert done.code == 2


async def test_the_token_path_is_found_without_spending_a_password(desk: Desk) -> None:
    """With no path named, each likely one is asked with a grant type that cannot succeed."""
    del desk.environment["CAXTON_PATH_GET_ACCESS_TOKEN"]
    del desk.environment["CAXTON_PASSWORD_FILE"]

    done = await desk.caxton("doctor", "--json")

    assert "export CAXTON_PATH_GET_ACCESS_TOKEN=token" in text_of(done, "token path")
    asked = [request for request in desk.emulator.requests if request.method == "POST"]
    assert [request.path for request in asked] == ["/api/token", "/token", "/api/clients/auth/token"]
    assert {request.body for request in asked} == {b"Grant_Type=caxton_doctor"}


async def test_where_no_path_answers_like_a_token_call_each_answer_is_told(desk: Desk) -> None:
    """The login is tried at the assumed path all the same."""
    del desk.environment["CAXTON_PATH_GET_ACCESS_TOKEN"]
    desk.fault("html", endpoint="get_access_token", times=None)

    done = await desk.caxton("doctor", "--json")

    assert "token: HTTP 200; /token: HTTP 404; clients/auth/token: HTTP 404" in text_of(done, "token path")
    assert done.code == 3


async def test_a_refused_login_ends_the_examination(desk: Desk) -> None:
    """No call is tried after it."""
    (desk.folder / "password").write_text("wrong")

    done = await desk.caxton("doctor", "--json")

    assert steps(done)[-1] == ("login", "failed")
    assert done.code == 3
    assert "has to be put right" in done.err


async def test_what_differs_from_the_documentation_is_told(desk: Desk) -> None:
    """A member that no example shows is named; an assumed path that is not there is a note, a documented one fails."""
    body = b'{"Content": {"Model": {"BankDetails": [{"Currency": "GBP", "Shoe": 1}]}}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    desk.fault("mangled", endpoint="banks_for_currency", raw=head + body, times=None)
    desk.fault("html", endpoint="get_country", status=404, times=None)
    desk.fault("html", endpoint="get_card_rate", times=None)

    done = await desk.caxton("doctor", "--json")

    assert "not documented: Shoe" in text_of(done, "call banks_for_currency")
    assert "its path is only assumed" in text_of(done, "call get_country")
    found = dict(steps(done))
    names = ("banks_for_currency", "get_country", "get_card_rate")
    assert [found[f"call {name}"] for name in names] == ["note", "note", "failed"]
    assert done.code == 5


async def test_a_server_that_is_not_there_ends_the_examination(desk: Desk) -> None:
    """The step and the origin are named."""
    done = await desk.caxton("doctor", "--json", CAXTON_BASE_URL="http://127.0.0.1:1/api/")

    assert steps(done)[-1] == ("TLS", "failed")
    assert "http://127.0.0.1:1 cannot be reached" in text_of(done, "TLS")
    assert done.code == 5


# --- what the guide leaves open, in every dress ---


@contextmanager
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Unpack[EmulatorOptions]
) -> Iterator[EmulatorThread]:
    """Serve the API in one reading of the guide; its paths are left for the doctor to find."""
    with EmulatorThread(**options) as emulator, own_handlers():
        known = {name: value for name, value in emulator.environ.items() if not name.startswith("CAXTON_PATH_")}
        set_environment(monkeypatch, tmp_path, known)
        yield emulator


def examine(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit code of the doctor, and the last finding of each step."""
    code = main(["doctor", "--json"])
    return code, {each["step"]: each for each in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("path", ["token", "/token", "clients/auth/token"])
def test_the_token_call_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    """It is used for the login, and told as a fact."""
    with served(tmp_path, monkeypatch, paths={"get_access_token": path}):
        code, found = examine(capsys)

    assert code == 0
    assert found["token path"]["fact"] == f"the token call is POST {path}"
    assert found["login"]["fact"] == "a token is granted for 2591999 s"


@pytest.mark.parametrize(
    ("change", "step", "status", "said", "code"),
    [
        pytest.param(lambda bank, patch: None, "password", "ok", "when it ends is known only where", 0, id="given"),
        pytest.param(
            lambda bank, patch: patch.delenv("CAXTON_PASSWORD"),
            "password",
            "note",
            "caxton auth password",
            2,
            id="none",
        ),
        pytest.param(
            lambda bank, patch: bank.ledger.accounts.reset(bank.ledger.accounts.main),
            *("login", "failed", "the one after a reset", 3),
            id="reset",
        ),
        pytest.param(
            lambda bank, patch: (patch.delenv("CAXTON_PASSWORD"), patch.setenv("CAXTON_PASSWORD_FILE", os.devnull)),
            *("password", "failed", "it is empty", 2),
            id="empty file",
        ),
    ],
)
def test_each_state_of_the_password_is_told_with_its_remedy(  # noqa: PLR0917 -- the cells of the table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change,
    step,
    status,
    said,
    code,
) -> None:
    """Given, missing, refused or unreadable."""
    with served(tmp_path, monkeypatch) as bank:
        change(bank, monkeypatch)
        ended, found = examine(capsys)

    assert (ended, found[step]["status"]) == (code, status)
    assert said in found[step]["text"]


def test_the_end_of_a_password_that_was_made_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`caxton auth password` remembers it."""
    with served(tmp_path, monkeypatch):
        main(["auth", "password", "--out", str(tmp_path / "new")])
        capsys.readouterr()
        _, found = examine(capsys)

    assert re.search(r"ends on \d{4}-\d\d-\d\d, in (29|30) days: caxton auth rotate", found["password"]["text"])


TOLD = {"UserId": "user-1", "ApiStatusCode": 100, "ApiStatus": "IsValid", "TokenStartDate": "2026-01-01T00:00:00"}


@pytest.mark.parametrize(
    ("life_s", "end", "status", "said"),
    [
        pytest.param(86_400, None, "ok", "when it ends is told only by calls such as create_wallet", id="not told"),
        pytest.param(0, None, "failed", "the user token that the API refuses", id="ended"),
        pytest.param(86_400, "2099-01-01T00:00:00", "ok", "it ends on 2099-01-01, in", id="told"),
        pytest.param(86_400, "2026-01-31T00:00:00", "note", "it ended on 2026-01-31", id="told as ended"),
    ],
)
def test_the_end_of_a_users_token_is_told(  # noqa: PLR0917 -- the cells of the table
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], life_s, end, status, said
) -> None:
    """A call for the user shows whether it works, and how long such tokens are good if the answer tells."""
    with served(tmp_path, monkeypatch, user_token_life_s=life_s) as bank:
        account = bank.ledger.accounts.add_sub_account("Child Ltd")
        monkeypatch.setenv("CAXTON_IDENTITY_NUMBER", str(account.identity_number))
        monkeypatch.setenv("CAXTON_USER_TOKEN", bank.ledger.accounts.add_user(account).api_token)
        if end is not None:
            content = {"Model": {"BankDetails": []}}
            body = json.dumps({"Content": content, "AuthorisedUserModel": TOLD | {"TokenEndDate": end}}).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            bank.faults.add(Fault("mangled", endpoint="banks_for_currency", raw=head + body, times=None))
        _, found = examine(capsys)

    assert (found["account"]["status"], found["user token"]["status"]) == ("ok", status)
    assert said in found["user token"]["text"]
    assert (found["user token"]["fact"] or "").startswith("a user token lasts" if end else "")


@pytest.mark.parametrize("name", ["IDENTITY_NUMBER", "USER_TOKEN"])
def test_an_account_or_user_that_is_not_known_fails_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The client's own calls are found right before."""
    with served(tmp_path, monkeypatch):
        monkeypatch.setenv(f"CAXTON_{name}", "nobody")
        code, found = examine(capsys)

    step = {"IDENTITY_NUMBER": "account", "USER_TOKEN": "user token"}[name]
    assert (found[step]["status"], found["call banks_for_currency"]["status"]) == ("failed", "ok")
    assert code in {1, 3}


def test_what_was_assumed_and_is_now_known_can_be_sent_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person is given the list, which holds no secret."""
    with served(tmp_path, monkeypatch) as bank:
        main(["doctor"])
        secrets = {*bank.ledger.accounts.main.passwords, *bank.ledger.accounts.tokens}

    told = capsys.readouterr()
    facts = told.err.partition("please tell this project")[2]
    assert "  the token call is POST token\n" in facts
    assert "  GET reference/lookup/countries/{code} is right\n" in facts
    assert [secret for secret in secrets if secret in told.out + told.err] == []


# --- the probes ---


@asynccontextmanager
async def answering(answer: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[Settings]:
    """Serve one answer to everything, and give settings that reach it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", asked)
        await reader.readexactly(int(length[1]) if length else 0)  # else the connection would end with a reset
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context, family=2)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield Settings(base_url=f"{'https' if context else 'http'}://localhost:{port}/api/")


def head(*lines: str) -> bytes:
    """Return an answer of these header lines."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Length: 0", *lines, "", ""]).encode()


def test_a_host_without_an_address_ends_the_examination(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name that does not resolve stands in the finding."""
    for name, value in (("USERNAME", "u"), ("CLIENT_NAME", "c"), ("BASE_URL", "https://nowhere.invalid/api/")):
        monkeypatch.setenv(f"CAXTON_{name}", value)

    code = doctor(json=True)

    last = json.loads(capsys.readouterr().out)[-1]
    assert (last["step"], last["status"], code) == ("DNS", "failed", 5)
    assert "nowhere.invalid has no address" in last["text"]


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        pytest.param("Date: Thu, 01 Jan 2026 00:00:00 GMT", lambda seconds: seconds > 86_400, id="ahead"),
        pytest.param("Date: Thu, 01 Jan 2099 00:00:00", lambda seconds: seconds < -86_400, id="behind"),
        pytest.param("Date: soon", lambda seconds: seconds is None, id="unreadable"),
        pytest.param("Server: x", lambda seconds: seconds is None, id="not told"),
    ],
)
async def test_the_clock_is_compared_with_the_servers(line: str, is_right: Callable[[float | None], bool]) -> None:
    """The difference is above zero where this machine is ahead."""
    async with answering(head(line)) as settings:
        found = await probe_tls(settings)

    assert isinstance(found, Greeting)
    assert is_right(found.clock_difference_s)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("Date: Thu, 01 Jan 2026 00:00:00 GMT", "ahead of the server: set its clock", id="ahead"),
        pytest.param("Server: x", "does not tell its time", id="not told"),
    ],
)
async def test_a_clock_that_is_wrong_is_a_note(desk: Desk, line: str, said: str) -> None:
    """The examination goes on to the login, which here fails."""
    async with answering(head(line)) as settings:
        done = await desk.caxton("doctor", "--json", CAXTON_BASE_URL=str(settings.base_url))

    assert said in text_of(done, "clock")
    assert ("clock", "note") in steps(done)
    assert done.code == 3


@pytest.mark.parametrize(
    ("asked", "told", "answered", "difference_s"),
    [
        pytest.param(0, 0, 1, 0, id="at once"),
        pytest.param(0, 0, 300, 0, id="the answer was late"),
        pytest.param(0, 300, 300, 0, id="the request was late"),
        pytest.param(90, 0, 95, 90, id="ahead"),
        pytest.param(0, 90, 5, -85, id="behind"),
    ],
)
def test_a_slow_answer_is_no_difference_of_clocks(asked: int, told: int, answered: int, difference_s: int) -> None:
    """A date between asking and hearing is right, however long that took: a busy machine has no wrong clock."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    at = [start + dt.timedelta(seconds=seconds) for seconds in (asked, told, answered)]

    assert clock_difference_s(format_datetime(at[1], usegmt=True), at[0], at[2]) == difference_s


async def test_a_proxy_that_refuses_is_named_by_its_answer() -> None:
    """The server is looked at through the proxy, as the client reaches it."""
    async with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        settings = Settings(base_url="https://caxton.invalid/api/", proxy=proxy.origin)

        addresses, found = await resolve(settings), await probe_tls(settings)

    assert addresses == ["127.0.0.1"]
    assert found == "https://caxton.invalid:443 cannot be reached (the proxy answered 407)"


async def test_a_certificate_that_is_not_trusted_is_told() -> None:
    """As with a proxy that looks into the traffic."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    async with answering(head(), context) as settings:
        found = await probe_tls(settings)

    assert isinstance(found, str)
    assert "the certificate is not trusted" in found


async def test_a_trusted_certificate_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Version of TLS, and until when it is valid."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async with answering(head(), context) as settings:
        found = await probe_tls(settings)

    assert isinstance(found, Greeting)
    assert found.tls.startswith("TLSv1.3, the certificate is trusted until ")


@pytest.mark.parametrize(
    ("answer", "is_token_call"),
    [
        pytest.param(b'HTTP/1.1 400 Bad\r\n\r\n{"error": "unsupported_grant_type"}', True, id="token call"),
        pytest.param(b'HTTP/1.1 400 Bad\r\n\r\n{"Message": "no"}', False, id="another call"),
        pytest.param(b"HTTP/1.1 400 Bad\r\n\r\n<html>", False, id="a page"),
        pytest.param(b'HTTP/1.1 404 No\r\n\r\n{"error": "nothing here"}', False, id="nothing"),
        pytest.param(b"rubbish", False, id="not HTTP"),
    ],
)
async def test_a_token_call_is_known_by_its_error(answer: bytes, is_token_call: bool) -> None:
    """Its refusal names an error, as RFC 6749 has it; nothing else counts."""
    async with answering(answer) as settings:
        found = await probe_token_path(evolve(settings), "token")

    assert found.is_token_call is is_token_call
