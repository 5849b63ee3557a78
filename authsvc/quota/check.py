"""Quota at the gate: what is new to the project must fit, with what is on its way."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from authsvc.artifacts import usage
from authsvc.artifacts.models import ArtifactBlob, Blob
from authsvc.core.db import db
from authsvc.gate.checks import BlobWrite, ManifestWrite, Refusal, Reservation
from authsvc.projects.models import Project, StorageUsage
from authsvc.quota import rules

# Made once. What is needed already counts for nothing more, whoever sends it again.
_NEEDED = (
    select(ArtifactBlob.artifact_id)
    .join(Blob, Blob.id == ArtifactBlob.blob_id)
    .where(Blob.digest == bindparam("digest"), ArtifactBlob.project_id == bindparam("project_id"))
    .limit(1)
    .scalar_subquery()
)
_STANDING = (
    select(
        Project.storage_limit,
        func.coalesce(StorageUsage.bytes, 0).label("used"),
        select(Blob.size).where(Blob.digest == bindparam("digest")).scalar_subquery().label("size"),
        _NEEDED.label("needed"),
    )
    .outerjoin(StorageUsage, StorageUsage.project_id == Project.id)
    .where(Project.id == bindparam("project_id"))
)


def check(question: ManifestWrite) -> Refusal | Reservation | None:
    """A manifest that is put adds itself and those of its blobs that nothing in the project needs yet."""
    if question.manifest is None or not question.configured("quota_per_project_enable"):
        return None
    adding = usage.missing(question.project.id, {blob.digest: blob.size for blob in question.manifest.stored})
    if not adding:
        return None
    limit = db.session.scalars(select(Project.storage_limit).where(Project.id == question.project.id)).one()
    return _refused(adding, usage.used(question.project.id) + question.in_flight, limit) or Reservation(adding)


def check_upload(question: BlobWrite) -> Refusal | None:
    """Said early, before the bytes travel, where it is known already; the manifest has the last word. Harbor looks at the
    start of an upload, at a mount, and at the end."""
    if question.method not in ("POST", "PUT") or not question.configured("quota_per_project_enable"):
        return None
    standing = question.execute(_STANDING, {"project_id": question.project.id, "digest": question.digest}).first()
    if standing is None or standing.storage_limit == rules.UNLIMITED:
        return None
    adding = 0 if standing.needed else (standing.size or question.size or 0)
    return _refused(adding, standing.used, standing.storage_limit)


def _refused(adding: int, used: int, limit: int) -> Refusal | None:
    message = rules.refusal(adding, used, limit)
    if message is None:
        return None
    help_ = "delete what is not needed, or ask a system administrator for a higher limit"
    return Refusal(403, "DENIED", message, f"storage quota of {rules.readable(limit)}", help_, event="QUOTA_EXCEED")
