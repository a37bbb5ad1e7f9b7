"""OpenTelemetry: a span for each call and each login, and how many calls ended how (extra `otel`)."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from caxton_async.config import Settings
from caxton_async.events import Event
from caxton_async.version import own_version

_NAME: Final = "caxton_async"
# What the last event of a call says of it; an answer with an error is a refusal, whatever its HTTP status.
_OUTCOMES: Final[Mapping[tuple[str, bool], str]] = {
    ("answered", False): "accepted",
    ("answered", True): "refused",
    ("failed", False): "cancelled",
    ("failed", True): "failed",
    ("outcome_unknown", False): "unknown",
    ("outcome_unknown", True): "unknown",
}


def traced(
    settings: Settings,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Settings:
    """Return `settings` with which a client reports its calls to OpenTelemetry; an `on_event` of theirs stays.

    Each call and each login is a span of its caller's trace, `caxton move_funds`, with the attributes
    `caxton.outcome` (`accepted`, `refused`, `unknown`, `failed` or `cancelled`), `caxton.sent`, `caxton.attempts`,
    `caxton.correlation_id`, `caxton.reference`, `caxton.account`, `caxton.api_status_code`,
    `http.response.status_code` and `error.type`, as far as there are any; whatever is not accepted has the status
    ERROR.  The metrics are `caxton.calls` and `caxton.retries` (counted) and `caxton.call.duration` (seconds), by
    endpoint and outcome.  No span holds a secret, an amount or a body, and no request gets a header of OpenTelemetry.

    The providers are the global ones unless they are given.
    """
    tracer = trace.get_tracer(_NAME, own_version(), tracer_provider)
    meter = metrics.get_meter(_NAME, own_version(), meter_provider)
    return evolve(settings, on_event=_Reporting(tracer, meter, settings.on_event))


class _Reporting:
    """An `on_event` that reports to OpenTelemetry, and then tells another."""

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter, then: Callable[[Event], None] | None) -> None:
        self._tracer = tracer
        self._calls = meter.create_counter("caxton.calls", "{call}", "Calls that are over, by outcome.")
        self._retries = meter.create_counter("caxton.retries", "{attempt}", "Attempts after the first.")
        self._duration = meter.create_histogram("caxton.call.duration", "s", "From the start of a call to its end.")
        self._then = then

    def __call__(self, event: Event) -> None:
        try:
            if event.kind == "retry":
                self._retries.add(1, {"caxton.endpoint": event.endpoint})
            if event.ends_call:
                self._end(event, _OUTCOMES[event.kind, event.error is not None])
        finally:
            if self._then is not None:
                self._then(event)

    def _end(self, event: Event, outcome: str) -> None:
        """Count the call, and make its span in the context of its caller; while in flight it holds nothing."""
        by = {"caxton.endpoint": event.endpoint, "caxton.outcome": outcome}
        self._calls.add(1, by)
        self._duration.record(event.elapsed_s, by)
        end = time.time_ns()
        span = self._tracer.start_span(
            f"caxton {event.endpoint}",
            kind=SpanKind.CLIENT,
            attributes=_attributes(event, outcome),
            start_time=end - int(event.elapsed_s * 1e9),
        )
        if outcome != "accepted":
            span.set_status(Status(StatusCode.ERROR, outcome))
        span.end(end)


def _attributes(event: Event, outcome: str) -> Mapping[str, str | int]:
    found = {
        "caxton.endpoint": event.endpoint,
        "caxton.outcome": outcome,
        "caxton.sent": event.sent.value,
        "caxton.attempts": event.attempt,
        "caxton.correlation_id": event.correlation_id,
        "caxton.reference": event.reference,
        "caxton.account": event.account,
        "caxton.api_status_code": event.api_status_code,
        "http.response.status_code": event.http_status,
        "error.type": event.error,
    }
    return {name: value for name, value in found.items() if value is not None}
