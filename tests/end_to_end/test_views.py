"""For whom calls are made: views that are used at the same time by the hundred, and never mix."""

import asyncio
import random

from helpers import client

from caxton_async.emulator import Emulator, Fault


async def test_no_request_carries_the_headers_of_another_view() -> None:
    """Five thousand calls of five hundred accounts, interleaved, replayed and tried again, each go out as their own."""
    async with Emulator() as emulator, client(emulator, deadline_s=600.0) as caxton:
        accounts = emulator.ledger.accounts
        callers = {}
        for _ in range(500):
            account = accounts.add_sub_account("Sub")
            callers[account.identity_number] = accounts.add_user(account).api_token
        emulator.faults.add(Fault("unauthorised", endpoint="create_wallet", times=20, after=50, every=7))
        emulator.faults.add(Fault("rate_limited", endpoint="create_wallet", times=5, every=11, retry_after="0"))
        calls = [(identity, number) for identity in callers for number in range(10)]
        random.Random(7).shuffle(calls)

        wallets = await asyncio.gather(
            *(
                caxton.for_account(identity).for_user(callers[identity]).wallets.create(f"{identity}/{number}")
                for identity, number in calls
            )
        )

        assert [wallet.name for wallet in wallets] == [f"{identity}/{number}" for identity, number in calls]
        requests = [request for request in emulator.requests if request.endpoint == "create_wallet"]
        assert len(requests) == 5000 + 20 + 5
        for request in requests:
            identity = request.headers["IdentityNumber"]
            assert f'"{identity}/'.encode() in request.body
            assert request.headers["userapitoken"] == callers[identity]


async def test_calls_that_need_no_token_carry_no_headers_of_a_view() -> None:
    """The login, and the making of a password, are the client's own: they name neither account nor user."""
    async with Emulator() as emulator, client(emulator) as caxton:
        account = emulator.ledger.accounts.add_sub_account("Sub")
        user = emulator.ledger.accounts.add_user(account)
        view = caxton.for_account("ID-1").for_user(user.api_token)

        await view.auth.generate_password()
        await view.wallets.create("w")
        await view.auth.access_token()

        assert [request.endpoint for request in emulator.requests] == [
            "generate_password",
            "get_access_token",
            "create_wallet",
        ]
        password, login, wallet = emulator.requests
        for request in (password, login):
            assert not {"IdentityNumber", "userapitoken", "Authorization"} & set(request.headers)
        assert (wallet.headers["IdentityNumber"], wallet.headers["userapitoken"]) == ("ID-1", user.api_token)


async def test_a_view_leaves_the_client_as_it_was() -> None:
    """Views are made from a client or from one another, and change neither."""
    async with Emulator() as emulator, client(emulator) as caxton:
        first, second = (emulator.ledger.accounts.add_sub_account("Sub") for _ in range(2))
        view = caxton.for_account(first.identity_number)
        other = view.for_account(second.identity_number).with_options(deadline_s=5)

        for each in (caxton, view, other, view, caxton):
            await each.wallets.create("w")

        headers = [r.headers.get("IdentityNumber") for r in emulator.requests if r.endpoint == "create_wallet"]
        assert headers == [None, "ID-1", "ID-2", "ID-1", None]
        assert emulator.logins == 1
