"""`caxton emulator`: the API on loopback, until it is stopped."""

import asyncio
import json as json_text
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo, echo_err
from caxton_async.cli._profile_file import profiles_file, write_profile
from caxton_async.secret import Secret

if TYPE_CHECKING:
    from caxton_async.emulator import Emulator

# How many requests and moves are remembered; the counts and sums are complete whatever happens.
_HISTORY = 100_000


def emulator(
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    seed: int = 0,
    faults: Path | None = None,
    profile: str | None = None,
    json: bool = False,
) -> None:
    """Serve the API on this machine, with accounts, money and faults that are not real, until Ctrl-C.

    What a client has to be told is written as a profile, or printed as shell commands, after which `caxton auth
    password` makes a password.

    Args:
        port: Where to listen; 0 takes one that is free.
        host: The address to listen at: in a container 0.0.0.0, everywhere else the one of this machine alone.
        seed: Decides every id, password and token.
        faults: A JSON list of faults, each such as {"kind": "reset_after_work", "endpoint": "move_funds", "every": 9}.
        profile: Write what a client has to be told, password included, as this profile: in another terminal,
            `caxton --profile NAME` is then all that it takes.
        json: Print one JSON object in place of the shell commands.
    """
    from caxton_async.emulator import Emulator, read_faults

    problem = ""
    try:
        loaded = read_faults(faults) if faults else ()
        served = Emulator(seed=seed, host=host, port=port, faults=loaded, history=_HISTORY)
        asyncio.run(_serve(served, profile, as_json=json))
    except ValueError as error:
        problem = f"the faults cannot be used: {error}"
    except OSError as error:
        problem = f"the emulator cannot start: {error.strerror}" + (f" (port {port})" if port else "")
    if problem:
        raise Failure(problem)


async def _serve(served: "Emulator", profile: str | None, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with served:
        page = served.base_url.removesuffix("api/") + "_emulator/"
        echo_err(f"The Caxton API is emulated at {served.base_url} until Ctrl-C; what it does is shown at {page}")
        variables = {name: value for name, value in served.environ.items() if name != "CAXTON_PASSWORD"}
        if profile is not None:
            _write_profile(served, profile)
        if as_json:
            echo(json_text.dumps(variables))
        elif profile is None:
            echo_err("In another terminal:")
            echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
        if profile is None:
            echo_err("Then make a password: caxton auth password --out FILE && export CAXTON_PASSWORD_FILE=FILE")
        else:
            echo_err(f"In another terminal: caxton --profile {profile} call list_banks")
        await stopped.wait()
    echo_err("stopped")


def _write_profile(served: "Emulator", name: str) -> None:
    settings, credentials = served.settings, served.credentials
    values = {
        "base_url": served.base_url,
        "username": credentials.username,
        "client_name": credentials.client_name,
    }
    file = profiles_file()
    write_profile(file, name, values, settings.paths, Secret(served.environ["CAXTON_PASSWORD"]))
    echo_err(f"The profile {name} is in {file}")
