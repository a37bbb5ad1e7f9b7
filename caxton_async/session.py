"""The session: what the views of a client share, from opening to closing."""

import asyncio
import hashlib
import math
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from attrs import evolve

from caxton_async.attempts import Attempts, Lane, TokenSource, View
from caxton_async.auth.holder import TokenHolder
from caxton_async.auth.login import Login
from caxton_async.auth.rotation import HeldToken, Keep, Rotation
from caxton_async.auth.stores import MemoryStore, TokenStore
from caxton_async.config import Credentials, Settings
from caxton_async.endpoints import GENERATE_PASSWORD, GET_ACCESS_TOKEN, RESET_CREDENTIALS, Endpoint
from caxton_async.errors import CaxtonError, ConfigurationError, Sent
from caxton_async.limiter import Limiter
from caxton_async.models import (
    AccessToken,
    Envelope,
    GeneratedPassword,
    GeneratePassword,
    GetAccessToken,
    ResetCredentials,
)
from caxton_async.protocol import codec
from caxton_async.retry import login_delay_s
from caxton_async.secret import Secret
from caxton_async.transport import Transport

Result = TypeVar("Result")

# How long a login may wait for its store in all, beside its own time.
_STORE_S: Final = 15.0
# A login is read like a look-up: there is nothing in it that a person would have to find out about.
_LOGIN: Final = evolve(GET_ACCESS_TOKEN, repeatable=True)


class Session:
    """What the views of a client share: pool, limiter, token and retry budget."""

    def __init__(self, credentials: Credentials, settings: Settings, token_store: TokenStore | None) -> None:
        self.credentials = credentials
        self.settings = settings
        self._store = token_store
        self._transport = Transport(settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    # --- life ---

    def open(self) -> None:
        """Open the pool in the running event loop; nothing is connected and nobody is logged in yet."""
        if self._loop is not None:
            raise ConfigurationError("a client is opened once: make another one, or share this one")
        codec.load()
        self._transport.open()
        self._loop = asyncio.get_running_loop()
        identity = f"{self.settings.origin}\n{self.credentials.username}\n{self.credentials.client_name}"
        key, store = hashlib.sha256(identity.encode()).hexdigest(), self._store or MemoryStore()
        self.login = Login(self.credentials, self._log_in)
        self.holder = TokenHolder(self.login, store, key, timeout_s=self.settings.token_timeout_s + _STORE_S)
        self.rotation = Rotation(self.holder, self.login, self._reset, self._generate)
        # Made here and not before: a client that is made before a fork is opened after it, and ids must not repeat.
        self._attempts = Attempts(self.settings, self._transport, self.holder.suspects)
        if isinstance(self.credentials.password, Secret):
            self._attempts.password = self.credentials.password
        self._lane = Lane(self.holder, Limiter(self.settings.max_connections, self.settings.max_calls_per_second))

    async def aclose(self, drain_s: float | None = None) -> None:
        """Close every connection, after what was dispatched has ended or `drain_s` has passed.

        Whoever waits for a login or a place gets a ConfigurationError at once.
        """
        is_first, self._closed = not self._closed, True
        try:
            if self._loop is not None and is_first:
                ends_at = self._loop.time() + (self.settings.drain_s if drain_s is None else drain_s)
                self._attempts.closed = True
                self._lane.limiter.close()
                await self.holder.aclose(ends_at - self._loop.time())
                await self._lane.limiter.drain(ends_at)
        finally:
            await self._transport.aclose()

    def check_open(self) -> None:
        """Check that the client can be used here and now.

        **Raises** ConfigurationError when it cannot.
        """
        if self._loop is None:
            raise ConfigurationError("the client is not open: make calls inside `async with CaxtonClient(...)`")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError("the client belongs to another event loop: make one client for each loop")
        if self._closed:
            raise ConfigurationError("the client is closed: make calls inside its `async with`")

    # --- credentials ---

    async def access_token(self, view: View) -> AccessToken:
        """Return the token in use, with the whole seconds that are left of it, logging in if there is none."""
        self.check_open()
        token = await self._attempts.token(self._attempts.begin(GET_ACCESS_TOKEN, view), self.holder)
        left = token.expires_in - int(time.time() - token.issued_at)
        return AccessToken(token.access_token, token.token_type, left)

    async def rotate_password(self, keep: Keep | None) -> GeneratedPassword:
        """Reset, generate and log in, together with whoever else asks for it."""
        self.check_open()
        return await self.rotation(keep)

    def lift_hold(self) -> None:
        """Let the next call log in at once, whatever became of the last login."""
        self.check_open()
        self.holder.lift_hold()

    def use_password(self, password: Secret | None) -> None:
        """Log in with `password` from now on; None means that there is none any more."""
        self.login.change_password(password)
        self.holder.reset()

    async def _log_in(self, request: GetAccessToken) -> AccessToken:
        seconds = self.settings.token_timeout_s
        view = View(deadline_s=seconds, attempt_timeout_s=seconds, max_attempts=self.settings.max_attempts)
        call = self._attempts.begin(_LOGIN, view)
        report = self._attempts.reporter.report
        # A login never waits for a place: those who have one may be waiting for it.
        lane = Lane(self.holder, Limiter(math.inf), login_delay_s)
        try:
            envelope = await self._attempts.carry_out(call, _LOGIN, request, view, lane)
        except asyncio.CancelledError:
            report("login_failed", call, Sent.UNKNOWN)  # its time is up, or the client is being closed
            raise
        except CaxtonError as error:
            report("login_failed", call, error.sent, error)
            raise
        report("login", call, Sent.YES)
        return envelope.model

    async def _reset(self, tokens: HeldToken) -> None:
        await self._for_rotation(RESET_CREDENTIALS, ResetCredentials(), tokens)

    async def _generate(self) -> GeneratedPassword:
        request = GeneratePassword(self.credentials.username, self.credentials.client_name)
        return await self._for_rotation(GENERATE_PASSWORD, request, self.holder)

    async def _for_rotation(self, endpoint: Endpoint[Any, Result], request: object, tokens: TokenSource) -> Result:
        view = View(max_attempts=self.settings.max_attempts)
        call, lane = self._attempts.begin(endpoint, view), Lane(tokens, Limiter(math.inf))
        return (await self._attempts.carry_out(call, endpoint, request, view, lane)).model

    # --- one call ---

    def call(
        self, endpoint: Endpoint[Any, Result], request: object, view: View
    ) -> Coroutine[Any, Any, Envelope[Result]]:
        """Carry out one call and return its envelope.

        **Raises** the errors of `caxton_async.errors`; each of them says whether the request was sent.
        """
        self.check_open()
        return self._attempts.carry_out(self._attempts.begin(endpoint, view), endpoint, request, view, self._lane)
