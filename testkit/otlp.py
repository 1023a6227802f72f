"""A receiver of OTLP over HTTP: takes spans as a collector does, with the protocol's own messages."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_PATIENCE_SECONDS = 10.0


class OtlpReceiver:
    """Listens on a free port of 127.0.0.1 in a thread of its own. Must be closed."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        """Of each export."""
        self.resources: list[dict[str, Any]] = []
        self._spans: queue.Queue[Span] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def spans(self, count: int) -> list[Span]:
        """The next so many spans; raises queue.Empty where they do not come in time."""
        return [self._spans.get(timeout=_PATIENCE_SECONDS) for _ in range(count)]

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """One export."""
        request = ExportTraceServiceRequest.FromString(body)
        self.headers.append(headers)
        for of_resource in request.resource_spans:
            self.resources.append(dict(attributes(of_resource.resource.attributes)))
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self._spans.put(span)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if self.path != "/v1/traces":
                    return self.send_error(404)
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(body, {name.lower(): value for name, value in self.headers.items()})
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                return None

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attributes(pairs: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of each of OTLP's attributes."""
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        yield pair.key, [item.string_value for item in value.values] if kind == "array_value" else value
