"""For whom calls are made: views that are used at the same time by the hundred, and never mix."""

import asyncio
import random
from typing import Any

import pytest

from caxton_async import CaxtonClient, ConfigurationError, Credentials, InvalidRequest, Secret, Sent
from caxton_async.emulator import Emulator, Fault
from tests.support.harness import client


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

        await caxton.for_user(user.api_token).auth.generate_password()
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


async def test_a_client_may_be_made_from_the_environment() -> None:
    """The variables say who logs in, where, and for whom calls are made."""
    async with Emulator() as emulator:
        account = emulator.ledger.accounts.add_sub_account("Sub")
        user = emulator.ledger.accounts.add_user(account)
        environ = {
            "CAXTON_BASE_URL": emulator.base_url,
            "CAXTON_USERNAME": emulator.credentials.username,
            "CAXTON_CLIENT_NAME": emulator.credentials.client_name,
            "CAXTON_PASSWORD": emulator.credentials.password.reveal(),
            "CAXTON_PATH_GET_ACCESS_TOKEN": "token",
        }
        own, others = environ, environ | {"CAXTON_IDENTITY_NUMBER": "ID-1", "CAXTON_USER_TOKEN": user.api_token}

        for variables in (own, others):
            async with CaxtonClient.from_env(variables) as caxton:
                await caxton.wallets.create("w")

        calls = [r.headers for r in emulator.requests if r.endpoint == "create_wallet"]
        assert [h.get("IdentityNumber") for h in calls] == [None, "ID-1"]
        assert [h.get("userapitoken") for h in calls] == [None, user.api_token]


def test_the_environment_is_refused_with_all_that_is_wrong() -> None:
    """Every variable that is missing is named at once."""
    with pytest.raises(ConfigurationError) as raised:
        CaxtonClient.from_env({})

    assert "CAXTON_USERNAME" in str(raised.value)
    assert "CAXTON_CLIENT_NAME" in str(raised.value)


@pytest.mark.parametrize("given", [("u", None), (Credentials("u", "c"), "sandbox")], ids=["credentials", "settings"])
def test_a_client_takes_credentials_and_settings(given: tuple[Any, Any]) -> None:
    """A string in the place of the one or the other is refused when the client is made."""
    with pytest.raises(ConfigurationError, match="in this order"):
        CaxtonClient(*given)


def test_a_client_shows_where_it_calls_and_for_whom_but_no_secret() -> None:
    """The text of a client names origin and account, and hides the user's token."""
    caxton = CaxtonClient(Credentials("u", "c", "canary-password"))

    text = repr(caxton.for_account("ID-1").for_user(Secret("canary-user-token")))

    assert "caxapi-integration.azurewebsites.net" in text
    assert "ID-1" in text
    assert "canary" not in text


@pytest.mark.parametrize("value", ["", " ID", "ID\n", "ÏD", "ID\x00", 5])
def test_what_no_header_can_carry_makes_no_view(value: Any) -> None:
    """An identity number or a user's token with white space, line breaks or other letters is refused, unshown."""
    caxton = CaxtonClient(Credentials("u", "c", "p"))

    for make in (caxton.for_account, caxton.for_user):
        with pytest.raises(InvalidRequest) as raised:
            make(value)
        assert raised.value.sent is Sent.NO


@pytest.mark.parametrize(
    "options", [{"deadline_s": 0}, {"deadline_s": "5"}, {"attempt_timeout_s": -1}, {"max_attempts": 0}]
)
def test_options_that_cannot_work_make_no_view(options: dict[str, Any]) -> None:
    """A deadline or a number of attempts that cannot work is refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        CaxtonClient(Credentials("u", "c", "p")).with_options(**options)
