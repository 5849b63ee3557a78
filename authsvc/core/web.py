"""What every Flask application of ours does with every request: request id, origin, errors in one shape, safe headers."""

from __future__ import annotations

import re
import uuid

import structlog
from flask import Flask, Response, g, jsonify, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from authsvc.core import origin
from authsvc.core.db import db, is_outage, read_only
from authsvc.core.errors import STATUS, DomainError, Unavailable, envelope

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CODES = {status: code for code, status in reversed(STATUS.items())}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

log = structlog.get_logger(component="web")


def init(app: Flask) -> None:
    """Install the handlers on an application."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_end)
    app.register_error_handler(DomainError, error_response)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _unexpected)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    origin.set_current(
        origin.Origin(
            address=request.headers.get("X-Real-Ip", request.remote_addr or "")[:64],
            user_agent=request.user_agent.string[:255],
            request_id=g.request_id,
        )
    )
    g.read_only = read_only.set(request.method in _READS)


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers.setdefault("Cache-Control", "no-store")
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _end(error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
    if token := g.pop("read_only", None):
        read_only.reset(token)


def error_response(error: DomainError) -> Response:
    """A domain error as HTTP: its code's status, the one error shape, `Retry-After` where it says when."""
    response = jsonify(envelope(error.code, error.message))
    response.status_code = STATUS[error.code]
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def http_error(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse by themselves (404, 405, 413 ...), in the same shape; redirects pass."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=error.get_headers())
    message = "internal server error" if status >= 500 else (error.description or error.name)
    response = jsonify(envelope(_CODES.get(status, "UNKNOWN" if status >= 500 else "BAD_REQUEST"), message))
    response.status_code = status
    return response


def _database_error(error: DBAPIError) -> Response:
    db.session.rollback()
    if is_outage(error):
        log.error("database_outage", error=type(error.orig).__name__)
        return error_response(Unavailable("the database does not answer", retry_after=5))
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    db.session.rollback()
    log.error("unexpected_error", exc_info=error)
    response = jsonify(envelope("UNKNOWN", "internal server error"))
    response.status_code = 500
    return response
