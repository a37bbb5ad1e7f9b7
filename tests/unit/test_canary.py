"""Unique secrets everywhere, and a search for them in all that comes out: text, logs, warnings, errors, files."""

import asyncio
import base64
import datetime as dt
import io
import logging
import pickle
import pydoc
import traceback
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from caxton_async import CaxtonClient, CaxtonError, Credentials, Settings, client, config
from caxton_async.auth.stores import PostgresTokenStore, RedisTokenStore
from caxton_async.auth.stores.sqlite import SqliteTokenStore
from caxton_async.batch import BULK_PAYMENTS, run_batch
from caxton_async.batch.report.export import Records, json_rows, write_csv, write_json, write_spreadsheet
from caxton_async.batch.report.page import render_page
from caxton_async.bulk import BulkPaymentRow
from caxton_async.journal import open_journal, opening
from caxton_async.models import GetAccessToken, NewUser
from tests.faults.bench import Bench
from tests.faults.kinds import KINDS, LOGIN, PASSWORD, PAYLOAD, PAYMENT, UPLOAD, Kind
from tests.faults.scripts import INVALID, PAGE, VALID, envelope
from tests.faults.server import Script, end, reply, reset, silence
from tests.support import canary
from tests.unit.protocol.test_samples import USER


def carried_by(kind: Kind) -> bytes:
    """Return the secrets of a request, as a server might repeat them."""
    secrets = {"login": (canary.PASSWORD,), "password": ()}.get(kind.name, (canary.TOKEN, canary.USER_TOKEN))
    return " and ".join(secrets).encode()


# What a server may do to a call, from nothing at all to answers that hold its secrets where none belong.
TROUBLES: dict[str, Callable[[Kind], Script]] = {
    "none": lambda kind: (reply(kind.ok),),
    "reset": lambda _: (reset,),
    "silence": lambda _: (silence,),
    "cut": lambda kind: (reply(kind.ok[:-9], length=len(kind.ok)), end),
    "invalid": lambda kind: (reply(kind.ok.rstrip()[:-1]),),
    "latin-1": lambda kind: (reply(kind.ok + b"\xff"),),
    "no-envelope": lambda _: (reply(f'{{"Token": "{canary.TOKEN}"}}'.encode()),),
    "status-line": lambda _: (f"HTTP/1.1 {canary.TOKEN}\r\n\r\n".encode(), end),
    "header": lambda kind: (reply(kind.ok, "200 OK", f"Content-Encoding: {canary.TOKEN}"),),
    "page": lambda _: (reply(PAGE.replace(b"later", canary.TOKEN.encode()), media="text/html"),),
    "refused": lambda kind: (reply(envelope(INVALID.replace(b"Not enough", carried_by(kind)))),),
    "wrong-model": lambda _: (reply(envelope(VALID)),),
    "redirect": lambda _: (reply(b"", "307 Temporary Redirect", f"Location: https://api.example/{canary.TOKEN}"),),
    "403": lambda kind: (reply(b'{"Message": "%b"}' % carried_by(kind), "403 Forbidden"),),
    "500": lambda kind: (reply(kind.ok, "500 Internal Server Error"),),
}


