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
from caxton_async.models import AccessToken, GeneratedPassword, SubAccount


def password(
    *,
    out: Path | None = None,
    show: bool = False,
    sub_account: tuple[str, str] | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Have the API generate a password; it is shown once, so it goes to a file or to the screen.

    Args:
        out: Write the password to this new file, which only you can read; CAXTON_PASSWORD_FILE takes it.
        show: Print the password in clear.
        sub_account: Make the password of this sub-account: its Username and Name, as its creation returned them.
        yes: Do it in production.
        json: Print the answer as JSON.
    """
    configuration = from_env(os.environ)
    check_production(configuration, GENERATE_PASSWORD, yes=yes)
    if out is None and not show:
        raise Failure("a new password is told only once: add --out FILE to keep it, or --show to see it")
    sub = SubAccount(*sub_account) if sub_account else None
    with ExitStack() as files:
        file = files.enter_context(private_file(out)) if out else None
        generated = asyncio.run(_generate(configuration, sub))
        if file is not None:
            os.write(file, generated.client_password.reveal().encode())
    if sub is None:
        note_password_end(configuration, generated.end_date)
    (show_json if json else show_record)(plain(generated, reveal=show))
    _tell_where(out, configuration if sub is None else None)


async def _generate(configuration: Configuration, sub: SubAccount | None) -> GeneratedPassword:
    async with connect(configuration) as client:
        return await (client.sub_accounts.generate_password(sub) if sub else client.auth.generate_password())


def _tell_where(out: Path | None, own: Configuration | None) -> None:
    if out is not None:
        use = f"; use it with: export CAXTON_PASSWORD_FILE={out.absolute()}" if own else ""
        echo_err(f"the password is in {out}{use}")


def rotate(*, out: Path, yes: bool = False, json: bool = False) -> None:
    """Make the password void, have a new one generated, and log in with it; other processes go on with the new token.

    Args:
        out: Write the new password to this new file, which only you can read, before it is used.
        yes: Do it in production.
        json: Print the answer as JSON.
    """
    configuration = read_environment()
    check_production(configuration, RESET_CREDENTIALS, yes=yes)
    with private_file(out) as file:
        generated = asyncio.run(_rotate(configuration, file))
    note_password_end(configuration, generated.end_date)
    (show_json if json else show_record)(plain(generated, reveal=False))
    _tell_where(out, configuration)


async def _rotate(configuration: Configuration, file: int) -> GeneratedPassword:
    async def keep(generated: GeneratedPassword) -> None:
        os.write(file, generated.client_password.reveal().encode())
        os.fsync(file)

    async with connect(configuration) as client:
        return await client.auth.rotate_password(keep=keep)


def token(*, out: Path | None = None, show: bool = False, json: bool = False) -> None:
    """Log in, unless a token that works is there, and say how many seconds are left of it.

    No earlier failure holds it back, and a login that succeeds ends the hold of all processes.

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
        client.auth.lift_hold()  # whoever asks by hand has mended what was wrong
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
