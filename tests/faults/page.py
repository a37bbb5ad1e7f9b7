"""The page of the fault matrix, made from its table: `python -m tests.faults.page` writes it anew."""

# ruff: noqa: E501 -- a sentence of the documentation is one line

from pathlib import Path

from tests.faults.kinds import KINDS, LOGIN, LOOK_UP, PASSWORD
from tests.faults.matrix import ROWS, Case, Row
from tests.faults.outcomes import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"

# What a batch adds: the faults of machines and disks.
BATCH_ROWS = (
    (63, "`kill -9` at any instant, and before every step of the journal", "no row is paid twice, none is lost",
     "tests/end_to_end/test_kill.py"),
    (64, "several runners on one journal", "each row is sent by one of them", "tests/end_to_end/test_kill.py"),
    (65, "disk full, read-only or failing", "the run stops; nothing is sent that is not on disk first",
     "tests/unit/journal/test_files.py"),
    (66, "journal or input cut, damaged or edited", "refused where it can be seen; what was being sent is never sent again",
     "tests/unit/journal/test_files.py"),
    (67, "clock set back or forward, machine suspended, senseless `expires_in`",
     "a token counts as expired by whichever clock comes first; nonsense is refused", "tests/unit/auth/test_holder.py"),
)  # fmt: skip

_HEAD = """\
# Faults, and what the client makes of them

<!-- Made by `python -m tests.faults.page` from the table in `tests/faults/matrix.py`. -->

Every row is one thing that can go wrong between the client and the API.
Tests play each case over real sockets to every kind of call that it can happen to: {cases} cases in all.
A case asserts which error the caller gets, how many requests the server has seen, that no connection and no task is left, that the client's next call gets its own answer, and that the error holds no secret.

| kind of call | column | what it is |
|---|---|---|
| payment, reset, upload, payload, password | a payment | `move_funds`, `reset_credentials` (a PUT), `create_bulk_upload`, `submit_bulk_payload`, `generate_password`: not sent again once it may have been carried out |
| look-up | a look-up | `banks_for_currency` (a GET): may be repeated |
| login | a login | the token call, judged by the error that its waiting caller gets |

The client of these tests makes at most two attempts.

| letter | meaning |
|---|---|
| N | not sent: no server has seen the request, and it may be tried again |
| A | ambiguous: it may have been carried out; a call that moves money is never sent again |
| R | a definite answer: the result, or a refusal |
| L | refused by the client, before anything was sent |

The error follows the letter, if there is one, and then the number of requests that the server sees.

| # | fault | case | a payment | a look-up | a login | what the client does |
|---|---|---|---|---|---|---|
"""
_FOOT = """
## What a batch adds

These rows concern machines and disks, and have tests of their own.

| # | fault | what the client does | tests |
|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    lines = [_line(row, name, case, is_first=not n) for row in ROWS for n, (name, case) in enumerate(row.cases.items())]
    judged = sum(
        isinstance(case.of(kind, row), Outcome) for row in ROWS for case in row.cases.values() for kind in KINDS
    )
    batch = [f"| {number} | {fault} | {ours} | `{tests}` |" for number, fault, ours, tests in BATCH_ROWS]
    return _HEAD.format(cases=judged) + "\n".join(lines) + "\n" + _FOOT + "\n".join(batch) + "\n"


def _line(row: Row, name: str, case: Case, *, is_first: bool) -> str:
    number, fault, ours = (str(row.number), row.fault, row.ours) if is_first else ("", "", "")
    cells = (number, fault, name, _money(row, case), _said(case.of(LOOK_UP, row)), _said(case.of(LOGIN, row)), ours)
    return f"| {' | '.join(cells)} |"


def _money(row: Row, case: Case) -> str:
    """Return what comes of what moves money, and of a new password where that differs."""
    outcomes = [case.of(kind, row) for kind in KINDS if kind.column == "money" and kind is not PASSWORD]
    said = _said(next((outcome for outcome in outcomes if isinstance(outcome, Outcome)), outcomes[0]))
    password = _said(case.of(PASSWORD, row))
    return said if password == said or case.kinds else f"{said}; password: {password}"


def _said(outcome: Outcome | str) -> str:
    if isinstance(outcome, str):
        return outcome
    error = f" `{outcome.error.__name__}`" if outcome.error else ""
    return f"{outcome.letter}{error}, {outcome.requests}"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
