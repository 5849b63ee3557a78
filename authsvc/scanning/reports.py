"""Reports in rows: stored, summed up, and read again in Harbor's terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Select, delete, insert, select, update

from authsvc.artifacts.models import Artifact
from authsvc.core.clock import rfc3339
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import NotFound, Unavailable
from authsvc.core.inserts import insert_missing
from authsvc.jobs import service as jobs
from authsvc.jobs.context import Stopped
from authsvc.jobs.models import FINAL, SUCCESS, Task
from authsvc.scanners import rules
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import Found, Report
from authsvc.scanning import scans
from authsvc.scanning.models import Finding, ScanReport, Vulnerability

_SLICE = 500  # rows that are looked up or written in one statement
_SEPARATE = {"synchronize_session": False}


# -- storing -------------------------------------------------------------------------------------------------------


def store(report_id: int, uuid: str, report: Report, keep_going: Callable[[], None]) -> None:
    """Let a report be what a scan has found, in the place of what was there; readers see the one or the other. What it names is
    learnt before, in short transactions. `uuid`: of the scan.

    Raises:
        Stopped: somebody stopped the scan.
        NotFound: the artifact is gone.
        Unavailable: what was learnt was forgotten again meanwhile.
    """
    with transaction():
        scanner_id = _ours(report_id, uuid).scanner_id
    found = {each.key(scanner_id): each for each in report.findings}
    for keys in _slices(sorted(found)):
        keep_going()
        with transaction():
            _learn(scanner_id, keys, found)
    with transaction():
        row = _ours(report_id, uuid)
        _name(row, sorted(found))
        summary = rules.summary(report.findings)
        row.generated_at, row.scanned_by = report.generated_at, dict(report.scanner)
        row.severity, row.total, row.fixable = summary.severity, summary.total, summary.fixable
        for severity in rules.SEVERITIES:
            setattr(row, severity.lower(), summary.counts.get(severity, 0))
        row.started_at, row.ended_at = db.session.get_one(Task, row.task_id).start_time, utcnow()


def _ours(report_id: int, uuid: str) -> ScanReport:
    row = db.session.get(ScanReport, report_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("the image is gone")
    task = db.session.get(Task, row.task_id, populate_existing=True)
    if row.uuid != uuid or task is None or task.status in FINAL:
        raise Stopped
    return row


def _learn(scanner_id: int, keys: Sequence[str], found: Mapping[str, Found]) -> None:
    """What the scanner knows of these now."""
    here = select(Vulnerability).where(Vulnerability.key.in_(keys))
    known = {row.key: row for row in db.session.scalars(here)}
    now = utcnow()
    wanted = {key: _values(scanner_id, key, found[key]) for key in keys}
    if missing := [wanted[key] for key in keys if key not in known]:
        insert_missing(Vulnerability, [values | {"first_seen_at": now} for values in missing])
    changed = [
        wanted[key] | {"id": row.id}
        for key, row in known.items()
        if any(getattr(row, name) != value for name, value in wanted[key].items())
    ]
    if changed:
        db.session.execute(update(Vulnerability), sorted(changed, key=lambda values: values["id"]))
        for values in changed:
            weight = rules.weight(values["rank"], values["score_v3"])
            of_it = (Finding.vulnerability_id == values["id"], Finding.weight != weight)
            db.session.execute(update(Finding).where(*of_it).values(weight=weight), execution_options=_SEPARATE)


def _values(scanner_id: int, key: str, found: Found) -> dict[str, Any]:
    return {
        "scanner_id": scanner_id,
        "key": key,
        "cve_id": found.cve_id,
        "package": found.package,
        "version": found.version,
        "fix_version": found.fix_version,
        "severity": found.severity,
        "rank": rules.RANKS[found.severity],
        "status": found.status,
        "score_v3": round((found.score_v3 or 0) * 10),
        "description": found.description,
        "details": dict(found.details),
    }


def _name(row: ScanReport, keys: Sequence[str]) -> None:
    """Let a report name these and no others."""
    wanted: dict[int, int] = {}
    for part in _slices(keys):
        known = select(Vulnerability.id, Vulnerability.rank, Vulnerability.score_v3).where(Vulnerability.key.in_(part))
        wanted |= {id_: rules.weight(rank, tenths) for id_, rank, tenths in db.session.execute(known)}
    if len(wanted) < len(keys):
        raise Unavailable("what the report names was forgotten meanwhile")
    named = set(db.session.scalars(select(Finding.vulnerability_id).where(Finding.report_id == row.id)))
    of_it = Finding.report_id == row.id
    for gone in _slices(sorted(named - wanted.keys())):
        db.session.execute(delete(Finding).where(of_it, Finding.vulnerability_id.in_(gone)), execution_options=_SEPARATE)
    added = [
        {"report_id": row.id, "vulnerability_id": id_, "project_id": row.project_id, "weight": wanted[id_]}
        for id_ in sorted(wanted.keys() - named)
    ]
    if added:
        db.session.execute(insert(Finding), added)


def _slices(ordered: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (ordered[at : at + _SLICE] for at in range(0, len(ordered), _SLICE))


# -- reading -------------------------------------------------------------------------------------------------------


def overviews(artifacts: Sequence[Artifact], scanner: Scanner | None) -> dict[int, dict[str, Any]]:
    """Harbor's `NativeReportSummary` of a page of artifacts, by their ids; of those that were or are being scanned."""
    if scanner is None or not artifacts:
        return {}
    parts = scans.parts(artifacts)
    ids = {each.id for part in parts.values() for each in part}
    natives: dict[int, dict[str, Any]] = {}
    for report, task in db.session.execute(scans.with_state(ids, scanner.id)):
        if native := _native(report, task):
            natives[report.artifact_id] = native
    merged = {id_: _merged([natives[each.id] for each in part if each.id in natives]) for id_, part in parts.items()}
    return {id_: native for id_, native in merged.items() if native}


