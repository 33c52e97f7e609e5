"""A collector on loopback: takes what OpenTelemetry sends over HTTP, and keeps the spans."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received:
    """
    What came.

    Attributes:
        url: Of the collector.
        spans: As protobuf has them.
        resources: Attributes of what sent them.
    """

    def __init__(self, url):
        self.url = url
        self.spans = []
        self.resources = []

    def take(self, body):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({one.key: one.value.string_value for one in resource.resource.attributes})
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name):
        """Return the one span of that name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def of_trace(self, trace_id):
        """Return the names of a trace's spans, each with that of its parent; empty: it is elsewhere."""
        spans = [span for span in self.spans if span.trace_id.hex() == trace_id]
        names = {span.span_id: span.name for span in spans}
        return sorted((names.get(span.parent_span_id, ""), span.name) for span in spans)


def attributes(span):
    """Return the attributes of a span as Python has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@contextmanager
def receiving() -> Iterator[Received]:
    """Run a collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                received.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
