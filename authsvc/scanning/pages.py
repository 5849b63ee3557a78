"""What was found in an artifact, and scans: of one, and of everything."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from flask import Response, request
from sqlalchemy import Select, select

from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact
from authsvc.audit import service as audit
from authsvc.audit.changes import difference
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.jobs import cron, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, Execution
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.scanners import service as scanners
from authsvc.scanners.rules import SEVERITIES
from authsvc.scanning import everything, hub, reports, scans, telling
from authsvc.scanning.hub import Seen
from authsvc.scanning.models import Vulnerability
from authsvc.ui import export, listing
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("scanning", __name__)
COLUMNS = {
    "severity": Vulnerability.rank,
    "vulnerability": Vulnerability.cve_id,
    "package": Vulnerability.package,
    "score": Vulnerability.score_v3,
}
_WORST_FIRST = (Vulnerability.rank.desc(), Vulnerability.score_v3.desc(), Vulnerability.cve_id, Vulnerability.id)
_LONGEST_CRON = 255
_RUNS = 5
ALL = "/admin/scans"
_IDS = re.compile(r"(cve|ghsa|dsa|rhsa|alas|usn|elsa|tmp|pysec|go)-", re.IGNORECASE)  # how ids of vulnerabilities begin


# -- one artifact --------------------------------------------------------------------------------------------------


def _find(name: str, text: str, action: Action, resource: Resource) -> tuple[Principal, Project, Artifact]:
    """`text`: repository, without the project, and `:tag` or `@digest`."""
    who, project = load(name, action, resource, is_name=True)
    path, at, digest = text.partition("@")
    path, colon, tag = (path, "", "") if at else path.partition(":")
    if not (at or colon):
        raise NotFound(f"{text[:256]} is no artifact: repository:tag and repository@digest are")
    return who, project, artifacts.get(repositories.get(project, path), digest or tag)


@blueprint.get("/projects/<name>/vulnerabilities/<path:text>")
def show_vulnerabilities(name: str, text: str) -> Response:
    return _vulnerabilities(name, text)


def _vulnerabilities(name: str, text: str, problem: DomainError | None = None) -> Response:
    who, project, artifact = _find(name, text, Action.READ, Resource.ARTIFACT_ADDITION)
    scanner = scanners.of_project(project.id)
    asked, statement = listing.asked(COLUMNS), _named(artifact, scanner.id if scanner else 0)
    if asked.search:
        words = (Vulnerability.cve_id, Vulnerability.package)
        matches = [column.icontains(asked.search, autoescape=True) for column in words]
        statement = statement.where(matches[0] | matches[1])
    if export.is_asked():
        return export.exported(f"{name}-{text}-vulnerabilities", statement, asked, COLUMNS, _WORST_FIRST, _row)
    return page(
        "vulnerabilities.html",
        problem=problem,
        project=project,
        text=text,
        quoted=quote(text, safe="/:@"),
        scanner=scanner,
        seen=reports.overviews([artifact], scanner).get(artifact.id),
        final=FINAL,
        lacking=role_lacking(who, Action.CREATE, Resource.SCAN, project),
        listing=listing.part(statement, asked, COLUMNS, _WORST_FIRST),
    )


def _named(artifact: Artifact, scanner_id: int) -> Select[Any]:
    """What the reports of an artifact, or of an index's children, name."""
    return select(Vulnerability).where(Vulnerability.id.in_(reports.named(artifact, scanner_id)))


def _row(row: Any) -> dict[str, object]:
    """A vulnerability in a file."""
    (found,) = row
    names = ("cve_id", "severity", "package", "version", "fix_version", "status")
    return {name: getattr(found, name) for name in names} | {
        "cvss_v3": found.score_v3 / 10 or None,
        "links": " ".join(found.details.get("links", ())),
    }


@blueprint.post("/projects/<name>/scan/<path:text>")
def scan(name: str, text: str) -> Response:
    """Begin to scan an artifact, or stop that."""
    problem = attempted(lambda: _stop(name, text) if request.form.get("action") == "stop" else _start(name, text))
    if problem:
        return _vulnerabilities(name, text, problem)
    return go(f"/projects/{quote(name)}/vulnerabilities/{quote(text, safe='/:@')}")


