"""The journal in PostgreSQL: what of a server, a key or a form is refused, and what nobody may read."""

import asyncio
import base64
import os
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from caxton_async.errors import ConfigurationError, JournalFailed, JournalRefused
from caxton_async.journal import RowState
from caxton_async.journal.opening import migrate_journal, open_journal
from caxton_async.journal.postgres import migrations
from caxton_async.journal.postgres.migrations import MIGRATIONS, Migration
from tests.support.database_server import KEY, Databases, write_key
from tests.support.payers import payments, start
from tests.support.payments import Place, outcome, plan, planned_with, row, rows, states_of, take
from tests.support.pooler import pooled

needs_own_server = pytest.mark.skipif("CAXTON_TEST_DSN" in os.environ, reason="changes settings of the server")


@pytest.fixture
def place(databases: Databases) -> Place:
    """Return an empty journal in a database."""
    return databases.place()


def with_key(place: Place, folder: Path, *keys: bytes) -> Place:
    """Return the same journal, opened with other keys."""
    folder.mkdir()
    lines = b"\n".join(base64.b64encode(key) for key in keys)
    return evolve(place, environ={**place.environ, "CAXTON_JOURNAL_KEY_FILE": write_key(folder, lines)})


@contextmanager
def setting(dsn: str, name: str, value: str) -> Iterator[None]:
    """Change a setting of the server for a while."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def change(statement: str, expected: str) -> None:
            connection.execute(statement)
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute(f"SHOW {name}").fetchone() != (expected,):
                time.sleep(0.01)

        before = connection.execute(f"SHOW {name}").fetchone()[0]
        try:
            change(f"ALTER SYSTEM SET {name} = {value}", value)
            yield
        finally:
            change(f"ALTER SYSTEM RESET {name}", before)


def is_refused(place: Place) -> str:
    """Return the one sentence with which a journal is not opened."""
    with pytest.raises(JournalRefused) as caught, place.open():
        pass
    said = str(caught.value)
    assert "\n" not in said
    return said


# --- what is refused ---


@needs_own_server
def test_a_server_without_fsync_is_refused(place: Place) -> None:
    """What it acknowledges, a crash loses."""
    with setting(place.where, "fsync", "off"):
        assert "fsync = off" in is_refused(place)
    with place.open():
        pass


@needs_own_server
def test_replicas_of_which_none_is_synchronous_are_refused(place: Place, databases: Databases, tmp_path: Path) -> None:
    """A failover to one of them loses what was sent; where one is waited for, it does not."""
    program = databases.program("pg_receivewal")
    command = [program, "-D", str(tmp_path), "-d", f"{place.where}&application_name=standby", "--no-loop"]
    replica = subprocess.Popen([*command, "--synchronous"])
    try:
        with psycopg.connect(place.where, autocommit=True) as connection:
            while not connection.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").fetchone():
                time.sleep(0.02)
        assert "synchronous_standby_names" in is_refused(place)
        with setting(place.where, "synchronous_standby_names", "standby"), place.open():
            pass
    finally:
        replica.terminate()
        replica.wait()


@needs_own_server
def test_a_pooler_in_transaction_mode_is_refused(place: Place) -> None:
    """It gives the session that holds a worker's lock to others."""
    parts = urllib.parse.urlsplit(place.where)
    (folder,) = urllib.parse.parse_qs(parts.query)["host"]
    with pooled(f"{folder}/.s.PGSQL.5432", parts.path[1:]) as dsn:
        assert "a pooler in transaction mode" in is_refused(evolve(place, where=dsn))


def test_another_key_is_refused(place: Place, tmp_path: Path) -> None:
    """With a key that the journal never had, nothing is read; without one, nothing is opened."""
    assert "another key" in is_refused(with_key(place, tmp_path / "keys", b"k" * 32))
    with pytest.raises(ConfigurationError, match="CAXTON_JOURNAL_KEY_FILE"):
        open_journal(place.where, environ={})


def test_a_database_without_a_journal_says_how_to_make_one(databases: Databases, place: Place) -> None:
    """Nothing is made by opening; `migrate` makes it, and again changes nothing."""
    empty = evolve(place, where=databases.make())

    assert "caxton journal migrate" in is_refused(empty)
    assert [migrate_journal(empty.where, environ=empty.environ) for _ in range(2)] == [len(MIGRATIONS)] * 2
    with empty.open() as journal:
        assert list(journal.batches()) == []


def test_a_server_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    """The error names the journal, and no secret."""
    dsn = "postgresql://ada:s3cr3t-word@127.0.0.1:1/x?password=s3cr3t-too"
    environ = {"CAXTON_JOURNAL_KEY_FILE": write_key(tmp_path)}
    with pytest.raises(JournalFailed, match=r"postgresql://ada@127\.0\.0\.1:1/x") as caught:
        open_journal(dsn, environ=environ).__enter__()
    assert "s3cr3t" not in str(caught.value)