def _native(report: ScanReport, task: Task | None) -> dict[str, Any] | None:
    """How its last scan stands, and the last verdict; None: neither is there."""
    if task is None and report.generated_at is None:
        return None
    status = task.status if task else SUCCESS
    started, ended = (task.start_time, task.end_time) if task else (report.started_at, report.ended_at)
    verdict = {}
    if report.generated_at is not None:
        counts = {"total": report.total, "fixable": report.fixable, "summary": report.counts}
        verdict = {"severity": report.severity, "summary": counts, "scanner": report.scanned_by}
    return verdict | {
        "report_id": report.uuid,
        "scan_status": status,
        "start_time": started,
        "end_time": ended,
        "duration": int((ended - started).total_seconds()) if started and ended else 0,
        "complete_percent": 100 if status in FINAL else 0,
    }


def _merged(natives: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Of the children of an index: the worst of all, and their sum."""
    if len(natives) < 2:
        return natives[0] if natives else None
    status = jobs.status_of(Counter(each["scan_status"] for each in natives))
    begun = [each["start_time"] for each in natives if each["start_time"]]
    ended = [each["end_time"] for each in natives if each["end_time"]]
    verdicts = [each for each in natives if "severity" in each]
    verdict = {}
    if verdicts:
        counts: Counter[str] = sum((Counter(each["summary"]["summary"]) for each in verdicts), Counter())
        summed = {name: sum(each["summary"][name] for each in verdicts) for name in ("total", "fixable")}
        severity = rules.worst(each["severity"] for each in verdicts)
        verdict = {"severity": severity, "summary": summed | {"summary": dict(counts)}, "scanner": verdicts[0]["scanner"]}
    return verdict | {
        "report_id": natives[0]["report_id"],
        "scan_status": status,
        "start_time": min(begun, default=None),
        "end_time": max(ended, default=None) if status in FINAL else None,
        "duration": sum(each["duration"] for each in natives),
        "complete_percent": sum(each["complete_percent"] for each in natives) // len(natives),
    }


def named(artifact: Artifact, scanner_id: int) -> Select[Any]:
    """The ids of the vulnerabilities that were found in an artifact, or in an index's children."""
    ids = [each.id for each in scans.parts([artifact])[artifact.id]]
    of_these = select(ScanReport.id).where(ScanReport.artifact_id.in_(ids), ScanReport.scanner_id == scanner_id)
    return select(Finding.vulnerability_id).where(Finding.report_id.in_(of_these))


def full(artifact: Artifact, scanner: Scanner) -> dict[str, Any] | None:
    """Everything that was found in an artifact, the worst first, as the adapter API writes reports; None: nobody has looked."""
    digests = {each.id: each.digest for each in scans.parts([artifact])[artifact.id]}
    rows = [report for report, _ in db.session.execute(scans.with_state(digests, scanner.id)) if report.generated_at]
    if not rows:
        return None
    by_report = {row.id: digests[row.artifact_id] for row in rows}
    return {
        "generated_at": max(rfc3339(row.generated_at) for row in rows),
        "scanner": rows[0].scanned_by,
        "severity": rules.worst(row.severity for row in rows),
        "vulnerabilities": list(_found(by_report)),
    }


def _found(digests: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """`digests`: of the artifacts of these reports."""
    columns = (
        Vulnerability.id,
        Vulnerability.cve_id,
        Vulnerability.package,
        Vulnerability.version,
        Vulnerability.fix_version,
        Vulnerability.severity,
        Vulnerability.status,
        Vulnerability.score_v3,
        Vulnerability.description,
        Vulnerability.details,
        Finding.report_id,
    )
    named = select(*columns).join(Finding, Finding.vulnerability_id == Vulnerability.id).where(Finding.report_id.in_(digests))
    ordered = named.order_by(Vulnerability.rank.desc(), Vulnerability.cve_id, Vulnerability.package, Vulnerability.id)
    for _, group in groupby(db.session.execute(ordered), lambda row: row.id):
        rows = list(group)
        yield _described(rows[0], [digests[row.report_id] for row in rows])


def _described(row: Any, digests: Sequence[str]) -> dict[str, Any]:
    details = row.details
    return {
        "id": row.cve_id,
        "package": row.package,
        "version": row.version,
        "fix_version": row.fix_version,
        "severity": row.severity,
        "status": row.status,
        "description": row.description,
        "links": details.get("links", []),
        "artifact_digests": list(digests),
        "preferred_cvss": {
            "score_v3": row.score_v3 / 10 or None,
            "score_v2": details.get("score_v2"),
            "vector_v3": details.get("vector_v3", ""),
            "vector_v2": details.get("vector_v2", ""),
        },
        "cwe_ids": details.get("cwe_ids", []),
        "vendor_attributes": details.get("vendor_attributes", {}),
    }
