"""A worker of arq: `arq examples.arq_worker.WorkerSettings`; `REDIS_URL` says where its queue is."""

import os
from typing import Any

from arq import Retry
from arq.connections import RedisSettings

from caxton_async import CaxtonError
from examples.payments import Payments, may_run_again


async def startup(ctx: dict[Any, Any]) -> None:
    """Open the client and the journal, once in each process."""
    ctx["payments"] = Payments()
    await ctx["payments"].open()


async def shutdown(ctx: dict[Any, Any]) -> None:
    """Wait for the payments in flight, and close both."""
    await ctx["payments"].close()


async def pay(ctx: dict[Any, Any], invoice: str, amount: str) -> str:
    """Pay an invoice; arq runs this again when the worker was killed or ended meanwhile."""
    payments: Payments = ctx["payments"]
    try:
        return await payments.pay(invoice, amount)
    except CaxtonError as error:
        if may_run_again(error):
            raise Retry(defer=60) from error
        raise  # an unknown outcome among them: the job fails, and a person looks into it


class WorkerSettings:
    """What `arq` reads."""

    functions = (pay,)
    on_startup = startup
    on_shutdown = shutdown
    # After SIGTERM jobs end by themselves, within the deadline of a call.  One that arq cancels between its own steps
    # ends arq before `on_shutdown`, and what is in flight is then unknown.
    job_completion_wait = 70
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://localhost"))