# --- keys and forms ---


async def test_a_new_key_takes_over_from_an_old_one(place: Place, tmp_path: Path) -> None:
    """What the old key wrote is read and sent; what the new one wrote, a machine without it does not take."""
    old = base64.b64decode(KEY)
    async with place.open() as journal:
        first = await plan(journal, 2)
    rotated = with_key(place, tmp_path / "both", b"n" * 32, old)
    async with rotated.open() as journal, await journal.join() as worker:
        assert [taken.request for taken in await take(worker, first.id, 2)] == [one.request for one in rows(2)]
        second = await plan(journal, [row("new")])
        assert journal.same_requests(rows(1), since=0.0).count == 1  # digests outlive the key

    with with_key(place, tmp_path / "new", b"n" * 32).open() as journal:
        assert journal.row(second.id, "new").request == row("new").request
    async with place.open() as journal, await journal.join() as worker:
        with pytest.raises(JournalRefused, match="not in the key file"):
            await worker.take(second.id)
        with rotated.open() as other:
            assert states_of(other, second.id) == ["planned"]


ADDED = Migration(script="ALTER TABLE rows ADD COLUMN colour text; CREATE TABLE shades (id integer)", oldest=1)


async def test_workers_of_two_versions_run_side_by_side(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer program waits for the migration, which adds; the older one goes on beside it."""
    async with place.open() as journal:
        batch = await plan(journal, 60)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, ADDED))
    assert "older version" in is_refused(place)
    assert migrate_journal(place.where, environ=place.environ) == len(MIGRATIONS) + 1

    older = start(place, batch.id, tmp_path / "ledger", concurrency=2)  # without the patch, in a process of its own
    async with place.open() as journal, await journal.join() as worker:
        newer = await take(worker, batch.id, 10)
        for taken in newer:
            await worker.record(taken, outcome())
        while older.is_alive():
            older.join(0.05)
        assert older.exitcode == 0
        assert len(payments(tmp_path / "ledger")) == 50
        assert RowState.SENDING.value not in states_of(journal, batch.id)


def test_a_form_that_is_too_new_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a step says that older programs cannot work beside it, they do not."""
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, evolve(ADDED, oldest=len(MIGRATIONS) + 1)))
        migrate_journal(place.where, environ=place.environ)

    assert "newer version" in is_refused(place)
    with pytest.raises(JournalRefused, match="newer version"):
        migrate_journal(place.where, environ=place.environ)


# --- what nobody may read ---


async def test_no_secret_stands_in_a_dump(place: Place, databases: Databases) -> None:
    """Requests and answers are encrypted: a dump of the whole database shows none, nor the key."""
    canaries = [b"GB29NWBK60161331926819", b"s3cr3t-answer"]
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, [row("one", b'{"Iban": "%s"}' % canaries[0])])
        (taken,) = await take(worker, batch.id, 1)
        await worker.record(taken, outcome(), canaries[1])
        assert journal.row(batch.id, "one").answer == canaries[1]

    dump = await asyncio.to_thread(subprocess.check_output, [databases.program("pg_dump"), place.where])
    assert b"one" in dump
    for canary in (*canaries, KEY, base64.b64decode(KEY)):
        assert canary not in dump
        assert canary.hex().encode() not in dump


async def test_a_value_that_stands_in_another_place_is_refused(place: Place) -> None:
    """A request that is moved to another row, or changed, is not sent."""
    batch = await planned_with(place, RowState.PLANNED, RowState.PLANNED)
    with psycopg.connect(place.where) as connection:
        connection.execute("UPDATE caxton.rows SET request = (SELECT max(request) FROM caxton.rows)")
    async with place.open() as journal, await journal.join() as worker:
        with pytest.raises(JournalRefused, match="cannot be decrypted"):
            await take(worker, batch, 2)


# --- what dashboards see ---


async def test_views_show_batches_and_workers(place: Place) -> None:
    """`batch_progress` counts states, `workers_now` names who is at work, and the server's own list does too."""
    async with place.open() as journal, await journal.join(name="may") as worker:
        batch = await plan(journal, 3)
        (taken, _) = await take(worker, batch.id, 2)
        await worker.record(taken, outcome())
        with psycopg.connect(place.where) as connection:
            progress = "SELECT name, total, planned, sending, accepted FROM caxton.batch_progress"
            assert connection.execute(progress).fetchall() == [("may", 3, 1, 1, 1)]
            now = "SELECT worker, name, in_flight, application_name FROM caxton.workers_now"
            ((number, name, in_flight, application),) = connection.execute(now).fetchall()
            assert (number, name, in_flight) == (worker.id, "may", 1)
            assert application.startswith("caxton may ")
    with psycopg.connect(place.where) as connection:
        assert connection.execute("SELECT * FROM caxton.workers_now").fetchall() == []
