"""Images that are not to be pulled for what a scanner has found in them. Source: Harbor's vulnerability prevention.

The last verdict counts, whatever becomes of a scan that goes on: a scanner that is down blocks nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, case, or_, select, true

from authsvc.additions.rules import IMAGE
from authsvc.allowlist.models import SYSTEM, CveAllowlist
from authsvc.artifacts import asked
from authsvc.artifacts.rules import SIGNATURES
from authsvc.core.db import utcnow
from authsvc.distribution.manifest import INDEXES
from authsvc.gate.checks import ManifestRead, Refusal
from authsvc.jobs.models import Task
from authsvc.scanners import rules
from authsvc.scanners.models import ProjectScanner, Scanner
from authsvc.scanning import prevention
from authsvc.scanning.models import Finding, ScanReport, Vulnerability
from authsvc.scanning.prevention import Policy

RULE = "vulnerability policy"
_CODE = "PROJECTPOLICYVIOLATION"

# Made once.
_SCANNER = (
    select(Scanner.id, Scanner.said)
    .outerjoin(
        ProjectScanner,
        and_(ProjectScanner.scanner_id == Scanner.id, ProjectScanner.project_id == bindparam("project_id")),
    )
    .where(or_(ProjectScanner.project_id.is_not(None), Scanner.is_default == true()))
    .order_by(case((ProjectScanner.project_id.is_(None), 1), else_=0))
    .limit(1)
)
_REPORT = (
    select(ScanReport.id, ScanReport.generated_at, ScanReport.severity, Task.status)
    .outerjoin(Task, Task.id == ScanReport.task_id)
    .where(ScanReport.artifact_id == bindparam("artifact_id"), ScanReport.scanner_id == bindparam("scanner_id"))
    .where(ScanReport.kind == rules.VULNERABILITY)
)
_FOUND = (
    select(
        Vulnerability.cve_id,
        Vulnerability.package,
        Vulnerability.version,
        Vulnerability.fix_version,
        Vulnerability.severity,
        Vulnerability.first_seen_at,
    )
    .join(Finding, Finding.vulnerability_id == Vulnerability.id)
    .where(Finding.report_id == bindparam("report_id"), Vulnerability.rank >= bindparam("rank"))
    .order_by(Vulnerability.rank.desc(), Vulnerability.score_v3.desc(), Vulnerability.cve_id)
)
_TOLERATED = select(CveAllowlist.cve_ids, CveAllowlist.expires_at).where(CveAllowlist.project_id == bindparam("project_id"))


def check(question: ManifestRead) -> Refusal | None:
    """Refuses what the project does not want to be run; what cannot be scanned it lets pass."""
    policy = prevention.policy_of(question.project.settings)
    if policy is None or question.is_exempt:
        return None
    artifact = asked.find(question.execute, question.repository, question.reference)
    if artifact is None or artifact.type != IMAGE or artifact.manifest_media_type in INDEXES or artifact.attached in SIGNATURES:
        return None  # of an index each child is asked about
    scanner = question.execute(_SCANNER, {"project_id": question.project.id}).first()
    if scanner is None:
        return None
    message = _judged(question, policy, artifact, scanner)
    return Refusal(412, _CODE, message, RULE, "a project administrator can change it") if message else None


def _judged(question: ManifestRead, policy: Policy, artifact: Any, scanner: Any) -> str:
    """Why it may not be pulled; "" if it may."""
    report = question.execute(_REPORT, {"artifact_id": artifact.id, "scanner_id": scanner.id}).first()
    if report is None or report.generated_at is None:
        can_be_scanned = rules.parse_metadata(scanner.said).consumes(artifact.manifest_media_type)
        status = (report.status or "") if report is not None else ""
        return prevention.unknown(policy, status) if can_be_scanned and not policy.unscanned else ""
    if rules.RANKS[report.severity] < policy.rank:
        return ""
    found = question.execute(_FOUND, {"report_id": report.id, "rank": policy.rank}).all()
    refused = prevention.refused(policy, found, _tolerated(question), utcnow())
    return prevention.because_of(policy, refused) if refused else ""


def _tolerated(question: ManifestRead) -> frozenset[str]:
    """The CVE ids that somebody decided to live with, as long as he did."""
    of_system = question.project.settings.get("reuse_sys_cve_allowlist") != "false"
    row = question.execute(_TOLERATED, {"project_id": SYSTEM if of_system else question.project.id}).first()
    if row is None or (row.expires_at is not None and row.expires_at <= utcnow().timestamp()):
        return frozenset()
    return frozenset(row.cve_ids)
