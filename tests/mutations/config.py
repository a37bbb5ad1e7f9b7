"""What keeps credentials and payments from going to the wrong host or path."""

import re

from tests.mutations import Mutation, returning

ANYTHING = re.compile(r".*", re.DOTALL)

MUTATIONS = (
    Mutation(
        "http is for loopback only",
        "caxton_async.syntax:is_loopback",
        returning(True),
        ("faults/test_faults.py::test_fault_has_its_outcome[62-plain_to_another_host-payment]",),
    ),
    Mutation("a host has a plain name", "caxton_async.syntax:_HOST", ANYTHING, ("test_config.py",)),
    Mutation("a path is plain", "caxton_async.syntax:is_plain_path", returning(True), ("test_config.py",)),
    Mutation("a path holds plain characters", "caxton_async.syntax:_PATH", ANYTHING, ("test_config.py",)),
    Mutation(
        "a header value is plain",
        "caxton_async.syntax:HEADER_VALUE",
        ANYTHING,
        ("faults/test_faults.py::test_fault_has_its_outcome[55-line_break-payment]",),
    ),
)
