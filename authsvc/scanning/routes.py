"""Scans and what they find, by Harbor's paths."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact
from authsvc.audit import service as audit
from authsvc.audit.changes import difference
from authsvc.core.api import MAX_PAGE_SIZE, PREFIX, Blueprint, page_headers
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound, PreconditionFailed
from authsvc.jobs import cron, logs, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, SCHEDULE, Task
from authsvc.jobs.schemas import HistorySchema, ScheduleSchema, schedule_object
from authsvc.projects.access import load
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.scanners import rules
from authsvc.scanners import service as scanners
from authsvc.scanning import everything, hub, reports, scans, telling
from authsvc.scanning.hub import Seen
from authsvc.scanning.schemas import (
    ScanTypeSchema,
    SecuritySummarySchema,
    StatsSchema,
    SummaryArguments,
    VulnerabilityArguments,
    VulnerabilityItemSchema,
)

blueprint = Blueprint("scan", __name__, description="Scans of artifacts, and what they find")
hub_blueprint = Blueprint("securityhub", __name__, description="What was found, over all projects or in one")
all_blueprint = Blueprint("scanAll", __name__, description="Scans of everything")

ARTIFACT = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts/<reference>"


def _load(
    project_name: str, repository_name: str, reference: str, action: Action, resource: Resource
) -> tuple[Principal, Artifact]:
    who, project = load(project_name, action, resource, is_name=True)
    return who, artifacts.get(repositories.get(project, repository_name), reference)


def _of_type(body: dict[str, Any] | None) -> Resource:
    return Resource.SBOM if body and body["scan_type"] == rules.SBOM else Resource.SCAN


@blueprint.post(f"{ARTIFACT}/scan")
@blueprint.arguments(ScanTypeSchema, required=False)
@blueprint.response(202)
def scan_artifact(body: dict[str, Any], project_name: str, repository_name: str, reference: str) -> None:
    resource = _of_type(body)
    who, artifact = _load(project_name, repository_name, reference, Action.CREATE, resource)
    if resource is Resource.SBOM:
        raise BadRequest("SBOMs are not made yet")
    scans.start(artifact, MANUAL)
    _note(who, "create", artifact)
    db.session.commit()


@blueprint.post(f"{ARTIFACT}/scan/stop")
@blueprint.arguments(ScanTypeSchema, required=False)
@blueprint.response(202)
def stop_scan_artifact(body: dict[str, Any], project_name: str, repository_name: str, reference: str) -> None:
    who, artifact = _load(project_name, repository_name, reference, Action.STOP, _of_type(body))
    telling.stopped(who.name, scans.stop(artifact))
    _note(who, "stop", artifact)
    db.session.commit()


def _note(who: Principal, operation: str, artifact: Artifact) -> None:
    name = repositories.names_of({artifact.repository_id})[artifact.repository_id]
    audit.record(who.name, operation, "scan", f"{name}@{artifact.digest}", project_id=artifact.project_id)


@blueprint.get(f"{ARTIFACT}/scan/<report_id>/log")
@blueprint.strangers
@blueprint.response(200, content_type="text/plain")
def get_report_log(project_name: str, repository_name: str, reference: str, report_id: str) -> Response:
    _, artifact = _load(project_name, repository_name, reference, Action.READ, Resource.SCAN)
    parts = scans.parts([artifact])[artifact.id]
    report = scans.find_report([each.id for each in parts], report_id)
    task = db.session.get(Task, report.task_id) if report is not None else None
    if task is None:
        raise NotFound(f"there is no log of scan {report_id[:64]}")
    return Response(logs.read(task), mimetype="text/plain")


@blueprint.get(f"{ARTIFACT}/additions/vulnerabilities")
@blueprint.strangers
@blueprint.response(200, content_type="application/json")
def get_vulnerabilities_addition(project_name: str, repository_name: str, reference: str) -> Response:
    """The report about an artifact, by its media type; of an index, of all its children."""
    _, artifact = _load(project_name, repository_name, reference, Action.READ, Resource.ARTIFACT_ADDITION)
    kind = rules.accepted(request.headers.get("X-Accept-Vulnerabilities", ""))
    scanner = scanners.of_project(artifact.project_id)
    found = reports.full(artifact, scanner) if kind and scanner is not None else None
    return Response(orjson.dumps({kind: found} if found is not None else {}), mimetype="application/json")


# -- everything ----------------------------------------------------------------------------------------------------


@all_blueprint.get("/system/scanAll/schedule")
@all_blueprint.response(200, HistorySchema)
def get_scan_all_schedule() -> Any:
    require_system(Action.READ, Resource.SCAN_ALL)
    schedule = schedules.find(everything.KIND)
    if schedule is None:
        return {}
    times = {name: getattr(schedule, name) for name in ("id", "creation_time", "update_time")}
    return times | {"schedule": schedule_object(schedule)}


@all_blueprint.post("/system/scanAll/schedule")
@all_blueprint.arguments(ScheduleSchema)
@all_blueprint.response(201)
def create_scan_all_schedule(body: dict[str, Any]) -> Any:
    who, wanted = require_system(Action.CREATE, Resource.SCAN_ALL), body["schedule"]
    if wanted["type"] not in (cron.MANUAL, cron.NONE) and schedules.find(everything.KIND) is not None:
        raise PreconditionFailed("there is a schedule for scans of everything already: change it, or delete it first")
    started = _set(who, wanted)
    return None, 201, {"Location": f"{PREFIX}/system/scanAll/schedule{f'/{started}' if started else ''}"}


@all_blueprint.put("/system/scanAll/schedule")
@all_blueprint.arguments(ScheduleSchema)
@all_blueprint.response(200)
def update_scan_all_schedule(body: dict[str, Any]) -> None:
    who = require_system(Action.UPDATE, Resource.SCAN_ALL)
    if body["schedule"]["type"] == cron.MANUAL:
        raise BadRequest("Manual is no schedule to change to; post it to scan everything now")
    _set(who, body["schedule"])


def _set(who: Principal, wanted: dict[str, Any]) -> int:
    """Run now or schedule; the id of the run, 0 if there is none."""
    started = everything.set_schedule(wanted)
    told = {"schedule": wanted["type"], "cron": wanted["cron"]}
    audit.record(who.name, "create" if started else "update", "schedule", everything.KIND, changes=difference({}, told))
    started_id = started.id if started else 0
    db.session.commit()
    return started_id


@all_blueprint.post("/system/scanAll/stop")
@all_blueprint.response(202)
def stop_scan_all() -> None:
    who, execution = require_system(Action.STOP, Resource.SCAN_ALL), everything.last()
    if execution is None or not everything.is_running(execution):
        raise BadRequest("there is no running scan of everything")
    jobs.stop(execution)
    audit.record(who.name, "stop", "job", f"{everything.KIND} {execution.id}")
    db.session.commit()


@all_blueprint.get("/scans/all/metrics")
@all_blueprint.response(200, StatsSchema)
def get_latest_scan_all_metrics() -> Any:
    require_system(Action.READ, Resource.SCAN_ALL)
    return everything.stats(everything.last())


@all_blueprint.get("/scans/schedule/metrics")
@all_blueprint.response(200, StatsSchema)
def get_latest_scheduled_scan_all_metrics() -> Any:
    require_system(Action.READ, Resource.SCAN_ALL)
    return everything.stats(everything.last(SCHEDULE))


# -- what was found, over projects -----------------------------------------------------------------------------------


@hub_blueprint.get("/security/summary")
@hub_blueprint.arguments(SummaryArguments, location="query")
@hub_blueprint.response(200, SecuritySummarySchema)
def get_security_summary(arguments: dict[str, Any]) -> Any:
    require_system(Action.READ, Resource.SECURITY_HUB)
    return _summary(Seen(), arguments)


@hub_blueprint.get("/security/vul")
@hub_blueprint.arguments(VulnerabilityArguments, location="query")
@hub_blueprint.response(200, VulnerabilityItemSchema(many=True))
def list_vulnerabilities(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.SECURITY_HUB)
    return _findings(Seen(), arguments)


@hub_blueprint.get("/projects/<project_name_or_id>/security/summary")
@hub_blueprint.strangers
@hub_blueprint.arguments(SummaryArguments, location="query")
@hub_blueprint.response(200, SecuritySummarySchema)
def get_security_summary_of_project(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    """The same of one project, for whoever may read the reports there."""
    _, project = load(project_name_or_id, Action.READ, Resource.ARTIFACT_ADDITION)
    return _summary(Seen([project.id]), arguments)


@hub_blueprint.get("/projects/<project_name_or_id>/security/vul")
@hub_blueprint.strangers
@hub_blueprint.arguments(VulnerabilityArguments, location="query")
@hub_blueprint.response(200, VulnerabilityItemSchema(many=True))
def list_vulnerabilities_of_project(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    """The same of one project."""
    _, project = load(project_name_or_id, Action.READ, Resource.ARTIFACT_ADDITION)
    return _findings(Seen([project.id]), arguments)


def _summary(seen: Seen, arguments: dict[str, Any]) -> dict[str, Any]:
    return hub.summary(seen) | {
        "dangerous_cves": hub.dangerous_cves(seen) if arguments["with_dangerous_cve"] else [],
        "dangerous_artifacts": hub.dangerous_artifacts(seen) if arguments["with_dangerous_artifact"] else [],
    }


def _findings(seen: Seen, arguments: dict[str, Any]) -> Any:
    page, size = max(1, arguments["page"]), arguments["page_size"] if arguments["page_size"] > 0 else MAX_PAGE_SIZE
    found = hub.findings(seen, arguments["q"], arguments["sort"])
    total = hub.count(found, seen, arguments["q"], is_tuned=arguments["tune_count"])
    rows = hub.page(found, size, (page - 1) * size, with_tag=arguments["with_tag"])
    goes_on = len(rows) == size if total < 0 else page * size < total
    return rows, page_headers(page, size, total, goes_on=goes_on)
