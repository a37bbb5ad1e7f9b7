"""From the environment to an open client: what every command that makes calls has in common."""

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err
from caxton_async.errors import ConfigurationError
from caxton_async.secret import ENVIRON

if TYPE_CHECKING:
    from caxton_async.auth.stores import TokenStore
    from caxton_async.client import CaxtonClient
    from caxton_async.config import Configuration
    from caxton_async.endpoints import Endpoint
    from caxton_async.events import Event

# A password that ends sooner is warned of.
SOON: Final = dt.timedelta(days=7)


def read_environment(environ: Mapping[str, str] = ENVIRON) -> "Configuration":
    """Read the variables of whatever may have to log in.

    **Raises** ConfigurationError that names all that are missing or wrong.
    """
    from caxton_async.config import load_configuration

    try:
        return load_configuration(environ)
    except ConfigurationError as error:
        problem = str(error)
    # A profile may name its file.
    if not any(environ.get(name) for name in ("CAXTON_PASSWORD", "CAXTON_PASSWORD_FILE", "CAXTON_PROFILE")):
        problem += "; CAXTON_PASSWORD (or CAXTON_PASSWORD_FILE) is missing"
    raise ConfigurationError(problem)


def state_folder() -> Path:
    """Return the folder, made if need be, in which tokens are kept; `CAXTON_STATE_DIR` names another one.

    **Raises** ConfigurationError when it cannot be made.
    """
    from platformdirs import user_state_path

    folder = Path(os.environ.get("CAXTON_STATE_DIR") or user_state_path("caxton", appauthor=False))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror
    else:
        return folder
    raise ConfigurationError(f"the folder {folder} cannot be made ({problem}): set CAXTON_STATE_DIR to another one")


def connect(
    configuration: "Configuration", *, on_event: "Callable[[Event], None] | None" = None, journal: str | None = None
) -> "CaxtonClient":
    """Return a client, to be opened, that shares its token with every command of this user on this host.

    With a `journal` in a database, it shares it with every machine that works on that.
    """
    from caxton_async.client import CaxtonClient

    _warn_of_end(configuration)
    settings = evolve(configuration.settings, on_event=on_event)
    return CaxtonClient(configuration.credentials, settings, token_store=_token_store(journal))


def _token_store(journal: str | None) -> "TokenStore":
    key_file = os.environ.get("CAXTON_JOURNAL_KEY_FILE")
    from caxton_async.journal.opening import is_database

    if journal is not None and key_file and is_database(journal):
        from caxton_async.auth.stores.postgres import PostgresTokenStore

        return PostgresTokenStore(journal, key_file)
    from caxton_async.auth.stores.sqlite import SqliteTokenStore

    return SqliteTokenStore(state_folder() / "tokens.sqlite")


def view_for(client: "CaxtonClient", configuration: "Configuration") -> "CaxtonClient":
    """Return the view that acts for the account and the user that the environment names, if any."""
    if configuration.identity_number is not None:
        client = client.for_account(configuration.identity_number)
    if configuration.user_token is not None:
        client = client.for_user(configuration.user_token, user_id=configuration.user_id)
    return client


def check_production(configuration: "Configuration", endpoint: "Endpoint[Any, Any]", *, yes: bool) -> None:
    """Check that real money moves only when `--yes` was given.

    **Raises** Failure when it was not.
    """
    if configuration.settings.is_production and not endpoint.repeatable and not yes:
        raise Failure(
            f"{endpoint.name} would be carried out for real at {configuration.settings.origin}: add --yes to do so"
        )


# --- when the password ends ---


def _end_file(configuration: "Configuration") -> Path:
    import hashlib

    names = (configuration.settings.origin, configuration.credentials.username, configuration.credentials.client_name)
    return state_folder() / f"password-end-{hashlib.sha256(repr(names).encode()).hexdigest()[:32]}"


def note_password_end(configuration: "Configuration", end: dt.datetime | None) -> None:
    """Remember when a password that was generated ends; None forgets it."""
    file = _end_file(configuration)
    if end is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(end.isoformat(), encoding="ascii")


def password_end(configuration: "Configuration") -> dt.datetime | None:
    """Return when the password ends that was made here last, None where that is not known."""
    try:
        end = dt.datetime.fromisoformat(_end_file(configuration).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return end if end.tzinfo else end.replace(tzinfo=dt.UTC)


def describe_end(end: dt.datetime) -> str:
    """Say when something ends or ended, such as `ends on 2026-12-27, in 29 days`."""
    left = end - dt.datetime.now(dt.UTC)
    return f"ended on {end:%Y-%m-%d}" if left < dt.timedelta() else f"ends on {end:%Y-%m-%d}, in {left.days} days"


def _warn_of_end(configuration: "Configuration") -> None:
    end = password_end(configuration)
    if end is None or end - dt.datetime.now(dt.UTC) >= SOON:
        return
    has_ended = end < dt.datetime.now(dt.UTC)
    remedy = "caxton auth reset and caxton auth password" if has_ended else "caxton auth rotate"
    echo_err(f"warning: the password {describe_end(end)}: make a new one with {remedy}")
