"""
Traces by OpenTelemetry: spans to a collector over OTLP/HTTP. Needs the extra ``otel``.

Sets no global provider: a host that traces by itself keeps its own, and what it
asks for here hangs below its span. Spans tell names of events, routes and
channels, and no user, text or token.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tocsin import __version__
from tocsin.application.tracing import Ended, Origin
from tocsin.domain.stream import StreamEvent, StreamKey

MAX_KEPT = 10_000
MAX_UNACKED = 100
EXPORT_S = 5.0

_W3C = TraceContextTextMapPropagator()
_PARENT = ("traceparent", "tracestate")

K = TypeVar("K")
V = TypeVar("V")
Attributes = Mapping[str, str | int]


class _Kept(dict[K, V], Generic[K, V]):
    """The newest ``MAX_KEPT`` entries."""

    def keep(self, key: K, value: V) -> None:
        self.pop(key, None)
        self[key] = value
        if len(self) > MAX_KEPT:
            del self[next(iter(self))]


class OtelTracing:
    """
    Implements ``Tracing``.

    Args:
        url: Of the collector, without ``/v1/traces``.
        share: Of the requests without a sampled parent, how many are followed, 0 to 1.
    """

    def __init__(self, url: str, share: float) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=EXPORT_S)
        resource = Resource.create({"service.name": "tocsin", "service.version": __version__})
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tocsin", __version__)
        self._events: _Kept[str, SpanContext] = _Kept()
        self._notifications: _Kept[str, SpanContext] = _Kept()
        self._unacked: _Kept[StreamKey, list[tuple[int, int, SpanContext]]] = _Kept()

    @contextlib.contextmanager
    def request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Generator[Ended, None, None]:
        """Follow a request; its span is named by its route once that is known."""
        given = {name.decode(): value.decode("latin-1") for name, value in headers if name in _PARENT_BYTES}
        parent = _W3C.extract(given) if given else None
        with self._tracer.start_as_current_span(method, parent, SpanKind.SERVER) as span:

            def ended(route: str, status: int) -> None:
                span.update_name(f"{method} {route}")
                span.set_attributes(
                    {"http.request.method": method, "http.route": route, "http.response.status_code": status}
                )
                if status >= 500:
                    span.set_status(StatusCode.ERROR)

            yield ended

    @contextlib.contextmanager
    def client_event(self, namespace: str, event: str) -> Generator[None, None, None]:
        """Follow what a client asked for; a refusal is no error of ours."""
        attributes = {"tocsin.namespace": namespace, "tocsin.event": event}
        with self._tracer.start_as_current_span(
            f"{namespace} {event}", kind=SpanKind.SERVER, attributes=attributes, record_exception=False,
            set_status_on_exception=False,
        ):  # fmt: skip
            yield

    def origin(self) -> Origin | None:
        """Return the current span's context, a host's own included, if it is sampled."""
        context = trace.get_current_span().get_span_context()
        return context if context.trace_flags.sampled else None

    def committed(self, origin: Origin, asked_at: int, events: Sequence[StreamEvent], together: int) -> None:
        """End the span of a commit, and remember it for what becomes of its events."""
        assert isinstance(origin, SpanContext)
        context = self._span("commit", origin, asked_at, {"tocsin.events": len(events), "tocsin.together": together})
        for event in events:
            self._events.keep(event.event_id, context)
            if event.event == "notification" and isinstance(id_ := json.loads(event.payload).get("id"), str):
                self._notifications.keep(id_, context)

    def carry(self, event: StreamEvent) -> str | None:
        """Return the ``traceparent`` of the commit."""
        context = self._events.get(event.event_id)
        if context is None:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def carried(self, event: StreamEvent, traceparent: str) -> None:
        """Add the span of an arrival, as long as the event was on its way."""
        parent = trace.get_current_span(_W3C.extract({"traceparent": traceparent})).get_span_context()
        if parent.trace_flags.sampled:
            # Clocks of two machines differ: an arrival that seems to be before the commit is at this instant.
            now = time.time_ns()
            begun_at = min(now, event.created_at * 1_000_000)
            self._events.keep(event.event_id, self._span("bus", parent, begun_at, {}, SpanKind.CONSUMER))

    def emitted(self, event: StreamEvent, begun_at: int, sockets: int, *, is_live: bool) -> None:
        """Add the span of what was sent, and wait for its ack."""
        parent = self._events.get(event.event_id)
        if parent is None:
            return
        attributes: Attributes = {
            "tocsin.namespace": event.namespace,
            "tocsin.seq": event.seq,
            "tocsin.sockets": sockets,
        }
        name = "emit" if is_live else "replay"
        context = self._span(f"{name} {event.event}", parent, begun_at, attributes, SpanKind.PRODUCER)
        if sockets:
            waiting = self._unacked.get(event.key, [])
            self._unacked.keep(event.key, [*waiting[-MAX_UNACKED + 1 :], (event.seq, time.time_ns(), context)])

    def acked(self, key: StreamKey, seq: int) -> None:
        """Add a span from each emit to its first ack."""
        waiting = self._unacked.pop(key, None)
        if waiting is None:
            return
        for sent_seq, sent_at, context in waiting:
            if sent_seq <= seq:
                self._span("ack", context, sent_at, {"tocsin.seq": sent_seq}, SpanKind.CONSUMER)
        if left := [one for one in waiting if one[0] > seq]:
            self._unacked.keep(key, left)

    def pushed(self, notification_id: str, channel: str, begun_at: int, results: Sequence[str]) -> None:
        """Add the span of what a provider was asked."""
        parent = self._notifications.get(notification_id)
        if parent is not None:
            attributes: Attributes = {
                "tocsin.channel": channel,
                "tocsin.targets": len(results),
                "tocsin.results": " ".join(results),
            }
            self._span(f"push {channel}", parent, begun_at, attributes, SpanKind.CLIENT)

    async def stop(self) -> None:
        """Send what waits; a collector that does not answer is given up after some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXPORT_S):
                await asyncio.to_thread(self._provider.shutdown)

    def _span(
        self,
        name: str,
        parent: SpanContext,
        begun_at: int,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> SpanContext:
        """Make a span that has ended; return its context."""
        below = trace.set_span_in_context(NonRecordingSpan(parent))
        span = self._tracer.start_span(name, below, kind, dict(attributes), start_time=begun_at)
        span.end()
        return span.get_span_context()


_PARENT_BYTES = frozenset(name.encode() for name in _PARENT)
