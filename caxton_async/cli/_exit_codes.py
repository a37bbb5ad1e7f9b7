"""Exit codes, and the one place where an error becomes a sentence."""

import enum
import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from caxton_async.cli._output import echo_err, prepare_streams, silence, write_to
from caxton_async.errors import (
    AuthenticationFailed,
    CaxtonError,
    ConfigurationError,
    InvalidRequest,
    JournalError,
    JournalFailed,
    NotAuthorised,
    OutcomeUnknown,
)


class ExitCode(enum.IntEnum):
    """What a command's exit code means; of several that apply the unknown outweighs the others."""

    ACCEPTED = 0
    REJECTED = 1
    USAGE = 2
    AUTHENTICATION = 3
    UNKNOWN = 4
    LEFT = 5


_CODES: tuple[tuple[type[CaxtonError], ExitCode], ...] = (
    (OutcomeUnknown, ExitCode.UNKNOWN),
    (AuthenticationFailed, ExitCode.AUTHENTICATION),
    (NotAuthorised, ExitCode.AUTHENTICATION),
    (ConfigurationError, ExitCode.USAGE),
    (InvalidRequest, ExitCode.USAGE),
    (JournalFailed, ExitCode.UNKNOWN),
    (JournalError, ExitCode.USAGE),
)


class Failure(CaxtonError):
    """A command cannot go on; `code` is its exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: CaxtonError) -> ExitCode:
    """Return the exit code of an error: 5 says that nothing was done, or that doing it again is safe."""
    if isinstance(error, Failure):
        return error.code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.LEFT if error.safe_to_retry else ExitCode.REJECTED


class _Warnings(logging.Handler):
    """Tells a person what the library warns of, each thing once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._told:
            self._told.add(text)
            echo_err(f"warning: {text}")


def run(app: App, arguments: Sequence[str]) -> int:
    """Run a command line; an error is one sentence on stderr, and SIGTERM does what Ctrl-C does."""
    prepare_streams()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    warnings.showwarning = lambda message, *_args, **_kwargs: echo_err(f"warning: {message}")
    logger, handler = logging.getLogger("caxton_async"), _Warnings()
    logger.addHandler(handler)
    try:
        is_work = bool(arguments) and not {*arguments} & {"--help", "-h", "--version"}
        if is_work and any(name.startswith("CAXTON_") for name in os.environ):
            from caxton_async.config.variables import warn_of_unknown

            warn_of_unknown(os.environ)
        return _run(app, arguments)
    finally:
        logger.removeHandler(handler)
        for stream in (sys.stdout, sys.stderr):
            write_to(stream, "")


def _run(app: App, arguments: Sequence[str]) -> int:
    try:
        code = app(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        echo_err(f"caxton: {' '.join(str(error).split())}  See: caxton --help")
        return ExitCode.USAGE
    except CaxtonError as error:
        echo_err(f"caxton: {error}")
        return code_of(error)
    except KeyboardInterrupt:
        echo_err("caxton: interrupted")
        return 128 + signal.SIGINT
    except SystemExit as ending:  # of rich, whose reader has seen enough, or of the installing of completion
        return ExitCode.ACCEPTED if isinstance(ending.__context__, BrokenPipeError) else ExitCode.USAGE
    except OSError as error:  # the help could not be printed: all else is printed by `_output`
        if error.errno not in {errno.ENOSPC, errno.EIO}:
            raise
        silence(sys.stdout)
        echo_err(f"caxton: stdout cannot be written ({error.strerror})")
        return ExitCode.LEFT
    return int(code or ExitCode.ACCEPTED)
