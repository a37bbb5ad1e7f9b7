"""`caxton template`: an empty file with the columns of a call."""

import sys

from caxton_async.batch import template_of
from caxton_async.cli.plans import find_batch_endpoint


def template(name: str) -> None:
    """Print the header line of a CSV file for `caxton run`: `caxton template bulk_payments > may.csv`.

    Args:
        name: The name of a call, as `caxton endpoints` lists it, or bulk_payments.
    """
    sys.stdout.write(template_of(find_batch_endpoint(name)))
