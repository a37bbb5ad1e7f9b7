"""Workers on a PostgreSQL server that loses sessions, crashes and is away: nothing twice, lost or unknown."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from attrs import evolve

from caxton_async.encryption import load_keyring
from caxton_async.errors import JournalFailed, JournalRefused, TransitionRefused
from caxton_async.journal import Decision, Recorded, Taken
from caxton_async.journal.postgres import row_claims, statements, worker_session
from caxton_async.journal.postgres.connecting import CLASS, Server
from caxton_async.journal.postgres.pg_transaction import PgTransaction
from caxton_async.journal.postgres.worker_session import WorkerSession
from caxton_async.secret import Secret
from tests.support.database_server import Databases, OwnServer
from tests.support.payers import payments, start, until
from tests.support.payments import Place, outcome, plan, states_of, take
from tests.support.scale import scaled

CUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE %s"
)


@pytest.fixture
def place(databases: Databases) -> Place:
    """Return an empty journal in a database, whose workers have the grace that they have by default."""
    return evolve(databases.place(), grace_s=None)


def cut_sessions(place: Place, name: str = "%") -> None:
    """End the sessions that processes of ours have with the server."""
    with psycopg.connect(place.where, autocommit=True) as connection:
        connection.execute(CUT, (f"caxton {name} %",))


# --- sessions that are cut, servers that crash ---


@pytest.mark.parametrize(
    "cuts", [3, pytest.param(scaled(20, 200), marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
async def test_cut_sessions_leave_nothing_unknown(place: Place, tmp_path: Path, cuts: int) -> None:
    """Workers whose sessions are ended again and again go on: each row is paid once, and every outcome is written."""
    ledger, number = tmp_path / "ledger", 200 * cuts
    async with place.open() as journal:
        batch = (await plan(journal, number)).id
    workers = [start(place, batch, ledger, seed=seed) for seed in range(2)]
    for cut in range(cuts):
        enough = min(number, payments(ledger).total() + 40 + cut % 7)
        await until(lambda: payments(ledger).total() >= enough)  # noqa: B023
        await asyncio.to_thread(cut_sessions, place)
    await all_ended(workers)

    check_paid_once(place, batch, ledger, number)


async def all_ended(workers) -> None:
    """Wait for processes, which are to end by themselves."""
    for worker in workers:
        await asyncio.to_thread(worker.join)
    assert [worker.exitcode for worker in workers] == [0] * len(workers)


def check_paid_once(place: Place, batch: int, ledger: Path, number: int) -> None:
    """Check that each row was paid once, and has its outcome."""
    assert payments(ledger) == dict.fromkeys((f"row-{n}" for n in range(1, number + 1)), 1)
    with place.open() as journal:
        journal.check()
        assert set(states_of(journal, batch)) <= {"accepted", "rejected"}


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """Give a server that a test may crash."""
    server = OwnServer()
    yield server
    server.stop()


@pytest.mark.long
async def test_a_crashed_server_leaves_nothing_unknown(own_server: OwnServer, tmp_path: Path) -> None:
    """A server that is killed under its workers three times comes back, and they write what they had in memory."""
    place = evolve(Databases(own_server.dsn, tmp_path).place(), grace_s=None)
    ledger, number = tmp_path / "ledger", 1500
    async with place.open() as journal:
        batch = (await plan(journal, number)).id
    workers = [start(place, batch, ledger, seed=seed) for seed in range(2)]
    with psycopg.connect(place.where, autocommit=True) as connection:
        await until(lambda: connection.execute("SELECT count(*) FROM caxton.workers_now").fetchone() == (2,))
    for crash in range(3):
        await until(lambda: payments(ledger).total() > 300 * crash + 100)  # noqa: B023
        await asyncio.to_thread(own_server.crash)
    await all_ended(workers)

    check_paid_once(place, batch, ledger, number)


async def test_outcomes_wait_while_the_server_is_away(own_server: OwnServer, tmp_path: Path) -> None:
    """Nothing is taken meanwhile; an outcome is written when the server is back, by the same worker."""
    place = evolve(Databases(own_server.dsn, tmp_path).place(), grace_s=None)
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 3)
        (first,) = await take(worker, batch.id, 1)
        await asyncio.to_thread(own_server.kill)
        recording, taking = (
            asyncio.ensure_future(worker.record(first, outcome())),
            asyncio.ensure_future(worker.take(batch.id)),
        )
        done, _ = await asyncio.wait([recording, taking], timeout=0.5)
        assert not done
        await asyncio.to_thread(own_server.start)

        assert await recording in {Recorded.TAKEN, Recorded.LATE}
        assert (await taking).reference == "row-2"
        assert states_of(journal, batch.id) == ["accepted", "sending", "planned"]


async def test_a_server_that_does_not_come_back_is_told_at_the_end(own_server: OwnServer, tmp_path: Path) -> None:
    """Leaving waits for a while, and then says of how many rows the outcome could not be written."""
    place = Databases(own_server.dsn, tmp_path).place()
    async with place.open(drain_s=0.2) as journal:
        batch = await plan(journal, 3)
        worker = await journal.join()
        (taken,) = await take(worker, batch.id, 1)
        await asyncio.to_thread(own_server.kill)
        recording = asyncio.ensure_future(worker.record(taken, outcome()))
        with pytest.raises(JournalFailed, match="1 rows have no outcome"):
            async with worker:
                pass
        with pytest.raises(JournalFailed):
            await recording


async def test_a_claim_whose_answer_was_lost_is_given_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was claimed by a commit that was cut off on its way back was never sent: it is not unknown, and is taken."""
    commit_once, lost = WorkerSession._commit_once, []

    def lose_one(session, works):
        found = commit_once(session, works)
        if any(isinstance(taken, list) and taken for taken in found) and not lost:
            lost.append(found)
            session._in_flight.clear()
            raise psycopg.OperationalError("the connection was lost after the commit")
        return found

    monkeypatch.setattr(WorkerSession, "_commit_once", lose_one)
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 2)
        taken = await take(worker, batch.id, 3)

        assert lost
        assert [(one.reference, one.attempt) for one in taken] == [("row-1", 2), ("row-2", 1)]
        assert states_of(journal, batch.id) == ["sending"] * 2


