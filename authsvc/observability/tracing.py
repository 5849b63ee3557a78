"""Traces for OpenTelemetry, where an endpoint is set: a span for each request, statement, question to the registry, and job.

What makes spans is loaded then, and by nobody else. A trace goes on from whoever asks (`traceparent`, W3C Trace Context) and to
the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from sqlalchemy import event
from sqlalchemy.engine import Engine

import authsvc
from authsvc.core.settings import Settings

_tracer = trace.get_tracer("tidegate", authsvc.__version__)  # makes nothing until there is a provider

_FIXED = frozenset({"/service/token", "/internal/gate", "/webhook/registry"})

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def begin(settings: Settings, process: str) -> None:
    """Make spans from now on in this process, if they are wanted."""
    if not settings.traces_endpoint:
        return
    from authsvc.observability import exporting  # noqa: PLC0415 - large, and wanted by few

    share = settings.traces_percent / 100
    trace.set_tracer_provider(exporting.provider(settings.traces_endpoint, share, process))
    event.listen(Engine, "before_cursor_execute", _statement_begins)
    event.listen(Engine, "after_cursor_execute", _statement_ends)
    event.listen(Engine, "handle_error", _statement_fails)


def span(name: str, **attributes: str) -> Any:
    """A context manager, in which whatever happens is part of it. `attributes`: with `_` for `.` in their names."""
    return _tracer.start_as_current_span(name, attributes=_dotted(attributes))


def asking(name: str, **attributes: str) -> Any:
    """The same of a question to another system."""
    return _tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=_dotted(attributes))


def _dotted(attributes: Mapping[str, str]) -> dict[str, str]:
    return {key.replace("_", "."): value for key, value in attributes.items()}


def carried() -> dict[str, str]:
    """The headers by which the present trace goes on elsewhere."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def present() -> str:
    """The present trace's id, for logs; "" if there is none."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def named(operation: str) -> None:
    """What the present request turns out to be."""
    here = trace.get_current_span()
    if here.is_recording():
        here.update_name(operation)


def traced(settings: Settings, application: Wsgi) -> Wsgi:
    """An application with a span for each request, or as it is if none are wanted."""
    return _Traced(application) if settings.traces_endpoint else application


class _Traced:
    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        about = {
            "http.request.method": method,
            "url.path": path,
            "tidegate.request_id": environ.get("HTTP_X_REQUEST_ID", "")[:64],
        }
        parent = propagate.extract(_headers(environ))
        with _tracer.start_as_current_span(f"{method} {_kind(path)}", parent, SpanKind.SERVER, about) as here:

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                here.set_attribute("http.response.status_code", int(status[:3]))
                if status.startswith("5"):
                    here.set_status(StatusCode.ERROR)
                return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

            return self._application(environ, start)


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    return {name: environ[key] for name in ("traceparent", "tracestate") if (key := f"HTTP_{name.upper()}") in environ}


def _kind(path: str) -> str:
    """What is asked, without what a client has chosen."""
    return path if path in _FIXED else "/v2/" if path.startswith("/v2/") else "page"


def _statement_begins(_connection: Any, _cursor: Any, statement: str, _parameters: Any, execution: Any, _many: bool) -> None:
    if execution is None or not trace.get_current_span().is_recording():
        return
    about = {"db.system.name": execution.dialect.name, "db.query.text": statement[:2000]}  # values are not in it
    execution.tidegate_span = _tracer.start_span(statement.split(maxsplit=1)[0].upper(), kind=SpanKind.CLIENT, attributes=about)


def _statement_ends(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, execution: Any, _many: bool) -> None:
    here: Span | None = getattr(execution, "tidegate_span", None)
    if here is not None:
        here.end()


def _statement_fails(failure: Any) -> None:
    here: Span | None = getattr(failure.execution_context, "tidegate_span", None)
    if here is not None:
        here.set_status(StatusCode.ERROR, type(failure.original_exception).__name__)
        here.end()
