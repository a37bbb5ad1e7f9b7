"""`caxton doctor`: what stands between the user and a first call, found step by step and without moving money."""

import asyncio
import os
from typing import Any, Final, get_args

from attrs import evolve, frozen

from caxton_async.cli._client import connect
from caxton_async.cli._exit_codes import ExitCode, code_of
from caxton_async.cli._output import echo_err, printable, show_json, show_table
from caxton_async.cli._probe import Greeting, probe_tls, probe_token_path, resolve
from caxton_async.config import Configuration, from_env
from caxton_async.endpoints import CATALOGUE, GET_ACCESS_TOKEN, Endpoint
from caxton_async.errors import CaxtonError
from caxton_async.events import Event
from caxton_async.protocol.spelling import spellings

# Where the vendor may have put the token call, the assumed path first.
_TOKEN_PATHS: Final = ("token", "/token", "clients/auth/token")
# A clock that is off by more makes tokens look older or younger than they are.
_CLOCK_TOLERANCE_S: Final = 60
# What the repeatable calls are asked with.
_QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "list_banks": {},
    "banks_for_currency": {"ccy": "GBP"},
    "list_countries": {},
    "get_country": {"code": "GB"},
    "get_bank_requirements": {"ccy_country": "GB", "ccy_currency": "GBP"},
    "get_card_rate": {"ccy_code": "EUR", "sell_ccy_code": "GBP", "amount": 100},
}


@frozen
class Finding:
    """What one step found; `fails_with` is the exit code of a step that failed."""

    step: str
    text: str
    is_fine: bool = True
    fails_with: ExitCode = ExitCode.ACCEPTED


