"""What is pushed is scanned, where a project wants it so."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from authsvc.artifacts import record
from authsvc.artifacts.models import Accessory
from authsvc.audit.service import Entry
from authsvc.core.db import db, utcnow
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT
from authsvc.notification.deliveries import named
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories
from authsvc.scanning import scans
from authsvc.scanning.models import ScanReport

_FRESH = timedelta(hours=1)  # for which a verdict is good enough for what is pushed once more, under another tag or in an index


def hear(entry: Entry) -> None:
    """What is audited, in its transaction."""
    if entry.resource_type != "artifact" or not entry.succeeded or entry.operation != "create" or entry.project_id is None:
        return
    project = db.session.get(Project, entry.project_id)
    if project is None or project.settings.get("auto_scan") != "true":
        return
    name, _, digest = named(entry)
    repository = repositories.find(name)
    artifact = record.find(repository, digest) if repository is not None and digest else None
    with_it = scans.usable_or_none(project.id) if artifact is not None else None
    if artifact is None or with_it is None or _is_attached(artifact.id):
        return
    parts = scans.parts([artifact])[artifact.id]
    fresh = _known([each.id for each in parts], with_it.scanner.id)
    targets = [each for each in parts if with_it.takes(each) and each.id not in fresh]
    if targets:
        execution = jobs.begin(scans.KIND, EVENT, project.id)
        if not scans.add(execution, with_it.scanner, targets):
            db.session.delete(execution)


def _is_attached(artifact_id: int) -> bool:
    return db.session.scalar(select(Accessory.id).where(Accessory.artifact_id == artifact_id)) is not None


def _known(artifact_ids: list[int], scanner_id: int) -> set[int]:
    recent = select(ScanReport.artifact_id).where(ScanReport.artifact_id.in_(artifact_ids), ScanReport.scanner_id == scanner_id)
    return set(db.session.scalars(recent.where(ScanReport.ended_at > utcnow() - _FRESH)))
