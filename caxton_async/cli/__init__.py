"""The `caxton` command: arguments in, calls of the client, tables or JSON out.

What belongs here: anything that is typed or printed.  What does not: a rule about money, which has to hold for programs
too.  The commands are named by where they stand and imported when one is used, so that `caxton --version` waits for
nothing.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from caxton_async.version import own_version

if TYPE_CHECKING:
    from cyclopts import App

_COMMANDS: Final = {
    "demo": ("demo:demo", "Run a file of payments against the emulator, and check what happened."),
    "emulator": ("emulator:emulator", "Serve the API on this machine, for trying things out."),
    "doctor": ("doctor:doctor", "Find what stands between you and a first call, without moving money."),
    "endpoints": ("endpoints:endpoints", "List the calls of the API, with the fields that each takes."),
    "template": ("template:template", "Print the header line of a file for `caxton run`."),
    "call": ("call:call", "Make one call of the API."),
    "run": ("running:run", "Make one call for each row of a file."),
    "resume": ("running:resume", "Go on with a batch that was stopped or killed."),
    "status": ("viewing:status", "Show how a batch stands, also while it runs."),
    "report": ("viewing:report", "Print what became of a batch, as a table, JSON, CSV or a page."),
    "reconcile": ("settling:reconcile", "Settle unknown outcomes by a bank statement."),
    "settle": ("settling:settle", "Record what was found out about a row whose outcome is unknown."),
}
_AUTH: Final = {
    "password": ("auth:password", "Have the API generate a password."),
    "token": ("auth:token", "Log in, unless a token that works is there."),
    "reset": ("auth:reset", "Make the password and the tokens void."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code."""
    try:
        from caxton_async.cli._exit_codes import run
    except ModuleNotFoundError as error:
        needed = f"the command line needs {error.name}: python -m pip install 'caxton-async[cli]'"
        print(f"caxton: {needed}", file=sys.stderr)
        return 2
    return run(build(), sys.argv[1:] if arguments is None else list(arguments))


def build() -> "App":
    """Return the command with all that it offers."""
    from cyclopts import App, Parameter

    plain = Parameter(negative=(), show_default=False)  # a flag has one form, and is off
    app = App(
        "caxton",
        help="The Caxton payments API from the command line.  Try `caxton demo`: it needs no credentials.",
        version=own_version,
        default_parameter=plain,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        result_action="return_value",
        help_epilogue=(
            "Exit codes: 0 accepted, 1 rejected, 2 wrong usage or input (nothing was sent), 3 authentication failed, "
            "4 an outcome is unknown, 5 not done: it may be tried again."
        ),
    )
    auth = App("auth", help="Generate a password, log in, or make both void.", default_parameter=plain)
    for group, commands in ((app, _COMMANDS), (auth, _AUTH)):
        for name, (place, summary) in commands.items():
            group.command(f"caxton_async.cli.{place}", name=name, help=summary)
    app.command(auth)
    return app
