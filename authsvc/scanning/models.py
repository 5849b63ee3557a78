"""What scanners have said of which artifact, and the vulnerabilities that they know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.scanners.rules import SEVERITIES


class ScanReport(Identified, Base):
    """What a scanner says of an artifact. `uuid` and `task_id` are of the last scan, whose state is its task's; everything from
    `generated_at` on is the last verdict, which stays until there is another one (None: there is none yet).

    `severity` is the worst there is; the columns by the names of severities say how many there are of each, `total` of all.
    """

    __tablename__ = "scan_reports"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"))
    scanner_id: Mapped[int] = mapped_column(ForeignKey("scanners.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[int] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(16))
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    task_id: Mapped[int] = mapped_column(default=0)
    generated_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    severity: Mapped[str] = mapped_column(String(16), default="")
    critical: Mapped[int] = mapped_column(default=0)
    high: Mapped[int] = mapped_column(default=0)
    medium: Mapped[int] = mapped_column(default=0)
    low: Mapped[int] = mapped_column(default=0)
    none: Mapped[int] = mapped_column(default=0)
    unknown: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    fixable: Mapped[int] = mapped_column(default=0)
    scanned_by: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)

    __table_args__ = (
        UniqueConstraint("artifact_id", "scanner_id", "kind"),
        Index("ix_scan_reports_worst", "critical", "high", "medium", "id"),
        Base.__table_args__,
    )

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each severity, of those that there are."""
        found = {severity: getattr(self, severity.lower()) for severity in SEVERITIES}
        return {severity: number for severity, number in found.items() if number}


class Vulnerability(Identified, Base):
    """What a scanner knows of a vulnerability in a version of a package, once for all artifacts that hold it. `key` is the hash
    of what it is known by (`scanners.rules.Found.key`); `rank`: of the severity, the higher the worse;
    `score_v3`: of CVSS 3, in tenths (0: nobody says); `first_seen_at`: when it was named first."""

    __tablename__ = "vulnerabilities"

    scanner_id: Mapped[int] = mapped_column(ForeignKey("scanners.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    cve_id: Mapped[str] = mapped_column(String(128), index=True)
    package: Mapped[str] = mapped_column(String(255), index=True)
    version: Mapped[str] = mapped_column(String(255))
    fix_version: Mapped[str] = mapped_column(String(255))
    severity: Mapped[str] = mapped_column(String(16))
    rank: Mapped[int]
    status: Mapped[str] = mapped_column(String(64))
    score_v3: Mapped[int] = mapped_column(default=0)
    description: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    first_seen_at: Mapped[datetime] = mapped_column(default=utcnow)

    __table_args__ = (Index("ix_vulnerabilities_rank", "rank", "score_v3", "id"), Base.__table_args__)


class Finding(Base):
    """That a report names a vulnerability. `weight`: of its severity and score (`scanners.rules.weight`), by which lists are in
    order along an index, however long they are."""

    __tablename__ = "findings"

    report_id: Mapped[int] = mapped_column(ForeignKey("scan_reports.id", ondelete="CASCADE"), primary_key=True)
    vulnerability_id: Mapped[int] = mapped_column(ForeignKey("vulnerabilities.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int]
    weight: Mapped[int]

    __table_args__ = (
        Index("ix_findings_vulnerability_id", "vulnerability_id", "report_id"),
        Index("ix_findings_weight", "weight", "vulnerability_id", "report_id"),
        Index("ix_findings_project_id", "project_id", "weight", "vulnerability_id", "report_id"),
    )
