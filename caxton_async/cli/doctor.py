"""`caxton doctor`: what stands between the user and a first call, found step by step and without moving money."""

import asyncio
import datetime as dt
import os
from typing import Final

from attrs import evolve

from caxton_async.cli._batches import default_location, existing_journal, exists
from caxton_async.cli._checks import Checks
from caxton_async.cli._client import SOON, connect, describe_end, password_end
from caxton_async.cli._exit_codes import ExitCode, code_of
from caxton_async.cli._output import echo_err, printable, show_json, show_table
from caxton_async.cli._probe import Greeting, probe_tls, probe_token_path, resolve
from caxton_async.cli._trial_calls import check_calls
from caxton_async.config import Configuration, load_configuration
from caxton_async.endpoints import GET_ACCESS_TOKEN
from caxton_async.errors import CaxtonError, ConfigurationError, LoginRefused
from caxton_async.events import Event

# Where the vendor may have put the token call, the assumed path first.
_TOKEN_PATHS: Final = ("token", "/token", "clients/auth/token")
# A clock that is off by more makes tokens look older or younger than they are.
_CLOCK_TOLERANCE_S: Final = 60
_REMEDY: Final = (
    "it may have ended, been reset, or never been made: caxton auth password --out FILE makes the first one and "
    "the one after a reset; the vendor resets it for those who have no token"
)


def doctor(*, json: bool = False) -> int:
    """Find what stands between you and a first call: settings, journal, DNS, TLS, clock, login, calls.

    No money is moved.  A journal that is there is read to its last row.

    What it learns of things that the vendor's guide leaves open is listed at the end, without secrets, to be sent to
    this project.

    Args:
        json: Print a JSON list of {step, status, text, fact}.
    """
    checks = Checks()
    configuration = _check_settings(checks)
    _check_journal(checks)
    if configuration is not None:
        asyncio.run(_check_all(checks, configuration))
    results = checks.results
    if json:
        show_json(
            [
                {"step": each.step, "status": each.status, "text": printable(each.text), "fact": each.fact}
                for each in results
            ]
        )
    else:
        show_table(("step", "", "what was found"), [(each.step, each.status, each.text) for each in results])
    facts = [each.fact for each in results if each.fact]
    if facts and not json:
        echo_err(
            "What the guide leaves open was answered; if by the vendor, please tell this project ('The API differs'):"
        )
        for fact in facts:
            echo_err(f"  {fact}")
    if checks.code:
        echo_err("caxton: the first step that failed has to be put right before a call can be made")
    return checks.code


def _check_settings(checks: Checks) -> Configuration | None:
    present = sorted(name for name in os.environ if name.startswith("CAXTON_"))
    checks.fine("settings", f"set: {', '.join(present) or 'none'}")
    try:
        configuration = load_configuration(os.environ)
    except CaxtonError as error:
        checks.fail("settings", str(error), ExitCode.USAGE)
        return None
    settings = configuration.settings
    where = "production: real money" if settings.is_production else "not production"
    checks.fine("settings", f"calls go to {settings.root_url} ({where})")
    return configuration


def _check_journal(checks: Checks) -> None:
    """Read everything in the journal, if there is one."""
    if not exists(default_location()):
        return
    try:
        with existing_journal(None) as journal:
            journal.check()
            checks.fine("journal", f"{journal.where}: {len(journal.batches())} batches are as they were written")
    except CaxtonError as error:
        checks.fail("journal", str(error), code_of(error))


async def _check_all(checks: Checks, configuration: Configuration) -> None:
    await _check_password(checks, configuration)
    settings = configuration.settings
    addresses = await resolve(settings)
    if isinstance(addresses, str):
        checks.fail("DNS", addresses, ExitCode.LEFT)
        return
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    checks.fine("DNS", f"{'the proxy' if settings.proxy else 'the host'} is at {addresses[0]}{more}")
    greeting = await probe_tls(settings)
    if isinstance(greeting, str):
        checks.fail("TLS", greeting, ExitCode.LEFT)
        return
    checks.fine("TLS", greeting.tls)
    _check_clock(checks, greeting)
    configuration = await _check_token_path(checks, configuration)
    if await _check_login(checks, configuration):
        await check_calls(checks, configuration)


async def _check_password(checks: Checks, configuration: Configuration) -> None:
    """Say whether there is a password, and when it ends if it was made here."""
    password = configuration.credentials.password
    if password is None:
        checks.note("password", "none: caxton auth password --out FILE makes one, and CAXTON_PASSWORD_FILE names it")
        return
    try:
        if callable(password):
            await password()
    except ConfigurationError as error:
        checks.fail("password", str(error), ExitCode.USAGE)
        return
    end = password_end(configuration)
    if end is None:
        checks.fine("password", "there is one; when it ends is known only where it was made")
        return
    tell = checks.note if end - dt.datetime.now(dt.UTC) < SOON else checks.fine
    tell("password", f"the newest one made here {describe_end(end)}: caxton auth rotate makes a new one")


def _check_clock(checks: Checks, greeting: Greeting) -> None:
    if greeting.clock_difference_s is None:
        checks.note("clock", "the server does not tell its time, so the clock cannot be compared")
    elif abs(greeting.clock_difference_s) > _CLOCK_TOLERANCE_S:
        direction = "ahead of" if greeting.clock_difference_s > 0 else "behind"
        seconds = abs(greeting.clock_difference_s)
        checks.note("clock", f"this machine is {seconds:.0f} s {direction} the server: set its clock")
    else:
        checks.fine("clock", f"within {_CLOCK_TOLERANCE_S} s of the server's")


async def _check_token_path(checks: Checks, configuration: Configuration) -> Configuration:
    """Find where the token call is, asked with a grant type that cannot succeed, so that no password is spent."""
    settings = configuration.settings
    if GET_ACCESS_TOKEN.name in settings.paths:
        checks.fine("token path", f"{settings.paths[GET_ACCESS_TOKEN.name]}, as you have named it")
        return configuration
    answers = {path: await probe_token_path(settings, path) for path in _TOKEN_PATHS}
    likely = [path for path, answer in answers.items() if answer.is_token_call]
    if not likely:
        heard = "; ".join(f"{path}: {answer.text}" for path, answer in answers.items())
        checks.note("token path", f"none of the assumed paths answers like a token call ({heard})")
        return configuration
    advice = f"export CAXTON_PATH_GET_ACCESS_TOKEN={likely[0]}"
    text = f"{' and '.join(likely)} answers like the token call; confirm it with: {advice}"
    checks.note("token path", text, f"the token call is POST {' or '.join(likely)}")
    found = {**settings.paths, GET_ACCESS_TOKEN.name: likely[0]}
    return evolve(configuration, settings=evolve(settings, paths=found))


async def _check_login(checks: Checks, configuration: Configuration) -> bool:
    logins: list[str] = []

    def watch(event: Event) -> None:
        logins.extend([event.kind] * (event.kind == "login"))

    try:
        async with connect(configuration, on_event=watch) as client:
            token = await client.auth.access_token()
    except LoginRefused as error:
        checks.fail("login", f"{error}: {_REMEDY}", code_of(error))
        return False
    except CaxtonError as error:
        checks.fail("login", str(error), code_of(error))
        return False
    if logins:
        fact = f"a token is granted for {token.expires_in} s"
        checks.fine("login", f"logged in; {token.expires_in} s of it are left", fact)
    else:
        checks.fine("login", f"a token from an earlier login works still; {token.expires_in} s of it are left")
    return True
