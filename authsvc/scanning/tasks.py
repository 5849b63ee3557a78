"""Scans as jobs: of one artifact, and of everything; and forgetting what they found once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, exists

from authsvc.artifacts.models import Artifact
from authsvc.core import slices
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import NotFound
from authsvc.jobs.context import Failed, JobContext, Stopped
from authsvc.jobs.models import Execution
from authsvc.repositories.models import Repository
from authsvc.scanners import service
from authsvc.scanners.adapter import Adapter, Broken, Endpoint, Later, Target
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import Report
from authsvc.scanning import credentials, reports, scans
from authsvc.scanning.models import Finding, ScanReport, Vulnerability
from authsvc.scanning.scans import Usable

PURGE = "PURGE_VULNERABILITIES"
_KNOWN = timedelta(days=1)  # for which a vulnerability stays that no report names: one may be about to
ATTEMPTS = 3  # of a scan that could not begin, or was forgotten; one that failed is not tried again
_LONGEST = 30 * 60  # seconds for a scan, as Harbor's
_PAGE = 200
_PIECE = 2.0  # seconds after which somebody who waits looks whether he still should


@dataclass(frozen=True, slots=True)
class _Work:
    scanner_id: int
    endpoint: Endpoint
    target: Target


def scan(context: JobContext) -> dict[str, Any]:
    """One artifact, by the scanner that was chosen when it was begun.

    Raises:
        Unavailable: the scanner cannot be asked now.
        Failed: it has failed, or takes too long.
    """
    with reading():
        work = _prepare(context)
    if work is None:
        context.log("the image is gone")
        return {}
    adapter = Adapter(work.endpoint, context.settings.outgoing_allow, context.keep_going)
    metadata = adapter.metadata()
    with transaction():
        service.note(work.scanner_id, metadata)
    scan_id = adapter.scan(work.target, metadata.report)
    context.log(f"{metadata.scanner['name']} {metadata.scanner['version']} scans {work.target.repository}@{work.target.digest}")
    report = _wait(context, adapter, scan_id, metadata.report)
    try:
        reports.store(context.payload["report_id"], context.payload["report"], report, context.keep_going)
    except NotFound as error:
        context.log(error.message)
        return {}
    context.log(f"{len(report.findings)} vulnerabilities")
    return {"vulnerabilities": len(report.findings)}


def _prepare(context: JobContext) -> _Work | None:
    row = db.session.get(ScanReport, context.payload["report_id"])
    if row is None:
        return None
    scanner = db.session.get_one(Scanner, row.scanner_id)
    artifact = db.session.get_one(Artifact, row.artifact_id)
    repository = db.session.get_one(Repository, artifact.repository_id).name
    credential = credentials.issue(row.project_id, repository, _LONGEST)
    target = Target(
        registry=context.settings.external_url,
        authorization=credentials.basic(credential),
        repository=repository,
        digest=artifact.digest,
        media_type=artifact.manifest_media_type,
        size=artifact.size,
    )
    return _Work(scanner.id, service.endpoint_of(scanner), target)


def _wait(context: JobContext, adapter: Adapter, scan_id: str, kind: str) -> Report:
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        try:
            answer = adapter.report(scan_id, kind, utcnow())
        except Broken as error:
            raise Failed(error.message) from error
        if not isinstance(answer, Later):
            return answer
        again = time.monotonic() + answer.seconds
        while (left := again - time.monotonic()) > 0:
            context.keep_going()
            time.sleep(min(left, _PIECE))
    raise Failed(f"the scanner has not been ready after {_LONGEST // 60} minutes")


# -- everything ----------------------------------------------------------------------------------------------------


def plan(context: JobContext) -> dict[str, Any]:
    """One task for each image, in the execution of this one; those without a scanner are left out."""
    last, added, left_out = 0, 0, 0
    while True:
        context.keep_going()
        with transaction():
            execution = db.session.get(Execution, context.execution_id)
            if execution is None:
                raise Stopped
            page = scans.everything(last, _PAGE)
            usable = {project_id: scans.usable_or_none(project_id) for project_id in {each.project_id for each in page}}
            parts = scans.parts(page)
            for artifact in page:
                number = _add(execution, usable[artifact.project_id], parts[artifact.id])
                added, left_out = added + number, left_out + (number == 0)
            if not page:
                break
            last = page[-1].id
    context.log(f"{added} scans begun; {left_out} images are being scanned already, or no scanner looks at them")
    return {"scans": added}


def purge(context: JobContext) -> dict[str, Any]:
    """Forget vulnerabilities that no report names any more."""
    named = exists().where(Finding.vulnerability_id == Vulnerability.id)
    old = Vulnerability.first_seen_at < utcnow() - _KNOWN
    return {"forgotten": slices.forget(Vulnerability, and_(old, ~named), context.keep_going)}


def _add(execution: Execution, with_it: Usable | None, parts: Sequence[Artifact]) -> int:
    return scans.add(execution, with_it.scanner, [each for each in parts if with_it.takes(each)]) if with_it else 0
