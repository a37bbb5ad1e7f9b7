"""The groups of methods: one short method for each documented call, which **raises** the errors of `errors`."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.attempts import View
from caxton_async.auth.rotation import Keep
from caxton_async.errors import ConfigurationError
from caxton_async.protocol.request import check_header_value
from caxton_async.secret import Secret, hide
from caxton_async.session import Session

if TYPE_CHECKING:
    from caxton_async.bulk import BulkPaymentRow


@frozen
class _Group:
    """Calls made through one session, for one view.

    Each method awaits the session itself: a coroutine between them would cost a fiftieth of a whole call.
    """

    _session: Session
    _view: View


class Auth(_Group):
    """Passwords and tokens; a call needs none of these by hand but the first `generate_password`."""

    async def generate_password(self) -> m.GeneratedPassword:
        """Have the API make a new password; the client logs in with it from then on.  Keep it: it is shown once.

        **Raises** ConfigurationError in the view of an account, whose password `sub_accounts.generate_password` makes.
        """
        self._refuse_account("generate_password", "call sub_accounts.generate_password(sub) for a sub-account's")
        credentials = self._session.credentials
        request = m.GeneratePassword(credentials.username, credentials.client_name)
        generated = (await self._session.call(e.GENERATE_PASSWORD, request, self._view)).model
        self._session.use_password(generated.client_password)
        return generated

    async def rotate_password(self, *, keep: Keep | None = None) -> m.GeneratedPassword:
        """Reset the credentials, generate a new password and log in with it, while other calls wait for the new token.

        All who ask at the same time get the same password.  `keep`, an async callable, is given the new password to
        store it before it is used; the password provider of the credentials is asked again at the next login.

        **Raises** what `keep` raises, once the rotation is complete; OutcomeUnknown that says what to ask the vendor
        for when the new password was lost on its way and the old token works no more; ConfigurationError in the view
        of an account.
        """
        self._refuse_account("rotate_password", "call it on the client itself")
        return await self._session.rotate_password(keep)

    async def access_token(self) -> m.AccessToken:
        """Return the token in use, logging in if there is none; `expires_in` is what is left of it, in seconds."""
        return await self._session.access_token(self._view)

    def lift_hold(self) -> None:
        """Let the next call log in at once, whatever the last login came to."""
        self._session.lift_hold()

    async def reset_credentials(self, identity_number: str | None = None) -> None:
        """Make the password and tokens void: of the sub-account named or viewed, else of the client itself."""
        view = self._view if identity_number is None else act_for(self._view, identity_number)
        await self._session.call(e.RESET_CREDENTIALS, m.ResetCredentials(), view)
        if view.caller.identity_number is None:
            self._session.use_password(None)

    def _refuse_account(self, name: str, remedy: str) -> None:
        if self._view.caller.identity_number is not None:
            raise ConfigurationError(f"auth.{name}() would change the password of the main account: {remedy}")


class SubAccounts(_Group):
    """Child clients."""

    async def create(self, company_name: str, email: str) -> m.SubAccount:
        """Open a sub-account; what it returns generates its password."""
        return (
            await self._session.call(e.CREATE_SUB_ACCOUNT, m.CreateSubAccount(company_name, email), self._view)
        ).model

    async def generate_password(self, sub: m.SubAccount) -> m.GeneratedPassword:
        """Have the API make the password of a sub-account, as `create` returned it.  Keep it: it is shown once."""
        return (
            await self._session.call(e.GENERATE_PASSWORD, m.GeneratePassword(sub.username, sub.name), self._view)
        ).model


class Users(_Group):
    """People under an account."""

    async def create(self, user: m.NewUser, *, iv_key: str | Secret | None = None) -> m.CreatedUser:
        """Register a person; `iv_key` is sent as a header."""
        iv_key = hide(iv_key)  # a crash reporter shows the variables of frames
        request = user if iv_key is None else evolve(user, iv_key=iv_key)
        return (await self._session.call(e.CREATE_USER, request, self._view)).model


class Banks(_Group):
    """The accounts that take payments in."""

    async def list(self) -> tuple[m.BankDetails, ...]:
        """Return the accounts of every currency."""
        return (await self._session.call(e.LIST_BANKS, None, self._view)).model

    async def for_currency(self, currency: str) -> tuple[m.BankDetails, ...]:
        """Return the accounts of one currency, such as `"EUR"`."""
        return (await self._session.call(e.BANKS_FOR_CURRENCY, m.BanksForCurrency(currency), self._view)).model


class Countries(_Group):
    """Where payments can go, and what they need there."""

    async def list(self) -> tuple[m.Country, ...]:
        """Return every country."""
        return (await self._session.call(e.LIST_COUNTRIES, None, self._view)).model

    async def get(self, code: str) -> m.Country:
        """Return one country by its ISO 3166-1 alpha-2 code."""
        return (await self._session.call(e.GET_COUNTRY, m.GetCountry(code), self._view)).model

    async def bank_requirements(self, country: str, currency: str) -> m.BankRequirements:
        """Return what a payment to `country` in `currency` needs."""
        return (
            await self._session.call(e.GET_BANK_REQUIREMENTS, m.GetBankRequirements(country, currency), self._view)
        ).model


class Balances(_Group):
    """Main balances and pots."""

    async def move_funds(self, *, from_currency: str, to_currency: str, amount: Decimal | int) -> tuple[m.Balance, ...]:
        """Move money between a main balance and a pot; returns both balances, the source first.  Moves money."""
        return (
            await self._session.call(e.MOVE_FUNDS, m.MoveFunds(from_currency, to_currency, amount), self._view)
        ).model

    async def create_pot(
        self, currency: str, prefix: str, *, friendly_name: str | None = None
    ) -> tuple[m.Balance, ...]:
        """Open a pot in `currency`; returns its balance."""
        return (await self._session.call(e.CREATE_POT, m.CreatePot(currency, prefix, friendly_name), self._view)).model


class BulkPayments(_Group):
    """Payroll and other uploads of many payments."""

    async def create_upload(self, *, description: str, source: m.BulkSource) -> m.BulkUpload:
        """Open an upload; nothing is paid until its rows are submitted."""
        return (
            await self._session.call(e.CREATE_BULK_UPLOAD, m.CreateBulkUpload(description, source), self._view)
        ).model

    async def submit(self, upload: m.BulkUpload, rows: "Iterable[BulkPaymentRow | Mapping[str, str]]") -> None:
        """Send the rows as CSV in the order of the upload's columns.  Moves money."""
        from caxton_async.bulk import render_payload  # noqa: PLC0415  # its tables are for those who pay in bulk

        payload = render_payload(rows, upload.column_format)
        await self._session.call(
            e.SUBMIT_BULK_PAYLOAD, m.SubmitBulkPayload(upload.upload_record_id, payload), self._view
        )


