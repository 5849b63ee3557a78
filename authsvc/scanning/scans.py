"""Scans: begun by people, by pushes, or of everything; stopped; and how they stand. Each is a task of the queue, and the last one
of a report says how its scan went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from authsvc.additions.rules import IMAGE
from authsvc.artifacts import accessories
from authsvc.artifacts.models import Artifact, ArtifactReference
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, PreconditionFailed, Unavailable
from authsvc.core.inserts import insert_ignore
from authsvc.distribution.manifest import INDEXES
from authsvc.jobs import service as jobs
from authsvc.jobs.models import WAITING_OR_RUNNING, Execution, Task
from authsvc.repositories.models import Repository
from authsvc.scanners import service
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import VULNERABILITY, Metadata
from authsvc.scanning.models import ScanReport

KIND = "IMAGE_SCAN"
_PLACES = 4  # scans at a time that a scanner is given
_NO_PLATFORM = "unknown"  # of what builders attach as children of an index: attestations, which hold nothing to run


@dataclass(frozen=True, slots=True)
class Usable:
    """A scanner that scans can be given to."""

    scanner: Scanner
    metadata: Metadata

    def takes(self, artifact: Artifact) -> bool:
        """Whether it looks at such artifacts; of an index it looks at the children."""
        return artifact.type == IMAGE and self.metadata.consumes(artifact.manifest_media_type)


def usable(project_id: int) -> Usable:
    """The scanner of a project.

    Raises:
        PreconditionFailed: there is none, or it is disabled.
    """
    scanner = service.of_project(project_id)
    if scanner is None:
        raise PreconditionFailed("no scanner is available: an administrator can register one")
    if scanner.disabled:
        raise PreconditionFailed(f"scanner {scanner.name} is deactivated")
    return Usable(scanner, service.metadata_of(scanner))


def usable_or_none(project_id: int) -> Usable | None:
    """The same, for those who do without."""
    try:
        return usable(project_id)
    except (PreconditionFailed, Unavailable):
        return None


def start(artifact: Artifact, trigger: str) -> Execution:
    """Scan an artifact, or the children of an index.

    Raises:
        PreconditionFailed: there is no scanner.
        BadRequest: it is nothing that the scanner looks at.
        Conflict: it is being scanned.
    """
    with_it = usable(artifact.project_id)
    targets = [each for each in parts([artifact])[artifact.id] if with_it.takes(each)]
    if not targets:
        kind, name = artifact.media_type or artifact.manifest_media_type, with_it.scanner.name
        raise BadRequest(f"the configured scanner {name} does not support scanning artifact with mime type {kind}")
    execution = jobs.begin(KIND, trigger, artifact.project_id)
    if not add(execution, with_it.scanner, targets):
        raise Conflict(f"a scan of {artifact.digest} is running already")
    return execution


def add(execution: Execution, scanner: Scanner, targets: Iterable[Artifact]) -> int:
    """One task for each of these that is not being scanned; how many that are."""
    added = 0
    for artifact in sorted(targets, key=lambda each: each.id):  # in one order for everybody, so that no two wait for each other
        report = _held(artifact, scanner)
        if _is_active(report.task_id):
            continue
        report.uuid = str(uuid4())
        shown = {"repository": _repository(artifact.repository_id), "digest": artifact.digest, "scanner": scanner.name}
        payload = {"report_id": report.id, "report": report.uuid}
        key = f"scan:{scanner.id}:{artifact.id % _PLACES}"
        report.task_id = jobs.add_task(execution, KIND, payload, shown, key=key).id
        added += 1
    return added


def _held(artifact: Artifact, scanner: Scanner) -> ScanReport:
    """The report, which nobody else changes until this transaction ends."""
    at = {"artifact_id": artifact.id, "scanner_id": scanner.id, "kind": VULNERABILITY}
    insert_ignore(ScanReport, **at, project_id=artifact.project_id, uuid=str(uuid4()))
    statement = select(ScanReport).filter_by(**at).with_for_update().execution_options(populate_existing=True)
    return db.session.scalars(statement).one()


def _is_active(task_id: int) -> bool:
    active = select(Task.id).where(Task.id == task_id, Task.status.in_(WAITING_OR_RUNNING))
    return db.session.scalar(active) is not None


def _repository(repository_id: int) -> str:
    return db.session.get_one(Repository, repository_id).name


def stop(artifact: Artifact) -> Sequence[ScanReport]:
    """Stop what is being scanned of an artifact; returns the reports that were to come."""
    ids = [each.id for each in parts([artifact])[artifact.id]]
    active = select(ScanReport).join(Task, Task.id == ScanReport.task_id).where(Task.status.in_(WAITING_OR_RUNNING))
    found = db.session.scalars(active.where(ScanReport.artifact_id.in_(ids)).order_by(ScanReport.id)).all()
    if found:
        jobs.stop_tasks(Task.id.in_([report.task_id for report in found]))
    return found


def parts(artifacts: Sequence[Artifact]) -> dict[int, list[Artifact]]:
    """What is scanned of each: itself; of an index, its children here, without what is attached to them."""
    found: dict[int, list[Artifact]] = {each.id: [each] for each in artifacts if each.manifest_media_type not in INDEXES}
    indexes = [each.id for each in artifacts if each.manifest_media_type in INDEXES]
    if not indexes:
        return found
    parent = aliased(Artifact)
    children = (
        select(ArtifactReference.parent_id, ArtifactReference.platform, Artifact)
        .join(parent, parent.id == ArtifactReference.parent_id)
        .join(Artifact, (Artifact.digest == ArtifactReference.child_digest) & (Artifact.repository_id == parent.repository_id))
        .where(ArtifactReference.parent_id.in_(indexes))
        .order_by(ArtifactReference.parent_id, ArtifactReference.position)
    )
    found |= {index: [] for index in indexes}
    for parent_id, platform, child in db.session.execute(children):
        if (platform or {}).get("architecture") != _NO_PLATFORM and child not in found[parent_id]:
            found[parent_id].append(child)
    return found


def everything(last: int, many: int) -> Sequence[Artifact]:
    """The next images behind that id that lists show: the others are their children, or attached to them."""
    shown = select(Artifact).where(Artifact.id > last, Artifact.type == IMAGE, Artifact.listed, ~accessories.is_accessory())
    return db.session.scalars(shown.order_by(Artifact.id).limit(many)).all()


# -- how it stands -------------------------------------------------------------------------------------------------


def with_state(artifact_ids: Iterable[int], scanner_id: int) -> Select[ScanReport, Task]:
    """(report, last task or None) pairs of these artifacts by one scanner."""
    of_these = (ScanReport.artifact_id.in_(list(artifact_ids)), ScanReport.scanner_id == scanner_id)
    return select(ScanReport, Task).outerjoin(Task, Task.id == ScanReport.task_id).where(*of_these).order_by(ScanReport.id)


def find_report(artifact_ids: Iterable[int], uuid: str) -> ScanReport | None:
    """A report of one of these artifacts by its id."""
    statement = select(ScanReport).where(ScanReport.uuid == uuid, ScanReport.artifact_id.in_(list(artifact_ids)))
    found: ScanReport | None = db.session.scalar(statement)
    return found
