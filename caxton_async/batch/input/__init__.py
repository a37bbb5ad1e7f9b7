"""Files of rows as requests: read once, checked to the last cell, with everything that is wrong told at once."""

from caxton_async.batch.input.formats import InputOptions
from caxton_async.batch.input.problems import Notice, RowError, RowErrors
from caxton_async.batch.input.rows import (
    InputFile,
    Row,
    beneficiary_of,
    read_rows,
    template_of,
)

__all__ = [
    "InputFile",
    "InputOptions",
    "Notice",
    "Row",
    "RowError",
    "RowErrors",
    "beneficiary_of",
    "read_rows",
    "template_of",
]
