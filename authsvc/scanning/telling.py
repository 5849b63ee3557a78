"""Telling those who listen to a project how scans ended. Source: Harbor's SCANNING_COMPLETED, _FAILED and _STOPPED."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact
from authsvc.core.clock import rfc3339
from authsvc.core.db import db
from authsvc.jobs.context import JobContext
from authsvc.notification import deliveries
from authsvc.repositories.models import Repository
from authsvc.scanners import rules
from authsvc.scanners.models import Scanner
from authsvc.scanning import reports
from authsvc.scanning.credentials import NAME
from authsvc.scanning.models import ScanReport

COMPLETED, FAILED, STOPPED = "SCANNING_COMPLETED", "SCANNING_FAILED", "SCANNING_STOPPED"


def completed(context: JobContext, _result: Mapping[str, Any]) -> None:
    """A scan is over, in the transaction that says so."""
    _ended(context, COMPLETED)


def failed(context: JobContext, _reason: str) -> None:
    """A scan has failed, and is not tried again."""
    _ended(context, FAILED)


def stopped(who: str, given_up: Sequence[ScanReport]) -> None:
    """Somebody stopped the scans that these reports were to come from."""
    for report in given_up:
        _announce(STOPPED, who, report)


def _ended(context: JobContext, event: str) -> None:
    report = db.session.get(ScanReport, context.payload["report_id"])
    if report is not None:
        _announce(event, NAME, report)


def _announce(event: str, who: str, report: ScanReport) -> None:
    if not deliveries.listening(report.project_id, event):
        return
    artifact = db.session.get_one(Artifact, report.artifact_id)
    overview = reports.overviews([artifact], db.session.get(Scanner, report.scanner_id)).get(artifact.id, {})
    shown = overview | {name: rfc3339(overview[name]) for name in ("start_time", "end_time") if name in overview}
    name = db.session.get_one(Repository, artifact.repository_id).name
    tag = next(iter(artifacts.tags_on([artifact])), "")
    details = {"scan": {"scan_type": rules.VULNERABILITY}}
    said = {"scan_overview": {rules.REPORT: shown}}
    deliveries.announce(event, artifact.project_id, who, name, details, [(tag, artifact.digest)], said)
