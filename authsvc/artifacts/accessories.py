"""What is attached to artifacts: signatures, SBOMs and anything else that has a subject. Recording them, and queries.

An accessory knows its subject by digest, so that either may come first, and a subject may never come at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, delete, exists, func, select

from authsvc.artifacts import rules
from authsvc.artifacts.models import Accessory, Artifact, ArtifactBlob, Blob, Tag
from authsvc.core.db import db
from authsvc.core.inserts import insert_ignore
from authsvc.core.query import ByBytes
from authsvc.distribution.manifest import OCI_INDEX
from authsvc.repositories.models import Repository


def attach(artifact: Artifact) -> None:
    """Note an artifact that has a subject as an accessory of it."""
    if artifact.subject_digest is not None:
        _attach(artifact, artifact.subject_digest, rules.accessory_type(artifact.artifact_type, artifact.media_type))


def tagged(artifact: Artifact, tag: str) -> None:
    """Note a signature of cosign's that says by its tag alone what it is for."""
    subject = rules.signed_digest(tag)
    if subject is None:
        return
    signs = exists().where(ArtifactBlob.artifact_id == artifact.id, ArtifactBlob.blob_id == Blob.id)
    if db.session.scalar(select(signs.where(Blob.media_type == rules.SIMPLE_SIGNING))):
        _attach(artifact, subject, rules.SIGNED_BY_COSIGN)


def untagged(repository: Repository, tag: str) -> set[int]:
    """That tag is gone: what was attached by it is a signature of nothing now. The ids of these artifacts."""
    subject = rules.signed_digest(tag)
    if subject is None:
        return set()
    by_tag = select(Artifact.id).join(Accessory, Accessory.artifact_id == Artifact.id)
    by_tag = by_tag.where(Accessory.repository_id == repository.id, Accessory.subject_digest == subject)
    ids = set(db.session.scalars(by_tag.where(Artifact.subject_digest.is_(None))))
    db.session.execute(delete(Accessory).where(Accessory.artifact_id.in_(ids)))
    return ids


def _attach(artifact: Artifact, subject: str, type_: str) -> None:
    insert_ignore(Accessory, artifact_id=artifact.id, repository_id=artifact.repository_id, subject_digest=subject, type=type_)


def is_accessory() -> ColumnElement[bool]:
    """Of an artifact: it is attached to another one."""
    return exists().where(Accessory.artifact_id == Artifact.id)


def is_fallback() -> ColumnElement[bool]:
    """Of an artifact: it is an index of referrers, kept by clients under a tag for registries without referrers API."""
    named = Tag.name.startswith("sha256-") | Tag.name.startswith("sha512-")
    tagged_so = exists().where(Tag.artifact_id == Artifact.id, named, func.length(Tag.name) == rules.FALLBACK_LENGTH)
    return (Artifact.manifest_media_type == OCI_INDEX) & tagged_so


def of(artifact: Artifact) -> Select[Accessory, Artifact]:
    """(Accessory, Artifact) of everything that is attached to an artifact."""
    return _joined().where(Accessory.repository_id == artifact.repository_id, Accessory.subject_digest == artifact.digest)


def _joined() -> Select[Accessory, Artifact]:
    return select(Accessory, Artifact).join(Artifact, Artifact.id == Accessory.artifact_id)


def by_artifact(artifacts: Sequence[Artifact]) -> dict[int, list[tuple[Accessory, Artifact]]]:
    """What is attached to each of a page of artifacts, the newest first."""
    subjects = {(artifact.repository_id, artifact.digest): artifact.id for artifact in artifacts}
    found: dict[int, list[tuple[Accessory, Artifact]]] = {artifact.id: [] for artifact in artifacts}
    statement = _joined().where(
        Accessory.repository_id.in_({artifact.repository_id for artifact in artifacts}),
        Accessory.subject_digest.in_({artifact.digest for artifact in artifacts}),
    )
    for accessory, artifact in db.session.execute(statement.order_by(Artifact.push_time.desc(), Accessory.id.desc())):
        subject_id = subjects.get((accessory.repository_id, accessory.subject_digest))
        if subject_id is not None:
            found[subject_id].append((accessory, artifact))
    return found


def referrers(repository: Repository, subject: str, artifact_type: str, last: str) -> Select[Artifact, int]:
    """(Artifact, bytes of its manifest) of the manifests that name `subject`, behind the digest `last` and sorted by digest;
    `artifact_type` "": of any type."""
    digest = ByBytes(Artifact.digest)
    statement = (
        select(Artifact, Blob.size)
        .join(Blob, Blob.digest == Artifact.digest)
        .where(Artifact.repository_id == repository.id, Artifact.subject_digest == subject, digest > last)
        .order_by(digest)
    )
    return statement.where(Artifact.artifact_type == artifact_type) if artifact_type else statement
