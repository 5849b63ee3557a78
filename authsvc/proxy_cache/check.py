"""Proxy caches at the gate: nothing is pushed to them, and what they have not got is fetched where it comes from."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from authsvc.artifacts.models import Artifact, ArtifactBlob, Blob, Tag
from authsvc.core.db import utcnow
from authsvc.core.names import is_digest
from authsvc.gate.checks import BlobWrite, CacheRead, ManifestWrite, Refusal
from authsvc.proxy_cache.models import UpstreamTag
from authsvc.rbac.principal import ProjectRef
from authsvc.repositories.models import Repository

# Made once.
_ARTIFACT = (
    select(Artifact.id)
    .join(Repository, Repository.id == Artifact.repository_id)
    .where(Repository.name == bindparam("repository"), Artifact.digest == bindparam("reference"))
)
_TAG = (
    select(Artifact.id)
    .join(Repository, Repository.id == Artifact.repository_id)
    .join(Tag, Tag.artifact_id == Artifact.id)
    .join(UpstreamTag, (UpstreamTag.repository == Repository.name) & (UpstreamTag.tag == Tag.name))
    .where(Repository.name == bindparam("repository"), Tag.name == bindparam("reference"))
    .where(UpstreamTag.digest == Artifact.digest, UpstreamTag.until > bindparam("now", type_=UpstreamTag.until.type))
)
_BLOB = (
    select(ArtifactBlob.artifact_id)
    .join(Blob, Blob.id == ArtifactBlob.blob_id)
    .join(Artifact, Artifact.id == ArtifactBlob.artifact_id)
    .join(Repository, Repository.id == Artifact.repository_id)
    .where(Repository.name == bindparam("repository"), Blob.digest == bindparam("reference"))
    .limit(1)
)


def check(question: ManifestWrite) -> Refusal | None:
    """Refuses to put a manifest; what is cached may be deleted."""
    return _refused(question.project) if question.manifest is not None else None


def check_upload(question: BlobWrite) -> Refusal | None:
    """Refuses every step of an upload."""
    return _refused(question.project) if question.method != "DELETE" else None


def _refused(project: ProjectRef) -> Refusal | None:
    if not project.upstream:
        return None
    message = f"can not push artifact to a proxy project: {project.name}"
    return Refusal(403, "DENIED", message, "proxy cache", "it holds what is pulled from another registry")


def is_here(read: CacheRead) -> bool:
    """Whether our own registry has it whole; of a tag, also whether it still points there as far as is known."""
    values = {"repository": read.repository, "reference": read.reference}
    if read.is_blob:
        return read.execute(_BLOB, values).first() is not None
    if is_digest(read.reference):
        return read.execute(_ARTIFACT, values).first() is not None
    return read.execute(_TAG, values | {"now": utcnow()}).first() is not None
