"""Queues of jobs on real servers: what puts jobs in, makes time pass, and tells how the jobs ended."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

import procrastinate
import psycopg
import pytest
from arq.connections import ArqRedis, RedisSettings, create_pool
from attrs import frozen

Job = tuple[str, str]  # an invoice and its amount


class Queue(Protocol):
    """A queue whose worker the tests kill."""

    command: tuple[str, ...]
    environ: dict[str, str]

    async def put(self, jobs: Iterable[Job]) -> None:
        """Put jobs into the queue."""
        ...

    async def notice(self) -> None:
        """Let so much time pass that the queue has noticed the end of a killed worker."""
        ...

    async def ended(self) -> Counter[str]:
        """Count the jobs that have ended: `succeeded`, `failed`."""
        ...


@frozen
class ArqQueue:
    """A queue of arq."""

    pool: ArqRedis
    environ: dict[str, str]
    command = ("-m", "arq", "examples.arq_worker.WorkerSettings")

    async def put(self, jobs: Iterable[Job]) -> None:
        for invoice, amount in jobs:
            await self.pool.enqueue_job("pay", invoice, amount)

    async def notice(self) -> None:
        keys = await self.pool.keys("arq:in-progress:*")
        if keys:
            await self.pool.delete(*keys)  # they expire by themselves, some minutes after their worker

    async def ended(self) -> Counter[str]:
        results = await self.pool.all_job_results()
        return Counter("succeeded" if result.success else "failed" for result in results)


@asynccontextmanager
async def open_arq() -> AsyncIterator[ArqQueue]:
    """Start a server of Redis with an empty queue."""
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server on this machine")
    with tempfile.TemporaryDirectory(prefix="caxton-") as folder:  # the path of a socket must be short
        address = f"{folder}/socket"
        server = await asyncio.create_subprocess_exec(
            *("redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", folder),
            stdout=asyncio.subprocess.DEVNULL,
        )
        settings = RedisSettings(unix_socket_path=address, conn_retries=100, conn_retry_delay=0.1)
        pool = await create_pool(settings)
        try:
            yield ArqQueue(pool, {"REDIS_URL": f"unix://{address}"})
        finally:
            await pool.aclose()
            server.kill()
            await server.wait()


@frozen
class ProcrastinateQueue:
    """A queue of Procrastinate."""

    app: procrastinate.App
    dsn: str
    environ: dict[str, str]
    command = ("-m", "examples.procrastinate_worker")

    async def put(self, jobs: Iterable[Job]) -> None:
        pay = self.app.configure_task("pay", queue="payments")
        for invoice, amount in jobs:
            await pay.defer_async(invoice=invoice, amount=amount)

    async def notice(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        # Its own task does this each minute.
        await self.app.configure_task("retry_stalled_jobs", queue="payments").defer_async(timestamp=0)

    async def ended(self) -> Counter[str]:
        async with await psycopg.AsyncConnection.connect(self.dsn) as connection:
            found = await connection.execute("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'pay'")
            return Counter(status for (status,) in await found.fetchall() if status in {"succeeded", "failed"})


@asynccontextmanager
async def open_procrastinate(dsn: str) -> AsyncIterator[ProcrastinateQueue]:
    """Make the tables of an empty queue in a database."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        yield ProcrastinateQueue(app, dsn, {"DATABASE_URL": dsn})
