"""What a scanner is taken to have found, without one."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from authsvc.artifacts.models import Artifact
from authsvc.core.db import db, transaction, utcnow
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import Found, Report
from authsvc.scanning import reports, scans
from authsvc.scanning.models import ScanReport
from tests.support.scanner import METADATA, NAME


def found_in(app: Flask, digest: str, *findings: Found) -> None:
    """Let the default scanner, which is nowhere, have found these in an artifact."""
    with app.app_context():
        with transaction():
            by = db.session.scalar(select(Scanner).where(Scanner.is_default))
            if by is None:
                by = Scanner(uuid="0", name="probe", url="https://scanner.example.com", is_default=True, said=METADATA)
                db.session.add(by)
                db.session.flush()
            artifact = db.session.scalars(select(Artifact).where(Artifact.digest == digest)).one()
            scans.add(jobs.begin(scans.KIND, MANUAL), by, [artifact])
            report = db.session.scalars(select(ScanReport).where(ScanReport.artifact_id == artifact.id)).one()
            report_id, uuid = report.id, report.uuid
        reports.store(report_id, uuid, Report(utcnow(), NAME, findings), lambda: None)