class Fx(_Group):
    """Exchange rates."""

    async def card_rate(self, *, buy: str, sell: str, amount: Decimal | int) -> m.CardRate:
        """Return the rate at which `amount` of `sell` buys `buy` for a card."""
        return (await self._session.call(e.GET_CARD_RATE, m.GetCardRate(buy, sell, amount), self._view)).model


class Wallets(_Group):
    """Wallets, which hold cards."""

    async def create(self, name: str) -> m.Wallet:
        """Open a wallet."""
        return (await self._session.call(e.CREATE_WALLET, m.CreateWallet(name), self._view)).model


class Cards(_Group):
    """Cards."""

    async def create(self, card: m.NewCard) -> m.Card:
        """Make a card in a wallet."""
        return (await self._session.call(e.CREATE_CARD, card, self._view)).model


class Webhooks(_Group):
    """Notifications."""

    async def enable(self) -> None:
        """Switch webhooks on."""
        await self._session.call(e.ENABLE_WEBHOOKS, None, self._view)

    async def create_endpoint(self, event: m.WebhookEvent | str, url: str) -> None:
        """Have notifications of one type sent to `url`."""
        await self._session.call(e.CREATE_WEBHOOK_ENDPOINT, m.CreateWebhookEndpoint(event, url), self._view)


class Sandbox(_Group):
    """What only the sandbox can do."""

    async def fund(self, *, currency: str, amount: Decimal | int, user_id: str) -> None:
        """Credit an account."""
        await self._session.call(e.FUND_SANDBOX, m.FundSandbox(currency, amount, user_id), self._view)

    async def decide_transfer(self, transfer_id: int, *, approve: bool) -> None:
        """Approve or reject a transfer."""
        await self._session.call(
            e.DECIDE_TRANSFER, m.DecideTransfer(transfer_id, "Approved" if approve else "Rejected"), self._view
        )


def act_for(view: View, identity_number: str) -> View:
    """Return `view` for a sub-account.

    **Raises** InvalidRequest when no header can carry `identity_number`.
    """
    check_header_value(identity_number, "the identity number")
    return evolve(view, caller=evolve(view.caller, identity_number=identity_number))


def act_as(view: View, user_token: Secret, user_id: str | None = None) -> View:
    """Return `view` for a user account.

    **Raises** InvalidRequest when no header can carry `user_token`.
    """
    check_header_value(user_token, "the user token")
    return evolve(view, caller=evolve(view.caller, user_token=user_token, user_id=user_id))
