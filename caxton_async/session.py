"""The session manager: token, attempts, deadline and limiter around one call.

What belongs here: the order of things, and waiting.  What does not: what is sent and what an answer means (`wire`),
whether to try again (`retry`), whose token (`tokens`).  On the warm path nothing here takes a lock, starts a task or
makes a timer: a call that has to wait for nobody waits for nothing.
"""

import asyncio
import hashlib
import itertools
import logging
import random
import secrets
import time
import warnings
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

from attrs import define, evolve, field, frozen

from caxton_async.auth.holder import MemoryStore, StoredToken, Token, TokenHolder, TokenStore
from caxton_async.config import Credentials, Settings
from caxton_async.endpoints import GET_ACCESS_TOKEN, Endpoint
from caxton_async.errors import (
    ApiError,
    AssumedPathWarning,
    AuthenticationFailed,
    CaxtonError,
    ConfigurationError,
    DeadlineExceeded,
    LoginRefused,
    NotSent,
    OutcomeUnknown,
    Sent,
)
from caxton_async.events import Event
from caxton_async.limiter import Limiter
from caxton_async.models import AccessToken, Envelope, GetAccessToken
from caxton_async.protocol.request import Caller, HttpRequest, Route, build_request, fits_header, read_reply, route
from caxton_async.retry import RetryBudget, delay_s, may_replay, rejects_token
from caxton_async.secret import Secret
from caxton_async.transport import Transport
from caxton_async.version import own_version

Result = TypeVar("Result")
Waited = TypeVar("Waited")
logger: Final = logging.getLogger("caxton_async")

# Timers end a hair early; what has less left than this has no time left.
_CLOSE_TO_DEADLINE_S: Final = 0.01


@frozen
class View:
    """For whom and how patiently calls are made."""

    caller: Caller = field(factory=Caller)
    deadline_s: float = 60.0
    attempt_timeout_s: float = 30.0
    max_attempts: int = 3


@define
class _Call:
    """One call under way."""

    endpoint: Endpoint[Any, Any]
    correlation_id: str
    started: float
    deadline: float
    attempt: int = 0
    sent: Sent = Sent.NO  # by the attempts that are over


