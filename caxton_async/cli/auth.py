"""`caxton auth`: a password, a token, and an end to both."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

from caxton_async.cli._client import check_production, connect, note_password_end, read_environment, view_for
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err, plain, private_file, show_json
from caxton_async.cli._output import show as show_record
from caxton_async.config import Configuration, from_env
from caxton_async.endpoints import GENERATE_PASSWORD, RESET_CREDENTIALS
from caxton_async.models import AccessToken, GeneratedPassword


def password(*, out: Path | None = None, show: bool = False, yes: bool = False, json: bool = False) -> None:
    """Have the API generate a password; it is shown once, so it goes to a file or to the screen.

    Args:
        out: Write the password to this new file, which only you can read; CAXTON_PASSWORD_FILE takes it.
        show: Print the password in clear.
        yes: Do it in production.
        json: Print the answer as JSON.
    """
    configuration = from_env(os.environ)
    check_production(configuration, GENERATE_PASSWORD, yes=yes)
    if out is None and not show:
        raise Failure("a new password is told only once: add --out FILE to keep it, or --show to see it")
    with ExitStack() as files:
        file = files.enter_context(private_file(out)) if out else None
        generated = asyncio.run(_generate(configuration))
        if file is not None:
            os.write(file, generated.client_password.reveal().encode())
    note_password_end(configuration, generated.end_date)
    (show_json if json else show_record)(plain(generated, reveal=show))
    if out is not None:
        echo_err(f"the password is in {out}; use it with: export CAXTON_PASSWORD_FILE={out.absolute()}")


async def _generate(configuration: Configuration) -> GeneratedPassword:
    async with connect(configuration) as client:
        return await client.auth.generate_password()


def token(*, out: Path | None = None, show: bool = False, json: bool = False) -> None:
    """Log in, unless a token that works is there, and say how many seconds are left of it.

    Args:
        out: Write the token to this new file, which only you can read.
        show: Print the token in clear.
        json: Print the answer as JSON.
    """
    configuration = read_environment()
    with ExitStack() as files:
        file = files.enter_context(private_file(out)) if out else None
        found = asyncio.run(_log_in(configuration))
        if file is not None:
            os.write(file, found.access_token.reveal().encode())
    (show_json if json else show_record)(plain(found, reveal=show))


async def _log_in(configuration: Configuration) -> AccessToken:
    async with connect(configuration) as client:
        return await client.auth.access_token()


def reset(*, yes: bool = False) -> None:
    """Make the password and the tokens void: of the sub-account that CAXTON_IDENTITY_NUMBER names, else one's own.

    Args:
        yes: Do it in production.
    """
    configuration = read_environment()
    check_production(configuration, RESET_CREDENTIALS, yes=yes)
    asyncio.run(_reset(configuration))
    if configuration.identity_number is None:
        note_password_end(configuration, None)
    echo_err("the password and the tokens are void: caxton auth password makes a new one")


async def _reset(configuration: Configuration) -> None:
    async with connect(configuration) as client:
        await view_for(client, configuration).auth.reset_credentials()
