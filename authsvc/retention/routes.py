"""Retention policies, by Harbor's paths. They are addressed without a project, so what may be done with one is asked of the
project that its row names, never of what a body says."""

from __future__ import annotations

from typing import Any

from flask import Response

from authsvc.core.api import Blueprint, PageArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.jobs import logs
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, Execution, Task
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.guard import require, require_login
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.retention import service
from authsvc.retention.models import RetentionPolicy
from authsvc.retention.schemas import (
    OperateSchema,
    RetentionExecutionSchema,
    RetentionMetadataSchema,
    RetentionPolicySchema,
    RetentionTaskSchema,
    RunSchema,
    described,
    execution_described,
    metadata,
    task_described,
    wanted,
)

blueprint = Blueprint("Retention", __name__, url_prefix="/retentions", description="Retention of artifacts")


def _load(policy_id: int, action: Action) -> tuple[Principal, Project, RetentionPolicy]:
    policy = service.find(policy_id)
    ref = projects.find_ref(str(policy.project_id)) if policy else None
    who = require(action, Resource.TAG_RETENTION, ref)
    policy = service.get(policy_id)
    return who, projects.get(str(policy.project_id)), policy


def _load_execution(policy_id: int, execution_id: int, action: Action) -> Execution:
    _, _, policy = _load(policy_id, action)
    return jobs.get_execution(service.VENDOR, policy.id, execution_id)


@blueprint.get("/metadatas")
@blueprint.response(200, RetentionMetadataSchema)
def get_rentenition_metadata() -> Any:
    require_login()
    return metadata()


@blueprint.post("")
@blueprint.arguments(RetentionPolicySchema)
@blueprint.response(201)
def create_retention(body: dict[str, Any]) -> Any:
    who, project = _of_scope(body["scope"])
    policy = service.create(who.name, project, wanted(body))
    answer = created(policy.id)
    db.session.commit()
    return answer


def _of_scope(scope: dict[str, Any]) -> tuple[Principal, Project]:
    """The project that a new policy is for."""
    if scope["level"] != "project":
        require_login()
        raise BadRequest(f"scope {scope['level']} is not support")
    who = require(Action.CREATE, Resource.TAG_RETENTION, projects.find_ref(str(scope["ref"])))
    try:
        return who, projects.get(str(scope["ref"]))
    except NotFound:
        raise BadRequest(f"invalid Project id {scope['ref']}") from None


@blueprint.get("/<int:retention_id>")
@blueprint.response(200, RetentionPolicySchema)
def get_retention(retention_id: int) -> Any:
    return described(_load(retention_id, Action.READ)[2])


@blueprint.put("/<int:retention_id>")
@blueprint.arguments(RetentionPolicySchema)
@blueprint.response(200)
def update_retention(body: dict[str, Any], retention_id: int) -> None:
    who, project, policy = _load(retention_id, Action.UPDATE)
    if (body["scope"]["level"], body["scope"]["ref"]) != ("project", project.id):
        raise NotFound(f"the retention policy id {retention_id} does not match")
    service.update(who.name, project, policy, wanted(body))
    db.session.commit()


@blueprint.delete("/<int:retention_id>")
@blueprint.response(200)
def delete_retention(retention_id: int) -> None:
    who, project, policy = _load(retention_id, Action.DELETE)
    service.remove(who.name, project, policy)
    db.session.commit()


@blueprint.post("/<int:retention_id>/executions")
@blueprint.arguments(RunSchema)
@blueprint.response(201)
def trigger_retention_execution(body: dict[str, Any], retention_id: int) -> Any:
    _, _, policy = _load(retention_id, Action.UPDATE)
    execution = service.launch(policy, MANUAL, dry_run=body["dry_run"])
    answer = created(execution.id)
    db.session.commit()
    return answer


@blueprint.get("/<int:retention_id>/executions")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, RetentionExecutionSchema(many=True))
def list_retention_executions(arguments: dict[str, Any], retention_id: int) -> Any:
    _, _, policy = _load(retention_id, Action.LIST)
    newest_first = jobs.of_vendor(service.VENDOR, policy.id).order_by(Execution.start_time.desc(), Execution.id.desc())
    rows, headers = page_of(newest_first, arguments)
    return [execution_described(row) for row in rows], headers


@blueprint.route("/<int:retention_id>/executions/<int:execution_id>", methods=["PATCH"])
@blueprint.arguments(OperateSchema)
@blueprint.response(200)
def operate_retention_execution(body: dict[str, Any], retention_id: int, execution_id: int) -> None:
    execution = _load_execution(retention_id, execution_id, Action.UPDATE)
    if body["action"] != "stop":
        raise BadRequest("action should be 'stop'")
    jobs.stop(execution)
    db.session.commit()


@blueprint.get("/<int:retention_id>/executions/<int:execution_id>/tasks")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, RetentionTaskSchema(many=True))
def list_retention_tasks(arguments: dict[str, Any], retention_id: int, execution_id: int) -> Any:
    execution = _load_execution(retention_id, execution_id, Action.LIST)
    rows, headers = page_of(jobs.tasks_of(execution).order_by(Task.id), arguments)
    return [task_described(row) for row in rows], headers


@blueprint.get("/<int:retention_id>/executions/<int:execution_id>/tasks/<int:task_id>")
@blueprint.response(200, content_type="text/plain")
def get_retention_task_log(retention_id: int, execution_id: int, task_id: int) -> Response:
    execution = _load_execution(retention_id, execution_id, Action.READ)
    return Response(logs.read(jobs.get_task(execution, task_id)), mimetype="text/plain")
