"""What a file of payments needs before the demo can carry it out: money, pots and wallets."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from caxton_async.bulk import BulkPaymentRow
from caxton_async.cli._output import private_file
from caxton_async.config import from_env
from caxton_async.endpoints import MOVE_FUNDS
from caxton_async.models import MoveFunds

_WALLETS: Final = ("Marketing", "Travel")


@frozen
class Scene:
    """Money to come in by currency, money to be moved to pots first, and the moves that takes."""

    funds: Mapping[str, Decimal]
    pots: Mapping[str, Decimal]

    @property
    def first_moves(self) -> list[MoveFunds]:
        """What is moved to pots before the file is carried out, so that no payment lacks money whatever their order."""
        return [MoveFunds(currency_of(pot), pot, amount) for pot, amount in self.pots.items() if amount]

    def __str__(self) -> str:
        currencies = ", ".join(sorted(self.funds))
        return f"money came in ({currencies}); pots made: {len(self.pots)}, wallets made: {len(_WALLETS)}"


def currency_of(code: str) -> str:
    """Return the currency of a main balance or of a pot."""
    return code.rpartition("-")[2]


def plan_scene(moves: Sequence[MoveFunds], payroll: Sequence[BulkPaymentRow]) -> Scene:
    """Work out what payments need, so that none is refused for want of money or of a pot."""
    funds: defaultdict[str, Decimal] = defaultdict(Decimal)
    pots: defaultdict[str, Decimal] = defaultdict(Decimal)
    for move in moves:
        source, target, amount = move.from_currency, move.to_currency, move.amount
        funds[currency_of(source)] += amount
        for code in (source, target):
            if code != currency_of(code):
                pots[code] += amount if code == source else 0
    for payment in payroll:
        funds[payment.currency] += payment.amount
    return Scene(funds, pots)


async def set_up(scene: Scene, environment: Mapping[str, str]) -> None:
    """Generate the password that the batch will read, and make what the payments need, with one login."""
    from caxton_async.auth.stores.sqlite import SqliteTokenStore
    from caxton_async.client import CaxtonClient

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