class _Examination:
    """The steps, in their order, and what they found."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def fine(self, step: str, text: str) -> None:
        self.findings.append(Finding(step, text))

    def note(self, step: str, text: str) -> None:
        self.findings.append(Finding(step, text, is_fine=False))

    def fail(self, step: str, text: str, code: ExitCode) -> None:
        self.findings.append(Finding(step, text, is_fine=False, fails_with=code))

    @property
    def code(self) -> ExitCode:
        """The exit code of the first step that failed."""
        return next((each.fails_with for each in self.findings if each.fails_with), ExitCode.ACCEPTED)


def doctor(*, json: bool = False) -> int:
    """Find what stands between you and a first call: settings, DNS, TLS, clock, login, calls; no money is moved.

    Args:
        json: Print a JSON list of {step, status, text}.
    """
    examination = _Examination()
    configuration = _check_settings(examination)
    if configuration is not None:
        asyncio.run(_check_network(examination, configuration))
    status = [
        (each.step, "ok" if each.is_fine else "failed" if each.fails_with else "note", printable(each.text))
        for each in examination.findings
    ]
    if json:
        show_json([dict(zip(("step", "status", "text"), line, strict=True)) for line in status])
    else:
        show_table(("step", "", "what was found"), status)
    if examination.code:
        echo_err("caxton: the first step that failed has to be put right before a call can be made")
    return examination.code


def _check_settings(examination: _Examination) -> Configuration | None:
    present = sorted(name for name in os.environ if name.startswith("CAXTON_"))
    examination.fine("settings", f"set: {', '.join(present) or 'none'}")
    try:
        configuration = from_env(os.environ)
    except CaxtonError as error:
        examination.fail("settings", str(error), ExitCode.USAGE)
        return None
    settings = configuration.settings
    where = "production: real money" if settings.is_production else "not production"
    examination.fine("settings", f"calls go to {settings.root_url} ({where})")
    if configuration.credentials.password is None:
        examination.note("settings", "no password: CAXTON_PASSWORD_FILE or CAXTON_PASSWORD is missing")
    return configuration


async def _check_network(examination: _Examination, configuration: Configuration) -> None:
    settings = configuration.settings
    addresses = await resolve(settings)
    if isinstance(addresses, str):
        examination.fail("DNS", addresses, ExitCode.LEFT)
        return
    examination.fine("DNS", f"the host has {len(addresses)} addresses, such as {addresses[0]}")
    greeting = await probe_tls(settings)
    if isinstance(greeting, str):
        examination.fail("TLS", greeting, ExitCode.LEFT)
        return
    examination.fine("TLS", greeting.tls)
    _check_clock(examination, greeting)
    configuration = await _check_token_path(examination, configuration)
    if await _check_login(examination, configuration):
        await _check_calls(examination, configuration)


def _check_clock(examination: _Examination, greeting: Greeting) -> None:
    if greeting.clock_difference_s is None:
        examination.note("clock", "the server does not tell its time, so the clock cannot be compared")
    elif abs(greeting.clock_difference_s) > _CLOCK_TOLERANCE_S:
        direction = "ahead of" if greeting.clock_difference_s > 0 else "behind"
        seconds = abs(greeting.clock_difference_s)
        examination.note("clock", f"this machine is {seconds:.0f} s {direction} the server: set its clock")
    else:
        examination.fine("clock", f"within {_CLOCK_TOLERANCE_S} s of the server's")


async def _check_token_path(examination: _Examination, configuration: Configuration) -> Configuration:
    """Find where the token call is, asked with a grant type that cannot succeed, so that no password is spent."""
    settings = configuration.settings
    if GET_ACCESS_TOKEN.name in settings.paths:
        examination.fine("token path", f"{settings.paths[GET_ACCESS_TOKEN.name]}, as CAXTON_PATH_GET_ACCESS_TOKEN says")
        return configuration
    answers = {path: await probe_token_path(settings, path) for path in _TOKEN_PATHS}
    likely = [path for path, answer in answers.items() if answer.is_token_call]
    if not likely:
        heard = "; ".join(f"{path}: {answer.text}" for path, answer in answers.items())
        examination.note("token path", f"none of the assumed paths answers like a token call ({heard})")
        return configuration
    advice = f"export CAXTON_PATH_GET_ACCESS_TOKEN={likely[0]}"
    examination.note("token path", f"{' and '.join(likely)} answers like the token call; confirm it with: {advice}")
    found = {**settings.paths, GET_ACCESS_TOKEN.name: likely[0]}
    return evolve(configuration, settings=evolve(settings, paths=found))


async def _check_login(examination: _Examination, configuration: Configuration) -> bool:
    logins: list[str] = []

    def watch(event: Event) -> None:
        logins.extend([event.kind] * (event.kind == "login"))

    try:
        async with connect(configuration, on_event=watch) as client:
            token = await client.auth.access_token()
    except CaxtonError as error:
        examination.fail("login", str(error), code_of(error))
        return False
    how = "logged in" if logins else "a token from an earlier login works still"
    examination.fine("login", f"{how}; {token.expires_in} s of it are left")
    return True


async def _check_calls(examination: _Examination, configuration: Configuration) -> None:
    """Make each repeatable call, and compare its answer with the documented one."""
    # Its own settings confirm the assumed paths, since trying them out is the purpose.
    endpoints = [CATALOGUE[name] for name in _QUESTIONS]
    tried = {each.name: each.path for each in endpoints if not each.documented} | dict(configuration.settings.paths)
    configuration = evolve(configuration, settings=evolve(configuration.settings, paths=tried))
    async with connect(configuration) as client:
        for endpoint in endpoints:
            request = endpoint.sends(**_QUESTIONS[endpoint.name]) if endpoint.sends else None
            step = f"call {endpoint.name}"
            try:
                await client.call(endpoint, request)
                model = await client.call(evolve(endpoint, returns=Any, at=None, confirms=None), request)
            except CaxtonError as error:
                if endpoint.documented:
                    examination.fail(step, str(error), code_of(error))
                else:
                    examination.note(step, f"its path is only assumed, and: {error}")
                continue
            unknown = _undocumented(endpoint, model)
            if unknown:
                examination.note(step, f"answered, with members that are not documented: {', '.join(unknown)}")
            else:
                examination.fine(step, "answered as documented")


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