async def attempt(kind: Kind, script: Script) -> tuple[list[str], list[BaseException]]:
    """Make a call that meets a trouble, and return every text about it and every error."""
    async with Bench(kind) as bench:
        bench.arm(*script)
        caxton = await bench.open(attempt_timeout_s=0.1, token_timeout_s=0.1, max_attempts=1)
        view = caxton.for_user(canary.USER_TOKEN)
        texts = [repr(caxton), repr(view), repr(caxton.settings)]
        try:
            texts.append(repr(await kind.call(view)))
        except CaxtonError as error:
            return [*texts, *map(repr, bench.events), *traceback.format_exception(error)], [error]
        return [*texts, *map(repr, bench.events)], []


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_nothing_that_comes_out_shows_a_secret(
    trouble: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No result, error, log, warning, event or output of any kind of call holds a secret, debugging switched on."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    said: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for kind in KINDS:
            texts, errors = await attempt(kind, TROUBLES[trouble](kind))
            said += texts
            for error in errors:
                said += [*canary.texts_of(error), repr(pickle.loads(pickle.dumps(error)))]
    out, err = capfd.readouterr()
    logged = [text for record in caplog.records for text in (record.getMessage(), repr(vars(record)))]

    assert canary.found_in(*said) == []
    assert canary.found_in(out, err, *logged, *(str(warning.message) for warning in warned)) == []


def test_what_holds_credentials_shows_none() -> None:
    """Neither text nor pickle nor a dictionary of its attributes gives the password or the proxy's away."""
    credentials = Credentials("user", "client", canary.PASSWORD)
    settings = Settings(proxy=f"http://user:{canary.TOKEN}@127.0.0.1:3128")

    assert canary.found_in(repr(credentials), str(credentials), str(attrs.asdict(credentials)), repr(settings)) == []
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(credentials)


async def test_a_payroll_leaves_no_account_number_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an encrypted journal nor any report holds an account number in clear, though the server quotes it."""
    monkeypatch.setenv("CAXTON_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "j").mkdir()
    caplog.set_level(logging.DEBUG)
    quoting = INVALID.replace(b"Not enough", f"no account {canary.ACCOUNT_NUMBER} or {canary.IBAN}".encode())
    row = BulkPaymentRow(
        recipient_name="Ann", account_number=canary.ACCOUNT_NUMBER, sort_code="200000", iban=canary.IBAN,
        currency="GBP", amount=Decimal("10.10"), client_recipient_reference="pay-1",
    )  # fmt: skip
    monkeypatch.setenv("CAXTON_JOURNAL_KEY_FILE", str(write_key(tmp_path / "key")))
    async with Bench(PAYLOAD) as bench, open_journal(tmp_path / "j" / "journal.sqlite") as journal:
        bench.arm(reply(envelope(quoting)))
        await run_batch(await bench.open(), BULK_PAYMENTS, [("pay-1", row)], journal=journal, name="May")
        written = contents(tmp_path / "j")
        payload = bench.server.requests[-1].body
        records = Records(journal, journal.batch(1))
        files = [_text(write, records()) for write in (write_csv, write_spreadsheet)]
        files.append(_text(lambda rows, file: write_json({}, rows, file), json_rows(records())))
        files.append(render_page(journal, 1, dt.datetime.now(dt.UTC)))
    written += contents(tmp_path / "j")

    assert canary.found_in(payload.decode()) == [canary.ACCOUNT_NUMBER, canary.IBAN]
    assert canary.found_in(*(content.decode("latin-1") for content in written)) == []
    assert canary.found_in(*files, caplog.text, repr(row), *map(repr, bench.events)) == []
    assert all("NoFunds" in text for text in files)


def contents(folder: Path) -> list[bytes]:
    """Return what stands in the files of a folder."""
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


def write_key(path: Path) -> Path:
    """Write a key for the journal."""
    path.write_bytes(base64.b64encode(bytes(32)))
    path.chmod(0o600)
    return path


def _text(write: Callable[..., object], reader: object) -> str:
    file = io.StringIO(newline="")
    write(reader, file)
    return file.getvalue()


async def test_a_token_store_holds_the_token_and_nothing_else(tmp_path: Path) -> None:
    """The shared store has the access token, since that is its use, and neither password nor user's token."""
    path = tmp_path / "tokens"
    async with Bench(PAYMENT) as bench:
        await bench.call(token_store=SqliteTokenStore(path))

    assert canary.found_in(path.read_bytes().decode("latin-1")) == [canary.NEW_TOKEN]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_secrets_do_go_over_the_wire() -> None:
    """The search is worth something: each of these secrets was sent or received by the calls that were searched."""
    carried: list[str] = []
    for kind in (LOGIN, PASSWORD, PAYMENT, UPLOAD, PAYLOAD):
        async with Bench(kind) as bench:
            await bench.call(token_store=None)
        carried += [f"{request.headers} {request.body!r}" for request in bench.server.requests]
        carried.append(kind.ok.decode())

    assert set(canary.found_in(*carried)) == set(canary.CANARIES) - {canary.IV_KEY, canary.TOKEN}


REFUSED: dict[str, Callable[[], object]] = {
    "user": lambda: NewUser(**{**attrs.asdict(USER, recurse=False), "email": 5, "password": canary.PASSWORD}),
    "login": lambda: GetAccessToken("", canary.PASSWORD),
    "proxy": lambda: Settings(proxy=f"http://u:{canary.PASSWORD}@proxy:1", deadline_s=-1),
    "base URL": lambda: Settings(base_url=f"https://u:{canary.PASSWORD}@x/"),
    "Redis": lambda: RedisTokenStore(f"redis://:{canary.PASSWORD}@127.0.0.1:1", "/nowhere"),
    "PostgreSQL": lambda: PostgresTokenStore(f"postgresql://u:{canary.PASSWORD}@127.0.0.1:1/x", "/nowhere"),
    "journal": lambda: open_journal(f"postgresql://u:{canary.PASSWORD}@127.0.0.1:1/x", environ={}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_refuses_an_argument_shows_no_other_that_is_secret(name: str) -> None:
    """The frames of constructors hold no secret either, those that attrs writes included."""
    with pytest.raises(CaxtonError) as refusal:
        REFUSED[name]()

    assert canary.found_in(*canary.texts_of(refusal.value)) == []


async def test_a_key_beside_a_request_is_not_shown() -> None:
    """Nor is what is passed along by a method of a group of calls."""
    closed = CaxtonClient(Credentials("u", "c", canary.PASSWORD))

    with pytest.raises(CaxtonError) as refusal:
        await closed.users.create(USER, iv_key=canary.IV_KEY)

    assert canary.found_in(*canary.texts_of(refusal.value)) == []


def test_the_help_of_a_public_name_shows_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a function reads by default is named in its signature, and not shown."""
    monkeypatch.setenv("CAXTON_PASSWORD", canary.PASSWORD)

    shown = [pydoc.render_doc(module) for module in (client, config, opening)]

    assert [text for text in shown if canary.PASSWORD in text] == []
