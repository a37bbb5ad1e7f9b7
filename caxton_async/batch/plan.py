"""What a batch comes to before anything is sent: totals, control sum, suspected duplicates, and its digest."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal
from typing import Any, Final

from attrs import astuple, define, field, frozen

from caxton_async.batch.input import beneficiary_of
from caxton_async.batch.lookup import BULK_PAYMENTS
from caxton_async.bulk import check_line
from caxton_async.endpoints import Endpoint
from caxton_async.errors import DuplicatesSuspected, InvalidRequest, JournalRefused
from caxton_async.journal.protocol import Journal, JournalReader
from caxton_async.journal.seal import Seal
from caxton_async.journal.states import BatchInfo, Binding, Duplicates, NewBatch, PlannedRow, SameRequest
from caxton_async.journal.stored import encode_request, money_of, request_digest
from caxton_async.protocol.request import check_request

DUPLICATE_DAYS: Final = 10  # how far back a payment of the same is looked for
# Digits: a million of the largest amounts add up exactly, whatever the program around us set as its own precision.
_EXACT: Final = Context(prec=60)
_DAY_S: Final = 86_400
_ROWS_DIGITS: Final = 48  # of a plan's 64: the digest of its rows and whose they are; the rest is of its duplicates
_SHOWN: Final = 3  # duplicates that an error names


@frozen
class Total:
    """How many rows move one currency, and how much of it."""

    currency: str
    count: int
    amount: Decimal


@frozen
class BatchPlan:
    """A batch in figures; `control_sum` adds the amounts of all currencies, as payment files do.

    `digest` is None where it is not known for whom the batch would be sent.
    """

    count: int
    totals: tuple[Total, ...]
    control_sum: Decimal
    duplicates: Duplicates
    digest: str | None


def _check_days(_options: object, _attribute: object, days: float) -> None:
    if not days >= 0:  # nor is "not a number"
        raise InvalidRequest("duplicates are looked for so many days back: give 0 or more, such as 10")


@frozen(kw_only=True)
class PlanOptions:
    """How a batch is planned: its name, what may pass, who approved it, and which batch it retries.

    `duplicate_days` says how far back payments of the same are looked for; `elsewhere` are duplicates of another
    journal.
    """

    name: str | None = None
    allow_duplicates: bool = False
    duplicate_days: float = field(default=DUPLICATE_DAYS, validator=_check_days)
    elsewhere: Duplicates = field(factory=Duplicates)
    approved: str | None = None
    approved_by: str | None = None
    follows: int | None = None
    details: Mapping[str, str] = field(factory=dict)

    @property
    def since(self) -> float:
        """The time, in seconds since the epoch, after which payments of the same count."""
        return time.time() - self.duplicate_days * _DAY_S


def add_exactly(first: Decimal, second: Decimal) -> Decimal:
    """Return the sum of two amounts to the last digit."""
    return _EXACT.add(first, second)


@define
class Tally:
    """Turns the rows of a batch into those of a journal, and adds up what passes through."""

    journal: JournalReader
    endpoint: Endpoint[Any, Any]
    count: int = 0
    seal: Seal = field(factory=Seal)
    _totals: dict[str, Total] = field(factory=dict)

    def planned(self, rows: Iterable[Any]) -> Iterator[PlannedRow]:
        """Yield each row as the journal takes it: a pair of reference and request, or a row that is planned already.

        Raises:
            InvalidRequest: a row is no such pair, or a reference cannot be shown in one line.
        """
        for number, row in enumerate(rows, 1):
            planned = row if isinstance(row, PlannedRow) else self._plan_row(number, row)
            self.count = number
            self.seal.add(planned.reference, planned.request)
            if planned.amount is not None and planned.currency is not None:
                so_far = self._totals.get(planned.currency, Total(planned.currency, 0, Decimal(0)))
                amount = add_exactly(so_far.amount, Decimal(planned.amount))
                self._totals[planned.currency] = Total(planned.currency, so_far.count + 1, amount)
            yield planned

    def _plan_row(self, number: int, row: Any) -> PlannedRow:  # noqa: ANN401 -- a pair or a `Row`
        try:
            reference, request = row
        except (TypeError, ValueError):
            raise InvalidRequest(f"row {number} is not a pair of a reference and a request: nothing was sent") from None
        check_request(self.endpoint, request)
        if not isinstance(reference, str) or not reference.strip():
            raise InvalidRequest(f"the reference of row {number} must be text that can be printed")
        check_line(reference, f"the reference of row {number}")
        return plan_row(self.journal, reference, request, line=getattr(row, "line", None))

    def plan(self, duplicates: Duplicates, digest: str | None) -> BatchPlan:
        """Return what the rows that passed through come to."""
        totals = tuple(self._totals[currency] for currency in sorted(self._totals))
        control_sum = Decimal(0)
        for total in totals:
            control_sum = add_exactly(control_sum, total.amount)
        return BatchPlan(self.count, totals, control_sum, duplicates, digest)


def plan_row(
    journal: JournalReader, reference: str, request: object, *, line: int | None = None, follows: int | None = None
) -> PlannedRow:
    """Return a row as this journal takes it."""
    money = money_of(request)
    return PlannedRow(
        reference=reference,
        request=encode_request(request, is_encrypted=journal.is_encrypted),
        digest=request_digest(request, journal.salt, leave_out=reference),
        line=line,
        amount=f"{money.amount:f}" if money else None,
        currency=money.currency if money else None,
        beneficiary=beneficiary_of(request),
        follows=follows,
    )


def make_plan(
    journal: JournalReader,
    endpoint: Endpoint[Any, Any],
    rows: Iterable[Any],
    *,
    binding: Binding | None,
    options: PlanOptions,
) -> BatchPlan:
    """Return what `rows` come to, with what of them the journal has already; nothing is written.

    Raises:
        InvalidRequest: a row cannot be sent.
        JournalRefused: the journal is damaged.
    """
    tally = Tally(journal, endpoint)
    found = _join(journal.same_requests(tally.planned(rows), since=options.since), options.elsewhere)
    digest = plan_digest(endpoint.name, binding, tally.seal.hexdigest(), found) if binding else None
    return tally.plan(found, digest)


async def plan_batch(
    journal: Journal, endpoint: Endpoint[Any, Any], rows: Iterable[Any], *, binding: Binding, options: PlanOptions
) -> BatchInfo:
    """Write a batch into the journal, whole or not at all.

    Raises:
        DuplicatesSuspected: rows ask for what may have been paid, and neither the caller nor an approval lets them.
        InvalidRequest: a row cannot be sent, or the plan is not the one that was approved.
        JournalError: the journal could not be written.
    """
    tally = Tally(journal, endpoint)

    def check(duplicates: Duplicates) -> None:
        found = _join(duplicates, options.elsewhere)
        if options.approved is None:
            _check_duplicates(found, tally.count, allowed=options.allow_duplicates)
            return
        digest = plan_digest(endpoint.name, binding, tally.seal.hexdigest(), found)
        if digest != options.approved:
            raise InvalidRequest(
                f"the plan is {digest}, which is not the one that was approved: nothing was sent; look at it with "
                "--dry-run, and have that approved"
            )

    new = NewBatch(
        name=options.name or endpoint.name,
        endpoint=endpoint.name,
        binding=binding,
        kind="payroll" if endpoint is BULK_PAYMENTS else "batch",
        plan_digest=options.approved,
        approved_by=options.approved_by,
        follows=options.follows,
        details=dict(options.details),
    )
    return await journal.plan(new, tally.planned(rows), since=options.since, check=check)


def plan_digest(endpoint: str, binding: Binding, seal: str, duplicates: Duplicates) -> str:
    """Return what names this plan and no other: for one person to plan, and another to approve.

    It covers the rows, the endpoint, for whom they are sent, and the suspected duplicates.
    """
    listed = [[each.reference, each.of_batch, each.of_reference] for each in duplicates.first]
    return _rows_digest(endpoint, binding, seal) + _digest([duplicates.count, *listed])[:-_ROWS_DIGITS]


def check_approval(journal: Journal, info: BatchInfo, *, approved: str | None, approved_by: str | None) -> None:
    """Check that the rows in the journal are those that were approved, and keep an approval that is new.

    Raises:
        InvalidRequest: `approved` is of another plan.
        JournalRefused: the rows are not those that were approved when the batch was planned.
    """
    if approved is None and info.plan_digest is None:
        return
    rows = _rows_digest(info.endpoint, info.binding, journal.seal(info.id))
    if info.plan_digest is not None and info.plan_digest[:_ROWS_DIGITS] != rows:
        raise JournalRefused(
            f"the rows of batch {info.id} are not those that were approved by {info.approved_by}: nothing was sent"
        )
    if approved is not None:
        if approved[:_ROWS_DIGITS] != rows or info.plan_digest not in {None, approved}:
            raise InvalidRequest(f"what was approved is another plan than batch {info.id}: nothing was sent")
        if info.plan_digest is None:
            journal.approve(info.id, plan_digest=approved, approved_by=approved_by or "")


def _check_duplicates(duplicates: Duplicates, total: int, *, allowed: bool) -> None:
    if not duplicates.count or allowed:
        return
    named = "; ".join(describe_duplicate(each) for each in duplicates.first[:_SHOWN])
    more = ", ..." if duplicates.count > _SHOWN else ""
    raise DuplicatesSuspected(
        f"{duplicates.count} of {total} rows ask for what may have been paid already ({named}{more}), so nothing was "
        "sent: look at each, then take it out, or let them pass with allow_duplicates (--allow-duplicates)",
        duplicates=duplicates.first,
        count=duplicates.count,
    )


def _join(found: Duplicates, elsewhere: Duplicates) -> Duplicates:
    return Duplicates((*found.first, *elsewhere.first), found.count + elsewhere.count)


def describe_duplicate(same: SameRequest) -> str:
    """Say which row asks for the same as which."""
    line = f" on line {same.line}" if same.line else ""
    if same.of_batch is None:
        return f"{same.reference}{line} as {same.of_reference}" + (f" on line {same.of_line}" if same.of_line else "")
    state = f", {same.of_state.value.replace('_', ' ')}" if same.of_state else ""
    return f"{same.reference}{line} as {same.of_reference} of batch {same.of_batch}{state}"


def _rows_digest(endpoint: str, binding: Binding, seal: str) -> str:
    return _digest([endpoint, *astuple(binding), seal])[:_ROWS_DIGITS]


def _digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
