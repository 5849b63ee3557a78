"""Deleting artifacts, tags and repositories: held, approved, done to the registry, recorded; through the journal, as every write.

See `artifacts.settling` for what happens if we die in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from authsvc.artifacts import accessories, journal, record, rules, service, settling
from authsvc.artifacts.journal import Write
from authsvc.artifacts.models import Accessory, Artifact, ArtifactReference, Intent, Tag
from authsvc.core import names
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import NotFound, PreconditionFailed, Unavailable
from authsvc.core.failpoints import failpoint
from authsvc.distribution.client import Refused, RegistryClient
from authsvc.distribution.untag import untag
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

_BATCH = 100
# Refuses by raising, in the transaction that lets the deletion in: the intent, and the tags that would go.
Approve = Callable[[Intent, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class _Going:
    """What a deletion takes away: digests in the order of deletion, and tags."""

    digests: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def delete(client: RegistryClient, write: Write, approve: Approve) -> bool:
    """Delete one tag, or a manifest with all that goes with it; False if the registry had no such thing. It has transactions of
    its own.

    Raises:
        PreconditionFailed: an index needs it.
        Unavailable: the registry does not answer, or somebody else does not get done with it.
        Whatever `approve` raises.
    """

    def open_() -> tuple[int, _Going]:
        intent = journal.begin(write)
        going = _going(write)
        journal.hold(intent, *going.digests, *going.tags)
        approve(intent, going.tags)
        return intent.id, going

    intent_id, going = settling.enter(client, open_)
    failpoint("let-in")
    return _carry_out(client, write, intent_id, going, "delete")


def _going(write: Write) -> _Going:
    repository = repositories.find(write.repository)
    if names.is_tag(write.reference):
        is_there = repository is not None and record.find_tag(repository, write.reference) is not None
        return _Going(tags=(write.reference,) if is_there else ())
    artifact = record.find(repository, write.reference) if repository else None
    if artifact is None:
        return _Going((write.reference,))
    require_unneeded(artifact)
    going = doomed(artifact)
    return _Going(tuple(one.digest for one in going), tuple(service.tags_on(going)))


def taken(write: Write) -> tuple[str, ...]:
    """The tags that a deletion would take away now.

    Raises:
        PreconditionFailed: an index needs it.
    """
    return _going(write).tags


def _carry_out(client: RegistryClient, write: Write, intent_id: int, going: _Going, operation: str) -> bool:
    try:
        was_there = _delete(client, write, going.digests)
        failpoint("forwarded")
        with transaction():
            intent = journal.finish(intent_id)
            _forget(write, going.digests)
            if operation and was_there:
                journal.note(intent, operation)
            db.session.flush()
            failpoint("recording")
    except (Unavailable, Refused):  # perhaps it is done, and only the answer or our record of it was lost
        if not settling.unknown(client, intent_id):
            raise
        was_there = True
    failpoint("recorded")
    return was_there


def _forget(write: Write, digests: Sequence[str]) -> None:
    repository = repositories.lock(write.repository)
    if repository is None:
        return
    for digest in digests:
        record.forget(repository, digest)
    if names.is_tag(write.reference):
        record.untag(repository, write.reference)


def _delete(client: RegistryClient, write: Write, digests: Sequence[str]) -> bool:
    if names.is_tag(write.reference):
        was_there = client.digest_of(write.repository, write.reference) is not None
        if was_there:
            untag(client, write.repository, write.reference)
        return was_there
    found = {digest: client.delete(write.repository, digest) for digest in digests}
    return found[write.reference]


def delete_artifact(actor: str, client: RegistryClient, name: str, digest: str, approve: Approve) -> None:
    """Delete an artifact of the repository `name` and every tag on it, with what goes with it; outside of transactions.

    Raises:
        NotFound: there is no such repository.
        PreconditionFailed: an index needs it.
        Unavailable
        Whatever `approve` raises.
    """
    with reading():
        repository = repositories.find(name)
        project_id = repository.project_id if repository else 0
    if not project_id:
        raise NotFound(f"artifact {name}@{digest} not found")
    delete(client, Write(project_id, name, "DELETE", digest, "", actor), approve)


def empty(actor: str, client: RegistryClient, name: str, project_id: int) -> None:
    """Delete all that is in a repository of a project; outside of transactions.

    Raises:
        Unavailable: the registry does not answer; what was deleted until then is gone, the rest stays.
    """
    while digests := _digests_in(name):
        for digest in digests:
            write = Write(project_id, name, "DELETE", digest, "", actor)
            intent_id = settling.enter(client, partial(_begin, write))
            _carry_out(client, write, intent_id, _Going((digest,)), "")


def is_empty(name: str) -> bool:
    """Whether no artifact is in a repository; in the caller's transaction."""
    here = select(Artifact.id).join(Repository, Repository.id == Artifact.repository_id).where(Repository.name == name)
    return db.session.scalar(here.limit(1)) is None