def _start(name: str, text: str) -> None:
    who, project, artifact = _find(name, text, Action.CREATE, Resource.SCAN)
    scans.start(artifact, MANUAL)
    audit.record(who.name, "create", "scan", f"{project.name}/{text}", project_id=project.id)


def _stop(name: str, text: str) -> None:
    who, project, artifact = _find(name, text, Action.STOP, Resource.SCAN)
    telling.stopped(who.name, scans.stop(artifact))
    audit.record(who.name, "stop", "scan", f"{project.name}/{text}", project_id=project.id)


# -- all there is, and all of a project ---------------------------------------------------------------------------


@blueprint.get("/projects/<name>/vulnerabilities")
def show_project(name: str) -> Response:
    who, project = load(name, Action.READ, Resource.ARTIFACT_ADDITION, is_name=True)
    shown = _found(Seen([project.id]))
    return page("project_found.html", **frame(who, project), **shown, scanner=scanners.of_project(project.id))


@blueprint.get("/admin/vulnerabilities")
def show_all() -> Response:
    require_sysadmin()
    return page("all_found.html", **_found(Seen()), scanner=scanners.default())


def _found(seen: Seen) -> dict[str, Any]:
    """The part that the URL asks for: by a vulnerability or package, and a severity."""
    asked = listing.asked({})
    severity = fields({"severity": 16})["severity"]
    words = asked.search.replace(",", " ")
    column = "cve_id" if _IDS.match(words) else "package"
    q = ",".join(filter(None, [f"{column}=~{words}" if words else "", f"severity={severity}" if severity else ""]))
    found = hub.findings(seen, q)
    rows = hub.page(found, listing.SIZE, (asked.page - 1) * listing.SIZE, with_tag=True)
    return {
        "listing": listing.Listing(rows, hub.count(found, seen, q, is_tuned=False), asked),
        "severity": severity,
        "severities": SEVERITIES[::-1],
        "counts": hub.summary(seen),
        "worst": hub.dangerous_artifacts(seen),
    }


# -- everything ----------------------------------------------------------------------------------------------------


@blueprint.get(ALL)
def show_scans() -> Response:
    return _scans()


def _scans(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    runs = db.session.scalars(jobs.of_vendor(everything.KIND).order_by(Execution.id.desc()).limit(_RUNS)).all()
    return page(
        "scans.html",
        problem=problem,
        scanner=scanners.default(),
        runs=[(run, everything.stats(run)) for run in runs],
        is_running=everything.is_running(runs[0]) if runs else False,
        schedule=schedules.find(everything.KIND),
        when=cron.CHOICES,
    )


@blueprint.post(ALL)
def change_scans() -> Response:
    """Scan everything now, stop that, or set the schedule."""
    actions = {"start": lambda: _set({"type": cron.MANUAL, "cron": ""}), "stop": _stop_all, "schedule": _schedule}
    problem = attempted(actions.get(request.form.get("action", ""), _unknown))
    return _scans(problem) if problem else go(ALL)


def _schedule() -> None:
    wanted = fields({"type": _LONGEST_CRON, "cron": _LONGEST_CRON})
    if wanted["type"] not in cron.CHOICES:
        raise BadRequest(f"type is one of {', '.join(cron.CHOICES)}")
    _set(wanted)


def _set(wanted: dict[str, str]) -> None:
    """As the API does, and noted in the same words."""
    who = require_sysadmin()
    started = everything.set_schedule(wanted)
    told = {"schedule": wanted["type"], "cron": wanted["cron"]}
    audit.record(who.name, "create" if started else "update", "schedule", everything.KIND, changes=difference({}, told))


def _stop_all() -> None:
    who, run = require_sysadmin(), everything.last()
    if run is not None:
        jobs.stop(run)
        audit.record(who.name, "stop", "job", f"{everything.KIND} {run.id}")


def _unknown() -> None:
    require_sysadmin()
    raise BadRequest("action is one of start, stop, schedule")
