"""Housekeeping of the log of decisions, as a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from authsvc.core import slices
from authsvc.core.db import db, reading, utcnow
from authsvc.gate.models import Decision
from authsvc.jobs.context import JobContext

_KEPT = timedelta(days=30)
_MOST = 200_000


def purge(context: JobContext) -> dict[str, Any]:
    """Forget decisions after 30 days, and the oldest of very many."""
    with reading():
        newest = select(Decision.at).order_by(Decision.at.desc()).offset(_MOST).limit(1)
        before = max(filter(None, [utcnow() - _KEPT, db.session.scalar(newest)]))
    return {"forgotten": slices.forget(Decision, Decision.at < before, context.keep_going)}
