"""Counts what an application answers, by its operations."""

from __future__ import annotations

import time
from functools import lru_cache

from flask import Flask, Response, g, request

from authsvc.observability import metrics, tracing

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def init(app: Flask) -> None:
    """Install it; before whatever else looks at requests."""
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.begun = time.perf_counter()


@lru_cache(maxsize=1024)
def _operation(endpoint: str) -> str:
    """As the API's description calls it (`operationId`), and Harbor's metrics do."""
    first, *others = endpoint.rpartition(".")[2].split("_")
    return first + "".join(word.capitalize() for word in others)


def _count(response: Response) -> Response:
    # The name of what we serve, never a path; methods, too, are whatever a client sends.
    operation = _operation(request.endpoint or "unknown")
    tracing.named(operation)
    method = request.method if request.method in _METHODS else "other"
    metrics.REQUESTS.labels(method, str(response.status_code), operation).inc()
    metrics.REQUEST_SECONDS.labels(method, operation).observe(time.perf_counter() - g.begun)
    return response
