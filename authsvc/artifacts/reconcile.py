"""The reconciler: compares the index with the registry and mends what notifications lost.

Deletes only what the registry itself says is gone (404). Any other answer is an error, and an error deletes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from authsvc.artifacts import record
from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.core.names import is_repository, is_tag, project_of
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import Manifest, ManifestInvalid, image_attributes, parse
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

_MAX_CONFIG = 4 * 1024 * 1024


@dataclass(slots=True)
class Report:
    """What a run looked at and mended; `problems` names what could not be read, so nothing was concluded about it."""

    repositories: int = 0
    tags: int = 0
    recorded: int = 0
    forgotten: int = 0
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest and, of an image, what its config says: read from the registry before any transaction begins."""

    manifest: Manifest
    extra_attrs: dict[str, Any]


def fetch(client: RegistryClient, repository: str, reference: str) -> Fetched | None:
    """Read a manifest and its config from the registry; None if the registry has no such manifest.

    Raises:
        Unavailable: the registry does not answer.
        ManifestInvalid: it answers something that is no manifest.
    """
    content: Content | None = client.manifest(repository, reference)
    if content is None:
        return None
    manifest = parse(content.data, content.media_type)
    config = manifest.config
    is_image = manifest.kind == "IMAGE" and config is not None and config.size <= _MAX_CONFIG
    blob = client.blob(repository, config.digest, _MAX_CONFIG) if is_image and config else None
    return Fetched(manifest, image_attributes(blob) if blob else {})


def store(repository_name: str, fetched: Fetched, tag: str | None, at: datetime) -> Artifact | None:
    """Record what was fetched, and the tag that points to it; None if no project of ours could hold it."""
    repository = repositories.ensure(repository_name, at)
    if repository is None:
        return None
    artifact = record.artifact(repository, fetched.manifest, fetched.extra_attrs, at)
    if tag is not None:
        record.tag(repository, tag, artifact, at)
    return artifact


def run(client: RegistryClient, *, keep_going: Callable[[], None] = lambda: None) -> Report:
    """Compare everything. `keep_going` is called before each repository (a lease is renewed there, or lost by raising).

    Raises:
        Unavailable: the catalog cannot be read.
    """
    report = Report()
    with reading():
        projects = set(db.session.scalars(select(Project.name)))
        known = set(db.session.scalars(select(Repository.name)))
    stored = {name for name in client.repositories() if is_repository(name) and project_of(name) in projects}
    for name in sorted(known | stored):
        keep_going()
        report.repositories += 1
        try:
            _repository(client, name, report)
        except (Unavailable, ManifestInvalid) as error:
            report.problems.append(f"{name}: {error}"[:500])
    return report


def _repository(client: RegistryClient, name: str, report: Report) -> None:
    indexed_tags, indexed_digests = _indexed(name)
    for tag in sorted(filter(is_tag, client.tags(name) or [])):
        report.tags += 1
        digest = client.digest_of(name, tag)
        if digest is not None and indexed_tags.get(tag) != digest:
            _record(client, name, _Seen(tag, indexed_tags.get(tag), digest), indexed_digests, report)
        indexed_tags.pop(tag, None)
    for tag, digest in indexed_tags.items():  # the registry did not list these
        if client.digest_of(name, tag) is None:
            report.forgotten += _forget_tag(name, _Seen(tag, digest, None))
    for digest in indexed_digests:
        if client.digest_of(name, digest) is None:
            report.forgotten += _forget_digest(name, digest)


def _indexed(name: str) -> tuple[dict[str, str], set[str]]:
    """The index's tags (name -> digest) and digests of a repository."""
    of_this = Repository.name == name
    tags = select(Tag.name, Artifact.digest).join(Artifact, Artifact.id == Tag.artifact_id)
    tags = tags.join(Repository, Repository.id == Tag.repository_id).where(of_this)
    digests = select(Artifact.digest).join(Repository, Repository.id == Artifact.repository_id).where(of_this)
    with reading():
        return dict(db.session.execute(tags).all()), set(db.session.scalars(digests))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tag, the digest that the index had for it when we looked, and the registry's (None: gone)."""

    tag: str
    indexed: str | None
    stored: str | None

    def is_stale(self, repository: Repository) -> bool:
        """True if the index has moved on since: an event knew better, and we leave it alone."""
        tag = record.find_tag(repository, self.tag)
        artifact = db.session.get(Artifact, tag.artifact_id) if tag else None
        return (artifact.digest if artifact else None) != self.indexed


def _record(client: RegistryClient, name: str, seen: _Seen, known: set[str], report: Report) -> None:
    fetched = fetch(client, name, seen.stored or "")
    if fetched is None:
        return
    missing = [child.digest for child in fetched.manifest.manifests if child.digest not in known]
    children = [found for child in missing if (found := fetch(client, name, child))]
    with transaction():
        repository = repositories.ensure(name, utcnow())
        if repository is None or seen.is_stale(repository):
            return
        for child in children:
            store(name, child, None, utcnow())
        store(name, fetched, seen.tag, utcnow())
    known.update(child.manifest.digest for child in children)
    report.recorded += 1 + len(children)


def _forget_tag(name: str, seen: _Seen) -> bool:
    with transaction():
        repository = repositories.lock(name)
        return repository is not None and not seen.is_stale(repository) and record.untag(repository, seen.tag)


def _forget_digest(name: str, digest: str) -> bool:
    with transaction():
        repository = repositories.lock(name)
        return repository is not None and record.forget(repository, digest)
