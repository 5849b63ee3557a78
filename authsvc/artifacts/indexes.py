"""How large artifacts are: by what a manifest says, and an index by its children as well."""

from __future__ import annotations

from collections import defaultdict
from graphlib import TopologicalSorter

from sqlalchemy import func, select

from authsvc.artifacts.models import Artifact, ArtifactReference
from authsvc.core.db import db
from authsvc.distribution.manifest import Manifest
from authsvc.repositories.models import Repository

# Bytes, more than there are. An index can hold the same child by many ways, so that its size doubles with each level; as many as
# an index may have of this fit into the database.
MOST = 2**48


def own_size(manifest: Manifest) -> int:
    """Bytes of a manifest, its config and its layers, wherever they live."""
    return min(manifest.size + sum(blob.size for blob in manifest.blobs), MOST)


def resize(repository: Repository, artifact: Artifact) -> None:
    """An index is as large as itself and those of its children that are there."""
    digests = select(ArtifactReference.child_digest).where(ArtifactReference.parent_id == artifact.id)
    children = select(func.sum(Artifact.size)).where(Artifact.repository_id == repository.id, Artifact.digest.in_(digests))
    artifact.size = min(artifact.own_size + int(db.session.scalar(children) or 0), MOST)


def resize_holders(repository: Repository, digest: str) -> None:
    """Whichever of an index and its children is recorded last completes the sum; so does what goes. Indexes of indexes follow,
    each once and after its children, however many ways lead up to it."""
    indexes: dict[str, Artifact] = {}
    children: dict[str, set[str]] = defaultdict(set)
    level = [digest]
    while level:
        holders = select(Artifact, ArtifactReference.child_digest).join(
            ArtifactReference, ArtifactReference.parent_id == Artifact.id
        )
        here = holders.where(Artifact.repository_id == repository.id, ArtifactReference.child_digest.in_(level))
        level = []
        for index, child in db.session.execute(here).all():
            if index.digest not in indexes:
                level.append(index.digest)
            indexes[index.digest] = index
            children[index.digest].add(child)
    for one in TopologicalSorter(children).static_order():
        if one in indexes:
            resize(repository, indexes[one])
