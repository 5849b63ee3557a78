"""The reconciler: compares the index with the registry and mends what notifications lost.

It forgets only what the registry itself says is gone (404), after it has looked at everything: when the storage is not the one
that we know, or too much is gone at once, it forgets nothing. What the registry cannot give is a state of that one tag or digest
(`artifacts.damage`), and about what it did not answer nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from sqlalchemy import func, select

from authsvc.artifacts import damage, forgotten, journal, listing, marker, settling
from authsvc.artifacts.intake import Fetched
from authsvc.artifacts.journal import Write
from authsvc.artifacts.models import Artifact, ArtifactBlob, Blob, Tag
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import DomainError, NotFound, Unavailable
from authsvc.core.faults import is_outage
from authsvc.core.names import is_repository, is_tag, project_of
from authsvc.distribution.client import RegistryClient, Unreadable
from authsvc.distribution.directory import ELSEWHERE, Directory
from authsvc.distribution.manifest import Manifest, ManifestInvalid
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

_NAMED = 100  # what is damaged or could not be read, in a report
# So much may be gone at once without anybody's word for it: tags and digests, and a share of all of them.
_MAY_BE_GONE, _SHARE = 20, 0.05

log = structlog.get_logger(component="reconciler")


class Implausible(DomainError):
    """What the registry says of itself is more likely a storage that is not there than the truth; nothing was forgotten."""

    code = "PRECONDITION"


@dataclass(slots=True)
class Report:
    """What a run looked at and mended. `damaged`: what the registry has and cannot give; `problems`: what it did not answer,
    so nothing was concluded about it. A run with either is `partial`."""

    partial: bool = False
    repositories: int = 0
    tags: int = 0
    recorded: int = 0
    forgotten: int = 0
    relisted: int = 0  # artifacts whose place in lists was wrong; it should be none, always
    damaged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {name: getattr(self, name)[:_NAMED] for name in ("damaged", "problems")}


def run(
    client: RegistryClient,
    storage: Directory = ELSEWHERE,
    *,
    insist: bool = False,
    keep_going: Callable[[], None] = lambda: None,
) -> Report:
    """Compare everything. `keep_going` is called before each repository (a lease is renewed there, or lost by raising).
    `insist`: what is gone is forgotten, however much it is, and the storage that is there now is the right one. Where `storage`
    can be seen, the sizes of all blobs are looked at as well.

    Raises:
        Implausible
        Unavailable: the catalog cannot be read.
    """
    report = Report()
    _know_storage(client, insist=insist)
    with reading():
        projects = dict(db.session.execute(select(Project.name, Project.id)).all())
        known = _known()
    stored = {name for name in client.repositories() if is_repository(name) and project_of(name) in projects}
    compared = []
    for name in (*sorted(stored.difference(known)), *known):
        keep_going()
        report.repositories += 1
        repository = _Repository(client, storage, name, projects.get(project_of(name), 0), report)
        with repository.noting_problems():
            repository.agree()
        compared += [repository] if repository.gone else []
    _must_be_plausible(sum(one.still_gone() for one in compared), insist=insist)
    for repository in compared:
        keep_going()
        with repository.noting_problems():
            repository.forget()
    with transaction():
        forgotten.purge()
    report.partial = bool(report.damaged or report.problems)
    return report


def _known() -> list[str]:
    """The index's repositories, what was pushed to last first: if something was lost a moment ago, it is most likely of these."""
    pushed = select(Artifact.repository_id.label("id"), func.max(Artifact.push_time).label("time")).group_by(
        Artifact.repository_id
    )
    last = pushed.subquery()
    names = select(Repository.name).outerjoin(last, last.c.id == Repository.id)
    return list(db.session.scalars(names.order_by(func.coalesce(last.c.time, Repository.creation_time).desc(), Repository.id)))


def _know_storage(client: RegistryClient, *, insist: bool) -> None:
    if marker.is_there(client):
        return
    if not insist:
        raise Implausible(
            "the registry's storage is another one, or empty: the marker in it is gone. Nothing was changed in the index. Is the"
            " storage mounted? If what is there now is right: authsvc reconcile --forget"
        )
    marker.make(client)


def _must_be_plausible(gone: int, *, insist: bool) -> None:
    with reading():
        known = sum(db.session.scalar(select(func.count()).select_from(model)) or 0 for model in (Artifact, Tag))
    if not insist and gone > max(_MAY_BE_GONE, known * _SHARE):
        raise Implausible(
            f"{gone} of {known} tags and digests are gone from the registry, more than would go by chance. None of them was"
            " forgotten. Is its storage whole? If they are to be forgotten: authsvc reconcile --forget"
        )


