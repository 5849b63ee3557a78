"""Our own registry as an end of a replication: what it holds says the index, and what is written takes the way of every write.

So quotas, immutable tags, read-only mode, the audit log and webhooks are as with any push.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Select, select

from authsvc import lifecycle
from authsvc.artifacts import accessories, condemned, record
from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact, ArtifactBlob, ArtifactLabel, Blob
from authsvc.authn.snapshot import Snapshots
from authsvc.core import names
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Conflict
from authsvc.core.patterns import matches
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import Manifest
from authsvc.gate.copies import Hand
from authsvc.gate.writes import Writer
from authsvc.labels.models import Label
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.quota import service as quota
from authsvc.rbac.principal import Principal, operator
from authsvc.replication.rules import Choice, Found
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.users.service import BUILT_IN_ADMIN

ACTOR = "tidegate:replication"
_FEW = 3
_PAGE = 500


@dataclass(frozen=True)
class Local:
    """Both ends can be this: `writer` and `snapshots` are of this process."""

    writer: Writer
    snapshots: Snapshots
    who: Principal = field(default_factory=lambda: operator(ACTOR))

    @property
    def client(self) -> RegistryClient:
        return self.writer.client

    # -- source ----------------------------------------------------------------------------------------------------

    def repositories(self, pattern: str) -> Sequence[str]:
        with reading():
            every = db.session.scalars(select(Repository.name).order_by(Repository.name)).all()
        return [name for name in every if matches(pattern, name)]

    def artifacts(self, repository: str, choice: Choice) -> Iterator[Found]:
        last = 0
        while page := self._page(repository, choice, last):
            yield from page.values()
            last = max(page)

    def found(self, repository: str, digest: str) -> Found | None:
        """One artifact, whatever the choice."""
        with reading():
            there = repositories.find(repository)
            row = record.find(there, digest) if there else None
            return self._described([row])[0] if row else None

    def _page(self, repository: str, choice: Choice, last: int) -> dict[int, Found]:
        with reading():
            there = repositories.find(repository)
            if there is None:
                return {}
            listed = artifacts.top_level(artifacts.everything(there)).where(Artifact.id > last)
            if choice.tags is not None:
                listed = listed.where(Artifact.tagged)
            rows = db.session.scalars(listed.order_by(Artifact.id).limit(_PAGE)).all()
            return dict(zip((row.id for row in rows), self._described(rows), strict=True))

    @staticmethod
    def _described(rows: Sequence[Artifact]) -> list[Found]:
        labels, company = _labels(rows), _company(rows)
        return [
            replace(found, labels=labels.get(row.id, frozenset()), attached=tuple(company[row.id]))
            for row, found in zip(rows, _found(rows), strict=True)
        ]

    def is_public(self, repository: str) -> bool:
        with reading():
            project = projects.find_ref(names.project_of(repository), is_name=True)
            return project is not None and project.public

    # -- destination -----------------------------------------------------------------------------------------------

    def siblings(self, repository: str, digest: str) -> Sequence[str]:
        """Of the same project: whoever names a digest elsewhere is given no layer of others for it."""
        with reading():
            return db.session.scalars(_holders(self._project(repository).id, digest).limit(_FEW)).all()

    def tags(self, repository: str, wanted: Collection[str]) -> Mapping[str, str]:
        with reading():
            there = repositories.find(repository)
            found = [artifacts.digests_by_tag(there, part) for part in _parts(wanted)] if there else []
            return {tag: digest for part in found for tag, digest in part.items()}

    def held(self, repository: str, digests: Collection[str]) -> frozenset[str]:
        with reading():
            there = repositories.find(repository)
            return frozenset[str]().union(*(artifacts.present(there, part) for part in _parts(digests))) if there else frozenset()

    def holds_blob(self, repository: str, digest: str) -> bool:
        if self.client.blob_size(repository, digest) is None:
            return False
        condemned.rescue([digest])
        return True

    def prepare(self, repository: str, *, public: bool) -> None:
        name = names.project_of(repository)
        if self._has_project(name):
            return
        try:
            with lifecycle.place_of(self.who, name) as place, transaction():
                lifecycle.create_project(self.who, BUILT_IN_ADMIN, place, {"public": str(public).lower()})
        except Conflict:  # another task of ours was faster
            if not self._has_project(name):
                raise

    @staticmethod
    def _has_project(name: str) -> bool:
        with reading():
            return projects.find_ref(name, is_name=True) is not None

    def admit(self, repository: str, manifest: Manifest) -> None:
        with reading():
            quota.require_room(self._project(repository), {blob.digest: blob.size for blob in manifest.stored})

    def put(self, repository: str, reference: str, manifest: Manifest, content: Content) -> None:
        self._hand(repository).put(repository, reference, manifest, content.data)

    def delete(self, repository: str, reference: str, choice: Choice) -> str:
        with reading():
            there = repositories.find(repository)
            if there is None:
                return ""
            if names.is_digest(reference):
                found = record.find(there, reference)
                kept = [tag for tag in artifacts.tags_on([found]) if not choice.tag(tag)] if found else []
                if kept:
                    return f"{repository}@{reference} stays, since it is tagged {kept[0]} there"
        self._hand(repository).delete(repository, reference)
        return ""

    def _hand(self, repository: str) -> Hand:
        with reading():
            project = self._project(repository).ref
        return Hand(self.writer, self.who, project, self.snapshots.current())

    def _project(self, repository: str) -> Project:
        return projects.get_by_name(names.project_of(repository))


def _parts(values: Collection[str]) -> Iterator[list[str]]:
    """Of a size that a statement takes."""
    every = list(values)
    return (every[at : at + _PAGE] for at in range(0, len(every), _PAGE))


def _found(rows: Sequence[Artifact]) -> list[Found]:
    tags = artifacts.tags_by_artifact(rows)
    return [Found(row.digest, tuple(tag.name for tag in tags[row.id]), type=row.type) for row in rows]


def _company(rows: Sequence[Artifact]) -> dict[int, list[Found]]:
    """What is attached to each of a page of artifacts, and to what is attached, by their ids; two queries for each level."""
    found: dict[int, list[Found]] = {row.id: [] for row in rows}
    root, level = {row.id: row.id for row in rows}, list(rows)
    while level:
        attached = [(root[at], one) for at, pairs in accessories.by_artifact(level).items() for _, one in pairs]
        new = {one.id: (at, one) for at, one in attached if one.id not in root}
        level = [one for _, one in new.values()]
        root |= {id_: at for id_, (at, _) in new.items()}
        for one, said in zip(level, _found(level), strict=True):
            found[root[one.id]].append(said)
    return found


def _labels(rows: Sequence[Artifact]) -> dict[int, frozenset[str]]:
    """The names of the labels on these artifacts, by their ids."""
    bearing = select(ArtifactLabel.artifact_id, Label.name).join(Label, Label.id == ArtifactLabel.label_id)
    found: dict[int, set[str]] = {}
    for artifact_id, name in db.session.execute(bearing.where(ArtifactLabel.artifact_id.in_([row.id for row in rows]))):
        found.setdefault(artifact_id, set()).add(name)
    return {artifact_id: frozenset(named) for artifact_id, named in found.items()}


def _holders(project_id: int, digest: str) -> Select[str]:
    """The repositories of a project in which something needs a blob, by their names."""
    needing = select(ArtifactBlob.artifact_id).join(Blob, Blob.id == ArtifactBlob.blob_id)
    here = needing.where(Blob.digest == digest, ArtifactBlob.project_id == project_id)
    holding = select(Artifact.repository_id).where(Artifact.id.in_(here))
    return select(Repository.name).where(Repository.id.in_(holding)).order_by(Repository.id)
