"""The emulator's books: balances, pots, uploads, payments, wallets, cards, webhooks.

Amounts are exact decimals.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import attrs

from caxton_async.emulator.accounts import Account, Accounts
from caxton_async.emulator.payroll import Payment, Upload, exact_amount, find_currency, read_payments
from caxton_async.emulator.refusals import Refused
from caxton_async.emulator.tables import CARD_CURRENCIES, COLUMN_FORMATS, CURRENCIES, Currency

_POT_PREFIX = re.compile(r"[A-Za-z0-9]{1,5}(-[A-Z]{3})?")


@attrs.frozen
class Move:
    """Money that was moved between two balances of one account."""

    account: Account
    source: str
    target: str
    amount: Decimal


@attrs.frozen
class Wallet:
    """A wallet and the ids of its cards."""

    wallet_id: int
    account: Account
    name: str
    cards: list[str] = attrs.Factory(list)


@attrs.frozen
class CardRate:
    """What an amount of one currency buys of another."""

    buy: Currency
    sell: Currency
    buy_amount: Decimal
    sell_amount: Decimal
    rate: Decimal


@attrs.frozen
class Totals:
    """What has happened so far; the last three are sums by currency."""

    logins: int
    moves: int
    uploads: int
    payments: int
    funded: dict[str, Decimal]
    moved: dict[str, Decimal]
    paid: dict[str, Decimal]


def card_rate(buy_code: str, sell_code: str, amount: Decimal | int) -> CardRate:
    """Quote a rate for a card; the amount is in the currency that is paid with."""
    if not {buy_code, sell_code} <= CARD_CURRENCIES:
        raise Refused("UnknownCurrency", "The currency is not one of the cards' currencies.")
    buy, sell = CURRENCIES[buy_code], CURRENCIES[sell_code]
    sold = exact_amount(amount, sell)
    rate = (buy.rate / sell.rate).quantize(Decimal("0.0001"))
    return CardRate(buy, sell, (sold * rate).quantize(buy.step), sold, rate)


@attrs.define(eq=False)
class Ledger:
    """The state of the emulated bank, simple to read: `ledger.accounts.main.balances["GBP"]`.

    `moves` holds the last `history` moves, or all of them; the counts and sums are always complete.
    """

    accounts: Accounts
    history: int | None = None
    moves: deque[Move] = attrs.field(
        init=False, default=attrs.Factory(lambda self: deque(maxlen=self.history), takes_self=True)
    )
    move_count: int = attrs.field(init=False, default=0)
    funded: defaultdict[str, Decimal] = attrs.field(init=False, factory=lambda: defaultdict(Decimal))
    moved: defaultdict[str, Decimal] = attrs.field(init=False, factory=lambda: defaultdict(Decimal))
    uploads: dict[int, Upload] = attrs.field(init=False, factory=dict)
    payments: dict[int, Payment] = attrs.field(init=False, factory=dict)  # by transfer id
    wallets: dict[int, Wallet] = attrs.field(init=False, factory=dict)
    webhooks: list[tuple[str, str]] = attrs.field(init=False, factory=list)  # event type, URL
    webhooks_enabled: bool = attrs.field(init=False, default=False)
    _card_ids: Iterator[int] = attrs.field(init=False, factory=lambda: count(12_345_678))

    def fund(self, account: Account, currency_code: str, amount: Decimal | int) -> None:
        """Let money come in to an account's main balance."""
        currency = find_currency(currency_code)
        exact = exact_amount(amount, currency)
        account.balances[currency.code] = self.balance(account, currency.code) + exact
        self.funded[currency.code] += exact

    def balance(self, account: Account, code: str) -> Decimal:
        """Return what a main balance or a pot holds; a main balance that was never used holds nothing."""
        held = account.balances.get(code)
        if held is not None:
            return held
        base = find_currency(code.rpartition("-")[2])
        if code != base.code and code not in account.pots:
            raise Refused("UnknownPot", "The account has no such pot.")
        return base.zero

    def create_pot(self, account: Account, currency_code: str, prefix: str, friendly_name: str | None) -> str:
        """Open a pot at zero; return its code, such as `POT11-USD`."""
        currency = find_currency(currency_code)
        match = _POT_PREFIX.fullmatch(prefix)
        if match is None or match[1] not in (None, f"-{currency.code}"):
            raise Refused("InvalidValue", "potPrefix is at most 5 letters and digits, or the pot's whole code.")
        code = prefix if match[1] else f"{prefix}-{currency.code}"
        if code in account.pots:
            raise Refused("PotExists", "The account has a pot of this name.")
        account.pots[code] = friendly_name
        account.balances[code] = currency.zero
        return code

    def move(self, account: Account, source: str, target: str, text: str) -> None:
        """Move money between two balances of one base currency."""
        held, reached = self.balance(account, source), self.balance(account, target)
        currency = find_currency(source.rpartition("-")[2])
        if source == target or find_currency(target.rpartition("-")[2]) is not currency:
            raise Refused("CurrencyMismatch", "Move between two different balances of the same currency.")
        amount = exact_amount(text, currency)
        if amount > held:
            raise Refused("InsufficientFunds", "The balance does not hold the amount.")
        account.balances[source], account.balances[target] = held - amount, reached + amount
        self.moves.append(Move(account, source, target, amount))
        self.move_count += 1
        self.moved[currency.code] += amount

    def create_upload(self, account: Account, description: str, source: str) -> Upload:
        """Open a bulk upload, to be submitted once."""
        if source not in COLUMN_FORMATS:
            raise Refused("InvalidValue", 'ExternalSource is "1", "2", "5" or "8".')
        upload = Upload(1234 + len(self.uploads), account, description, COLUMN_FORMATS[source])
        self.uploads[upload.upload_record_id] = upload
        return upload

    def submit(self, account: Account, upload_record_id: int, payload: str) -> None:
        """Pay every row of the payload, or refuse it whole."""
        upload = self.uploads.get(upload_record_id)
        if upload is None or upload.account is not account:
            raise Refused("UnknownUpload", "The account has no such upload.")
        if upload.payload is not None:
            raise Refused("UploadAlreadySubmitted", "The payload of this upload was submitted before.")
        payments = read_payments(upload, payload, 164_165 + len(self.payments))
        needed: defaultdict[str, Decimal] = defaultdict(Decimal)
        for payment in payments:
            needed[payment.currency] += payment.amount
        if any(self.balance(account, code) < amount for code, amount in needed.items()):
            raise Refused("InsufficientFunds", "The main balance does not hold the sum of the payments.")
        for code, amount in needed.items():
            account.balances[code] -= amount
        self.payments.update((payment.transfer_id, payment) for payment in payments)
        upload.payload = payload

    def decide(self, account: Account, transfer_id: int, status: str) -> None:
        """Approve a pending payment, or reject it and give the money back."""
        payment = self.payments.get(transfer_id)
        if payment is None or payment.upload.account is not account:
            raise Refused("UnknownTransfer", "The account has no such transfer.")
        if payment.status != "Pending":
            raise Refused("TransferAlreadyDecided", "The transfer was approved or rejected before.")
        payment.status = status
        if status == "Rejected":
            account.balances[payment.currency] += payment.amount

    def paid(self, reference: str) -> int:
        """Count the payments, but for rejected ones, with this RecipientReference or ClientRecipientReference."""
        return sum(
            reference in (payment.row.get("RecipientReference"), payment.row.get("ClientRecipientReference"))
            for payment in self.payments.values()
            if payment.status != "Rejected"
        )

    def create_wallet(self, account: Account, name: str) -> Wallet:
        """Open a wallet."""
        wallet = Wallet(123_456 + len(self.wallets), account, name)
        self.wallets[wallet.wallet_id] = wallet
        return wallet

    def create_card(self, account: Account, wallet_id: int) -> str:
        """Add a card to a wallet; return its id."""
        wallet = self.wallets.get(wallet_id)
        if wallet is None or wallet.account is not account:
            raise Refused("UnknownWallet", "The account has no such wallet.")
        card_id = str(next(self._card_ids))
        wallet.cards.append(card_id)
        return card_id

    def totals(self) -> Totals:
        """Sum up what has happened."""
        paid: defaultdict[str, Decimal] = defaultdict(Decimal)
        for payment in self.payments.values():
            if payment.status != "Rejected":
                paid[payment.currency] += payment.amount
        sums = (dict(each) for each in (self.funded, self.moved, paid))
        return Totals(self.accounts.logins, self.move_count, len(self.uploads), len(self.payments), *sums)

    def check(self) -> tuple[str, ...]:
        """Say what does not add up, in each currency: money in = balances + money paid out, no balance below zero."""
        totals = self.totals()
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        problems = []
        for account in self.accounts.by_username.values():
            for code, amount in account.balances.items():
                held[code.rpartition("-")[2]] += amount
                if amount < 0:
                    problems.append(f"{account.username}: {code} is below zero")
        for code in sorted({*held, *totals.funded, *totals.paid}):
            funded, paid = totals.funded.get(code, 0), totals.paid.get(code, 0)
            if funded != held[code] + paid:
                problems.append(f"{code}: {funded} came in, but {held[code]} is held and {paid} was paid out")
        return tuple(problems)
