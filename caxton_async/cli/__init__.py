"""The `caxton` command: each command is imported when it is used, so that `caxton --version` waits for nothing."""

import os
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
    "pause": ("pause:pause", "Stop a batch in every process that sends it."),
    "status": ("status:status", "Show how a batch stands, or all of them, also while they run."),
    "report": ("report:report", "Print what became of a batch, as a table, JSON, CSV or a page."),
    "reconcile": ("reconcile:reconcile", "Resolve as paid what a bank statement proves, and list the rest."),
    "resolve": ("resolve:resolve", "Record what was found out about rows whose outcome is unknown."),
    "worker": ("worker:worker", "Send rows of a journal that machines share, beside other workers."),
    "retry": ("retry:retry", "Send rows anew that were rejected, or resolved as not paid."),
}
_AUTH: Final = {
    "password": ("auth:password", "Have the API generate a password."),
    "token": ("auth:token", "Log in, unless a token that works is there."),
    "rotate": ("auth:rotate", "Replace the password by a new one, and log in with it."),
    "reset": ("auth:reset", "Make the password and the tokens void."),
}

_JOURNAL: Final = {
    "export": ("journal:export", "Copy the journal, to back it up."),
    "adopt": ("journal:adopt", "Take a copy, or a restored backup, for the journal from now on."),
    "prune": ("journal:prune", "Remove requests of finished batches; what came of each row stays."),
    "migrate": ("journal:migrate", "Bring the journal to the form of this program."),
}


_EXIT_CODES: Final = (
    "Exit codes: 0 accepted, 1 rejected, 2 wrong usage or input (nothing was sent), 3 authentication failed, "
    "4 an outcome is unknown, 5 not done: it may be tried again."
)
_VARIABLES: Final = (
    "--profile NAME, before or after any command, takes settings and credentials from a profile in config.toml "
    "(`caxton emulator --profile NAME` writes one); variables go before it.\n"
    "Who calls: CAXTON_USERNAME, CAXTON_CLIENT_NAME, CAXTON_PASSWORD or CAXTON_PASSWORD_FILE.\n"
    "For whom: CAXTON_IDENTITY_NUMBER, CAXTON_USER_TOKEN or CAXTON_USER_TOKEN_FILE.\n"
    "Where to: CAXTON_ENVIRONMENT, CAXTON_BASE_URL, CAXTON_PATH_<NAME OF A CALL>, CAXTON_PROXY, CAXTON_CA_FILE.\n"
    "How: CAXTON_CONNECT_TIMEOUT_S, CAXTON_ATTEMPT_TIMEOUT_S, CAXTON_DEADLINE_S, CAXTON_TOKEN_TIMEOUT_S, "
    "CAXTON_MAX_CONNECTIONS, CAXTON_MAX_ATTEMPTS, CAXTON_MAX_REPLY_BYTES, CAXTON_MAX_CALLS_PER_SECOND, "
    "CAXTON_REUSE_CONNECTIONS, CAXTON_DRAIN_S, CAXTON_USER_AGENT_SUFFIX.\n"
    "Files: CAXTON_PROFILE, CAXTON_CONFIG, CAXTON_STATE_DIR, CAXTON_JOURNAL, CAXTON_JOURNAL_KEY_FILE."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code."""
    try:
        from caxton_async.cli._exit_codes import run
    except ModuleNotFoundError as error:
        needed = f"the command line needs {error.name}: python -m pip install 'caxton-async[cli]'"
        print(f"caxton: {needed}", file=sys.stderr)
        return 2
    rest, profile = split_profile(sys.argv[1:] if arguments is None else arguments)
    if profile:
        os.environ["CAXTON_PROFILE"] = profile
    return run(build(), rest)


def split_profile(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Return a command line without its `--profile NAME`, and the name; `caxton emulator` has its own.

    One without a name stays where it is, where the command does not know it.
    """
    rest: list[str] = []
    profile = None
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*rest, word, *words], profile
        option, equals, name = word.partition("=")
        if option != "--profile":
            rest.append(word)
            continue
        profile = name if equals else next(words, None)
        if not profile:
            rest.append(word)
    if profile and rest[:1] == ["emulator"]:
        return [*rest, "--profile", profile], None
    return rest, profile


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
        help_epilogue=f"{_EXIT_CODES}\n\n{_VARIABLES}",
    )
    app.command(
        "caxton_async.cli._completion:install_completion",
        name="--install-completion",
        help="Let the shell complete commands and options from now on.",
    )
    auth = App("auth", help="Generate, rotate or reset the password, or log in.", default_parameter=plain)
    journal = App("journal", help="Copy, adopt, prune or migrate the journal.", default_parameter=plain)
    for group, commands in ((app, _COMMANDS), (auth, _AUTH), (journal, _JOURNAL)):
        for name, (place, summary) in commands.items():
            group.command(f"caxton_async.cli.{place}", name=name, help=summary, help_epilogue=_EXIT_CODES)
    app.command(auth)
    app.command(journal)
    return app
