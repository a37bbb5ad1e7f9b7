"""What a person or a program on this machine may read of the emulator: the ledger in plain words, without a secret."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from caxton_async.emulator.ledger import Ledger

PATH = "/_emulator/state"
_REFERENCES = ("PaymentReference", "ClientRecipientReference", "RecipientReference")


def describe(ledger: Ledger, counts: Mapping[str | None, int]) -> dict[str, object]:
    """Return the state of the bank as JSON can carry it, amounts as text; `counts` are the requests read by call.

    `moves` are those that are still remembered; `move_count` is complete.  `problems` is what does not add up.
    """
    totals = ledger.totals()
    return {
        "logins": totals.logins,
        "requests": {name: count for name, count in counts.items() if name is not None},
        "move_count": totals.moves,
        "moves": [[move.account.username, move.source, move.target, str(move.amount)] for move in ledger.moves],
        "payments": [
            {
                "reference": next((payment.row[name] for name in _REFERENCES if payment.row.get(name)), None),
                "currency": payment.currency,
                "amount": str(payment.amount),
                "status": payment.status,
            }
            for payment in ledger.payments.values()
        ],
        "wallets": len(ledger.wallets),
        "balances": {name: _texts(account.balances) for name, account in ledger.accounts.by_username.items()},
        "funded": _texts(totals.funded),
        "moved": _texts(totals.moved),
        "paid": _texts(totals.paid),
        "problems": list(ledger.check()),
    }


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {code: str(amount) for code, amount in amounts.items()}
