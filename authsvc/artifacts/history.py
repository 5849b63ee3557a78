"""Where a tag pointed before, and who moved it: told by the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from authsvc.artifacts.models import Artifact
from authsvc.audit.models import AuditLog
from authsvc.core.db import db
from authsvc.repositories.models import Repository

_LOOKED_AT = 5000  # pushes and deletions of the project, the newest: no index leads to what has one name
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Move:
    """A push of a tag; `digest` is "" where it was deleted, `artifact_id` None where what it pointed to is gone."""

    at: datetime
    username: str
    digest: str
    artifact_id: int | None


def moves(repository: Repository, tag: str) -> Sequence[Move]:
    """The newest first; what the audit log has forgotten is not among them."""
    of_project = (AuditLog.project_id == repository.project_id, AuditLog.resource_type == "artifact")
    written = AuditLog.operation.in_(("create", "delete"))
    newest = (AuditLog.op_time.desc(), AuditLog.id.desc())
    recent = select(AuditLog.id).where(*of_project, written).order_by(*newest).limit(_LOOKED_AT).subquery()
    named = (AuditLog.resource == f"{repository.name}:{tag}", AuditLog.succeeded)
    entries = select(AuditLog).join(recent, AuditLog.id == recent.c.id).where(*named).order_by(*newest).limit(SHOWN)
    found = [
        (entry.op_time, entry.username, entry.description if entry.operation == "create" else "")
        for entry in db.session.scalars(entries)
    ]
    there = select(Artifact.digest, Artifact.id).where(
        Artifact.repository_id == repository.id, Artifact.digest.in_({digest for _, _, digest in found})
    )
    ids = {digest: id_ for digest, id_ in db.session.execute(there)}  # noqa: C416 - rows are no pairs
    return [Move(at, username, digest, ids.get(digest)) for at, username, digest in found]
