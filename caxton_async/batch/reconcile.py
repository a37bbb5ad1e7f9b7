"""What became of the rows whose outcome is unknown: asked of the user's own look-up, or found on a bank statement.

What belongs here: deciding which row was paid, and handing that to the journal.  What does not: reading statements
(`statement`).  A wrong "paid" leaves somebody unpaid and a wrong "not paid" pays twice, so both need evidence, and
what is ambiguous is left to a person.  That a payment is not on a statement is no evidence: banks book late.
"""

import datetime as dt
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal

from attrs import define, field, frozen

from caxton_async.batch.journal import Journal
from caxton_async.batch.reader import JournalReader
from caxton_async.batch.statement import Entry, Statement
from caxton_async.batch.states import JournalRow, RowState
from caxton_async.errors import InvalidRequest

LookUp = Callable[[str], bool | Awaitable[bool | None] | None]

# A shorter reference is found in too many texts by chance.
_MIN_INSIDE = 4
# A statement may date a payment a day before it was sent, since zones differ; last month's is older than that.
_TOLERANCE = dt.timedelta(days=1)


@frozen
class Finding:
    """A row of which it is known whether it was paid, and why."""

    reference: str
    paid: bool
    why: str


@frozen
class Open:
    """A row that is left to a person: why, and the lines of the statement to look at."""

    reference: str
    why: str
    lines: tuple[int, ...] = ()


@frozen
class Findings:
    """What a reconciliation came to."""

    found: tuple[Finding, ...]
    left: tuple[Open, ...]


async def reconcile(journal: Journal, look_up: LookUp, *, who: str) -> Findings:
    """Ask `look_up` about each unknown row, and settle those that it knows, one by one.

    `look_up` takes a reference and returns True (paid), False (certainly not paid) or None (not known); it may be
    asynchronous.  What it raises comes out; the rows settled before stay settled.

    **Raises** InvalidRequest when it returns anything else.
    """
    found: list[Finding] = []
    left: list[Open] = []
    for row in list(journal.rows(RowState.UNKNOWN)):
        paid = look_up(row.reference)
        if inspect.isawaitable(paid):
            paid = await paid
        if paid is None:
            left.append(Open(row.reference, "the look-up does not know"))
        elif isinstance(paid, bool):
            finding = Finding(row.reference, paid, f"said so: the look-up {getattr(look_up, '__qualname__', look_up)}")
            journal.settle(finding.reference, paid=finding.paid, who=who, note=finding.why)
            found.append(finding)
        else:
            raise InvalidRequest(f"a look-up returns True, False or None, not {type(paid).__name__}")
    return Findings(tuple(found), tuple(left))


def reconcile_statement(
    journal: Journal, statement: Statement, *, who: str, beneficiaries: Mapping[str, str] | None = None
) -> Findings:
    """Settle as paid the unknown rows that `match_statement` finds; none is ever settled as not paid."""
    findings = match_statement(journal, statement, beneficiaries=beneficiaries)
    for finding in findings.found:
        journal.settle(finding.reference, paid=finding.paid, who=who, note=finding.why)
    return findings


def match_statement(
    journal: JournalReader, statement: Statement, *, beneficiaries: Mapping[str, str] | None = None
) -> Findings:
    """Find the unknown rows on a statement: by reference, then by amount, currency and (if known) beneficiary.

    `beneficiaries` gives the name of the beneficiary for a reference; a journal does not hold it.  Rows that were
    accepted, or settled as paid, have entries of their own: an entry that may be theirs is nobody else's.
    """
    matching = _Matching(statement, beneficiaries or {})
    for row in _perhaps_paid(journal):
        matching.claim(row)
    for row in _perhaps_paid(journal):
        matching.rival(row)
    found: list[Finding] = []
    left: list[Open] = []
    for row in journal.rows(RowState.UNKNOWN):
        outcome = matching.decide(row)
        if isinstance(outcome, Finding):
            found.append(outcome)
        else:
            left.append(outcome)
    return Findings(tuple(found), tuple(left))


def _perhaps_paid(journal: JournalReader) -> Iterable[JournalRow]:
    for row in journal.rows():
        if row.state in {RowState.ACCEPTED, RowState.UNKNOWN} or row.status.settled_as_paid:
            yield row


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


