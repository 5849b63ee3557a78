"""Recording what the registry holds: idempotent, in any order, any number of times.

The same digest and the same tag give the same rows. Nothing here asks the registry; who calls has asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from authsvc.artifacts import accessories, condemned, indexes, listing, usage
from authsvc.artifacts.models import Accessory, Artifact, ArtifactBlob, ArtifactLabel, ArtifactReference, Blob, Tag
from authsvc.configuration import service as configuration
from authsvc.core.db import db
from authsvc.core.inserts import insert_fixed, insert_ignore
from authsvc.distribution.manifest import Descriptor, Manifest
from authsvc.repositories.models import Repository


def artifact(repository: Repository, manifest: Manifest, extra_attrs: Mapping[str, Any], at: datetime) -> Artifact:
    """The artifact of a manifest in a repository, made with its blobs and children if it is new."""
    found = find(repository, manifest.digest)
    if found is None:
        is_new = insert_ignore(
            Artifact,
            repository_id=repository.id,
            project_id=repository.project_id,
            digest=manifest.digest,
            type=manifest.kind,
            media_type=manifest.media_type if manifest.is_index or not manifest.config else manifest.config.media_type,
            manifest_media_type=manifest.media_type,
            artifact_type=manifest.artifact_type or manifest.media_type,
            subject_digest=manifest.subject.digest if manifest.subject else None,
            own_size=indexes.own_size(manifest),
            size=indexes.own_size(manifest),
            push_time=at,
            extra_attrs=dict(extra_attrs),
            annotations=dict(manifest.annotations),
        )
        found = find(repository, manifest.digest)
        assert found is not None  # noqa: S101 - inserted above, by us or by another process
        if is_new:
            _add_blobs(found, manifest)
            _add_children(found, manifest.manifests)
            indexes.resize(repository, found)
            indexes.resize_holders(repository, found.digest)
            accessories.attach(found)
            listing.refresh(repository, digests=[found.digest, *(child.digest for child in manifest.manifests)])
    return found


def find(repository: Repository, digest: str) -> Artifact | None:
    """The artifact with that digest in the repository, or None."""
    return db.session.scalar(select(Artifact).where(Artifact.repository_id == repository.id, Artifact.digest == digest))


def _add_blobs(owner: Artifact, manifest: Manifest) -> None:
    stored = {blob.digest: blob for blob in manifest.stored}
    condemned.spare(stored)
    known = set(db.session.scalars(select(Blob.digest).where(Blob.digest.in_(stored))))
    for digest in sorted(stored.keys() - known):  # in one order for everybody, so that no two wait for each other
        insert_fixed(Blob, digest=digest, size=stored[digest].size, media_type=stored[digest].media_type)
    ids = list(db.session.scalars(select(Blob.id).where(Blob.digest.in_(stored))))
    usage.grow(owner.project_id, ids)
    rows = [{"artifact_id": owner.id, "blob_id": blob_id, "project_id": owner.project_id} for blob_id in ids]
    db.session.execute(insert(ArtifactBlob), rows)


def _add_children(parent: Artifact, children: tuple[Descriptor, ...]) -> None:
    for position, child in enumerate(children):
        insert_ignore(
            ArtifactReference,
            parent_id=parent.id,
            position=position,
            child_digest=child.digest,
            platform=dict(child.platform) if child.platform else None,
            annotations=dict(child.annotations),
            urls=list(child.urls),
        )


def tag(repository: Repository, name: str, target: Artifact, at: datetime) -> None:
    """Let a tag point to an artifact, whatever it pointed to."""
    accessories.tagged(target, name)
    changed = {target.id}
    is_new = insert_ignore(Tag, repository_id=repository.id, artifact_id=target.id, name=name, push_time=at)
    if not is_new and (found := find_tag(repository, name)) is not None:
        changed.add(found.artifact_id)
        found.artifact_id = target.id
        found.push_time = max(found.push_time, at)
    listing.refresh(repository, ids=changed)


def find_tag(repository: Repository, name: str) -> Tag | None:
    """The tag of that name in the repository, or None."""
    return db.session.scalar(select(Tag).where(Tag.repository_id == repository.id, Tag.name == name))


def untag(repository: Repository, name: str) -> bool:
    """Forget a tag; True if there was one."""
    detached = accessories.untagged(repository, name)
    found = find_tag(repository, name)
    if found is not None:
        db.session.delete(found)
        db.session.flush()
        detached.add(found.artifact_id)
    listing.refresh(repository, ids=detached)
    return found is not None


def forget(repository: Repository, digest: str) -> bool:
    """Forget an artifact and every tag on it; True if there was one."""
    found = find(repository, digest)
    if found is None:
        return False
    blob_ids = list(db.session.scalars(select(ArtifactBlob.blob_id).where(ArtifactBlob.artifact_id == found.id)))
    references = select(ArtifactReference.child_digest).where(ArtifactReference.parent_id == found.id)
    children = list(db.session.scalars(references))
    # Said here and not left to ON DELETE: it must hold on databases that were made without foreign keys, too.
    for model, column in (
        (Tag, Tag.artifact_id),
        (Accessory, Accessory.artifact_id),
        (ArtifactBlob, ArtifactBlob.artifact_id),
        (ArtifactLabel, ArtifactLabel.artifact_id),
        (ArtifactReference, ArtifactReference.parent_id),
    ):
        db.session.execute(delete(model).where(column == found.id))
    usage.shrink(found.project_id, blob_ids)
    db.session.delete(found)
    db.session.flush()
    indexes.resize_holders(repository, digest)
    listing.refresh(repository, digests=children)
    return True


def pulled(repository: Repository, target: Artifact, tag_name: str | None, at: datetime) -> None:
    """Count a pull and move the pull times forward, unless that is switched off (Harbor's items, for where it costs too much);
    late events do not move them back."""
    if not configuration.value("pull_count_update_disable"):
        db.session.execute(
            update(Repository).where(Repository.id == repository.id).values(pull_count=Repository.pull_count + 1),
            execution_options={"synchronize_session": False},
        )
    if configuration.value("pull_time_update_disable"):
        return
    if target.pull_time is None or target.pull_time < at:
        target.pull_time = at
    found = find_tag(repository, tag_name) if tag_name else None
    if found is not None and (found.pull_time is None or found.pull_time < at):
        found.pull_time = at
