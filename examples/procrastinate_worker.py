"""A worker of Procrastinate: `python -m examples.procrastinate_worker`; `DATABASE_URL` says where its queue is."""

import asyncio
import os

import procrastinate
from procrastinate.jobs import Job

from examples.payments import Payments, may_run_again

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("DATABASE_URL", "")))
payments = Payments()


class WhatIsSafe(procrastinate.BaseRetryStrategy):
    """Runs a job again when nothing was paid; an unknown outcome fails the job, and a person looks into it."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        if may_run_again(exception) and job.attempts < 5:
            return procrastinate.RetryDecision(retry_in={"seconds": 60})
        return None


@app.task(name="pay", queue="payments", retry=WhatIsSafe())
async def pay(invoice: str, amount: str) -> None:
    """Pay an invoice."""
    await payments.pay(invoice, amount)


@app.periodic(cron="* * * * *")
@app.task(name="retry_stalled_jobs", queue="payments", queueing_lock="retry_stalled_jobs")
async def retry_stalled_jobs(timestamp: int) -> None:
    """Run the jobs of killed workers again: Procrastinate does not do so by itself."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)


async def work() -> None:
    """Run jobs until SIGTERM, and let those that run then end."""
    await payments.open()
    try:
        async with app.open_async():
            await app.run_worker_async(queues=["payments"], concurrency=8)
    finally:
        await payments.close()


if __name__ == "__main__":
    asyncio.run(work())
