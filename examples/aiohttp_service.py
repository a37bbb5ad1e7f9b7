"""A service of aiohttp.web: `python -m examples.aiohttp_service`; `PORT` says where it listens."""

import os
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from caxton_async import CaxtonClient, CaxtonError, once, open_journal
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import Journal
from caxton_async.models import MoveFunds
from examples.responses import body_for, status_for

CAXTON = web.AppKey("CAXTON", CaxtonClient)
JOURNAL = web.AppKey("JOURNAL", Journal)


async def open_payments(app: web.Application) -> AsyncIterator[None]:
    """Open one client and one journal; at the end the journal waits for its payments, and then the client closes."""
    async with (
        CaxtonClient.from_env() as app[CAXTON],
        open_journal(os.environ["PAYMENTS_JOURNAL"]) as app[JOURNAL],
    ):
        yield


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of the client into a response."""
    try:
        return await handler(request)
    except CaxtonError as error:
        return web.json_response(body_for(error), status=status_for(error))


class Transfer(msgspec.Struct):
    """What a caller posts."""

    pot: str
    amount: Decimal


def view_for(request: web.Request) -> CaxtonClient:
    """Return a view for the tenant of the request; in your own code, take the tenant from the user's session."""
    caxton, tenant = request.app[CAXTON], request.headers.get("X-Tenant")
    return caxton.for_account(tenant) if tenant else caxton


async def transfer(request: web.Request) -> web.Response:
    """Pay once for each key, and give the same answer to each further request with the key."""
    key = request.headers.get("Idempotency-Key", "")
    try:
        wanted = msgspec.json.decode(await request.read(), type=Transfer)
    except msgspec.MsgspecError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from error
    move = MoveFunds("GBP", wanted.pot, wanted.amount)
    paid = await once(view_for(request), MOVE_FUNDS, move, reference=key, journal=request.app[JOURNAL])
    return web.json_response({balance.ccy_code: str(balance.balance) for balance in paid.result or ()})


def make_app() -> web.Application:
    """Put the application together."""
    app = web.Application(middlewares=[explain_errors])
    app.cleanup_ctx.append(open_payments)
    app.router.add_post("/transfers", transfer)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
