"""`CaxtonClient`: the one object that users hold, and its views."""

import difflib
import logging
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from attrs import evolve

from caxton_async import resources as r
from caxton_async.attempts import View
from caxton_async.auth.stores import TokenStore
from caxton_async.config import Configuration, Credentials, Settings, load_configuration
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.errors import ConfigurationError
from caxton_async.models import Envelope
from caxton_async.protocol.request import Caller
from caxton_async.secret import ENVIRON, Secret, Variables
from caxton_async.session import Session

Request = TypeVar("Request")
Result = TypeVar("Result")
logger: Final = logging.getLogger("caxton_async")
_NEARLY: Final = 0.9  # `move_fund` is a slip; `create_pot_v2` may be an endpoint of the user's own

# Views that are remembered: a service makes one for each of its own requests, for the same accounts again and again.
_MAX_ACCOUNTS: Final = 1024


class CaxtonClient:
    """The client of the Caxton API, opened once with `async with` and shared by all who make calls in its event loop.

    `token_store` shares tokens with other processes; without one they are kept in memory.

    **Raises** ConfigurationError for credentials or settings of a wrong type.
    """

    def __init__(
        self, credentials: Credentials, settings: Settings | None = None, *, token_store: TokenStore | None = None
    ) -> None:
        settings = Settings() if settings is None else settings
        given: tuple[object, object] = (credentials, settings)
        if not isinstance(given[0], Credentials) or not isinstance(given[1], Settings):
            raise ConfigurationError("CaxtonClient takes Credentials and Settings, in this order")
        _warn_of_slips(settings.paths)
        self._session = Session(credentials, settings, token_store)
        self._view = View(
            deadline_s=settings.deadline_s,
            attempt_timeout_s=settings.attempt_timeout_s,
            max_attempts=settings.max_attempts,
        )
        self._accounts: dict[str, Self] = {}

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] = ENVIRON, *, token_store: TokenStore | None = None, **settings: object
    ) -> Self:
        """Make a client from the `CAXTON_...` variables, acting for the account and user that they name, if any.

        `settings` are those of `Settings` and go before the variables; these go before the profile that
        `CAXTON_PROFILE` names.

        **Raises** ConfigurationError that names every variable and setting that is missing or wrong.
        """
        environ = Variables(environ)  # a crash reporter shows the variables of frames
        return cls.from_configuration(load_configuration(environ, None, **settings), token_store=token_store)

    @classmethod
    def from_configuration(cls, configuration: Configuration, *, token_store: TokenStore | None = None) -> Self:
        """Make a client from what `load_configuration` found, acting for its account and user, if any."""
        client = cls(configuration.credentials, configuration.settings, token_store=token_store)
        if configuration.identity_number is not None:
            client = client.for_account(configuration.identity_number)
        if configuration.user_token is not None:
            client = client.for_user(configuration.user_token, user_id=configuration.user_id)
        return client

    async def __aenter__(self) -> Self:
        """Open the client; it connects and logs in with the first call."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def open(self) -> None:
        """Open the client in the running event loop, for frameworks that have hooks in place of `async with`.

        **Raises** ConfigurationError when it was opened before.
        """
        self._session.open()

    async def aclose(self, drain_s: float | None = None) -> None:
        """Close the client and all its views: what waits ends at once, what was sent may end within `drain_s` seconds.

        Without `drain_s` that of the settings counts.
        """
        await self._session.aclose(drain_s)

    def __repr__(self) -> str:
        return f"CaxtonClient({self.settings.origin!r}, {self._view.caller!r})"

    @property
    def settings(self) -> Settings:
        """The settings that the client was made with, as patient as this view."""
        settings, view = self._session.settings, self._view
        options = {name: getattr(view, name) for name in ("deadline_s", "attempt_timeout_s", "max_attempts")}
        return (
            settings
            if all(getattr(settings, name) == options[name] for name in options)
            else evolve(settings, **options)
        )

    @property
    def credentials(self) -> Credentials:
        """The credentials that the client was made with; the password is masked."""
        return self._session.credentials

    @property
    def caller(self) -> Caller:
        """The account and the user for whom this view makes calls; the user's token is masked."""
        return self._view.caller

    @property
    def acting_for(self) -> str:
        """For whom this view makes calls, in words that hold no secret: a batch is resumed for the same."""
        return self._view.caller.name

    # --- views ---

    def _with(self, view: View) -> Self:
        client = object.__new__(type(self))
        client._session, client._view, client._accounts = self._session, view, {}
        return client

    def for_account(self, identity_number: str) -> Self:
        """Return a view whose calls are made for a sub-account.

        **Raises** InvalidRequest when no header can carry `identity_number`.
        """
        given: object = identity_number
        view = self._accounts.get(given) if isinstance(given, str) else None
        if view is None:
            view = self._with(r.act_for(self._view, identity_number))
            if len(self._accounts) >= _MAX_ACCOUNTS:
                self._accounts.clear()
            self._accounts[identity_number] = view
        return view

    def for_user(self, user_token: str | Secret, *, user_id: str | None = None) -> Self:
        """Return a view whose calls are made for a user account.

        `user_id` is what the API calls the user (`CreatedUser.user_id`): it binds a batch to the user whatever becomes
        of the token.

        **Raises** InvalidRequest when no header can carry `user_token`.
        """
        if isinstance(user_token, str):
            user_token = Secret(user_token)  # at once: a crash reporter shows the variables of frames
        return self._with(r.act_as(self._view, user_token, user_id))

    def with_options(
        self,
        *,
        deadline_s: float | None = None,
        attempt_timeout_s: float | None = None,
        max_attempts: int | None = None,
        reference: str | None = None,
    ) -> Self:
        """Return a view that is more or less patient, or has a reference; what is not given stays.

        `reference` is your own name of what the calls are for: events and warnings tell it.

        **Raises** ConfigurationError for a value that cannot work.
        """
        options: dict[str, Any] = {
            name: value
            for name, value in (
                ("deadline_s", deadline_s),
                ("attempt_timeout_s", attempt_timeout_s),
                ("max_attempts", max_attempts),
            )
            if value is not None
        }
        view = self._view
        if options:
            evolve(self.settings, **options)  # checks the values
            view = evolve(view, **options)
        return self._with(view if reference is None else evolve(view, reference=reference))

    # --- calls ---

    @overload
    async def call(self, endpoint: Endpoint[None, Result]) -> Result: ...

    @overload
    async def call(self, endpoint: Endpoint[Request, Result], request: Request) -> Result: ...

    async def call(self, endpoint: Endpoint[Request, Result], request: Request | None = None) -> Result:
        """Carry out a call of the catalogue or of one's own and return its result.

        **Raises** the errors of `caxton_async.errors`.
        """
        return (await self._session.call(endpoint, request, self._view)).model

    @overload
    async def call_envelope(self, endpoint: Endpoint[None, Result]) -> Envelope[Result]: ...

    @overload
    async def call_envelope(self, endpoint: Endpoint[Request, Result], request: Request) -> Envelope[Result]: ...

    async def call_envelope(
        self, endpoint: Endpoint[Request, Result], request: Request | None = None
    ) -> Envelope[Result]:
        """Carry out a call and return its result with what stands around it in the answer.

        **Raises** the errors of `caxton_async.errors`.
        """
        return await self._session.call(endpoint, request, self._view)

    @cached_property
    def auth(self) -> r.Auth:
        """Passwords and tokens."""
        return r.Auth(self._session, self._view)

    @cached_property
    def sub_accounts(self) -> r.SubAccounts:
        """Child clients."""
        return r.SubAccounts(self._session, self._view)

    @cached_property
    def users(self) -> r.Users:
        """People under an account."""
        return r.Users(self._session, self._view)

    @cached_property
    def banks(self) -> r.Banks:
        """The accounts that take payments in."""
        return r.Banks(self._session, self._view)

    @cached_property
    def countries(self) -> r.Countries:
        """Where payments can go."""
        return r.Countries(self._session, self._view)

    @cached_property
    def balances(self) -> r.Balances:
        """Main balances and pots."""
        return r.Balances(self._session, self._view)

    @cached_property
    def bulk_payments(self) -> r.BulkPayments:
        """Payroll and other uploads."""
        return r.BulkPayments(self._session, self._view)

    @cached_property
    def fx(self) -> r.Fx:
        """Exchange rates."""
        return r.Fx(self._session, self._view)

    @cached_property
    def wallets(self) -> r.Wallets:
        """Wallets."""
        return r.Wallets(self._session, self._view)

    @cached_property
    def cards(self) -> r.Cards:
        """Cards."""
        return r.Cards(self._session, self._view)

    @cached_property
    def webhooks(self) -> r.Webhooks:
        """Notifications."""
        return r.Webhooks(self._session, self._view)

    @cached_property
    def sandbox(self) -> r.Sandbox:
        """What only the sandbox can do."""
        return r.Sandbox(self._session, self._view)


def _warn_of_slips(paths: Iterable[str]) -> None:
    """Warn of each path that is given for a call whose name is nearly, but not quite, one of ours."""
    for name in paths:
        near = [] if name in CATALOGUE else difflib.get_close_matches(name, CATALOGUE, 1, cutoff=_NEARLY)
        if near:
            logger.warning("a path is given for %s, which is no call of ours: did you mean %s?", name, near[0])
