"""What a batch comes to: totals, doubles and the digests that pin it."""

import datetime as dt
from decimal import Decimal, localcontext

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.batch import plan as plan_module
from caxton_async.batch.input import Row
from caxton_async.batch.plan import Double, Total, make_plan, plan_digest, row_digest
from caxton_async.bulk import BulkPaymentRow
from caxton_async.models import CreateBulkUpload, GetAccessToken, MoveFunds

SALT = b"0123456789abcdef"


def move(amount: object, currency: str = "GBP") -> MoveFunds:
    """Build a request that moves money."""
    return MoveFunds(currency, f"POTBC-{currency}", amount)


def rows(*requests: object) -> list[Row]:
    """Number requests as the rows of a file."""
    return [Row(f"R{line}", request, line) for line, request in enumerate(requests, 2)]


def test_totals_are_exact_by_currency() -> None:
    """Amounts add up to the last digit, and the control sum covers all currencies."""
    plan = make_plan(rows(move(Decimal("0.10")), move(Decimal("0.20")), move(7, "JPY"), CreateBulkUpload("x", "1")))

    assert plan.totals == (Total("GBP", 2, Decimal("0.30")), Total("JPY", 1, Decimal(7)))
    assert (plan.count, plan.control_sum, plan.compared) == (4, Decimal("7.30"), 4)


def test_totals_do_not_depend_on_the_precision_around_them() -> None:
    """A program that calculates with few digits does not make the sums wrong."""
    with localcontext(prec=3):
        plan = make_plan(rows(move(Decimal("123456789.01")), move(Decimal("0.02"))))

    assert plan.control_sum == Decimal("123456789.03")


def test_the_same_request_under_another_reference_is_suspect() -> None:
    """A double names both lines and both references, however the amount is written."""
    plan = make_plan(rows(move(Decimal("10.50")), move(5), move(Decimal("10.5"))))

    assert plan.doubles == (Double(4, "R4", 2, "R2"),)
    assert plan.double_count == 1


def test_a_reference_that_is_sent_does_not_hide_a_double() -> None:
    """Two rows that differ by their own reference alone are doubles."""
    requests = [
        BulkPaymentRow(recipient_name="Ada", account_number="1", currency="GBP", amount=1, payment_reference=reference)
        for reference in ("R2", "R3", "other")
    ]

    plan = make_plan(rows(*requests))

    assert plan.doubles == (Double(3, "R3", 2, "R2"),)


def test_doubles_are_listed_up_to_a_cap_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of doubles does not fill the memory, and the plan says how far it looked."""
    monkeypatch.setattr(plan_module, "REMEMBERED", 150)

    plan = make_plan(rows(*[move(1)] * 200))

    assert (len(plan.doubles), plan.double_count, plan.compared, plan.count) == (100, 149, 150, 200)


def test_an_empty_plan_is_a_plan() -> None:
    """Nothing comes to nothing."""
    plan = make_plan([])

    assert (plan.count, plan.totals, plan.control_sum) == (0, (), Decimal(0))


def test_a_digest_names_one_plan_and_its_context() -> None:
    """The same rows and context give the same digest; anything else gives another."""
    plan, other = make_plan(rows(move(1))), make_plan(rows(move(2)))
    context = {"endpoint": "move_funds", "origin": "https://caxapi-staging.caxton.io", "input": "ab"}

    digests = {
        plan_digest(plan, **context),
        plan_digest(other, **context),
        plan_digest(plan, **context | {"input": "ac"}),
        plan_digest(plan),
    }

    assert plan_digest(make_plan(rows(move(1))), **dict(reversed(context.items()))) == plan_digest(plan, **context)
    assert len(digests) == 4


def test_a_row_is_known_again_by_its_digest() -> None:
    """Equal requests have equal digests under one salt, and nothing in common under two."""
    assert row_digest(move(Decimal("10.50")), SALT) == row_digest(move(Decimal("10.5")), SALT)
    assert row_digest(move(1), SALT) != row_digest(move(1), SALT[::-1])
    assert row_digest(None, SALT) != row_digest(CreateBulkUpload("x", "1"), SALT)


def test_a_digest_tells_nothing_of_a_secret() -> None:
    """A password could be guessed from a digest that it went into."""
    assert row_digest(GetAccessToken("u", "a"), SALT) == row_digest(GetAccessToken("u", "b"), SALT)


def test_each_kind_of_value_counts() -> None:
    """Dates, choices, numbers and whatever else a class of the user's holds make a difference."""

    @frozen
    class Request:
        value: object

    values = [dt.date(2030, 1, 1), dt.date(2030, 1, 2), 1, True, "1", None, Decimal("1.5"), CreateBulkUpload("x", "1")]
    values += [CreateBulkUpload("x", "1").external_source, ("a",), ("b",)]

    digests = {row_digest(Request(value), SALT) for value in values}

    assert len(digests) == len(values) - 1  # the choice is worth the same as its text, "1"


@given(st.decimals(min_value=0, max_value=10**15, places=4), st.decimals(min_value=0, max_value=10**15, places=4))
def test_amounts_share_a_digest_only_when_equal(first: Decimal, second: Decimal) -> None:
    """No two amounts are taken for one another."""

    @frozen
    class Request:
        amount: Decimal

    same = row_digest(Request(first), SALT) == row_digest(Request(second), SALT)

    assert same == (first == second)
