"""`caxton emulator`: the API on loopback, until it is stopped."""

import asyncio
import json as json_text
import shlex
import signal
from pathlib import Path

from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err

# How many requests and moves are remembered; the counts and sums are complete whatever happens.
_HISTORY = 100_000


def emulator(
    *, port: int = 0, host: str = "127.0.0.1", seed: int = 0, faults: Path | None = None, json: bool = False
) -> None:
    """Serve the API on this machine, with accounts, money and faults that are not real, until Ctrl-C.

    What a client has to be told is printed as shell commands; `caxton auth password` then makes a password.

    Args:
        port: Where to listen; 0 takes one that is free.
        host: The address to listen at: in a container 0.0.0.0, everywhere else the one of this machine alone.
        seed: Decides every id, password and token.
        faults: A JSON list of faults, each such as {"kind": "reset_after_work", "endpoint": "move_funds", "every": 9}.
        json: Print one JSON object in place of the shell commands.
    """
    problem = ""
    try:
        asyncio.run(_serve((host, port), seed, faults, as_json=json))
    except ValueError as error:
        problem = f"the faults cannot be used: {error}"
    except OSError as error:
        problem = f"the emulator cannot start: {error.strerror}" + (f" (port {port})" if port else "")
    if problem:
        raise Failure(problem)


async def _serve(address: tuple[str, int], seed: int, faults: Path | None, *, as_json: bool) -> None:
    from caxton_async.emulator import Emulator, read_faults

    loaded = read_faults(faults) if faults else ()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    host, port = address
    async with Emulator(seed=seed, host=host, port=port, faults=loaded, history=_HISTORY) as served:
        variables = {
            "CAXTON_BASE_URL": served.base_url,
            "CAXTON_USERNAME": served.credentials.username,
            "CAXTON_CLIENT_NAME": served.credentials.client_name,
        } | {f"CAXTON_PATH_{name.upper()}": path for name, path in served.settings.paths.items()}
        page = served.base_url.removesuffix("api/") + "_emulator/"
        echo_err(f"The Caxton API is emulated at {served.base_url} until Ctrl-C; what it does is shown at {page}")
        echo_err("In another terminal:")
        if as_json:
            print(json_text.dumps(variables), flush=True)
        else:
            print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()), flush=True)
        echo_err("Then make a password: caxton auth password --out FILE && export CAXTON_PASSWORD_FILE=FILE")
        await stopped.wait()
    echo_err("stopped")
