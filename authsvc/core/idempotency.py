"""Idempotency-Key on every POST of the API (IETF draft "The Idempotency-Key HTTP Header Field"), beyond Harbor's.

The first request with a key is carried out, and its success kept for a day, in the same transaction as its effects; the same
request again, by the same credential, gets the same answer, another one with the same key 422. What failed had no effect, and is
tried again. Answers are sealed, since the secret of a new robot is one.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Response, g, request
from sqlalchemy import ColumnElement, String, Text, delete, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core import sealing, web
from authsvc.core.base import Application
from authsvc.core.db import Base, db, utcnow
from authsvc.core.errors import BadRequest, Conflict, Limit, TooManyRequests, Unprocessable
from authsvc.core.inserts import insert_ignore
from authsvc.core.repeat import repeated

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_KEY = re.compile(r'"?[\x21-\x7e]{1,255}"?')
_KEPT = timedelta(days=1)
_MAX_EACH = 10_000  # live keys of one caller


class IdempotentRequest(Base):
    """`id`: digest of caller and key; a caller is an account with a credential, since a kept answer is for nobody who may do
    less. `request`: digest of method, URL and body. No `status` while it is carried out."""

    __tablename__ = "idempotent_requests"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    caller: Mapped[str] = mapped_column(String(64), index=True)
    request: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    location: Mapped[str] = mapped_column(String(1024), default="")
    body: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = ()


def init(app: Application, prefix: str) -> None:
    """Install it below a path, for what sets `g.principal` before its views."""

    def begin() -> Response | None:
        if request.method != "POST" or HEADER not in request.headers or not request.path.startswith(prefix):
            return None
        return _begin() if g.principal.is_authenticated else None

    app.prelude(begin)
    app.after_request(_end)


def is_old() -> ColumnElement[bool]:
    """Of kept answers: older than a day."""
    return IdempotentRequest.at < utcnow() - _KEPT


def _digest(*parts: str | bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8) + data)
    return whole.hexdigest()


def _begin() -> Response | None:
    """The kept answer; None if the request is to be carried out.

    Raises:
        BadRequest, Conflict, TooManyRequests, Unprocessable
    """
    g.pop("idempotent_request", None)  # of a try before this one, which was undone
    key = request.headers[HEADER]
    if _KEY.fullmatch(key) is None:
        raise BadRequest(f"{HEADER} has 1 to 255 visible ASCII characters")
    caller = _digest(*g.principal.credential_key)
    row_id = _digest(caller, key.strip('"'))
    fingerprint = _digest(request.method, request.path, request.query_string, request.get_data(cache=True))
    db.session.execute(delete(IdempotentRequest).where(IdempotentRequest.id == row_id, IdempotentRequest.at < utcnow() - _KEPT))
    if insert_ignore(IdempotentRequest, id=row_id, caller=caller, request=fingerprint, location="", body="", at=utcnow()):
        g.idempotency_limit = _bounded(caller)
        g.idempotent_request = row_id
        return None
    kept = db.session.execute(select(IdempotentRequest).where(IdempotentRequest.id == row_id)).scalar_one()
    if kept.request != fingerprint:
        raise Unprocessable(f"this {HEADER} was used for another request")
    if kept.status is None:
        raise Conflict(f"the request with this {HEADER} is still being carried out, or its answer was lost")
    return _replay(kept)


def _bounded(caller: str) -> Limit:
    """What is left of a caller's keys, the present one among those that are used.

    Raises:
        TooManyRequests: nothing was left for it.
    """
    now = utcnow()
    theirs = (IdempotentRequest.caller == caller, IdempotentRequest.at > now - _KEPT)
    used, first = db.session.execute(select(func.count(), func.min(IdempotentRequest.at)).where(*theirs)).one()
    reset = int((first + _KEPT - now).total_seconds()) + 1
    limit = Limit("idempotency-keys", _MAX_EACH, int(_KEPT.total_seconds()), reset, max(0, _MAX_EACH - used))
    if used > _MAX_EACH:
        raise TooManyRequests(f"{_MAX_EACH} keys within a day are enough for one caller", limit=limit)
    return limit


def _replay(kept: IdempotentRequest) -> Response:
    response = Response(sealing.unseal(kept.body), status=kept.status, mimetype="application/json")
    if not kept.body:
        response.headers.pop("Content-Type")
    response.headers[REPLAYED] = "true"
    if kept.location:
        response.headers["Location"] = kept.location
    return response


def _end(response: Response) -> Response:
    """Keep a success; forget a failure. The effects are committed already, so the answer stands whatever happens here."""
    if limit := g.pop("idempotency_limit", None):
        response.headers.extend(web.rate_limit(limit))
    row_id = g.pop("idempotent_request", None)
    if row_id is not None:
        try:
            db.session.rollback()
            repeated(lambda: _keep(_outcome(row_id, response)))
        except DBAPIError as error:
            db.session.rollback()
            structlog.get_logger(component="api").error("idempotent_answer_lost", error=type(error).__name__)
    return response


def _keep(outcome: Any) -> None:
    db.session.execute(outcome)
    db.session.commit()


def _outcome(row_id: str, response: Response) -> Any:
    this = IdempotentRequest.id == row_id
    if not 200 <= response.status_code < 300:
        return delete(IdempotentRequest).where(this)
    body = sealing.seal(response.get_data(as_text=True))
    location = response.headers.get("Location", "")[:1024]
    return update(IdempotentRequest).where(this).values(status=response.status_code, location=location, body=body)
