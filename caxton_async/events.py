"""What the client reports of each call: to `Settings.on_event`, and to the log."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

from attrs import define, frozen

from caxton_async.errors import ApiError, CaxtonError, DeadlineExceeded, OutcomeUnknown, Sent

logger: Final = logging.getLogger("caxton_async")

_LEVELS: Final[Mapping[str, int]] = {
    "attempt": logging.DEBUG,
    "retry": logging.DEBUG,
    "answered": logging.DEBUG,
    "refused": logging.INFO,
    "login": logging.INFO,
    "login_failed": logging.INFO,
    "failed": logging.INFO,
    "outcome_unknown": logging.WARNING,
}


@frozen(slots=False)  # with slots, what is frozen takes twice the time to make
class Event:
    """What the client did, for `Settings.on_event`: never a header, a body or a token.

    `kind` is `login`, `login_failed`, `attempt`, `retry`, `answered`, `outcome_unknown` or `failed` (the call ended
    without an answer, and nothing is unknown: it was not sent, or may be repeated); `attempt` counts from 1;
    `elapsed_s` is measured from the start of the call; `reference` is the caller's own (the idempotency key of `once`
    and of a batch), None where there is none; `account` is the sub-account, None for the main account.  `ends_call`
    marks the last event of each call, but for `login` and `login_failed`, which follow the call that logs in;
    `error` is the class of the error that it tells of, if any.
    """

    kind: str
    endpoint: str
    correlation_id: str
    attempt: int
    sent: Sent
    elapsed_s: float
    http_status: int | None = None
    api_status_code: int | None = None
    reference: str | None = None
    account: str | None = None
    ends_call: bool = False
    error: str | None = None


@define(eq=False)
class CallProgress:
    """One call under way; times are the loop's."""

    endpoint: str
    correlation_id: str
    started: float
    deadline: float
    attempt_timeout_s: float = 30.0
    reference: str | None = None
    account: str | None = None
    attempt: int = 0
    sent: Sent = Sent.NO  # by the attempts that are over, a cancelled one too
    is_over: bool = False  # so was reported

    def __str__(self) -> str:
        reference = "" if self.reference is None else f", reference {self.reference!r}"
        return f"call {self.correlation_id}{reference}, account {self.account or 'main'}"

    def overdue(self, sent: Sent) -> DeadlineExceeded:
        """Return the error of a call whose deadline has passed."""
        seconds = self.deadline - self.started
        where = "before it was sent" if sent is Sent.NO else "after it was sent"
        return DeadlineExceeded(
            f"the deadline of {self.endpoint} ({seconds:g} s) passed {where}; it is safe to call again",
            endpoint=self.endpoint,
            correlation_id=self.correlation_id,
            sent=sent,
        )


class Reporter:
    """Tells `on_event` and the logger `caxton_async` what happens to calls.

    The logger is asked each time: a program may configure its logging when the client is already in use.
    """

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self._on_event = on_event
        self._time = asyncio.get_running_loop().time

    def report_attempt(self, call: CallProgress) -> bool:
        """Tell of an attempt that begins, and return whether anybody listens."""
        is_heard = self._on_event is not None or logger.isEnabledFor(logging.DEBUG)
        if is_heard:
            self.report("attempt", call, Sent.NO)
        return is_heard

    def report(
        self,
        kind: str,
        call: CallProgress,
        sent: Sent,
        error: CaxtonError | None = None,
        http_status: int | None = None,
    ) -> None:
        """Tell of one event, the last of its call if that is over; an `answered` with an error is a refusal."""
        level = _LEVELS["refused" if kind == "answered" and error is not None else kind]
        is_logged = logger.isEnabledFor(level)
        if self._on_event is None and not is_logged:
            return
        event = Event(
            kind,
            call.endpoint,
            call.correlation_id,
            call.attempt,
            sent,
            self._time() - call.started,
            http_status if error is None else getattr(error, "http_status", None),
            None if error is None else getattr(error, "api_status_code", None),
            call.reference,
            call.account,
            call.is_over and not kind.startswith("login"),
            None if error is None else type(error).__name__,
        )
        if level == logging.WARNING:
            logger.warning("%s: %s (%s): %s", kind, call.endpoint, call, UNKNOWN)
        elif is_logged:
            status = "" if event.http_status is None else f", HTTP {event.http_status}"
            text = "%s: %s (%s): attempt %d, sent %s, %.3f s%s"
            logger.log(level, text, kind, call.endpoint, call, call.attempt, sent.value, event.elapsed_s, status)
        if self._on_event is not None:
            self._tell(self._on_event, event)

    def report_outcome(self, call: CallProgress, error: CaxtonError) -> None:
        """Tell what an attempt came to, if it came to an answer or is unknown."""
        if isinstance(error, ApiError | OutcomeUnknown):
            self.report("answered" if isinstance(error, ApiError) else "outcome_unknown", call, error.sent, error)

    def report_end(self, call: CallProgress, error: CaxtonError | asyncio.CancelledError) -> None:
        """Tell that a call is over, with an error that was not told yet."""
        call.is_over = True
        if isinstance(error, ApiError | OutcomeUnknown):
            self.report_outcome(call, error)
        elif isinstance(error, CaxtonError):
            self.report("failed", call, error.sent, error)
        else:
            self.report("failed", call, call.sent)

    def _tell(self, on_event: Callable[[Event], object], event: Event) -> None:
        try:
            if (returned := on_event(event)) is not None and isinstance(returned, Coroutine):
                returned.close()  # of a lambda only calling it tells
                raise TypeError("on_event is called and not awaited: give a plain function, and let it start a task")
        except Exception:
            # A hook of the user's must not turn a payment that was made into an error.
            logger.exception("on_event failed at %s of %s", event.kind, event.endpoint)


UNKNOWN: Final = "it may or may not have been carried out; find out at the API before you call again"
