"""The one attempt loop: token, place, attempts, deadline and waiting around one call.

On the warm path nothing here takes a lock, starts a task or makes a timer: a call that has to wait for nobody waits for
nothing.
"""

import asyncio
import copy
import datetime as dt
import itertools
import logging
import random
import secrets
import warnings
from collections.abc import Coroutine
from typing import Any, Final, Protocol, TypeVar

from attrs import field, frozen

from caxton_async.auth.suspects import Suspects, is_view
from caxton_async.auth.token import Token
from caxton_async.config import Settings
from caxton_async.endpoints import GET_ACCESS_TOKEN, Endpoint
from caxton_async.errors import (
    AssumedPathWarning,
    CaxtonError,
    ConfigurationError,
    NotAuthorised,
    OutcomeUnknown,
    Sent,
)
from caxton_async.events import UNKNOWN, CallProgress, Reporter
from caxton_async.limiter import Limiter
from caxton_async.models import Envelope, GetAccessToken
from caxton_async.protocol.request import Caller, HttpRequest, Route, build_request, read_reply, route
from caxton_async.retry import RetryBudget, delay_s, may_replay, rejects_token
from caxton_async.secret import Secret
from caxton_async.transport import Transport
from caxton_async.version import own_version

Result = TypeVar("Result")
logger: Final = logging.getLogger("caxton_async")

# Timers end a hair early; what has less left than this has no time left.
_CLOSE_TO_DEADLINE_S: Final = 0.01
# A user token that ends sooner is warned of, once a day.
_SOON: Final = dt.timedelta(days=7)


@frozen
class View:
    """For whom and how patiently calls are made, and the caller's reference of them."""

    caller: Caller = field(factory=Caller)
    deadline_s: float = 60.0
    attempt_timeout_s: float = 30.0
    max_attempts: int = 3
    reference: str | None = None


class TokenSource(Protocol):
    """Where calls have their tokens from: the holder, or a rotation that has taken the token out of it."""

    def ready(self) -> Token | None:
        """Return a token that works now, without waiting."""
        ...

    def get(self, call: CallProgress) -> Coroutine[Any, Any, Token]:
        """Wait for a token until the deadline of `call`."""
        ...

    def reject(self, token: Token, caller: Caller) -> bool:
        """Note that the API rejected `token`; tell whether the view of `caller` is to blame."""
        ...


class Delay(Protocol):
    """What says whether, and after how many seconds, a call is tried again."""

    def __call__(self, error: CaxtonError, *, repeatable: bool, attempt: int, share: float) -> float | None:
        """Return the seconds, None when it is not."""
        ...


@frozen
class Lane:
    """How a kind of call gets its token and its place, and when it is tried again."""

    tokens: TokenSource
    limiter: Limiter
    delay: Delay = delay_s


