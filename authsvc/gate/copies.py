"""What the API writes into the registry, copies and tags, by the way that every write takes: asked, journaled, recorded.

Source: Harbor's `CopyArtifact`, `createTag` and `deleteTag`. A copy takes along an index's children, what is attached and all
tags; blobs are mounted, so no byte is copied. It can be repeated: what is there already is left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import select

from authsvc.artifacts import accessories, service
from authsvc.artifacts.models import Artifact, ArtifactReference
from authsvc.authn.snapshot import Snapshot
from authsvc.core import names
from authsvc.core.db import db, transaction
from authsvc.core.errors import (
    BadRequest,
    Conflict,
    Denied,
    DomainError,
    NotFound,
    PreconditionFailed,
    Unavailable,
)
from authsvc.distribution.manifest import FOREIGN, Manifest, ManifestInvalid, parse
from authsvc.gate.asked import Asked, Kind
from authsvc.gate.callers import Caller
from authsvc.gate.checks import ManifestWrite, Refusal, Refused
from authsvc.gate.writes import Writer
from authsvc.immutability import service as immutability
from authsvc.notification import quotas
from authsvc.projects.models import Project
from authsvc.quota import service as quota
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

_ERRORS: dict[int, type[DomainError]] = {403: Denied, 404: NotFound, 409: Conflict, 412: PreconditionFailed, 503: Unavailable}


@dataclass(frozen=True, slots=True)
class Hand:
    """Writes for somebody who was asked about already: who, in which project, with what is configured now."""

    writer: Writer
    who: Principal
    project: ProjectRef
    snapshot: Snapshot

    def put(self, repository: str, reference: str, manifest: Manifest, data: bytes) -> None:
        """Store a manifest under a tag or digest.

        Raises:
            DomainError: what a check of the gate refuses with.
        """
        asked = Asked("PUT", Kind.MANIFEST, repository, reference)
        with _as_the_api_says():
            self.writer.put(Caller(self.who), asked, self.project, self.snapshot, manifest, data)

    def delete(self, repository: str, reference: str) -> None:
        """Delete a tag, or a manifest with all its tags, if it is there.

        Raises:
            DomainError: what a check of the gate refuses with.
        """
        asked = Asked("DELETE", Kind.MANIFEST, repository, reference)
        with suppress(NotFound), _as_the_api_says():  # gone from the registry before us: the index has forgotten it now
            self.writer.delete(Caller(self.who), asked, self.project, self.snapshot)

    def read(self, repository: str, digest: str) -> tuple[Manifest, bytes]:
        """A manifest that the registry has, and its bytes.

        Raises:
            NotFound, Unavailable
        """
        content = self.writer.client.manifest(repository, digest)
        if content is None:
            raise NotFound(f"artifact {repository}@{digest} not found")
        try:
            return parse(content.data, content.media_type), content.data
        except ManifestInvalid as error:
            raise BadRequest(f"artifact {repository}@{digest} cannot be read: {error}") from error


def create_tag(hand: Hand, repository: Repository, artifact: Artifact, name: str, *, moved: bool = False) -> None:
    """A new tag on an artifact; or, `moved`, one that may have been on another.

    Raises:
        BadRequest: no tag can be called so.
        Conflict: the repository has that tag already, and it is not to be moved.
        DomainError: the gate's other checks.
    """
    if not names.is_tag(name):
        raise BadRequest(f"invalid tag name {name[:128]!r}: letters, digits, _ . - and at most 128 of them")
    full_name, digest = repository.name, artifact.digest
    db.session.commit()  # the registry is asked outside of any transaction
    checks = hand.writer.checks if moved else replace(hand.writer.checks, writes=(_is_new, *hand.writer.checks.writes))
    asking = replace(hand, writer=replace(hand.writer, checks=checks))
    asking.put(full_name, name, *hand.read(full_name, digest))


def _is_new(question: ManifestWrite) -> Refusal | None:
    """Asked while the tag is held, so that of two who create it at once the second is told."""
    if not question.displaces:
        return None
    return Refusal(409, "CONFLICT", f"tag {question.reference} exists already in {question.repository}", "new tags")


def delete_tag(hand: Hand, repository: Repository, artifact: Artifact, name: str) -> None:
    """Delete a tag of an artifact.

    Raises:
        NotFound: the artifact does not bear it.
        DomainError: the gate's checks.
    """
    full_name = repository.name
    if name not in service.tags_on([artifact]):
        raise NotFound(f"tag {name} attached to artifact {full_name}@{artifact.digest} not found")
    db.session.commit()
    hand.delete(full_name, name)


@dataclass(frozen=True, slots=True)
class _Piece:
    """An artifact that is copied, and the tags that it is to have there and has not yet; `present`: it is there itself."""

    digest: str
    tags: tuple[str, ...]
    present: bool


def copy(hand: Hand, source: Repository, artifact: Artifact, target: str) -> str:
    """Copy an artifact into the repository `target` (its full name) of the hand's project; returns its digest.

    Raises:
        BadRequest: no repository can be called so.
        PreconditionFailed: an immutable tag would be moved.
        Denied: the quota.
        DomainError: the gate's other checks.
    """
    if not names.is_repository(target):
        raise BadRequest(f"{target[:255]} is no repository name: lower case, project/name, at most 255 characters")
    digest, source_name = artifact.digest, source.name
    pieces = _pieces(artifact, repositories.find(target))
    db.session.commit()
    read = {piece.digest: hand.read(source_name, piece.digest) for piece in pieces if piece.tags or not piece.present}
    adding = {blob.digest: blob.size for piece in pieces if not piece.present for blob in read[piece.digest][0].stored}
    _require_room(hand.who, hand.project, target, adding)
    db.session.commit()
    for piece in pieces:
        if piece.digest not in read:
            continue
        manifest, data = read[piece.digest]
        if not piece.present:
            _mount(hand, source_name, target, manifest)
        for reference in piece.tags or (piece.digest,):
            hand.put(target, reference, manifest, data)
    return digest


def _require_room(who: Principal, project: ProjectRef, target: str, adding: dict[str, int]) -> None:
    """All of it must fit, said before the first part of it is stored; each part is asked about again when it is its turn."""
    row = db.session.get(Project, project.id)
    if row is None:
        raise NotFound(f"project {project.name} not found")
    try:
        quota.require_room(row, adding)
    except Denied as refused:
        db.session.rollback()
        with transaction():
            quotas.exceeded(project.id, who.name, target, refused.message)
        raise


def _pieces(artifact: Artifact, target: Repository | None) -> list[_Piece]:
    """An artifact and all that goes with it, children before their index, what is attached after its subject. Children go
    without their tags.

    Raises:
        PreconditionFailed
    """
    order, children_ids = _with_company(artifact)
    _require_whole(order)
    tags = service.tags_by_artifact(order)
    wanted = {one.digest: [] if one.id in children_ids else [tag.name for tag in tags[one.id]] for one in order}
    tagged, present = _at(target, wanted)
    moved = {name for digest, named in wanted.items() for name in named if tagged.get(name, digest) != digest}
    if target is not None:
        immutability.require_movable(target, sorted(moved))
    return [
        _Piece(one.digest, tuple(name for name in wanted[one.digest] if tagged.get(name) != one.digest), one.digest in present)
        for one in order
    ]


def _require_whole(order: Sequence[Artifact]) -> None:
    """A proxy cache holds of an index what was pulled; a registry takes it whole or not at all."""
    named = select(ArtifactReference.child_digest).where(ArtifactReference.parent_id.in_([one.id for one in order]))
    here = {one.digest for one in order}
    missing = next((digest for digest in db.session.scalars(named) if digest not in here), None)
    if missing is not None:
        raise PreconditionFailed(f"{missing}, which is a part of it, is not here: pull it first")


def _with_company(artifact: Artifact) -> tuple[list[Artifact], set[int]]:
    """In that order, and the ids of the children; two queries for each level."""
    order, seen, children_ids = deque([artifact]), {artifact.id}, set[int]()
    level: Sequence[Artifact] = [artifact]
    while level:
        children = {one.id: one for one in _children(level) if one.id not in seen}
        attached = {one.id: one for found in accessories.by_artifact(level).values() for _, one in found}
        attached = {id_: one for id_, one in attached.items() if id_ not in seen | children.keys()}
        order.extendleft(children.values())
        order.extend(attached.values())
        level = [*children.values(), *attached.values()]
        children_ids |= children.keys()
        seen |= children.keys() | attached.keys()
    return list(order), children_ids


def _children(parents: Sequence[Artifact]) -> Sequence[Artifact]:
    """What these indexes, all of one repository, hold of it."""
    digests = select(ArtifactReference.child_digest).where(ArtifactReference.parent_id.in_([parent.id for parent in parents]))
    here = select(Artifact).where(Artifact.repository_id == parents[0].repository_id)
    return db.session.scalars(here.where(Artifact.digest.in_(digests)).order_by(Artifact.id)).all()


def _at(target: Repository | None, wanted: dict[str, list[str]]) -> tuple[dict[str, str], set[str]]:
    """What the target has of this already: tags with their digests, and digests."""
    if target is None:
        return {}, set()
    there = select(Artifact.digest).where(Artifact.repository_id == target.id, Artifact.digest.in_(wanted))
    tags = [name for named in wanted.values() for name in named]
    return service.digests_by_tag(target, tags), set(db.session.scalars(there))


def _mount(hand: Hand, source: str, target: str, manifest: Manifest) -> None:
    for blob in manifest.blobs:
        if blob.media_type not in FOREIGN and not hand.writer.client.mount_blob(target, blob.digest, source):
            raise NotFound(f"{source} does not have the blob {blob.digest} any more")


@contextmanager
def _as_the_api_says() -> Iterator[None]:
    """The gate's refusals as the API's errors."""
    try:
        yield
    except Refused as refused:
        refusal = refused.refusal
        error = _ERRORS.get(refusal.status, BadRequest)
        detail = {"rule": refusal.rule, "help": refusal.help}
        raise error(refusal.message, retry_after=refusal.retry_after, detail=detail) from refused