@define
class _Matching:
    """The entries of a statement by what they can be found by, and how many rows lay claim to each."""

    statement: Statement
    beneficiaries: Mapping[str, str]
    by_reference: dict[str, list[Entry]] = field(factory=lambda: defaultdict(list), init=False)
    by_amount: dict[Decimal, list[Entry]] = field(factory=lambda: defaultdict(list), init=False)
    claims: Counter[int] = field(factory=Counter, init=False)
    rivals: Counter[int] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        for entry in self.statement.entries:
            text = _folded(entry.reference)
            inside = {word for word in re.split(r"[\s,;:]+", text) if len(word) >= _MIN_INSIDE}
            for key in {text, *inside} - {""}:
                self.by_reference[key].append(entry)
            if entry.outgoing:
                self.by_amount[entry.amount].append(entry)

    def claim(self, row: JournalRow) -> None:
        """Count the entries that name the reference of a row."""
        self.claims.update(entry.line for entry in self.named(row))

    def rival(self, row: JournalRow) -> None:
        """Count the entries that could be a row whose reference is not on the statement."""
        if not self.named(row):
            self.rivals.update(entry.line for entry in self.alike(row))

    def named(self, row: JournalRow) -> list[Entry]:
        """Return the entries that name the reference of a row, money that came back too."""
        return [entry for entry in self.by_reference.get(_folded(row.reference), []) if _in_time(entry, row)]

    def alike(self, row: JournalRow) -> list[Entry]:
        """Return the entries that no reference claims and that agree with a row in all else that is known."""
        if row.amount is None:
            return []
        name = self.beneficiaries.get(row.reference)
        return [
            entry
            for entry in self.by_amount.get(Decimal(row.amount), [])
            if not self.claims[entry.line]
            and _in_time(entry, row)
            and entry.currency == row.currency
            and (not name or not entry.beneficiary or _folded(name) == _folded(entry.beneficiary))
        ]

    def decide(self, row: JournalRow) -> Finding | Open:
        """Say whether an unknown row is on the statement without doubt, and if not, why."""
        named = self.named(row)
        if named:
            return self._decide_by_reference(row, named)
        alike = self.alike(row)
        lines = tuple(entry.line for entry in alike)
        if not alike:
            return Open(row.reference, "not on the statement, which does not mean that it was not paid")
        if len(alike) > 1:
            return Open(row.reference, "several entries have its amount and currency", lines)
        if self.rivals[alike[0].line] > 1:
            return Open(row.reference, "other rows have the same amount and currency as this entry", lines)
        both = self.beneficiaries.get(row.reference) and alike[0].beneficiary
        agreeing = "amount, currency and beneficiary agree" if both else "amount and currency agree"
        return self._found(row, alike[0], f"its only entry whose {agreeing}")

    def _decide_by_reference(self, row: JournalRow, named: list[Entry]) -> Finding | Open:
        entry, amount = named[0], None if row.amount is None else Decimal(row.amount)
        is_exact = _folded(entry.reference) == _folded(row.reference)
        doubts = (
            (not all(each.outgoing for each in named), "money came in under its reference: it may have been returned"),
            (len(named) > 1, "several entries name its reference"),
            (self.claims[entry.line] > 1, "the entry names other rows too"),
            (amount not in {None, entry.amount}, "the entry with its reference has another amount"),
            (
                amount is None and not is_exact,
                "an entry has its reference in a longer text, and its amount is not known",
            ),
            (row.currency and entry.currency not in {None, row.currency}, "the entry has another currency"),
        )
        for is_doubtful, why in doubts:
            if is_doubtful:
                return Open(row.reference, why, tuple(each.line for each in named))
        return self._found(row, entry, "which names its reference")

    def _found(self, row: JournalRow, entry: Entry, how: str) -> Finding:
        return Finding(
            row.reference, paid=True, why=f"on the statement {self.statement.name}, line {entry.line}, {how}"
        )


def _in_time(entry: Entry, row: JournalRow) -> bool:
    """Tell whether an entry is not older than the call, as that of last month's salary is."""
    if row.status.started_at is None:
        return True
    return entry.date >= dt.datetime.fromtimestamp(row.status.started_at, dt.UTC).date() - _TOLERANCE