@dataclass(slots=True)
class _Repository:
    """One repository. Where index and registry differ, the tag or digest is held and both are looked at once more: an event or a
    push may know better by then. `gone`: what the index has and the registry has not."""

    client: RegistryClient
    storage: Directory
    name: str
    project_id: int
    report: Report
    gone: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def noting_problems(self) -> Iterator[None]:
        try:
            yield
        except NotFound:  # the project is gone, and what is in it
            self.gone = []
        except (Unavailable, OSError) as error:  # of a storage that we see and may not look into, say
            self.report.problems.append(f"{self.name}: {error}"[:500])
        except Exception as error:  # whatever it is, it is this one's: the others are looked at
            if is_outage(error):
                raise
            log.error("repository_not_compared", repository=self.name, exc_info=error)
            self.report.problems.append(f"{self.name}: {type(error).__name__}"[:500])

    def agree(self) -> None:
        """Let the index agree with what the registry has, and see what it has not."""
        tags, digests = _indexed(self.name)
        for tag in sorted(filter(is_tag, self.client.tags(self.name) or [])):
            self.report.tags += 1
            with self._noting_damage(tag):
                stored = self._stored(tag)
                if stored is None:
                    continue
                digests.discard(stored)  # it has just been read
                if stored != tags.get(tag) and (found := self._mend(tag)):
                    self._children(found.manifest)
            tags.pop(tag, None)
        for reference in (*tags, *sorted(digests)):
            with self._noting_damage(reference):
                if self._stored(reference) is None:
                    self.gone.append(reference)
        if self.storage.is_visible:
            self._look_at_blobs()
        self._conclude()

    def still_gone(self) -> int:
        """How much of it the index still has: what somebody has deleted meanwhile is no matter for doubts."""
        tags, digests = _indexed(self.name)
        self.gone = [reference for reference in self.gone if reference in tags or reference in digests]
        return len(self.gone)

    def forget(self) -> None:
        """Forget what is gone."""
        for reference in self.gone:
            with self._noting_damage(reference):
                self._mend(reference)
        self.gone = []

    def _conclude(self) -> None:
        self.report.damaged += [f"{self.name}{':' if is_tag(one) else '@'}{one}: {why}" for one, why in self.damaged.items()]
        with transaction():
            repository = repositories.lock(self.name)
            self.report.relisted += listing.correct(repository) if repository else 0
            damage.clear(self.name, damage.references(self.name) - self.damaged.keys())
            damage.note(self.name, self.damaged)

    @contextmanager
    def _noting_damage(self, reference: str) -> Iterator[None]:
        try:
            yield
        except (ManifestInvalid, Unreadable) as error:
            self.damaged[reference] = str(error)

    def _look_at_blobs(self) -> None:
        """What an artifact needs may be cut off, too. It is moved out of the way, so that whoever pushes it again mends it."""
        needed = select(Artifact.digest, Blob.digest, Blob.size).join(ArtifactBlob, ArtifactBlob.artifact_id == Artifact.id)
        needed = needed.join(Blob, (Blob.id == ArtifactBlob.blob_id) & (Blob.digest != Artifact.digest))
        needed = needed.join(Repository, Repository.id == Artifact.repository_id)
        with reading():
            rows = db.session.execute(needed.where(Repository.name == self.name)).all()
        self.storage.drop_empty_links(self.name)
        for artifact, blob, size in rows:
            if artifact not in self.gone and (what := self._what_is_wrong(blob, size)):
                self.damaged[artifact] = f"{blob} is {what}: push it again"

    def _what_is_wrong(self, blob: str, size: int) -> str:
        there = self.storage.size(blob)
        if there is None or not self.storage.has(self.name, blob):
            return "not there"
        return "cut off" if there != size and self.storage.set_aside(blob) else ""

    def _children(self, manifest: Manifest) -> None:
        """What only an index tells of; a child need not be there."""
        digests = [child.digest for child in manifest.manifests]
        _, known = _indexed(self.name) if digests else ({}, set())
        for digest in digests:
            with self._noting_damage(digest):
                if digest not in known and self._stored(digest) is not None:
                    self._mend(digest)

    def _stored(self, reference: str) -> str | None:
        return self.client.digest_of(self.name, reference)

    def _mend(self, reference: str) -> Fetched | None:
        found = settling.mend(self.client, Write(self.project_id, self.name, journal.MEND, reference, "", ""))
        if found is None:
            self.report.forgotten += 1
        else:
            self.report.recorded += 1
        return found


def _indexed(name: str) -> tuple[dict[str, str], set[str]]:
    """The index's tags (name -> digest) and digests of a repository."""
    of_this = Repository.name == name
    tags = select(Tag.name, Artifact.digest).join(Artifact, Artifact.id == Tag.artifact_id)
    tags = tags.join(Repository, Repository.id == Tag.repository_id).where(of_this)
    digests = select(Artifact.digest).join(Repository, Repository.id == Artifact.repository_id).where(of_this)
    with reading():
        return dict(db.session.execute(tags).all()), set(db.session.scalars(digests))
