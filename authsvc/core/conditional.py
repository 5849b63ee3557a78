"""ETag, If-None-Match and If-Match for the whole API (RFC 9110, sections 8.8.3 and 13.1), beyond Harbor's.

Every JSON answer to a GET has an ETag. A change with `If-Match` happens only if a GET of the same path (without a query)
would still answer with that ETag; else 412. Both happen in one transaction, and nobody else's change gets in between: SQLite has
one writer; on the others, the rows that are read to compare are locked, so that whoever changes one of them comes first and is
seen, or waits. (What is not there yet cannot be locked: of two who make the same thing, one gets 409.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from flask import Response, current_app, request
from flask.globals import request_ctx
from sqlalchemy import Select, event
from sqlalchemy.orm import InstrumentedAttribute, ORMExecuteState
from werkzeug.exceptions import HTTPException

from authsvc.core.base import Application
from authsvc.core.db import db
from authsvc.core.errors import PreconditionFailed

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_locking: ContextVar[bool] = ContextVar("locking", default=False)


def init(app: Application, prefix: str) -> None:
    """Install it below a path."""

    def check() -> None:
        if "If-Match" in request.headers and request.method not in _READS and request.path.startswith(prefix):
            _require_match()

    def tag(response: Response) -> Response:
        is_read = request.method in ("GET", "HEAD") and response.status_code == 200
        if is_read and response.is_json and request.path.startswith(prefix) and not response.is_streamed:
            response.set_etag(_etag(response))
            response.make_conditional(request)
        return response

    app.prelude(check)
    app.after_request(tag)


def _etag(response: Response) -> str:
    return hashlib.blake2b(response.get_data(), digest_size=16).hexdigest()


def _require_match() -> None:
    """`If-Match` holds for what is there now.

    Raises:
        PreconditionFailed
    """
    with _what_is_read_locked():
        present = _present()
    # Proxies that compress mark an ETag as weak; it stands for the same state.
    if present is None or not request.if_match.contains_weak(present):
        raise PreconditionFailed(
            "it is not, or no longer, what If-Match says; read it again", detail={"etag": present} if present else None
        )


def _present() -> str | None:
    """The ETag that a GET of this path has now; None where there is no GET."""
    adapter = request_ctx.url_adapter
    assert adapter is not None  # noqa: S101 - there is one in every request
    try:
        endpoint, arguments = adapter.match(method="GET")
    except HTTPException:
        return None
    answer: Any = current_app.view_functions[endpoint](**arguments)
    return _etag(current_app.make_response(answer))


@contextmanager
def _what_is_read_locked() -> Iterator[None]:
    token = _locking.set(True)
    try:
        yield
    finally:
        _locking.reset(token)


@event.listens_for(db.session, "do_orm_execute")
def _lock(state: ORMExecuteState) -> None:
    """FOR UPDATE, of the rows that a select names first. What counts or sums names none."""
    if _locking.get() and state.is_select and isinstance(state.statement, Select) and _names_rows(state.statement):
        first = state.statement.column_descriptions[0]["entity"]
        state.statement = state.statement.with_for_update(of=first).execution_options(populate_existing=True)


def _names_rows(statement: Select[*tuple[Any, ...]]) -> bool:
    """True if it answers with rows of a table: with a whole one and whatever beside it, or with nothing but columns."""
    columns = statement.column_descriptions
    return columns[0]["expr"] is columns[0]["entity"] or all(isinstance(one["expr"], InstrumentedAttribute) for one in columns)
