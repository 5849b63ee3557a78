"""The log of decisions: each refusal, and each write that was let in, under an id that clients print."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any

import structlog
from flask import Flask

from authsvc.core import origin
from authsvc.core.background import Flusher
from authsvc.core.db import db, transaction, utcnow
from authsvc.gate.asked import Asked
from authsvc.gate.callers import Caller
from authsvc.gate.checks import ManifestWrite, Refusal
from authsvc.gate.models import Decision
from authsvc.notification import quotas


def new_id() -> str:
    """Short enough to be read out, too many to be guessed."""
    return secrets.token_hex(6)


_MAX_BLOBS = 500
_MAX_WAITING = 500
_FLUSH_SECONDS = 1.0

log = structlog.get_logger(component="gate")


def facts(question: ManifestWrite) -> dict[str, Any]:
    """What the checks were asked about beside who, where and what: enough to ask them again."""
    said: dict[str, Any] = {"displaces": list(question.displaces[:_MAX_BLOBS]), "in_flight": question.in_flight}
    manifest = question.manifest
    if manifest is not None:
        blobs = [[blob.digest, blob.size, blob.media_type] for blob in manifest.blobs[:_MAX_BLOBS]]
        said |= {"digest": manifest.digest, "media_type": manifest.media_type, "size": manifest.size, "blobs": blobs}
    return said


def decision(
    id_: str, caller: Caller | None, asked: Asked, project_id: int, refusal: Refusal | None, facts: dict[str, Any] | None = None
) -> Decision:
    """A row for a decision; not added to any session."""
    holder, come_from = caller.holder if caller else None, origin.current()
    rules = {"trust_rules": list(holder.rules)} if holder and holder.rules else {}
    return Decision(
        id=id_,
        username=caller.principal.name if caller else "",
        holder_kind=holder.kind if holder else "",
        holder_id=holder.id if holder else 0,
        method=asked.method,
        repository=asked.repository,
        reference=asked.reference[:255],
        source=asked.source,
        kind=asked.kind,
        project_id=project_id,
        status=refusal.status if refusal else 0,
        code=refusal.code if refusal else "",
        rule=refusal.rule if refusal else "",
        message=refusal.message[:1024] if refusal else "",
        help=refusal.help if refusal else "",
        facts={**(facts or {}), **rules, **({"blob": asked.digest} if asked.digest else {})},
        address=come_from.address,
        user_agent=come_from.user_agent,
        request_id=come_from.request_id,
    )


def tell(refused: Decision) -> None:
    """One line in the log of a refusal: who was refused what, from where and why, by the ids that client and nginx know it by."""
    names = ("username", "method", "repository", "reference", "status", "rule", "message", "address", "user_agent", "request_id")
    log.info("refused", decision=refused.id, **{name: getattr(refused, name) for name in names})


def keep(refused: Sequence[tuple[Decision, Refusal]]) -> None:
    """Write refusals, and tell who wants to know of them; in transactions of its own."""
    # Each project once, however many were refused there.
    full = {row.project_id: row for row, refusal in refused if refusal.event == quotas.EXCEEDED}
    with transaction():
        db.session.add_all(row for row, _ in refused)
    for row in full.values():
        with transaction():
            quotas.exceeded(row.project_id, row.username, row.repository, row.message)


class Recorder:
    """Writes decisions in the background, where each must be fast: refusals of reads. Under a flood the oldest are dropped."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._waiting: deque[tuple[Decision, Refusal]] = deque(maxlen=_MAX_WAITING)
        self._flusher = Flusher("decisions", _FLUSH_SECONDS, self.flush)

    def note(self, row: Decision, refusal: Refusal) -> None:
        """Write it soon."""
        row.at = utcnow()
        if len(self._waiting) == _MAX_WAITING:
            log.warning("decision_dropped", decision=self._waiting[0][0].id)
        self._waiting.append((row, refusal))
        self._flusher.start()

    def flush(self) -> None:
        """Write what waits."""
        rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if rows:
            with self._app.app_context():
                keep(rows)