# --- who is given up, and when ---


async def test_a_worker_that_others_gave_up_takes_nothing_more(place: Place) -> None:
    """Nothing is claimed for a worker that was ended, and its outcomes still count."""
    async with place.open() as journal:
        batch = await plan(journal, 3)
        worker = await journal.join()
        (first,) = await take(worker, batch.id, 1)
        with psycopg.connect(place.where) as connection:
            connection.execute("UPDATE caxton.workers SET ended_at = 0, ended_how = 'gone'")

        for claim in (worker.take(batch.id), worker.take_again(first)):
            with pytest.raises(JournalRefused, match="given up"):
                await claim
        assert await worker.record(first, outcome()) is Recorded.TAKEN
        assert states_of(journal, batch.id) == ["accepted", "planned", "planned"]


async def test_only_the_session_with_the_lock_claims(place: Place) -> None:
    """Another session of the same worker, such as a pooler may give us, takes nothing."""
    async with place.open() as journal:
        batch = await plan(journal, 1)
        worker = await journal.join()
        session = Server(Secret(place.where)).connect("test")
        tx = PgTransaction(session, keyring(place), worker.id)
        with session, pytest.raises(JournalRefused, match="not this one any more"), session.transaction():
            row_claims.take(tx, batch.id, 0, 1)

        assert states_of(journal, batch.id) == ["planned"]


def keyring(place: Place):
    """Return the keys of a journal."""
    return load_keyring(place.environ["CAXTON_JOURNAL_KEY_FILE"])


