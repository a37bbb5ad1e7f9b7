"""What a file of payments needs before the demo can carry it out: money, pots, wallets, and a payroll beside it."""

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from caxton_async.batch.rows import Row
from caxton_async.bulk import BulkPaymentRow
from caxton_async.cli.output import private_file
from caxton_async.config import from_env
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import BulkSource, MoveFunds

_WALLETS: Final = ("Marketing", "Travel")
# Names and published example accounts: nobody's.
_PAYROLL: Final = (
    ("PAY-0001", "Ada Byron", "GB33BUKB20201555555555", "GB", "2310.00"),
    ("PAY-0002", "Grace Murray", "GB29NWBK60161331926819", "GB", "2475.50"),
    ("PAY-0003", "Alan Mathison", "GB82WEST12345698765432", "GB", "1990.25"),
)


@frozen
class Scene:
    """Money to come in by currency, money to be moved to pots first, and the moves that takes."""

    funds: Mapping[str, Decimal]
    pots: Mapping[str, Decimal]

    @property
    def first_moves(self) -> list[MoveFunds]:
        """What is moved to pots before the file is carried out, so that no payment lacks money whatever their order."""
        return [MoveFunds(currency_of(pot), pot, amount) for pot, amount in self.pots.items() if amount]

    @property
    def wallets(self) -> int:
        """How many wallets are made."""
        return len(_WALLETS)

    @property
    def payroll(self) -> list[BulkPaymentRow]:
        """The payments of the bulk upload."""
        return [
            BulkPaymentRow(
                action="ADD",
                client_recipient_reference=reference,
                recipient_name=name,
                iban=iban,
                recipient_country=country,
                payment_reference=reference,
                currency="GBP",
                amount=Decimal(amount),
                payment_date=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1),
            )
            for reference, name, iban, country, amount in _PAYROLL
        ]

    def __str__(self) -> str:
        currencies = ", ".join(sorted(self.funds))
        return f"{currencies} came in, {len(self.pots)} pots, {self.wallets} wallets and a payroll upload were made"


def currency_of(code: str) -> str:
    """Return the currency of a main balance or of a pot."""
    return code.rpartition("-")[2]


def plan_scene(rows: Sequence[Row]) -> Scene:
    """Work out what the payments of a file need, so that none is refused for want of money or of a pot."""
    funds: defaultdict[str, Decimal] = defaultdict(Decimal)
    pots: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        assert isinstance(row.request, MoveFunds)
        source, target, amount = row.request.from_currency, row.request.to_currency, row.request.amount
        funds[currency_of(source)] += amount
        for code in (source, target):
            if code != currency_of(code):
                pots[code] += amount if code == source else 0
    scene = Scene(funds, pots)
    for row in scene.payroll:
        funds[row.currency] += row.amount
    return scene


async def set_up(scene: Scene, environment: Mapping[str, str]) -> None:
    """Generate the password that the batch will read, and make what the payments need, with one login."""
    from caxton_async.client import CaxtonClient
    from caxton_async.stores.sqlite import SqliteTokenStore

    configuration = from_env(environment)
    store = SqliteTokenStore(Path(environment["CAXTON_STATE_DIR"]) / "tokens.sqlite")
    nobody = evolve(configuration.credentials, password=None)
    async with CaxtonClient(nobody, configuration.settings, token_store=store) as caxton:
        with private_file(Path(environment["CAXTON_PASSWORD_FILE"])) as file:
            os.write(file, (await caxton.auth.generate_password()).client_password.reveal().encode())
        for currency, amount in scene.funds.items():
            await caxton.sandbox.fund(currency=currency, amount=amount, user_id="demo")
        for pot in scene.pots:
            await caxton.balances.create_pot(currency_of(pot), pot)
        for move in scene.first_moves:
            await caxton.call(MOVE_FUNDS, move)
        for name in _WALLETS:
            await caxton.wallets.create(name)
        upload = await caxton.bulk_payments.create_upload(description="May payroll", source=BulkSource.CAXTON)
        await caxton.bulk_payments.submit(upload, scene.payroll)
