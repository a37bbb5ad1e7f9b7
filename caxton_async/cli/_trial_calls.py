"""The calls that `caxton doctor` makes, which move nothing, and what their answers tell."""

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, get_args

from attrs import evolve

from caxton_async.cli._checks import Checks
from caxton_async.cli._client import SOON, connect, describe_end, view_for
from caxton_async.cli._exit_codes import code_of
from caxton_async.config import Configuration
from caxton_async.endpoints import BANKS_FOR_CURRENCY, CATALOGUE, Endpoint
from caxton_async.errors import ApiError, CaxtonError
from caxton_async.models import BanksForCurrency
from caxton_async.protocol.spelling import spellings

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient

# What the repeatable calls are asked with.
_QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "list_banks": {},
    "banks_for_currency": {"ccy": "GBP"},
    "list_countries": {},
    "get_country": {"code": "GB"},
    "get_bank_requirements": {"ccy_country": "GB", "ccy_currency": "GBP"},
    "get_card_rate": {"ccy_code": "EUR", "sell_ccy_code": "GBP", "amount": 100},
}


async def check_calls(checks: Checks, configuration: Configuration) -> None:
    """Make each repeatable call, and compare its answer with the documented one."""
    # Its own settings confirm the assumed paths, since trying them out is the purpose.
    endpoints = [CATALOGUE[name] for name in _QUESTIONS]
    tried = {each.name: each.path for each in endpoints if not each.documented} | dict(configuration.settings.paths)
    configuration = evolve(configuration, settings=evolve(configuration.settings, paths=tried))
    async with connect(configuration) as client:
        for endpoint in endpoints:
            await _check_call(checks, client, endpoint, f"{endpoint.method} {tried.get(endpoint.name, endpoint.path)}")
        if configuration.identity_number is not None:
            view = client.for_account(configuration.identity_number)
            await _check_view(checks, view, "account", "calls can be made for this account")
        if configuration.user_token is not None:
            view = view_for(client, configuration)
            await _check_view(checks, view, "user token", "calls can be made for this user")


async def _check_call(checks: Checks, client: "CaxtonClient", endpoint: Endpoint[Any, Any], where: str) -> None:
    request = endpoint.sends(**_QUESTIONS[endpoint.name]) if endpoint.sends else None
    step = f"call {endpoint.name}"
    try:
        await client.call(endpoint, request)
        model = await client.call(evolve(endpoint, returns=Any, at=None, confirms=None), request)
    except CaxtonError as error:
        if endpoint.documented:
            checks.fail(step, str(error), code_of(error))
        else:
            status = error.http_status if isinstance(error, ApiError) else None
            fact = f"{where} is answered with HTTP {status}" if status else None
            checks.note(step, f"its path is only assumed, and: {error}", fact)
        return
    unknown = _undocumented(endpoint, model)
    facts = [f"{where} is right"] if not endpoint.documented else []
    if unknown:
        facts.append(f"{where} also answers with {', '.join(unknown)}")
        checks.note(step, f"answered, with members that are not documented: {', '.join(unknown)}", "; ".join(facts))
    else:
        checks.fine(step, "answered as documented", "; ".join(facts) or None)


async def _check_view(checks: Checks, client: "CaxtonClient", step: str, text: str) -> None:
    """Make a call for an account or a user, and tell how long the user's token lasts."""
    try:
        envelope = await client.call_envelope(BANKS_FOR_CURRENCY, BanksForCurrency("GBP"))
    except CaxtonError as error:
        checks.fail(step, str(error), code_of(error))
        return
    if step != "user token":
        checks.fine(step, text)
        return
    user = envelope.user
    if user is None or user.token_end_date is None:
        checks.fine(step, f"{text}; when it ends is told only by calls such as create_wallet, which then warn")
        return
    start, end = user.token_start_date, user.token_end_date
    fact = f"a user token lasts {(end - start).days} days" if start is not None else None
    now = dt.datetime.now(end.tzinfo)
    (checks.note if end - now < SOON else checks.fine)(step, f"{text}; it {describe_end(end)}", fact)


def _undocumented(endpoint: Endpoint[Any, Any], model: object) -> list[str]:
    """Name the members of an answer that the documentation does not show."""
    for step in (endpoint.at or "").split("."):
        if step and isinstance(model, dict):
            model = next((item for name, item in model.items() if name.lower() == step.lower()), None)
    item = model[0] if isinstance(model, list) and model else model
    if not isinstance(item, dict):
        return []
    cls: Any = next(iter(get_args(endpoint.returns)), endpoint.returns)
    known = {name.lower() for name in spellings(cls).values()}
    known |= {"apistatuscode", "apistatus", "apistatusdescription"}
    return sorted(name for name in item if name.lower() not in known)