class Session:
    """What the views of a client share: pool, limiter, token and retry budget."""

    def __init__(self, credentials: Credentials, settings: Settings, token_store: TokenStore | None) -> None:
        self.credentials = credentials
        self.settings = settings
        self._store = token_store
        self._transport = Transport(settings)
        self._limiter = Limiter(settings.max_connections, settings.max_calls_per_second)
        self._budget = RetryBudget()
        self._routes: dict[Endpoint[Any, Any], Route] = {}
        self._user_agent = f"caxton-async/{own_version()} {settings.user_agent_suffix}".strip()
        self._id_numbers = itertools.count(1)
        self._watched = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tokens: TokenHolder | None = None
        self._refused: Secret | None = None
        self._warned: set[str] = set()
        self._closed = False

    # --- life ---

    def open(self) -> None:
        """Open the pool in the running event loop; nothing is connected and nobody is logged in yet."""
        if self._loop is not None:
            raise ConfigurationError("a client is opened once: make another one, or share this one")
        self._transport.open()
        self._loop = asyncio.get_running_loop()
        self._id_prefix = secrets.token_hex(4)  # here, and not before: workers may be forked once the client is made
        self._watched = self.settings.on_event is not None or logger.isEnabledFor(logging.DEBUG)
        identity = f"{self.settings.origin}\n{self.credentials.username}\n{self.credentials.client_name}"
        self._tokens = TokenHolder(
            self._login,
            self._store or MemoryStore(),
            hashlib.sha256(identity.encode()).hexdigest(),
            timeout_s=self.settings.token_timeout_s,
        )

    async def aclose(self) -> None:
        """Stop a login under way and close every connection; calls in flight end with what is known of them."""
        self._closed = True
        try:
            if self._tokens is not None:
                await self._tokens.aclose()
        finally:
            await self._transport.aclose()

    def _holder(self) -> TokenHolder:
        """Return the holder of the token, after a check that the client can be used here and now."""
        if self._tokens is None:
            raise ConfigurationError("the client is not open: make calls inside `async with CaxtonClient(...)`")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError("the client belongs to another event loop: make one client for each loop")
        if self._closed:
            raise ConfigurationError("the client is closed: make calls inside its `async with`")
        return self._tokens

    # --- credentials ---

    async def access_token(self, view: View) -> AccessToken:
        """Return the token in use, with the whole seconds that are left of it, logging in if there is none."""
        holder = self._holder()
        call = self._begin(GET_ACCESS_TOKEN, view)
        token = holder.ready() or await self._wait_for_token(holder, call)
        stored = token.stored
        left = stored.expires_in - int(time.time() - stored.issued_at)
        return AccessToken(stored.access_token, stored.token_type, left)

    def use_password(self, password: Secret | None) -> None:
        """Log in with `password` from now on; None means that there is none any more."""
        self.credentials = evolve(self.credentials, password=password)
        self._refused = None
        self._holder().forget()

    async def _password(self) -> Secret:
        password = self.credentials.password
        if password is not None and not isinstance(password, Secret):
            given = await password()
            password = given if isinstance(given, Secret) else Secret(given or "")
        if not password:
            raise ConfigurationError(
                "no password to log in with: set CAXTON_PASSWORD, give Credentials a password, or generate one"
            )
        if self._refused is not None and password == self._refused:
            raise LoginRefused("the API has refused this password: it is not tried again until it changes")
        return password

    async def _login(self) -> StoredToken:
        password = await self._password()
        call = self._begin(GET_ACCESS_TOKEN, View(deadline_s=self.settings.token_timeout_s))
        try:
            outcome = await self._try_login(call, password)
        except asyncio.CancelledError:
            self._emit("login_failed", call, Sent.UNKNOWN)  # its time is up, or the client is being closed
            raise
        if isinstance(outcome, CaxtonError):
            self._emit("login_failed", call, outcome.sent, outcome)
            raise self._login_error(outcome, password)
        self._emit("login", call, Sent.YES)
        return outcome

    async def _try_login(self, call: _Call, password: Secret) -> StoredToken | CaxtonError:
        request = GetAccessToken(self.credentials.username, password)
        while True:
            issued_at = time.time()
            outcome = await self._attempt(call, request, self._build(call, request, Caller()), (password,))
            if isinstance(outcome, Envelope):
                token = outcome.model
                if not fits_header(token.access_token):
                    return AuthenticationFailed("the API gave an access token that no header can carry")
                return StoredToken(token.access_token, token.token_type, token.expires_in, issued_at)
            share = random.random()  # noqa: S311  # jitter is no secret
            delay = delay_s(outcome, repeatable=False, attempt=call.attempt, share=share)
            if not isinstance(outcome, NotSent) or delay is None or call.attempt >= self.settings.max_attempts:
                return outcome
            self._emit("retry", call, outcome.sent, outcome)
            await asyncio.sleep(delay)

    def _login_error(self, error: CaxtonError, password: Secret) -> CaxtonError:
        if isinstance(error, ApiError) and error.http_status in {200, 400, 401, 403}:
            self._refused = password
            return LoginRefused(f"the API refused the login ({error}): check the user name, or generate a new password")
        return AuthenticationFailed(f"the login could not be done: {error}")

    # --- one call ---

    async def call(self, endpoint: Endpoint[Any, Result], request: object, view: View) -> Envelope[Result]:
        """Carry out one call and return its envelope.

        **Raises** the errors of `caxton_async.errors`; each of them says whether the request was sent.
        """
        holder = self._holder()
        call = self._begin(endpoint, view)
        draft = self._build(call, request, view.caller)
        token: Token | None = None
        replayed = False
        while True:
            left = view.deadline_s if call.attempt == 0 else self._left(call)
            if endpoint.authorised:
                token = holder.ready()
                if token is None:
                    token = await self._wait_for_token(holder, call)
                    left = self._left(call)
                draft.secret_headers["Authorization"] = token.bearer
            if not self._limiter.enter_at_once():
                if not await self._limiter.enter(call.deadline):
                    raise _deadline_exceeded(call, call.sent)
                left = self._left(call)
            try:
                if left <= 0:
                    raise _deadline_exceeded(call, call.sent)
                draft.timeout_s = min(view.attempt_timeout_s, left)
                outcome = await self._attempt(call, request, draft, draft.secret_headers.values())
            finally:
                self._limiter.leave()
            if isinstance(outcome, Envelope):
                self._budget.earn()
                return outcome
            if token is not None and not replayed and rejects_token(outcome):
                holder.drop(token)
                if may_replay(outcome):
                    replayed = True
                    continue
            await self._before_retry(call, outcome, view)

    def _left(self, call: _Call) -> float:
        """Return the seconds that are left of the call's deadline."""
        return call.deadline - asyncio.get_running_loop().time()

    async def _wait_for_token(self, holder: TokenHolder, call: _Call) -> Token:
        self._warn_if_assumed(GET_ACCESS_TOKEN)
        return await self._before_deadline(call, holder.get(call.endpoint.name, call.correlation_id))

    def _begin(self, endpoint: Endpoint[Any, Any], view: View) -> _Call:
        now = asyncio.get_running_loop().time()
        return _Call(endpoint, f"{self._id_prefix}-{next(self._id_numbers)}", now, now + view.deadline_s)

    def _build(self, call: _Call, request: object, caller: Caller) -> HttpRequest:
        endpoint = call.endpoint
        known = self._routes.get(endpoint)
        if known is None:
            self._warn_if_assumed(endpoint)
            known = self._routes[endpoint] = route(endpoint, self.settings, self._user_agent)
        return build_request(endpoint, request, known, caller, call.correlation_id)

    async def _attempt(
        self, call: _Call, request: object, draft: HttpRequest, in_use: Iterable[Secret]
    ) -> Envelope[Any] | CaxtonError:
        """Send once and return the envelope, or the error, whose traceback is cut, since its frames hold bodies."""
        call.attempt += 1
        draft.dispatched = False
        if self._watched:
            self._emit("attempt", call, Sent.NO)
        try:
            reply = await self._transport.send(draft)
            envelope = read_reply(
                call.endpoint, reply, request=request, correlation_id=call.correlation_id, secrets=in_use
            )
        except CaxtonError as error:
            outcome = error.with_traceback(None)
        except asyncio.CancelledError:
            if draft.dispatched and not call.endpoint.repeatable:
                self._emit("outcome_unknown", call, Sent.UNKNOWN)
            raise
        else:
            if self._watched:
                self._emit("answered", call, Sent.YES, http_status=reply.status)
            return envelope
        if isinstance(outcome, ApiError | OutcomeUnknown):
            self._emit("answered" if isinstance(outcome, ApiError) else "outcome_unknown", call, outcome.sent, outcome)
        return outcome

    async def _before_retry(self, call: _Call, error: CaxtonError, view: View) -> None:
        """Wait until the call may be tried again, or raise its error."""
        left = self._left(call)
        share = random.random()  # noqa: S311  # jitter is no secret
        delay = delay_s(error, repeatable=call.endpoint.repeatable, attempt=call.attempt, share=share)
        if delay is not None and call.attempt < view.max_attempts and delay < left and self._budget.spend():
            if call.endpoint.repeatable and error.sent is not Sent.NO:
                call.sent = Sent.UNKNOWN
            self._emit("retry", call, error.sent, error)
            await asyncio.sleep(delay)
            return
        if left <= _CLOSE_TO_DEADLINE_S and error.sent is not Sent.YES and not isinstance(error, OutcomeUnknown):
            raise _deadline_exceeded(call, error.sent)
        raise error

    async def _before_deadline(self, call: _Call, work: Coroutine[Any, Any, Waited]) -> Waited:
        """Wait for what comes before sending, no longer than the call's deadline."""
        try:
            async with asyncio.timeout_at(call.deadline):
                return await work
        except TimeoutError:
            pass
        # Raised here, so that it has no context.
        raise _deadline_exceeded(call, call.sent)

    def _warn_if_assumed(self, endpoint: Endpoint[Any, Any]) -> None:
        if endpoint.documented or endpoint.name in self.settings.paths or endpoint.name in self._warned:
            return
        warnings.warn(
            f"the path of {endpoint.name} ({endpoint.path}) is not documented by the vendor: once it works for you, "
            f"name it in Settings(paths={{{endpoint.name!r}: ...}}) or CAXTON_PATH_{endpoint.name.upper()}",
            AssumedPathWarning,
            stacklevel=2,
        )
        # Only now: where the warning is made an error, each use is one until the path is confirmed.
        self._warned.add(endpoint.name)

    def _emit(
        self, kind: str, call: _Call, sent: Sent, error: CaxtonError | None = None, http_status: int | None = None
    ) -> None:
        if not self._watched:
            return
        hook = self.settings.on_event
        name, elapsed_s = call.endpoint.name, asyncio.get_running_loop().time() - call.started
        event = Event(
            kind,
            name,
            call.correlation_id,
            call.attempt,
            sent,
            elapsed_s,
            http_status or getattr(error, "http_status", None),
            getattr(error, "api_status_code", None),
        )
        logger.debug("%s", event)
        if hook is not None:
            try:
                hook(event)
            except Exception:
                # A hook of the user's must not turn a payment that was made into an error.
                logger.exception("on_event failed at %s of %s", kind, name)


def _deadline_exceeded(call: _Call, sent: Sent) -> DeadlineExceeded:
    seconds = call.deadline - call.started
    where = "before it was sent" if sent is Sent.NO else "after it was sent"
    return DeadlineExceeded(
        f"the deadline of {call.endpoint.name} ({seconds:g} s) passed {where}; it is safe to call again",
        endpoint=call.endpoint.name,
        correlation_id=call.correlation_id,
        sent=sent,
    )
