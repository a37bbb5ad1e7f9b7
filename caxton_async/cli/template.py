"""`caxton template`: an empty input, with the columns of a call."""

import os
from pathlib import Path

from caxton_async.batch.input import template_of
from caxton_async.batch.lookup import find_endpoint
from caxton_async.cli._output import echo, echo_err, private_file


def template(endpoint: str, file: Path | None = None, /) -> None:
    """Write an empty CSV file with the columns that a call takes.

    Args:
        endpoint: The name of a call, as `caxton endpoints` lists it, or bulk_payments.
        file: The new file; stdout if not given.
    """
    text = template_of(find_endpoint(endpoint))
    if file is None:
        echo(text.rstrip())
        return
    with private_file(file) as descriptor:
        os.write(descriptor, text.encode())
    echo_err(f"written: {file}")