class Attempts:
    """Carries out calls, each with as many attempts as are safe."""

    def __init__(self, settings: Settings, transport: Transport, suspects: Suspects) -> None:
        self._settings = settings
        self._transport = transport
        self._suspects = suspects
        self.reporter = Reporter(settings.on_event)
        # Once: on Python 3.11, to ask for the running loop is a system call.
        self._time = asyncio.get_running_loop().time
        self._budget = RetryBudget()
        self._routes: dict[Endpoint[Any, Any], Route] = {}
        self._user_agent = f"caxton-async/{own_version()} {settings.user_agent_suffix}".strip()
        self._id_prefix = secrets.token_hex(4)
        self._id_numbers = itertools.count(1)
        self._warned: set[str] = set()
        self.closed = False
        self.password: Secret | None = None  # the last that is known, which no error of any call repeats

    def begin(self, endpoint: Endpoint[Any, Any], view: View) -> CallProgress:
        """Give a call its correlation id and its deadline."""
        now = self._time()
        correlation_id = f"{self._id_prefix}-{next(self._id_numbers)}"
        return CallProgress(
            endpoint.name,
            correlation_id,
            now,
            now + view.deadline_s,
            view.attempt_timeout_s,
            view.reference,
            view.caller.identity_number,
        )

    async def carry_out(
        self, call: CallProgress, endpoint: Endpoint[Any, Result], request: object, view: View, lane: Lane
    ) -> Envelope[Result]:
        """Carry out one call and return its envelope.

        **Raises** the errors of `caxton_async.errors`; each of them says whether the request was sent.
        """
        draft = self._build(call, endpoint, request, view.caller)
        tokens, limiter = lane.tokens, lane.limiter
        token: Token | None = None
        replayed = False
        try:
            while True:
                if endpoint.authorised:
                    token = tokens.ready() or await self.token(call, tokens)
                if not limiter.try_acquire():
                    token = await self._wait_for_place(call, endpoint, lane)
                try:
                    outcome = await self._attempt(call, endpoint, request, draft, token)
                finally:
                    limiter.release()
                if isinstance(outcome, Envelope):
                    self._accepted(view.caller, token, outcome)
                    return outcome
                if token is not None and rejects_token(outcome):
                    if tokens.reject(token, view.caller):
                        outcome = _blame(view.caller, outcome)
                    elif not replayed and may_replay(outcome, repeatable=endpoint.repeatable):
                        replayed = True
                        self.reporter.report_outcome(call, outcome)
                        continue
                await self._before_retry(call, endpoint, outcome, view, lane.delay)
        except (CaxtonError, asyncio.CancelledError) as error:
            if not call.is_over:
                self.reporter.report_end(call, error)
            raise

    def token(self, call: CallProgress, tokens: TokenSource) -> Coroutine[Any, Any, Token]:
        """Wait for a token, no longer than the deadline of `call`.

        **Raises** DeadlineExceeded; AuthenticationFailed or ConfigurationError when there is none.
        """
        self._warn_if_assumed(GET_ACCESS_TOKEN)
        return tokens.get(call)

    async def _wait_for_place(self, call: CallProgress, endpoint: Endpoint[Any, Any], lane: Lane) -> Token | None:
        """Wait for a place, and return the token of the moment in which there is one."""
        while True:
            if not await lane.limiter.acquire(call.deadline):
                raise closed_error(call) if self.closed else call.overdue(call.sent)
            token = lane.tokens.ready() if endpoint.authorised else None
            if token is not None or not endpoint.authorised:
                return token
            lane.limiter.release()  # the token went while the call waited for its place
            await self.token(call, lane.tokens)

    def _build(self, call: CallProgress, endpoint: Endpoint[Any, Any], request: object, caller: Caller) -> HttpRequest:
        known = self._routes.get(endpoint)
        if known is None:
            self._warn_if_assumed(endpoint)
            known = self._routes[endpoint] = route(endpoint, self._settings, self._user_agent)
        return build_request(endpoint, request, known, caller, call.correlation_id)

    async def _attempt(
        self, call: CallProgress, endpoint: Endpoint[Any, Any], request: object, draft: HttpRequest, token: Token | None
    ) -> Envelope[Any] | CaxtonError:
        """Send once and return the envelope, or the error, whose traceback is cut, since its frames hold bodies."""
        left = call.deadline - self._time()
        if left <= 0:
            raise call.overdue(call.sent)
        call.attempt += 1
        draft.timeout_s = min(call.attempt_timeout_s, left)
        draft.dispatched = False
        if token is not None:
            draft.secret_headers["Authorization"] = token.bearer
        elif isinstance(request, GetAccessToken):
            self.password = request.password
        is_heard = self.reporter.report_attempt(call)
        try:
            reply = await self._transport.send(draft)
            kept = (self.password, *draft.secret_headers.values())
            envelope = read_reply(endpoint, reply, request=request, correlation_id=call.correlation_id, secrets=kept)
        except CaxtonError as error:
            outcome = error.with_traceback(None)
            if draft.distrust is not None:
                # What came may be the answer to another request, or come once more, for the next one to read.
                draft.distrust()
        except asyncio.CancelledError as cancellation:
            call.sent = Sent.UNKNOWN if draft.dispatched else call.sent
            if draft.dispatched and not endpoint.repeatable:
                cancellation.add_note(f"{call.endpoint} was in flight ({call}): {UNKNOWN}")
                call.is_over = True
                self.reporter.report("outcome_unknown", call, Sent.UNKNOWN)
            raise
        else:
            call.is_over = True
            if is_heard:
                self.reporter.report("answered", call, Sent.YES, http_status=reply.status)
            return envelope
        return outcome

    async def _before_retry(
        self, call: CallProgress, endpoint: Endpoint[Any, Any], error: CaxtonError, view: View, delay: Delay
    ) -> None:
        """Wait until the call may be tried again, or raise its error."""
        left = call.deadline - self._time()
        share = random.random()  # noqa: S311  # jitter is no secret
        wait = delay(error, repeatable=endpoint.repeatable, attempt=call.attempt, share=share)
        if wait is not None and call.attempt < view.max_attempts and wait < left and self._budget.spend():
            if endpoint.repeatable and error.sent is not Sent.NO:
                call.sent = Sent.UNKNOWN
            self.reporter.report_outcome(call, error)
            self.reporter.report("retry", call, error.sent, error)
            await asyncio.sleep(wait)
            if self.closed:
                raise closed_error(call)
            return
        if left <= _CLOSE_TO_DEADLINE_S and error.sent is not Sent.YES and not isinstance(error, OutcomeUnknown):
            raise call.overdue(error.sent)
        raise error

    def _accepted(self, caller: Caller, token: Token | None, envelope: Envelope[Any]) -> None:
        """Note that the API answered well, and took the token and the caller."""
        self._budget.earn()
        if token is None:
            return
        self._suspects.clear(caller)
        end = envelope.user.token_end_date if caller.user_token is not None and envelope.user is not None else None
        if end is not None and end - dt.datetime.now(dt.UTC) < _SOON:
            today = f"{caller.name} {dt.datetime.now(dt.UTC):%Y-%m-%d}"
            if today not in self._warned:
                self._warned.add(today)
                logger.warning("the user token of %s ends on %s: have the user log in again", caller.name, end.date())

    def _warn_if_assumed(self, endpoint: Endpoint[Any, Any]) -> None:
        if endpoint.documented or endpoint.name in self._settings.paths or endpoint.name in self._warned:
            return
        warnings.warn(
            f"the path of {endpoint.name} ({endpoint.path}) is not documented by the vendor: once it works for you, "
            f"name it in Settings(paths={{{endpoint.name!r}: ...}}) or CAXTON_PATH_{endpoint.name.upper()}",
            AssumedPathWarning,
            stacklevel=2,
        )
        # Only now: where the warning is made an error, each use is one until the path is confirmed.
        self._warned.add(endpoint.name)


def closed_error(call: CallProgress) -> ConfigurationError:
    """Return the error of a call whose client was closed while it waited."""
    message = "the client was closed while the call waited: keep it open until its calls are done"
    return ConfigurationError(message, endpoint=call.endpoint, correlation_id=call.correlation_id, sent=call.sent)


def _blame(caller: Caller, error: CaxtonError) -> CaxtonError:
    """Return `error` with the view named whose fault it is."""
    if not is_view(caller) or not isinstance(error, NotAuthorised):
        return error
    views = [f"the account {caller.identity_number}"] if caller.identity_number is not None else []
    view = " or ".join([*views, "the user token"] if caller.user_token is not None else views)
    named = copy.copy(error)
    named.args = (f"{error}; a fresh access token was refused too, so it is for {view} that the API refuses",)
    return named
