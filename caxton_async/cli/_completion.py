"""`caxton --install-completion`: the shell completes commands and options."""

from pathlib import Path
from typing import Literal

from caxton_async.cli import build
from caxton_async.cli._exit_codes import Failure
from caxton_async.cli._output import echo_err


def install_completion(
    *, shell: Literal["zsh", "bash", "fish", "powershell"] | None = None, output: Path | None = None
) -> None:
    """Let the shell complete commands and options from now on.

    Args:
        shell: The shell; the one that this command is typed in, if not given.
        output: Where to put the script; the shell's own place for it, if not given.
    """
    from cyclopts.completion.detect import ShellDetectionError, detect_shell

    try:
        shell = shell or detect_shell()
    except ShellDetectionError:
        shell = None
    if shell is None:
        raise Failure("which shell this is cannot be found out: name it with --shell")
    place = build().install_completion(shell=shell, output=output, add_to_startup=True)
    echo_err(f"completion for {shell} is in {place}: start a new shell to use it")
