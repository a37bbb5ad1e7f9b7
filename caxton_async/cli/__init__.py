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
    "template": ("template:template", "Write an empty file with the columns that a call takes."),
    "call": ("call:call", "Make one call of the API."),
    "run": ("run:run", "Make one call for each row of a file."),
    "resume": ("resume:resume", "Go on with a batch that was stopped, paused or killed."),
    "status": ("status:status", "Show how a batch stands, or all of them, also while they run."),
    "report": ("report:report", "Print what became of a batch, as a table, JSON, CSV or a page."),
    "reconcile": ("reconcile:reconcile", "Resolve as paid what a bank statement proves, and list the rest."),
    "resolve": ("resolve:resolve", "Record what was found out about rows whose outcome is unknown."),
    "retry": ("retry:retry", "Send rows anew that were rejected, or resolved as not paid."),
}
_AUTH: Final = {
    "password": ("auth:password", "Have the API generate a password."),
    "token": ("auth:token", "Log in, unless a token that works is there."),
    "rotate": ("auth:rotate", "Replace the password by a new one while other processes go on."),
    "reset": ("auth:reset", "Make the password and the tokens void."),
}

_JOURNAL: Final = {
    "export": ("journal:export", "Copy the journal, to back it up."),
    "adopt": ("journal:adopt", "Take a copy, or a restored backup, for the journal from now on."),
    "prune": ("journal:prune", "Remove requests of finished batches; what came of each row stays."),
    "migrate": ("journal:migrate", "Bring the journal to the form of this program."),
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
    journal = App("journal", help="Copy, adopt, prune or migrate the journal.", default_parameter=plain)
    for group, commands in ((app, _COMMANDS), (auth, _AUTH), (journal, _JOURNAL)):
        for name, (place, summary) in commands.items():
            group.command(f"caxton_async.cli.{place}", name=name, help=summary)
    app.command(auth)
    app.command(journal)
    return app
