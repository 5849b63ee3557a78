"""What makes spans and sends them: loaded by `tracing` where they are wanted, since it is large."""

from __future__ import annotations

import platform

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

import authsvc

_PATH = "/v1/traces"  # OTLP over HTTP
_TIMEOUT = 2  # seconds, of each attempt; a process that ends makes one more


def provider(endpoint: str, share: float, process: str) -> TracerProvider:
    """For a process; `share` of all traces are kept, whatever a client says of its own."""
    who = {"service.name": f"tidegate-{process}", "service.version": authsvc.__version__, "host.name": platform.node()}
    made = TracerProvider(resource=Resource.create(who), sampler=TraceIdRatioBased(share))
    sender = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _PATH, timeout=_TIMEOUT)
    made.add_span_processor(BatchSpanProcessor(sender))
    return made
