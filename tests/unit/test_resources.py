"""The groups of methods: what each makes of its arguments, as the server reads it."""

from decimal import Decimal

import pytest

from caxton_async import BulkSource, InvalidRequest, WebhookEvent
from caxton_async.emulator import Emulator
from caxton_async.models import NewCard
from tests.support.harness import client, failure
from tests.unit.protocol.test_samples import USER


def body(emulator: Emulator) -> str:
    """Return the body of the last request."""
    return emulator.requests[-1].body.decode()


async def test_the_header_of_a_new_user_may_be_given_apart() -> None:
    """`iv_key` goes to its header, whether it stands in the request or beside it, and never into the body."""
    async with Emulator() as emulator, client(emulator) as caxton:
        for number, key in enumerate(["beside-it", "another"]):
            await caxton.users.create(USER, iv_key=key)

            assert emulator.requests[-1].headers["IvKey"] == key
            assert key not in body(emulator)
            assert emulator.count("create_user") == number + 1


@pytest.mark.parametrize(("approve", "status"), [(True, "Approved"), (False, "Rejected")])
async def test_a_transfer_is_approved_or_rejected(approve: bool, status: str) -> None:
    """The decision is a boolean here, and a word for the API; one about an unknown transfer is refused by it."""
    async with Emulator() as emulator, client(emulator) as caxton:
        error = await failure(caxton.sandbox.decide_transfer(7, approve=approve))

        assert body(emulator) == f'{{"TransferId":7,"TransferStatus":"{status}"}}'
        assert error.api_status == "UnknownTransfer"


@pytest.mark.parametrize("event", [WebhookEvent.PAYMENT, "Payment"])
async def test_a_webhook_takes_a_type_or_its_name(event: WebhookEvent | str) -> None:
    """An event's type may be given as the enumeration's or as text."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await caxton.webhooks.enable()
        await caxton.webhooks.create_endpoint(event, "https://example.com/hook")

        assert body(emulator) == '{"WebhookEventType":"Payment","EndpointUrl":"https://example.com/hook"}'


async def test_money_moves_as_it_was_written() -> None:
    """The ledger has moved exactly the amount that was given, and both balances come back exact."""
    async with Emulator() as emulator, client(emulator) as caxton:
        emulator.ledger.fund(emulator.ledger.accounts.main, "GBP", 1000)
        [pot] = await caxton.balances.create_pot("GBP", "POTBC", friendly_name="Pot")
        source, target = await caxton.balances.move_funds(
            from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal("10.10")
        )

        assert (pot.balance, source.balance, target.balance) == (0, Decimal("989.90"), Decimal("10.10"))
        assert '"Amount":"10.10"' in body(emulator)


@pytest.mark.parametrize("amount", [10.5, True, "10", Decimal(0), Decimal(-1), Decimal("1.001"), Decimal("NaN")])
async def test_an_amount_that_is_not_money_is_not_sent(amount: object) -> None:
    """A float, a text, nothing, less than nothing or a fraction of a penny is refused before any login."""
    async with Emulator() as emulator, client(emulator) as caxton:
        await failure(
            caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=amount), InvalidRequest
        )
        await failure(caxton.fx.card_rate(buy="CHF", sell="GBP", amount=amount), InvalidRequest)

        assert emulator.requests == []


async def test_rows_are_sent_in_the_order_of_the_upload() -> None:
    """The columns of a payload stand in the order that the server gave, whatever order the rows have."""
    async with Emulator() as emulator, client(emulator) as caxton:
        upload = await caxton.bulk_payments.create_upload(description="May", source=BulkSource.CAXTON)
        columns = upload.column_format or ()
        await failure(caxton.bulk_payments.submit(upload, [dict.fromkeys(reversed(columns), "x")]))

        header = emulator.requests[-1].body.decode().split('"Payload":"')[1].split("\\r\\n")[0].split("\\n")[0]
        assert tuple(header.split(",")) == columns
        assert emulator.requests[-1].path.endswith(f"/payments/{upload.upload_record_id}")


async def test_a_wallet_and_its_card() -> None:
    """A card is made in the wallet whose id its request has."""
    async with Emulator() as emulator, client(emulator) as caxton:
        wallet = await caxton.wallets.create("Marketing")
        card = await caxton.cards.create(
            NewCard(
                wallet_id=wallet.wallet_id, first_name="A", last_name="B", gender="Male", date_of_birth="1990-01-31"
            )
        )

        assert emulator.requests[-1].path.endswith(f"/wallets/{wallet.wallet_id}/cards")
        assert card.card_id
