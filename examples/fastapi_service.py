"""A FastAPI service: `uvicorn examples.fastapi_service:app`."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from caxton_async import CaxtonClient, CaxtonError, once, open_journal
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.journal import Journal
from caxton_async.models import MoveFunds
from examples.responses import body_for, status_for


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open one client and one journal; at the end the journal waits for its payments, and then the client closes."""
    async with (
        CaxtonClient.from_env() as app.state.caxton,
        open_journal(os.environ["PAYMENTS_JOURNAL"]) as app.state.journal,
    ):
        yield


app = FastAPI(lifespan=lifespan)


def get_caxton(request: Request, x_tenant: Annotated[str | None, Header()] = None) -> CaxtonClient:
    """Return a view for the tenant of the request; in your own code, take the tenant from the user's session."""
    caxton: CaxtonClient = request.app.state.caxton
    return caxton.for_account(x_tenant) if x_tenant else caxton


def get_journal(request: Request) -> Journal:
    """Return the journal of this process."""
    journal: Journal = request.app.state.journal
    return journal


class Transfer(BaseModel):
    """What a caller posts."""

    pot: str
    amount: Decimal


@app.post("/transfers")
async def transfer(
    wanted: Transfer,
    idempotency_key: Annotated[str, Header()],
    caxton: Annotated[CaxtonClient, Depends(get_caxton)],
    journal: Annotated[Journal, Depends(get_journal)],
) -> dict[str, str]:
    """Pay once for each key, and give the same answer to each further request with the key."""
    request = MoveFunds("GBP", wanted.pot, wanted.amount)
    paid = await once(caxton, MOVE_FUNDS, request, reference=idempotency_key, journal=journal)
    return {balance.ccy_code: str(balance.balance) for balance in paid.result or ()}


@app.exception_handler(CaxtonError)
async def explain(_: Request, error: CaxtonError) -> JSONResponse:
    """Turn every error of the client into a response."""
    return JSONResponse(body_for(error), status_code=status_for(error))
