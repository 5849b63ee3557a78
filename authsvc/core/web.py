"""What every Flask application of ours does with every request: request id, origin, errors in one shape, safe headers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import structlog
from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException

from authsvc.core import origin
from authsvc.core.db import db, read_only
from authsvc.core.errors import (
    STATUS,
    BadRequest,
    DomainError,
    Limit,
    Unavailable,
    envelope,
)
from authsvc.core.faults import ERRORS, told

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:;=/+-]{1,64}")
_CODES = {status: code for code, status in reversed(STATUS.items())}
# Where Harbor's API has another word than the registry's.
_HARBOR = {"TOOMANYREQUESTS": "TOO_MANY_REQUEST"}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

# How an application with pages shows an error to people: status, code, message, and what was raised, if it is ours.
ErrorPage = Callable[[int, str, str, DomainError | None], Response | None]
ERROR_PAGE = "error_page"

log = structlog.get_logger(component="web")


def init(app: Flask) -> None:
    """Install the handlers on an application."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_end)
    app.register_error_handler(DomainError, error_response)
    for kind in ERRORS:
        app.register_error_handler(kind, _database_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _unexpected)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    origin.set_current(
        origin.Origin(
            address=request.remote_addr or "",
            user_agent=request.user_agent.string[:255],
            request_id=g.request_id,
        )
    )
    g.read_only = read_only.set(request.method in _READS)
    if "\0" in request.path or b"%00" in request.query_string:
        raise BadRequest("there is a NUL character in the URL")  # some databases cannot even be asked for one


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
    code = _HARBOR.get(error.code, error.code) if request.path.startswith("/api/") else error.code
    response = _said(STATUS[error.code], code, error.message, error)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.limit is not None:
        response.headers.extend(rate_limit(error.limit))
    return response


def rate_limit(limit: Limit) -> dict[str, str]:
    """The fields of the IETF's draft "RateLimit header fields for HTTP", and those of its earlier versions, which more read."""
    return {
        "RateLimit-Policy": f'"{limit.name}";q={limit.quota};w={limit.window}',
        "RateLimit": f'"{limit.name}";r={limit.remaining};t={limit.reset}',
        "RateLimit-Limit": str(limit.quota),
        "RateLimit-Remaining": str(limit.remaining),
        "RateLimit-Reset": str(limit.reset),
    }


def http_error(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse by themselves (404, 405, 413 ...), in the same shape; redirects pass."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=error.get_headers())
    message = "internal server error" if status >= 500 else (error.description or error.name)
    return _said(status, _CODES.get(status, "UNKNOWN" if status >= 500 else "BAD_REQUEST"), message)


def _said(status: int, code: str, message: str, error: DomainError | None = None) -> Response:
    """An error as whoever asked understands it: people by a page, programs by the one shape."""
    page: ErrorPage | None = current_app.extensions.get(ERROR_PAGE)
    response = page(status, code, message, error) if page is not None else None
    if response is None:
        response = jsonify(envelope(code, message, error.detail if error is not None else None))
        response.status_code = status
    return response


def _database_error(error: Exception) -> Response:
    db.session.rollback()
    meaning = told(error)
    if meaning is None:
        return _unexpected(error)
    if isinstance(meaning, Unavailable):
        log.error("database_outage", error=str(getattr(error, "orig", error))[:300])
    return error_response(meaning)


def _unexpected(error: Exception) -> Response:
    db.session.rollback()
    log.error("unexpected_error", exc_info=error)
    return _said(500, "UNKNOWN", "internal server error")
