"""Artifacts and tags: queries for lists and pages. No list asks the registry, and no list asks once per row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import aliased

from authsvc.artifacts import listing
from authsvc.artifacts.models import Artifact, ArtifactBlob, ArtifactLabel, ArtifactReference, Blob, Tag
from authsvc.core import names
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.core.query import AllOf, AnyOf, ByBytes, Contains, Exact, Match
from authsvc.repositories.models import Repository


def top_level(found: Select[Any]) -> Select[Any]:
    """Of these, what a list shows: everything but what is attached to another artifact, and untagged children of an index."""
    return found.where(listing.is_listed())


def everything(repository: Repository) -> Select[Any]:
    """All artifacts of a repository."""
    return select(Artifact).where(Artifact.repository_id == repository.id)


def of_project(project_id: int) -> Select[Any]:
    """All artifacts of a project."""
    return select(Artifact).where(Artifact.project_id == project_id)


def latest(project_id: int, found: Select[Any]) -> Select[Any]:
    """Of these, the one of each of the project's repositories that was pushed last. They are looked for repository by repository,
    along an index; so what is found should not be narrowed by the project itself."""
    here = found.with_only_columns(Artifact.id).where(Artifact.repository_id == Repository.id)
    newest = here.order_by(Artifact.push_time.desc(), Artifact.id.desc()).limit(1).correlate(Repository).scalar_subquery()
    return select(Artifact).where(Artifact.id.in_(select(newest).where(Repository.project_id == project_id)))


def tags_in(repository: Repository) -> ColumnElement[bool]:
    """Which tags are a repository's."""
    return Tag.repository_id == repository.id


def tags_in_project(project_id: int) -> ColumnElement[bool]:
    """Which tags are a project's."""
    return Tag.repository_id.in_(select(Repository.id).where(Repository.project_id == project_id))


def holding(match: Match) -> ColumnElement[bool]:
    """Harbor's `q=blob_digest=sha256:...` on repositories: those with an artifact that needs the blob. Harbor asks for it when it
    replicates to us, and mounts the blob from there without a second look.

    Raises:
        BadRequest: anything but one digest.
    """
    if not isinstance(match, Exact):
        raise BadRequest("blob_digest is asked for by =")
    needed = select(ArtifactBlob.artifact_id).join(Blob, Blob.id == ArtifactBlob.blob_id).where(Blob.digest == match.value)
    return Repository.id.in_(select(Artifact.repository_id).where(Artifact.id.in_(needed)))


def label_condition(match: Match) -> ColumnElement[bool]:
    """Harbor's `q=labels=(1 2)`: bearing all of these labels, by their ids; `{1 2}`: any of them.

    Raises:
        BadRequest: no list of ids.
    """
    match match:
        case Exact(value):
            texts: tuple[str, ...] = (value,)
        case AllOf(values) | AnyOf(values):
            texts = values
        case _:
            raise BadRequest("labels are asked for by their ids, such as labels=(1 2)")
    if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
        raise BadRequest("labels are asked for by their ids, such as labels=(1 2)")
    bearing = [Artifact.id.in_(select(ArtifactLabel.artifact_id).where(ArtifactLabel.label_id == int(text))) for text in texts]
    return or_(false(), *bearing) if isinstance(match, AnyOf) else and_(true(), *bearing)


def tag_condition(match: Match, there: ColumnElement[bool]) -> ColumnElement[bool]:
    """Harbor's `q=tags=...`: `*` tagged, `nil` untagged, a name, or part of one; `there`: which tags come into question.

    Raises:
        BadRequest: a range.
    """
    match match:
        case Exact("*"):
            return Artifact.tagged == true()
        case Exact("nil"):
            return Artifact.tagged == false()
        case Exact(name):
            named = Tag.name == name
        case Contains(text):
            named = Tag.name.icontains(text, autoescape=True)
        case AnyOf(values) | AllOf(values):
            named = Tag.name.in_(values)
        case _:
            raise BadRequest("tags cannot be asked for by range")
    return Artifact.id.in_(select(Tag.artifact_id).where(there, named))


def parse_reference(text: str) -> tuple[str, str]:
    """The full repository name, and the tag or digest, of `project/repository:tag` or `project/repository@digest`.

    Raises:
        BadRequest: it is neither.
    """
    repository, at, digest = text.partition("@")
    if not at:
        repository, _, reference = text.rpartition(":")
    else:
        repository, reference = repository.partition(":")[0], digest
    if not names.is_repository(repository) or not (names.is_digest(reference) if at else names.is_tag(reference)):
        raise BadRequest(f"{text[:255]!r} is no artifact; it is written project/repository:tag or project/repository@digest")
    return repository, reference


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


def tag_names(repository: Repository, last: str) -> Select[Any]:
    """The names of a repository's tags behind `last`, sorted by bytes."""
    name = ByBytes(Tag.name)
    return select(Tag.name).where(Tag.repository_id == repository.id, name > last).order_by(name)


def names_of_filled(found: Select[Any], last: str) -> Select[Any]:
    """Of these repositories, the names of those behind `last` that hold anything, sorted by bytes."""
    name = ByBytes(Repository.name)
    holds = exists().where(Artifact.repository_id == Repository.id)
    return found.with_only_columns(Repository.name).where(holds, name > last).order_by(name)


def tags_on(artifacts: Sequence[Artifact]) -> Sequence[str]:
    """The names of all tags on these artifacts."""
    on_these = Tag.artifact_id.in_([artifact.id for artifact in artifacts])
    return db.session.scalars(select(Tag.name).where(on_these).order_by(Tag.name)).all()


def digests_by_tag(repository: Repository, tags: Sequence[str]) -> dict[str, str]:
    """What these tags of a repository point to; those that there are."""
    statement = select(Tag.name, Artifact.digest).join(Artifact, Artifact.id == Tag.artifact_id)
    return dict(db.session.execute(statement.where(Tag.repository_id == repository.id, Tag.name.in_(tags))).all())


def present(repository: Repository, digests: Collection[str]) -> frozenset[str]:
    """Which of these a repository holds."""
    there = select(Artifact.digest).where(Artifact.repository_id == repository.id, Artifact.digest.in_(digests))
    return frozenset(db.session.scalars(there))


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
    parent = aliased(Artifact)
    child_here = (Artifact.digest == ArtifactReference.child_digest) & (Artifact.repository_id == parent.repository_id)
    statement = (
        select(ArtifactReference, Artifact.id)
        .join(parent, parent.id == ArtifactReference.parent_id)
        .outerjoin(Artifact, child_here)
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
    """How many artifacts a list of each of these repositories shows."""
    counted: Any = select(Artifact.repository_id, func.count()).where(Artifact.repository_id.in_(repository_ids))
    return dict(db.session.execute(top_level(counted).group_by(Artifact.repository_id)).all())
