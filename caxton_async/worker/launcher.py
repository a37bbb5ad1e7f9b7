"""Procrastinate as the launcher: a batch invites workers in the commit that plans it, and each comes when it is free.

Its jobs are invitations and hold no row: a worker that was killed leaves nothing behind but rows in the journal, and
the next one that looks there invites again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import anyio
from procrastinate import App, PsycopgConnector, exceptions

from caxton_async.errors import JournalFailed
from caxton_async.journal.postgres.journal_server import PostgresJournal
from caxton_async.journal.protocol import Journal

_log: Final = logging.getLogger("caxton_async")
_SCHEMA: Final = "caxton_jobs"  # of the tables of Procrastinate, beside those of the journal
_QUEUE: Final = "caxton"
_TASK: Final = "caxton.work_on"
_LOOK_S: Final = 2.0  # between two looks for batches that nobody was invited to
_PATIENCE_S: Final = 5.0  # with a server that is away, before all begins anew
_DEFER: Final = (
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(%s, %s, 0, NULL, %s, jsonb_build_object('batch', %s::integer), NULL)"
    "::procrastinate_job_to_defer_v1])"
)
WorkOn = Callable[[int], Awaitable[object]]


def make_app(dsn: str) -> App:
    """Return the application of Procrastinate whose jobs are in the database of a journal."""
    options = {"options": f"-c search_path={_SCHEMA}"}
    return App(connector=PsycopgConnector(conninfo=dsn, kwargs=options, timeout=_PATIENCE_S))


async def migrate_jobs(dsn: str) -> None:
    """Make the tables of Procrastinate, where there are none."""
    app = make_app(dsn)
    async with app.open_async():
        connector = app.connector
        await connector.execute_query_async(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        found = await connector.execute_query_one_async("SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS there")
        if not found["there"]:
            await app.schema_manager.apply_schema_async()


def attach(journal: Journal) -> None:
    """Let the batches that are planned in a journal invite workers."""
    if isinstance(journal, PostgresJournal):
        journal.invite = invite


def invite(connection: Any, batch: int) -> None:  # noqa: ANN401 -- a connection of psycopg, which has its own room
    """Invite a worker to a batch, in the transaction that is open; without the tables of Procrastinate, nobody."""
    there = connection.execute(f"SELECT to_regclass('{_SCHEMA}.procrastinate_jobs')").fetchone()
    if there == (None,):
        return
    connection.execute(f"SET LOCAL search_path = {_SCHEMA}")
    connection.execute(_DEFER, (_QUEUE, _TASK, _lock(batch), batch))
    connection.execute("SET LOCAL search_path = caxton")


def _lock(batch: int) -> str:
    """Return what lets one invitation to a batch wait at a time: whoever takes it invites the next."""
    return f"caxton batch {batch}"


async def take_invitations(
    dsn: str, work_on: WorkOn, *, open_batches: Callable[[], Iterable[int]], stop: anyio.Event
) -> None:
    """Take invitations, one after the other, until `stop`; `open_batches` lists those with rows that may be sent.

    A job ends when no row of its batch may still be sent, or when this worker stops, and then it has invited another.
    While the server is away, it is waited for.
    """
    while not stop.is_set():
        try:
            await _take_invitations(make_app(dsn), work_on, open_batches, stop)
        except (JournalFailed, exceptions.ConnectorException) as error:
            _log.warning("invitations wait for the server: %s", error.__cause__ or error)
            with anyio.move_on_after(_LOOK_S):
                await stop.wait()


async def _take_invitations(
    app: App, work_on: WorkOn, open_batches: Callable[[], Iterable[int]], stop: anyio.Event
) -> None:

    async def invite_to(batch: int) -> None:
        with suppress(exceptions.AlreadyEnqueued):
            await app.configure_task(_TASK, queue=_QUEUE, queueing_lock=_lock(batch)).defer_async(batch=batch)

    @app.task(name=_TASK, queue=_QUEUE)
    async def job(batch: int) -> None:
        if batch not in await asyncio.to_thread(_listed, open_batches):
            return
        await invite_to(batch)
        await work_on(batch)

    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                queues=[_QUEUE],
                concurrency=1,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=_LOOK_S,
            )
        )
        try:
            while not (stop.is_set() or working.done()):
                for batch in await asyncio.to_thread(_listed, open_batches):
                    await invite_to(batch)
                with anyio.move_on_after(_LOOK_S):
                    await stop.wait()
        finally:
            # A first cancellation lets the job that is under way end; it has been told to by `stop` as well.
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


def _listed(open_batches: Callable[[], Iterable[int]]) -> list[int]:
    return list(open_batches())
