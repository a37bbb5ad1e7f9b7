"""Each safety setting switched off in turn, and the tests that have to notice.

What belongs here: what an entry of the tables means.  What does not: the tables (`client_mutations`, `batch_mutations`)
and carrying them out (`mutate`).  The product has no switch for any of this: the change is made to a copy.
"""

from typing import Final

from attrs import frozen

from tests.mutations import batch as batch_mutations
from tests.mutations import client as client_mutations

# The short names of files in the tables; `fault` is followed by a case of the fault matrix, all others by a test.
_FILES: Final = {
    "cli": "tests/unit/cli/test_cli.py",
    "events": "tests/end_to_end/test_events.py",
    "fault": "tests/faults/test_faults.py",
    "journal": "tests/unit/batch/test_journal.py",
    "page": "tests/unit/batch/test_page.py",
    "promises": "tests/faults/test_promises.py",
    "report": "tests/unit/batch/test_report.py",
    "rules": "tests/end_to_end/test_rules.py",
    "runner": "tests/unit/batch/test_runner.py",
    "secret": "tests/unit/test_secret.py",
    "store": "tests/unit/auth/test_sqlite.py",
    "tokens": "tests/unit/auth/test_holder.py",
    "transport": "tests/unit/test_transport.py",
}


@frozen
class Mutation:
    """What is switched off, by which change (`old`, which stands in `file` once, to `new`), and who has to notice.

    `noticed_by` names tests as the tables do, `tests` as pytest takes them.
    """

    file: str
    setting: str
    old: str
    new: str
    noticed_by: tuple[str, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests by their ids."""
        return tuple(_id_of(*test.split(" ", 1)) for test in self.noticed_by)


def _id_of(file: str, name: str) -> str:
    return f"{_FILES[file]}::" + (f"test_fault_has_its_outcome[{name}]" if file == "fault" else name)


MUTATIONS: Final = tuple(
    Mutation(file, *entry[:3], entry[3:])
    for table in (client_mutations.TABLE, batch_mutations.TABLE)
    for file, entries in table.items()
    for entry in entries
)