def _begin(write: Write) -> int:
    return journal.begin(write).id


def _digests_in(name: str) -> Sequence[str]:
    """Some of the digests in a repository, the youngest first: an index is younger than its children."""
    with reading():
        here = select(Artifact.digest).join(Repository, Repository.id == Artifact.repository_id).where(Repository.name == name)
        return db.session.scalars(here.order_by(Artifact.id.desc()).limit(_BATCH)).all()


def require_unneeded(artifact: Artifact) -> None:
    """What an index holds goes with the index only.

    Raises:
        PreconditionFailed
    """
    if _needed([artifact], by_others_than=[artifact]):
        raise PreconditionFailed(f"{artifact.digest} belongs to an image index; delete that one first")


def doomed(artifact: Artifact) -> list[Artifact]:
    """An artifact with what goes with it, in the order of deletion: what is attached goes before its subject, children after
    their index, so that who dies in between leaves nothing that cannot be found. A child stays if it has a tag of its own or
    another index needs it."""
    order, ids = deque([artifact]), {artifact.id}
    level: Sequence[Artifact] = [artifact]
    while level:
        attached = [one for one in _attached(level) if one.id not in ids]
        children = [one for one in _children(level) if one.id not in ids]
        kept = _needed([*attached, *children], by_others_than=[*order, *attached])
        attached, children = ([one for one in found if one.digest not in kept] for found in (attached, children))
        order.extendleft(attached)
        order.extend(children)
        level = [*attached, *children]
        ids |= {one.id for one in level}
    return list(order)


def _attached(subjects: Sequence[Artifact]) -> Sequence[Artifact]:
    """Accessories of these artifacts (of one repository), and the indexes of them that clients keep under a tag."""
    digests = [subject.digest for subject in subjects]
    by_subject = select(Accessory.artifact_id).where(Accessory.subject_digest.in_(digests))
    by_tag = select(Tag.artifact_id).where(Tag.name.in_([rules.fallback_tag(digest) for digest in digests]))
    here = select(Artifact).where(Artifact.repository_id == subjects[0].repository_id)
    found = here.where(Artifact.id.in_(by_subject) | (Artifact.id.in_(by_tag) & accessories.is_fallback()))
    return db.session.scalars(found.order_by(Artifact.id)).all()


def _children(parents: Sequence[Artifact]) -> Sequence[Artifact]:
    """The untagged children of these artifacts (of one repository)."""
    digests = select(ArtifactReference.child_digest).where(ArtifactReference.parent_id.in_([parent.id for parent in parents]))
    untagged = Artifact.id.not_in(select(Tag.artifact_id).where(Tag.repository_id == parents[0].repository_id))
    here = select(Artifact).where(Artifact.repository_id == parents[0].repository_id)
    return db.session.scalars(here.where(Artifact.digest.in_(digests), untagged).order_by(Artifact.id)).all()


def _needed(artifacts: Sequence[Artifact], by_others_than: Sequence[Artifact]) -> set[str]:
    """Those of these digests that other indexes hold; a client's own list of referrers holds nothing."""
    if not artifacts:
        return set()
    others = select(Artifact.id).where(
        Artifact.repository_id == artifacts[0].repository_id,
        Artifact.id.not_in([one.id for one in by_others_than]),
        ~accessories.is_fallback(),
    )
    digests = [artifact.digest for artifact in artifacts]
    statement = select(ArtifactReference.child_digest).where(
        ArtifactReference.child_digest.in_(digests), ArtifactReference.parent_id.in_(others)
    )
    return set(db.session.scalars(statement))
