"""Which entry of a bank statement is which payment: proposals with their reasons, and what only a person can decide.

A wrong "paid" leaves somebody unpaid and a wrong "not paid" pays twice, so a proposal needs evidence, and what is
ambiguous is listed.  That a payment is not on a statement is no evidence: banks book late.
"""

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal

from attrs import define, field, frozen

from caxton_async.batch.reconcile.entries import StatementEntry
from caxton_async.batch.reconcile.statement import Statement

# A shorter reference is found in too many texts by chance.
_MIN_MENTIONED = 4


@frozen
class SentRow:
    """A payment that was sent: what identifies it on a statement; `started_at` is in seconds since the epoch."""

    reference: str
    amount: Decimal | None = None
    currency: str | None = None
    beneficiary: str | None = None
    started_at: float | None = None


@frozen
class Proposed:
    """A row that a statement shows as paid: why, and the line."""

    reference: str
    why: str
    line: int


@frozen
class Undecided:
    """A row that is left to a person: why, and the lines of the statement to look at."""

    reference: str
    why: str
    lines: tuple[int, ...] = ()


@frozen
class Proposals:
    """What a statement says about rows whose outcome is unknown.

    `paid` can be resolved as it is.  Of a payroll it is empty: an entry of one employee shows that the one money step
    was carried out, which `to_confirm` proposes for a person to decide.
    """

    paid: tuple[Proposed, ...] = ()
    to_confirm: tuple[Proposed, ...] = ()
    undecided: tuple[Undecided, ...] = ()


def match_statement(
    statement: Statement, unknown: Iterable[SentRow], others: Iterable[SentRow] = (), *, is_payroll: bool = False
) -> Proposals:
    """Find on a statement the rows whose outcome is unknown; nothing is ever proposed as not paid.

    An entry is a row's when it carries the row's reference, or when amount, currency, beneficiary and a date not before
    the call agree together; and when nothing speaks against it.  `others` are rows, of any batch, that were or may have
    been paid: an entry that may be theirs is not proposed for another.
    """
    rows = list(unknown)
    matching = _Matching(statement)
    for row in (*rows, *others):
        matching.claim(row)
    outcomes = [matching.decide(row) for row in rows]
    found = tuple(outcome for outcome in outcomes if isinstance(outcome, Proposed))
    undecided = tuple(outcome for outcome in outcomes if isinstance(outcome, Undecided))
    return Proposals((), found, undecided) if is_payroll else Proposals(found, (), undecided)


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


@define
class _Matching:
    """The entries of a statement by what they can be found by, and for how many rows each may stand."""

    statement: Statement
    by_text: dict[str, list[StatementEntry]] = field(factory=lambda: defaultdict(list), init=False)
    by_word: dict[str, list[StatementEntry]] = field(factory=lambda: defaultdict(list), init=False)
    by_amount: dict[Decimal, list[StatementEntry]] = field(factory=lambda: defaultdict(list), init=False)
    carried: Counter[int] = field(factory=Counter, init=False)
    claimed: Counter[int] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        for entry in self.statement.entries:
            texts = set(map(_normalise, entry.texts))
            for text in texts:
                self.by_text[text].append(entry)
            for word in {word for text in texts for word in re.split(r"[\s,;:/+]+", text)} - texts:
                if len(word) >= _MIN_MENTIONED:
                    self.by_word[word].append(entry)
            if entry.outgoing:
                self.by_amount[entry.amount].append(entry)

    def claim(self, row: SentRow) -> None:
        """Count the entries that could be a row's."""
        carrying = self.carrying(row)
        self.carried.update(entry.line for entry in carrying)
        possible = [entry for entry in self.alike(row) if _names(entry, row) is not False] if not carrying else []
        self.claimed.update(entry.line for entry in possible)

    def carrying(self, row: SentRow) -> list[StatementEntry]:
        """Return the entries that carry the reference of a row, and no word more; money that came back too."""
        return [entry for entry in self.by_text.get(_normalise(row.reference), []) if _is_in_time(entry, row)]

    def alike(self, row: SentRow) -> list[StatementEntry]:
        """Return the entries that went out with the amount and currency of a row, whoever is paid."""
        found = self.by_amount.get(row.amount, []) if row.amount is not None else []
        return [entry for entry in found if entry.currency == row.currency and _is_in_time(entry, row)]

    def decide(self, row: SentRow) -> Proposed | Undecided:
        """Propose a row as paid where the statement leaves no doubt, and say what the doubt is where it does."""
        if carrying := self.carrying(row):
            return self._decide_by_reference(row, carrying)
        alike = [entry for entry in self.alike(row) if not self.carried[entry.line]]
        named = [entry for entry in alike if _names(entry, row)]
        if len(named) == 1 and self.claimed[named[0].line] == 1:
            return self._proposed(row, named[0], "has its amount, currency and beneficiary, and a date that fits")
        reference = _normalise(row.reference)
        for found, why in (
            (named[1:] and named, "several entries have its amount, currency and beneficiary"),
            (named, "other rows may be the entry that has its amount, currency and beneficiary"),
            (self.by_word.get(reference, []), "its reference stands in a longer text, which may be about anything"),
            (self.by_text.get(reference, []), "an entry with its reference is older than the call"),
            (alike, "an entry has its amount and currency, and does not show that it is this payment"),
        ):
            if found:
                return Undecided(row.reference, why, tuple(entry.line for entry in found))
        return Undecided(row.reference, "not on the statement, which does not mean that it was not paid")

    def _decide_by_reference(self, row: SentRow, carrying: list[StatementEntry]) -> Proposed | Undecided:
        entry = carrying[0]
        doubts = (
            (not all(each.outgoing for each in carrying), "money came in under its reference: it may be a return"),
            (len(carrying) > 1, "several entries carry its reference"),
            (self.carried[entry.line] > 1, "the entry with its reference may be another row's too"),
            (row.amount not in {None, entry.amount}, "the entry with its reference has another amount"),
            (
                row.currency and entry.currency not in {None, row.currency},
                "the entry with its reference has another currency",
            ),
        )
        for is_doubtful, why in doubts:
            if is_doubtful:
                return Undecided(row.reference, why, tuple(each.line for each in carrying))
        return self._proposed(row, entry, "carries its reference")

    def _proposed(self, row: SentRow, entry: StatementEntry, how: str) -> Proposed:
        return Proposed(row.reference, f"entry {entry.line} of the statement {self.statement.name} {how}", entry.line)


def _is_in_time(entry: StatementEntry, row: SentRow) -> bool:
    """Tell whether an entry is not older than the call, as that of last month's salary is."""
    return row.started_at is None or entry.date >= dt.datetime.fromtimestamp(row.started_at, dt.UTC).date()


def _names(entry: StatementEntry, row: SentRow) -> bool | None:
    """Tell whether an entry names the beneficiary of a row, or somebody else; None where that is not known."""
    name = _normalise(row.beneficiary or "")
    if not name or not (entry.beneficiary or entry.texts):
        return None
    if entry.beneficiary:
        return _normalise(entry.beneficiary) == name
    in_text = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return any(in_text.search(_normalise(text)) for text in entry.texts) or None
