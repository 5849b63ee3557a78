"""A scanner and a scan, for the objects of the matrix."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import select

from authsvc.artifacts.models import Artifact
from authsvc.core.db import db
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, TaskLog
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import VULNERABILITY
from authsvc.scanning import scans
from authsvc.scanning.models import ScanReport
from tests.support.ports import NOWHERE
from tests.support.scanner import METADATA


def scanner(project: str) -> str:
    """Nobody's choice, and nowhere."""
    row = Scanner(uuid=str(uuid4()), name=f"scanner-{project}", url=f"http://{NOWHERE}/{project}", said=METADATA)
    db.session.add(row)
    return row.uuid


def report(scanner_uuid: str, digest: str) -> str:
    """Of a scan that is about to begin, with a log."""
    artifact = db.session.scalars(select(Artifact).where(Artifact.digest == digest)).one()
    by = db.session.scalars(select(Scanner).where(Scanner.uuid == scanner_uuid)).one()
    execution = jobs.begin(scans.KIND, MANUAL, artifact.id)
    task = jobs.add_task(execution, scans.KIND)
    db.session.add(TaskLog(task_id=task.id, text="a line\n"))
    row = ScanReport(
        artifact_id=artifact.id,
        scanner_id=by.id,
        project_id=artifact.project_id,
        kind=VULNERABILITY,
        uuid=str(uuid4()),
        task_id=task.id,
    )
    db.session.add(row)
    db.session.flush()
    return row.uuid
