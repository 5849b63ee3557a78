"""How much each project stores: the size of every blob that something in it needs, manifests included, each counted once.

The number changes with the rows of the index, in the same transaction: a blob counts when the first artifact of the project
comes to need it, and no more when the last one goes. `measure` counts from the rows; both must agree, always.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, exists, func, select

from authsvc.artifacts.models import Artifact, ArtifactBlob, Blob
from authsvc.core.db import db
from authsvc.core.inserts import insert_or_lock
from authsvc.projects.models import StorageUsage


def grow(project_id: int, blob_ids: Collection[int]) -> None:
    """An artifact is about to need these blobs: call it before the rows that say so."""
    _lock(project_id).bytes += _unneeded(project_id, blob_ids)


def shrink(project_id: int, blob_ids: Collection[int]) -> None:
    """An artifact needed these blobs: call it after the rows that said so are gone."""
    _lock(project_id).bytes -= _unneeded(project_id, blob_ids)


def used(project_id: int) -> int:
    """Bytes that a project stores now."""
    return db.session.scalar(select(StorageUsage.bytes).where(StorageUsage.project_id == project_id)) or 0


def missing(project_id: int, sizes: Mapping[str, int]) -> int:
    """Bytes that a project would store more if something came to need these blobs: digest -> size."""
    needed = select(Blob.digest).where(Blob.digest.in_(sizes), _is_needed(project_id))
    return sum(sizes.values()) - sum(sizes[digest] for digest in db.session.scalars(needed))


def measure(project_id: int) -> int:
    """Bytes that a project stores, counted from all its rows."""
    ids = select(ArtifactBlob.blob_id).join(Artifact, Artifact.id == ArtifactBlob.artifact_id)
    ids = ids.where(Artifact.project_id == project_id)
    return int(db.session.scalar(select(func.sum(Blob.size)).where(Blob.id.in_(ids))) or 0)


def correct(project_id: int) -> int:
    """Let the number agree with the rows; returns by how many bytes it was too large (or, below 0, too small)."""
    usage = _lock(project_id)
    drift = usage.bytes - measure(project_id)
    usage.bytes -= drift
    return drift


def _lock(project_id: int) -> StorageUsage:
    """The project's row, until the transaction ends: of one project nobody else counts meanwhile."""
    statement = select(StorageUsage).where(StorageUsage.project_id == project_id)
    statement = statement.with_for_update().execution_options(populate_existing=True)
    found = db.session.scalar(statement)
    if found is None:
        insert_or_lock(StorageUsage, "project_id", project_id=project_id, bytes=0)
        found = db.session.scalars(statement).one()
    return found


def _unneeded(project_id: int, blob_ids: Collection[int]) -> int:
    """The bytes of those of these blobs that nothing in the project needs."""
    chosen = select(func.sum(Blob.size)).where(Blob.id.in_(blob_ids), ~_is_needed(project_id))
    return int(db.session.scalar(chosen) or 0)


def _is_needed(project_id: int) -> ColumnElement[bool]:
    return exists().where(ArtifactBlob.blob_id == Blob.id, ArtifactBlob.project_id == project_id)
