"""What scanners have found, over all projects or some: Harbor's security hub.

Of each project the reports of its own scanner count. Lists go along an index, the worst first, so that a page of a million
findings is read and not sorted; what is asked of few artifacts is looked for in their reports alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true

from authsvc.additions.rules import IMAGE
from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import AllOf, AnyOf, Contains, Exact, Match, Range, filtered, ordered, parse_q
from authsvc.distribution.manifest import INDEXES
from authsvc.repositories.models import Repository
from authsvc.scanners import rules
from authsvc.scanners.models import ProjectScanner, Scanner
from authsvc.scanning.models import Finding, ScanReport, Vulnerability

Rows = Select[*tuple[Any, ...]]
MANY = 1000  # rows, beyond which nobody is told how many there are
_MOST = 5  # of the most dangerous
_LOOKED_AT = 200  # rows in which these are looked for

COLUMNS = {"cve_id": Vulnerability.cve_id, "package": Vulnerability.package, "project_id": Finding.project_id}
_PLACES = {"repository_name": Repository.name, "digest": Artifact.digest}
_SEVERITY, _SCORE, _TAG = "severity", "cvss_score_v3", "tag"
_FEW = 500  # reports, up to which they are looked for one by one
_WORST_FIRST = (Finding.weight.desc(), Finding.vulnerability_id.desc(), Finding.report_id.desc())


@dataclass(frozen=True, slots=True)
class Seen:
    """Which projects are looked at: all (None), or these."""

    project_ids: Sequence[int] | None = None

    def within(self, column: Any) -> ColumnElement[bool]:
        return true() if self.project_ids is None else column.in_(self.project_ids)


def summary(seen: Seen) -> dict[str, int]:
    """Harbor's counts: of findings by severity, of what was scanned, and of what could be."""
    sums = [func.coalesce(func.sum(getattr(ScanReport, name)), 0) for name in _counted()]
    row = db.session.execute(_reports(select(*sums, func.count()), seen)).one()
    *numbers, scanned = row
    found = dict(zip(_counted(), map(int, numbers), strict=True))
    images = (Artifact.type == IMAGE, Artifact.manifest_media_type.not_in(INDEXES), seen.within(Artifact.project_id))
    return {f"{severity}_cnt": found[severity] for severity in _severities()} | {
        "total_vuls": found["total"],
        "fixable_cnt": found["fixable"],
        "scanned_cnt": scanned,
        "total_artifact": db.session.scalar(select(func.count()).select_from(Artifact).where(*images)) or 0,
    }


def _severities() -> tuple[str, ...]:
    return tuple(severity.lower() for severity in rules.SEVERITIES)


def _counted() -> tuple[str, ...]:
    return (*_severities(), "total", "fixable")


def _reports(statement: Rows, seen: Seen) -> Rows:
    """Of these reports, the verdicts that count."""
    chosen = statement.outerjoin(ProjectScanner, ProjectScanner.project_id == ScanReport.project_id)
    counts = ScanReport.scanner_id == func.coalesce(ProjectScanner.scanner_id, _default())
    return chosen.where(counts, ScanReport.generated_at.is_not(None), seen.within(ScanReport.project_id))


def dangerous_artifacts(seen: Seen) -> list[dict[str, Any]]:
    """Those with the most findings of the worst severities."""
    columns = (ScanReport.project_id, Repository.name, Artifact.digest, ScanReport.critical, ScanReport.high, ScanReport.medium)
    found = select(*columns).select_from(ScanReport).join(Artifact, Artifact.id == ScanReport.artifact_id)
    found = _reports(found.join(Repository, Repository.id == Artifact.repository_id), seen)
    worst = found.order_by(ScanReport.critical.desc(), ScanReport.high.desc(), ScanReport.medium.desc(), ScanReport.id.desc())
    names = ("project_id", "repository_name", "digest", "critical_cnt", "high_cnt", "medium_cnt")
    rows = db.session.execute(worst.where(ScanReport.total > 0).limit(_MOST))
    return [dict(zip(names, row, strict=True)) for row in rows]


def dangerous_cves(seen: Seen) -> list[dict[str, Any]]:
    """Those of the worst severity and score that any image has."""
    named = exists().where(Finding.vulnerability_id == Vulnerability.id, seen.within(Finding.project_id))
    order = (Vulnerability.rank.desc(), Vulnerability.score_v3.desc(), Vulnerability.id.desc())
    known: dict[str, dict[str, Any]] = {}
    for row in db.session.scalars(select(Vulnerability).where(named).order_by(*order).limit(_LOOKED_AT)):
        known.setdefault(
            row.cve_id,
            {
                "cve_id": row.cve_id,
                "severity": row.severity,
                "cvss_score_v3": row.score_v3 / 10,
                "desc": row.description,
                "package": row.package,
                "version": row.version,
            },
        )
    return list(known.values())[:_MOST]


def findings(seen: Seen, q: str, sort: str = "") -> Rows:
    """(report's id, vulnerability's id) of what `q` asks for, the worst first; there is nothing else to `sort` by.

    Raises:
        BadRequest: a key that there is not, or a value that cannot be.
    """
    asked = parse_q(q)
    keys = select(Finding.report_id, Finding.vulnerability_id).where(seen.within(Finding.project_id))
    if asked.keys() & {_normal(name) for name in ("cve_id", "package", _SCORE)}:
        keys = keys.join(Vulnerability, Vulnerability.id == Finding.vulnerability_id)
    found = filtered(_counting(keys), q, COLUMNS, (*_PLACES, _SEVERITY, _SCORE, _TAG))
    if (match := asked.get(_SEVERITY)) is not None:
        found = found.where(_severe(match))
    if (match := asked.get(_normal(_SCORE))) is not None:
        found = found.where(_scored(match))
    if asked.keys() & {_normal(name) for name in (*_PLACES, _TAG)}:
        found = found.where(_there(q, asked.get(_TAG)))
    return ordered(found, sort, {}, _WORST_FIRST)


