"""The reconciler: compares the index with the registry and mends what notifications lost.

Deletes only what the registry itself says is gone (404). Any other answer is an error, and an error deletes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from authsvc.artifacts import journal, listing, settling
from authsvc.artifacts.intake import Fetched
from authsvc.artifacts.journal import Write
from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import NotFound, Unavailable
from authsvc.core.names import is_repository, is_tag, project_of
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import Manifest, ManifestInvalid
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository


@dataclass(slots=True)
class Report:
    """What a run looked at and mended; `problems` names what could not be read, so nothing was concluded about it."""

    repositories: int = 0
    tags: int = 0
    recorded: int = 0
    forgotten: int = 0
    relisted: int = 0  # artifacts whose place in lists was wrong; it should be none, always
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(client: RegistryClient, *, keep_going: Callable[[], None] = lambda: None) -> Report:
    """Compare everything. `keep_going` is called before each repository (a lease is renewed there, or lost by raising).

    Raises:
        Unavailable: the catalog cannot be read.
    """
    report = Report()
    with reading():
        projects = dict(db.session.execute(select(Project.name, Project.id)).all())
        known = set(db.session.scalars(select(Repository.name)))
    stored = {name for name in client.repositories() if is_repository(name) and project_of(name) in projects}
    for name in sorted(known | stored):
        keep_going()
        report.repositories += 1
        try:
            _Repository(client, name, projects.get(project_of(name), 0), report).agree()
        except (NotFound, Unavailable, ManifestInvalid) as error:
            report.problems.append(f"{name}: {error}"[:500])
    return report


@dataclass(frozen=True, slots=True)
class _Repository:
    """One repository. Where index and registry differ, the tag or digest is held and both are looked at once more: an event or a
    push may know better by then."""

    client: RegistryClient
    name: str
    project_id: int
    report: Report

    def agree(self) -> None:
        """Let the index agree with the registry."""
        tags, digests = _indexed(self.name)
        for tag in sorted(filter(is_tag, self.client.tags(self.name) or [])):
            self.report.tags += 1
            stored = self._stored(tag)
            if stored is not None and stored != tags.get(tag) and (found := self._mend(tag)):
                self._children(found.manifest)
            tags.pop(tag, None)
        for reference in (*tags, *digests):  # the registry did not list these tags
            if self._stored(reference) is None:
                self._mend(reference)
        with transaction():
            repository = repositories.lock(self.name)
            self.report.relisted += listing.correct(repository) if repository else 0

    def _children(self, manifest: Manifest) -> None:
        """What only an index tells of; a child need not be there."""
        digests = [child.digest for child in manifest.manifests]
        _, known = _indexed(self.name) if digests else ({}, set())
        for digest in digests:
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
