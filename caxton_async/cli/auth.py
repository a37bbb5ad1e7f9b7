"""`caxton auth`: a password, a token, and an end to both."""

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path

from caxton_async.auth.rotation import Keep
from caxton_async.cli._client import check_production, connect, note_password_end, read_environment, view_for
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err, plain, secret_file, show_json
from caxton_async.cli._output import show as show_record
from caxton_async.config import Configuration, load_configuration
from caxton_async.endpoints import GENERATE_PASSWORD, RESET_CREDENTIALS
from caxton_async.models import AccessToken, GeneratedPassword, SubAccount


def password(
    *,
    sub_account: tuple[str, str] | None = None,
    out: Path | None = None,
    show: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Have the API generate a password; it is shown once, so it goes to a file or to the screen.

    Args:
        sub_account: Username and name of a sub-account, as create_sub_account returned them, whose password it is; your
            own if not given.
        out: Write the password to this new file, which only you can read; CAXTON_PASSWORD_FILE takes it.
        show: Print the password in clear.
        yes: Do it in production.
        json: Print the answer as JSON.
    """
    configuration = load_configuration(os.environ)
    check_production(configuration, GENERATE_PASSWORD, yes=yes)
    if sub_account is None:
        _refuse_account(configuration, "name the sub-account with --sub-account USERNAME NAME")
    if out is None and not show:
        raise Failure("a new password is told only once: add --out FILE to keep it, or --show to see it")
    sub = None if sub_account is None else SubAccount(*sub_account)
    with ExitStack() as files:
        keep = files.enter_context(secret_file(out)) if out else None
        generated = asyncio.run(_generate(configuration, sub))
        if keep is not None:
            keep(generated.client_password)
    if sub is None:
        note_password_end(configuration, generated.end_date)
    (show_json if json else show_record)(plain(generated, reveal=show))
    if out is not None:
        use = "" if sub else f"; use it with: export CAXTON_PASSWORD_FILE={out.absolute()}"
        echo_err(f"the password is in {out}{use}")


async def _generate(configuration: Configuration, sub: SubAccount | None) -> GeneratedPassword:
    async with connect(configuration) as client:
        if sub is not None:
            return await client.sub_accounts.generate_password(sub)
        return await client.auth.generate_password()


def rotate(*, out: Path, yes: bool = False, json: bool = False) -> None:
    """Replace the password: reset it, have a new one generated, keep it, and log in with it.

    Other processes of this user go on with the new token; the old password works no more.

    Args:
        out: Write the new password to this new file, which only you can read, before it is used.
        yes: Do it in production.
        json: Print the answer, without the password, as JSON.
    """
    configuration = read_environment()
    check_production(configuration, RESET_CREDENTIALS, yes=yes)
    _refuse_account(configuration, "unset it to rotate your own, or use caxton auth reset and auth password for it")
    with secret_file(out) as keep:

        async def keep_in_file(generated: GeneratedPassword) -> None:
            keep(generated.client_password)
            note_password_end(configuration, generated.end_date)

        generated = asyncio.run(_rotate(configuration, keep_in_file))
    (show_json if json else show_record)(plain(generated))
    echo_err(f"the new password is in {out}; use it with: export CAXTON_PASSWORD_FILE={out.absolute()}")


async def _rotate(configuration: Configuration, keep: Keep) -> GeneratedPassword:
    loop = asyncio.get_running_loop()
    # Half a rotation would leave no password at all, so it is brought to its end, which the deadlines bound.
    loop.add_signal_handler(signal.SIGINT, echo_err, "the rotation is being finished: a moment, please")
    async with connect(configuration) as client:
        return await client.auth.rotate_password(keep=keep)


def _refuse_account(configuration: Configuration, remedy: str) -> None:
    if configuration.identity_number is not None:
        raise Failure(
            f"this would change the password of the main account, but CAXTON_IDENTITY_NUMBER names another: {remedy}"
        )


def token(*, out: Path | None = None, show: bool = False, json: bool = False) -> None:
    """Log in, unless a token that works is there, and say how many seconds are left of it.

    After a failed login it asks at once, and so lifts the hold that other processes wait for.

    Args:
        out: Write the token to this new file, which only you can read.
        show: Print the token in clear.
        json: Print the answer as JSON.
    """
    configuration = read_environment()
    with ExitStack() as files:
        keep = files.enter_context(secret_file(out)) if out else None
        found = asyncio.run(_log_in(configuration))
        if keep is not None:
            keep(found.access_token)
    (show_json if json else show_record)(plain(found, reveal=show))


async def _log_in(configuration: Configuration) -> AccessToken:
    async with connect(configuration) as client:
        client.auth.lift_hold()
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
    else:
        echo_err(
            "the sub-account's password and tokens are void: caxton auth password --sub-account USERNAME NAME makes a "
            "new one, and caxton auth token logs in with it"
        )


async def _reset(configuration: Configuration) -> None:
    async with connect(configuration) as client:
        await view_for(client, configuration).auth.reset_credentials()
