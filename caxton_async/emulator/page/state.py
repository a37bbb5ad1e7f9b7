"""What may be read of the emulator as JSON can carry it: amounts as text, and no secret."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Reversible
from decimal import Decimal
from itertools import islice
from typing import Protocol, TypeVar, get_args

from caxton_async.emulator import kinds
from caxton_async.emulator.conditions import ConditionKind, Conditions
from caxton_async.emulator.faults import Armed, Faults
from caxton_async.emulator.kinds import KINDS, UNTIL_RELEASED, EndpointName
from caxton_async.emulator.ledger import Ledger, Move
from caxton_async.emulator.payroll import Payment
from caxton_async.emulator.request import Request

T = TypeVar("T")
_REFERENCES = ("PaymentReference", "ClientRecipientReference", "RecipientReference")
_SHOWN = 100  # as many requests, moves, payments and accounts as the page shows


class Recorded(Protocol):
    """What has happened: the requests that are kept, how many there were of each call, and the books."""

    requests: deque[Request]
    counts: Counter[str | None]
    ledger: Ledger


def describe(recorded: Recorded) -> dict[str, object]:
    """Return the state of the bank, whole.

    `moves` are those that are still remembered; `move_count` is complete.  `problems` is what does not add up.
    """
    ledger = recorded.ledger
    return _totals(recorded) | {
        "moves": [_move(move) for move in ledger.moves],
        "payments": [_payment(payment) for payment in ledger.payments.values()],
        "balances": _balances(ledger),
    }


def describe_live(recorded: Recorded, faults: Faults, conditions: Conditions) -> dict[str, object]:
    """Return what the page shows: the newest first, and no more than it can show."""
    ledger, total = recorded.ledger, sum(recorded.counts.values())
    newest = list(_newest(recorded.requests))
    return _totals(recorded) | {
        "request_count": total,
        "last_requests": [_request(total - index, request) for index, request in enumerate(newest)],
        "moves": [_move(move) for move in _newest(ledger.moves)],
        "payments": [_payment(payment) for payment in _newest(ledger.payments.values())],
        "balances": dict(islice(_balances(ledger).items(), _SHOWN)),
        "faults": [describe_fault(armed) for armed in faults],
        "conditions": conditions.active,
    }


def describe_fault(armed: Armed) -> dict[str, object]:
    """Return a fault in use; `is_held` says that there is something to release."""
    fault = armed.fault
    return {
        "id": armed.number,
        "kind": fault.kind,
        "endpoint": fault.endpoint or armed.kind.only,
        "variant": fault.chosen_variant if armed.kind.variants else None,
        "times": fault.times,
        "hits": armed.hits,
        "applied": armed.applied_count,
        "is_held": armed.is_holding,
    }


def describe_kinds() -> dict[str, object]:
    """Return what can be set: each kind with its parameters, its variants and what the client sees."""
    seen = dict(re.findall(r"^\| (\w+) \| (?:[^|]+) \| (.+) \|$", kinds.__doc__ or "", re.MULTILINE))
    return {
        "faults": [
            {
                "kind": name,
                "seen": seen.get(name, ""),
                "takes": sorted(kind.takes - {"kind"}),
                "variants": kind.variants,
                "only": kind.only,
                "waits": name in UNTIL_RELEASED,
            }
            for name, kind in KINDS.items()
        ],
        "endpoints": get_args(EndpointName),
        "conditions": get_args(ConditionKind),
    }


def _totals(recorded: Recorded) -> dict[str, object]:
    ledger = recorded.ledger
    totals = ledger.totals()
    return {
        "logins": totals.logins,
        "requests": {name: count for name, count in recorded.counts.items() if name is not None},
        "move_count": totals.moves,
        "payment_count": totals.payments,
        "wallets": len(ledger.wallets),
        "funded": _texts(totals.funded),
        "moved": _texts(totals.moved),
        "paid": _texts(totals.paid),
        "problems": ledger.check(),
    }


def _newest(values: Reversible[T]) -> Iterator[T]:
    return islice(reversed(values), _SHOWN)


def _request(number: int, request: Request) -> dict[str, object]:
    return {
        "number": number,
        "at": request.at,
        "call": request.endpoint,
        "method": request.method,
        "path": request.path.partition("?")[0],
        "account": request.acting_for[0],
        "status": request.status,
        "fault": request.fault,
        "is_open": request.is_open,
    }


def _move(move: Move) -> list[str]:
    return [move.account.username, move.source, move.target, str(move.amount)]


def _payment(payment: Payment) -> dict[str, object]:
    return {
        "reference": next((payment.row[name] for name in _REFERENCES if payment.row.get(name)), None),
        "currency": payment.currency,
        "amount": str(payment.amount),
        "status": payment.status,
    }


def _balances(ledger: Ledger) -> dict[str, dict[str, str]]:
    return {name: _texts(account.balances) for name, account in ledger.accounts.by_username.items()}


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {code: str(amount) for code, amount in amounts.items()}
