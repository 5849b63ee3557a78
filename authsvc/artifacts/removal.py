"""Deleting artifacts and repositories: in the registry first, then in the index.

If we die in between, the registry's own notification or the reconciler finishes the index.
"""

from __future__ import annotations

from sqlalchemy import exists, select

from authsvc.artifacts import record, service
from authsvc.artifacts.models import Artifact, ArtifactReference
from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import PreconditionFailed
from authsvc.distribution.client import RegistryClient
from authsvc.repositories.models import Repository


def delete_artifact(actor: str, client: RegistryClient, repository: Repository, artifact: Artifact) -> None:
    """Delete an artifact and every tag on it.

    Raises:
        PreconditionFailed: an index needs it.
        Unavailable: the registry does not answer; nothing is forgotten then.
    """
    if _is_child(artifact):
        raise PreconditionFailed(f"{artifact.digest} belongs to an image index; delete that one first")
    client.delete(repository.name, artifact.digest)
    record.forget(repository, artifact.digest)
    resource = f"{repository.name}@{artifact.digest}"
    audit.record(actor, "delete", "artifact", resource, project_id=repository.project_id)


def delete_repository(actor: str, client: RegistryClient, repository: Repository) -> None:
    """Delete a repository and all that is in it.

    Raises:
        Unavailable: the registry does not answer; what was deleted until then is gone, the rest stays.
    """
    for artifact in db.session.scalars(service.everything(repository)).all():
        client.delete(repository.name, artifact.digest)
        record.forget(repository, artifact.digest)
    audit.record(actor, "delete", "repository", repository.name, project_id=repository.project_id)
    db.session.delete(repository)


def _is_child(artifact: Artifact) -> bool:
    in_repository = select(Artifact.id).where(Artifact.repository_id == artifact.repository_id)
    reference = exists().where(ArtifactReference.child_digest == artifact.digest, ArtifactReference.parent_id.in_(in_repository))
    return bool(db.session.scalar(select(reference)))