def _normal(name: str) -> str:
    """A key as `parse_q` has it."""
    return name.replace("_", "")


def _counting(keys: Rows) -> Rows:
    """Without what other scanners say than a project's own; mostly there is nothing like that, and then nobody looks for it."""
    chosen = func.coalesce(ProjectScanner.scanner_id, _default(), 0)
    others = select(ScanReport.id).outerjoin(ProjectScanner, ProjectScanner.project_id == ScanReport.project_id)
    others = others.where(ScanReport.scanner_id != chosen)
    is_any = db.session.scalar(others.limit(1)) is not None
    return keys.where(Finding.report_id.not_in(others)) if is_any else keys


def _default() -> Any:
    return select(Scanner.id).where(Scanner.is_default == true()).scalar_subquery()


def _there(q: str, tag: Match | None) -> ColumnElement[bool]:
    """In the reports of what `q` names. Few are named, since no database sees by itself that this is the way to begin; with many
    it is not, and the `+ 0` says so."""
    found = select(ScanReport.id).join(Artifact, Artifact.id == ScanReport.artifact_id)
    found = found.join(Repository, Repository.id == Artifact.repository_id)
    found = filtered(found, q, _PLACES, (*COLUMNS, _SEVERITY, _SCORE, _TAG))
    if tag is not None:
        found = found.where(_tagged(tag))
    ids = list(db.session.scalars(found.limit(_FEW + 1)))
    return Finding.report_id.in_(ids) if len(ids) <= _FEW else (Finding.report_id + 0).in_(found)


def _severe(match: Match) -> ColumnElement[bool]:
    match match:
        case Exact(value) | Contains(value):
            wanted: tuple[str, ...] = (value,)
        case AnyOf(values) | AllOf(values):
            wanted = values
        case _:
            raise BadRequest("severity is asked for by its name")
    lowest = sorted({rules.weight(rules.RANKS[rules.severity_of(value)], 0) for value in wanted})
    return or_(*(Finding.weight.between(weight, weight + rules.SPAN - 1) for weight in lowest))


def _scored(match: Match) -> ColumnElement[bool]:
    match match:
        case Exact(value):
            return Vulnerability.score_v3 == _tenths(value)
        case Range(low, high):
            least = Vulnerability.score_v3 >= _tenths(low) if low else true()
            return and_(least, Vulnerability.score_v3 <= _tenths(high)) if high else and_(least, true())
    raise BadRequest(f"{_SCORE} is asked for by a range, such as {_SCORE}=[7.0~10.0]")


def _tenths(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 10:
        raise BadRequest(f"{text[:32]} is no CVSS score; it lies between 0 and 10")
    return round(number * 10)


def _tagged(match: Match) -> ColumnElement[bool]:
    match match:
        case Exact(value):
            return Artifact.id.in_(select(Tag.artifact_id).where(Tag.name == value))
        case Contains(value):
            return exists().where(Tag.artifact_id == Artifact.id, Tag.name.icontains(value, autoescape=True))
    raise BadRequest("tag is asked for by its name, or a part of it: tag=~v1")


def count(found: Rows, seen: Seen, q: str, *, is_tuned: bool) -> int:
    """How many there are; -1 if `is_tuned` and it is more than `MANY`. Of everything the reports know it."""
    bare = found.order_by(None)
    if is_tuned:
        number = db.session.scalar(select(func.count()).select_from(bare.limit(MANY + 1).subquery())) or 0
        return number if number <= MANY else -1
    if not parse_q(q):
        return int(db.session.scalar(_reports(select(func.coalesce(func.sum(ScanReport.total), 0)), seen)) or 0)
    return db.session.scalar(select(func.count()).select_from(bare.subquery())) or 0


def page(found: Rows, size: int, skipped: int, *, with_tag: bool) -> list[dict[str, Any]]:
    """So many of these behind those that are skipped, in Harbor's terms."""
    keys = [(report_id, known_id) for report_id, known_id in db.session.execute(found.limit(size).offset(skipped))]
    reports, known = ({key[place] for key in keys} for place in (0, 1))
    places = (
        select(ScanReport.id, ScanReport.project_id, Artifact.digest, Repository.name, Artifact.id)
        .join(Artifact, Artifact.id == ScanReport.artifact_id)
        .join(Repository, Repository.id == Artifact.repository_id)
    )
    at = {row[0]: row[1:] for row in db.session.execute(places.where(ScanReport.id.in_(reports)))}
    named = {row.id: row for row in db.session.scalars(select(Vulnerability).where(Vulnerability.id.in_(known)))}
    tags = _tags([place[-1] for place in at.values()]) if with_tag else {}
    there = ((at[report_id], named[known_id]) for report_id, known_id in keys if report_id in at and known_id in named)
    return [_described(found, *place[:-1], tags.get(place[-1], [])) for place, found in there]


def _described(found: Vulnerability, project_id: int, digest: str, repository: str, tags: list[str]) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "repository_name": repository,
        "digest": digest,
        "tags": tags,
        "cve_id": found.cve_id,
        "severity": found.severity,
        "status": found.status,
        "cvss_v3_score": found.score_v3 / 10,
        "package": found.package,
        "version": found.version,
        "fixed_version": found.fix_version,
        "desc": found.description,
        "links": found.details.get("links", []),
    }


def _tags(artifact_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    named = select(Tag.artifact_id, Tag.name).where(Tag.artifact_id.in_(artifact_ids)).order_by(Tag.name)
    for artifact_id, name in db.session.execute(named):
        found.setdefault(artifact_id, []).append(name)
    return found
