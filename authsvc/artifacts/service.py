"""Artifacts and tags: queries for lists and pages. No list asks the registry, and no list asks once per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select

from authsvc.artifacts.models import Artifact, ArtifactReference, Tag
from authsvc.core import names
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.core.query import AllOf, AnyOf, Contains, Exact, Match
from authsvc.repositories.models import Repository


def top_level(repository: Repository) -> Select[Any]:
    """What a list shows: every artifact except untagged children of an index, and what is attached to another one."""
    tagged = exists().where(Tag.artifact_id == Artifact.id)
    parent = select(Artifact.id).where(Artifact.repository_id == repository.id)
    child = exists().where(ArtifactReference.child_digest == Artifact.digest, ArtifactReference.parent_id.in_(parent))
    return everything(repository).where(tagged | (~child & Artifact.subject_digest.is_(None)))


def everything(repository: Repository) -> Select[Any]:
    """All artifacts of a repository."""
    return select(Artifact).where(Artifact.repository_id == repository.id)


def tag_condition(match: Match) -> ColumnElement[bool]:
    """Harbor's `q=tags=...`: `*` tagged, `nil` untagged, a name, or part of one.

    Raises:
        BadRequest: a range.
    """
    tagged = exists().where(Tag.artifact_id == Artifact.id)
    match match:
        case Exact("*"):
            return tagged
        case Exact("nil"):
            return ~tagged
        case Exact(name):
            return tagged.where(Tag.name == name)
        case Contains(text):
            return tagged.where(Tag.name.icontains(text, autoescape=True))
        case AnyOf(values) | AllOf(values):
            return tagged.where(Tag.name.in_(values))
    raise BadRequest("tags cannot be asked for by range")


def get(repository: Repository, reference: str) -> Artifact:
    """An artifact by digest or tag.

    Raises:
        NotFound
    """
    statement = everything(repository)
    if names.is_digest(reference):
        statement = statement.where(Artifact.digest == reference)
    else:
        statement = statement.join(Tag, Tag.artifact_id == Artifact.id).where(Tag.name == reference)
    found: Artifact | None = db.session.scalar(statement)
    if found is None:
        raise NotFound(f"artifact {repository.name}:{reference} not found")
    return found


def tags_of(artifact: Artifact) -> Select[Any]:
    """The tags on an artifact."""
    return select(Tag).where(Tag.artifact_id == artifact.id)


def tags_by_artifact(artifacts: Sequence[Artifact]) -> dict[int, list[Tag]]:
    """The tags of a page of artifacts, the newest first."""
    found: dict[int, list[Tag]] = {artifact.id: [] for artifact in artifacts}
    statement = select(Tag).where(Tag.artifact_id.in_(found)).order_by(Tag.push_time.desc(), Tag.name)
    for tag in db.session.scalars(statement):
        found[tag.artifact_id].append(tag)
    return found


def references_by_artifact(artifacts: Sequence[Artifact]) -> dict[int, list[dict[str, Any]]]:
    """The children of a page of artifacts, in the order of the index, in Harbor's terms."""
    found: dict[int, list[dict[str, Any]]] = {artifact.id: [] for artifact in artifacts}
    repository_ids = {artifact.repository_id for artifact in artifacts}
    statement = (
        select(ArtifactReference, Artifact.id)
        .outerjoin(Artifact, (Artifact.digest == ArtifactReference.child_digest) & Artifact.repository_id.in_(repository_ids))
        .where(ArtifactReference.parent_id.in_(found))
        .order_by(ArtifactReference.parent_id, ArtifactReference.position)
    )
    for reference, child_id in db.session.execute(statement):
        found[reference.parent_id].append(
            {
                "parent_id": reference.parent_id,
                "child_id": child_id,
                "child_digest": reference.child_digest,
                "platform": reference.platform,
                "annotations": reference.annotations,
                "urls": reference.urls,
            }
        )
    return found


def count_by_repository(repository_ids: Sequence[int]) -> Mapping[int, int]:
    """How many artifacts each of these repositories holds."""
    statement = (
        select(Artifact.repository_id, func.count())
        .where(Artifact.repository_id.in_(repository_ids))
        .group_by(Artifact.repository_id)
    )
    return dict(db.session.execute(statement).all())