@pytest.mark.parametrize("grace_s", [0.0, None], ids=["none", "by default"])
async def test_rows_of_a_lost_session_are_given_up_after_the_grace(place: Place, grace_s: float | None) -> None:
    """While calls may be under way their rows stay `sending`, though their worker is gone."""
    place = evolve(place, grace_s=grace_s)
    async with place.open() as journal, place.open() as other:
        batch = await plan(journal, 2)
        worker = await journal.join()
        (taken,) = await take(worker, batch.id, 1)
        cut_sessions(place, "worker")

        assert other.sweep() == int(grace_s == 0)
        assert states_of(other, batch.id) == ["unknown" if grace_s == 0 else "sending", "planned"]
        assert await worker.record(taken, outcome()) is (Recorded.LATE if grace_s == 0 else Recorded.TAKEN)
        assert states_of(other, batch.id) == ["accepted", "planned"]


async def test_not_paid_waits_until_the_end_of_the_worker_is_certain(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that was given up may be resolved as paid at once, and as not paid when no call can be under way."""
    async with place.open() as journal:
        batch = await plan(journal, 2)
        worker = await journal.join()
        taken = await take(worker, batch.id, 2)
        cut_sessions(place, "worker")
        journal.sweep()
        with psycopg.connect(place.where) as connection:  # the claims are old
            connection.execute("UPDATE caxton.rows SET started_at = started_at - 3600")
        assert journal.sweep() == 2

        with pytest.raises(TransitionRefused, match="not certain until then"):
            journal.resolve(batch.id, [Decision("row-1", False, "by phone")], who="ada")
        journal.resolve(batch.id, [Decision("row-2", True, "on the statement")], who="ada")
        with psycopg.connect(place.where) as connection:
            connection.execute("UPDATE caxton.workers SET ended_at = ended_at - 3600")
        journal.resolve(batch.id, [Decision("row-1", False, "by phone")], who="ada")

        # An answer that comes after all is an alarm.
        assert await worker.record(taken[0], outcome()) is Recorded.LATE
        assert [(one.paid, one.who, one.alarm) for one in journal.decisions(batch.id)][-1] == (True, "the API", True)
        assert "ALARM: 'row-1'" in caplog.text


# --- a claim against a sweep, held at each of its statements ---

HELD = ["before the claim", "before its commit", "after its commit", "after the end of its session"]


@pytest.mark.parametrize("second", HELD)
@pytest.mark.parametrize("first", HELD)
async def test_no_row_stays_in_flight_behind_a_sweep(place: Place, first: str, second: str) -> None:
    """Wherever the two statements of a sweep fall between those of a claim, no row is left to nobody."""
    if HELD.index(second) < HELD.index(first):
        return
    async with place.open() as journal:
        batch = await plan(journal, 2)
    server = Server(Secret(place.where))
    claiming, sweeping = server.connect("claim"), server.connect("sweep")
    try:
        worker = worker_session.join(claiming, keyring(place), "claim", 0.0).worker
        claim, sweep = PgTransaction(claiming, keyring(place), worker), PgTransaction(sweeping, keyring(place))
        for moment in HELD:
            match moment:
                case "before its commit":
                    claiming.execute("BEGIN")
                    assert len(row_claims.take(claim, batch.id, 0, 1)) == 1
                    claim.finish()
                case "after its commit":
                    claiming.execute("COMMIT")
                case "after the end of its session":
                    claiming.close()
                    await until(lambda: not is_locked(sweeping, worker))
            if moment == first:
                sweeping.execute("BEGIN")
                sweep.run(statements.GONE, CLASS)
            if moment == second:
                row_claims.give_up(sweep)
                sweep.finish()
                sweeping.execute("COMMIT")
        with place.open() as journal:
            journal.sweep()
            assert states_of(journal, batch.id) == ["unknown", "planned"]
    finally:
        claiming.close()
        sweeping.close()


def is_locked(connection: psycopg.Connection, worker: int) -> bool:
    """Tell whether the session of a worker has not ended."""
    question = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
    return connection.execute(question, (CLASS, worker)).fetchone() is not None


async def test_an_old_claim_is_known_as_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its life the call of a claim does not begin any more, whatever held it up."""
    monkeypatch.setattr(row_claims, "CLAIM_LIFE_S", -1.0)
    async with place.open() as journal, await journal.join() as worker:
        batch = await plan(journal, 1)
        taken = await worker.take(batch.id)

        assert isinstance(taken, Taken)
        assert taken.expires_at < time.monotonic()
