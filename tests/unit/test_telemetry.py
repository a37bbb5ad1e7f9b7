"""Spans and metrics of calls, read back through the SDK's own exporters in memory."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from attrs import evolve, frozen
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from caxton_async import CaxtonClient, Settings
from caxton_async.emulator import Emulator, Fault
from caxton_async.telemetry import traced
from tests.support import canary
from tests.support.harness import hold, kinds


@frozen
class Kept:
    """What OpenTelemetry was told."""

    spans: InMemorySpanExporter
    tracers: TracerProvider
    reader: InMemoryMetricReader
    meters: MeterProvider

    def settings(self, settings: Settings) -> Settings:
        """Return settings that report here."""
        return traced(settings, tracer_provider=self.tracers, meter_provider=self.meters)

    @property
    def calls(self) -> list[ReadableSpan]:
        """The spans of calls, without logins."""
        return [span for span in self.spans.get_finished_spans() if span.name != "caxton get_access_token"]

    def points(self, name: str) -> dict[tuple[object, ...], object]:
        """Return the points of a metric by the values of their attributes."""
        data = self.reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics]
        return {
            tuple(point.attributes.values()): getattr(point, "value", None) or point.count
            for metric in metrics
            if metric.name == name
            for point in metric.data.data_points
        }


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Keep spans and metrics in memory."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    yield Kept(spans, tracers, reader, meters)
    tracers.shutdown()
    meters.shutdown()


def reporting(emulator: Emulator, kept: Kept) -> CaxtonClient:
    """Return a client of the emulator that reports here."""
    return CaxtonClient(emulator.credentials, kept.settings(emulator.settings))


async def pay(caxton: CaxtonClient) -> object:
    """Make a payment, whatever becomes of it."""
    moving = caxton.balances.move_funds(from_currency="GBP", to_currency="GBP", amount=Decimal("12.34"))
    return (await asyncio.gather(moving, return_exceptions=True))[0]


@pytest.mark.parametrize(
    ("fault", "outcome", "sent", "status"),
    [
        (lambda: Fault("failing_envelope", endpoint="move_funds", status=200), "refused", "yes", 200),
        (lambda: Fault("reset_after_read", endpoint="move_funds"), "unknown", "unknown", None),
        (lambda: Fault("unauthorised", endpoint="get_access_token", times=None), "failed", "no", None),
    ],
    ids=["refusal-inside-http-200", "unknown", "no-login"],
)
async def test_a_call_that_was_not_accepted_is_an_error(
    kept: Kept, fault: Callable[[], Fault], outcome: str, sent: str, status: int | None
) -> None:
    """A span says how its call ended, also where HTTP says 200."""
    async with Emulator(faults=[fault()]) as emulator, reporting(emulator, kept) as caxton:
        await pay(caxton)

    (span,) = kept.calls
    assert (span.name, span.kind, span.status.status_code) == ("caxton move_funds", SpanKind.CLIENT, StatusCode.ERROR)
    told = {name: span.attributes.get(name) for name in ("caxton.outcome", "caxton.sent", "http.response.status_code")}
    assert told == {"caxton.outcome": outcome, "caxton.sent": sent, "http.response.status_code": status}
    assert span.attributes["error.type"]
    assert kept.points("caxton.calls")["move_funds", outcome] == 1


async def test_an_accepted_call_is_a_span_of_its_callers_trace(kept: Kept) -> None:
    """Calls made under a span are its children, each with account and reference; the login belongs to nobody."""
    async with Emulator() as emulator, reporting(emulator, kept) as caxton:
        with kept.tracers.get_tracer("web").start_as_current_span("request") as request:
            await caxton.with_options(reference="invoice-981").wallets.create("w")

    by_name = {span.name: span for span in kept.spans.get_finished_spans()}
    call, login = by_name["caxton create_wallet"], by_name["caxton get_access_token"]
    assert call.parent.span_id == request.get_span_context().span_id
    assert login.parent is None
    assert call.status.status_code is StatusCode.UNSET
    assert (call.attributes["caxton.reference"], call.attributes["caxton.outcome"]) == ("invoice-981", "accepted")
    assert call.start_time < call.end_time
    assert kept.points("caxton.call.duration")["create_wallet", "accepted"] == 1


async def test_retries_are_counted_and_are_no_calls(kept: Kept) -> None:
    """A call that was tried again is one span with the number of its attempts."""
    async with (
        Emulator(faults=[Fault("server_error_before", endpoint="get_card_rate")]) as emulator,
        reporting(emulator, kept) as caxton,
    ):
        await caxton.fx.card_rate(buy="CHF", sell="GBP", amount=1)

    assert [span.attributes["caxton.attempts"] for span in kept.calls] == [2]
    assert kept.points("caxton.retries")["get_card_rate",] == 1


async def test_a_cancelled_payment_is_unknown_and_a_cancelled_look_up_is_not(kept: Kept) -> None:
    """What was cancelled in flight ends its span."""
    async with Emulator() as emulator, reporting(emulator, kept) as caxton:
        for endpoint, call in (("create_wallet", caxton.wallets.create("w")), ("list_banks", caxton.banks.list())):
            held = hold(emulator, endpoint)
            task = asyncio.ensure_future(call)
            await held.hit()
            task.cancel()
            await asyncio.wait({task})

    assert [span.attributes["caxton.outcome"] for span in kept.calls] == ["unknown", "cancelled"]


async def test_nothing_goes_to_the_vendor_and_no_secret_into_a_span(kept: Kept) -> None:
    """Requests carry no header of OpenTelemetry, and spans hold no secret and no amount."""
    async with Emulator() as emulator:
        settings = kept.settings(emulator.settings)
        async with CaxtonClient(emulator.credentials, settings) as caxton:
            with kept.tracers.get_tracer("web").start_as_current_span("request"):
                await pay(caxton.for_user(canary.USER_TOKEN))
        headers = {name.lower() for request in emulator.requests for name in request.headers}
        secrets = [emulator.credentials.password.reveal(), canary.USER_TOKEN, *emulator.ledger.accounts.tokens, "12.34"]

    assert not headers & {"traceparent", "tracestate", "baggage"}
    shown = " ".join(span.to_json() for span in kept.spans.get_finished_spans())
    assert [secret for secret in secrets if secret in shown] == []


async def test_a_hook_of_the_users_stays(kept: Kept) -> None:
    """An `on_event` that the settings had is told of the same events."""
    events = []
    async with Emulator() as emulator:
        settings = kept.settings(evolve(emulator.settings, on_event=events.append))
        async with CaxtonClient(emulator.credentials, settings) as caxton:
            await caxton.wallets.create("w")

    assert kinds(events)[-1] == ("create_wallet", "answered")
    assert len(kept.calls) == 1
