"""Replication, by Harbor's paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import select

from authsvc.core.api import MAX_ID, Blueprint, ListArguments, PageArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.query import filtered, ordered
from authsvc.jobs import logs
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, Execution, Task
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.registries.models import Registry
from authsvc.replication import service
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.schemas import (
    STATUSES,
    TRIGGERS,
    ReplicationExecutionSchema,
    ReplicationPolicySchema,
    ReplicationTaskSchema,
    StartReplicationSchema,
    described,
    execution_described,
    task_described,
    wanted,
)
from authsvc.replication.service import KIND

blueprint = Blueprint(
    "replication", __name__, url_prefix="/replication", description="Images that go to other registries, and come from them"
)

COLUMNS = {
    "id": ReplicationPolicy.id,
    "name": ReplicationPolicy.name,
    "description": ReplicationPolicy.description,
    "enabled": ReplicationPolicy.enabled,
    "src_registry_id": ReplicationPolicy.source_id,
    "dest_registry_id": ReplicationPolicy.destination_id,
    "creation_time": ReplicationPolicy.creation_time,
    "update_time": ReplicationPolicy.update_time,
}
EXECUTIONS = {"id": Execution.id, "start_time": Execution.start_time, "end_time": Execution.end_time}
TASKS = {"id": Task.id, "start_time": Task.start_time, "end_time": Task.end_time}


class PolicyListArguments(ListArguments):
    name = fields.String(load_default="", metadata={"description": "part of the name"})


class _SortedArguments(PageArguments):
    sort = fields.String(load_default="", validate=validate.Length(max=256), metadata={"description": "`key,-key`"})
    status = fields.String(load_default="", metadata={"description": "InProgress, Succeed, Failed or Stopped"})


class ExecutionListArguments(_SortedArguments):
    policy_id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
    trigger = fields.String(load_default="", metadata={"description": "manual, scheduled or event_based"})


class TaskListArguments(_SortedArguments):
    resource_type = fields.String(load_default="", metadata={"description": "image or artifact"})


@blueprint.get("/policies")
@blueprint.arguments(PolicyListArguments, location="query")
@blueprint.response(200, ReplicationPolicySchema(many=True))
def list_replication_policies(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.REPLICATION_POLICY)
    named = service.every().where(ReplicationPolicy.name.icontains(arguments["name"], autoescape=True))
    newest = (ReplicationPolicy.creation_time.desc(), ReplicationPolicy.id.desc())
    rows, headers = page_of(ordered(filtered(named, arguments["q"], COLUMNS), arguments["sort"], COLUMNS, newest), arguments)
    known = _registries(rows)
    return [described(row, known) for row in rows], headers


@blueprint.post("/policies")
@blueprint.arguments(ReplicationPolicySchema)
@blueprint.response(201)
def create_replication_policy(body: dict[str, Any]) -> Any:
    who = require_system(Action.CREATE, Resource.REPLICATION_POLICY)
    policy = service.create(who.name, wanted(body))
    answer = created(policy.id)
    db.session.commit()
    return answer


@blueprint.get("/policies/<int:id>")
@blueprint.response(200, ReplicationPolicySchema)
def get_replication_policy(id: int) -> Any:  # noqa: A002 - Harbor's name for it
    require_system(Action.READ, Resource.REPLICATION_POLICY)
    policy = service.get(id)
    return described(policy, _registries([policy]))


@blueprint.put("/policies/<int:id>")
@blueprint.arguments(ReplicationPolicySchema)
@blueprint.response(200)
def update_replication_policy(body: dict[str, Any], id: int) -> None:  # noqa: A002
    who = require_system(Action.UPDATE, Resource.REPLICATION_POLICY)
    service.update(who.name, service.get(id), wanted(body))
    db.session.commit()


@blueprint.delete("/policies/<int:id>")
@blueprint.response(200)
def delete_replication_policy(id: int) -> None:  # noqa: A002
    who = require_system(Action.DELETE, Resource.REPLICATION_POLICY)
    service.delete(who.name, service.get(id))
    db.session.commit()


@blueprint.get("/executions")
@blueprint.arguments(ExecutionListArguments, location="query")
@blueprint.response(200, ReplicationExecutionSchema(many=True))
def list_replication_executions(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.REPLICATION)
    statement = jobs.of_vendor(KIND, arguments["policy_id"] or None)
    if arguments["status"]:
        statement = statement.where(Execution.status.in_(_statuses(arguments["status"])))
    if arguments["trigger"]:
        statement = statement.where(
            Execution.trigger.in_([ours for ours, name in TRIGGERS.items() if name == arguments["trigger"]])
        )
    newest = (Execution.start_time.desc(), Execution.id.desc())
    rows, headers = page_of(ordered(statement, arguments["sort"], EXECUTIONS, newest), arguments)
    counted = jobs.metrics([row.id for row in rows], KIND)
    return [execution_described(row, counted.get(row.id, {})) for row in rows], headers


@blueprint.post("/executions")
@blueprint.arguments(StartReplicationSchema)
@blueprint.response(201)
def start_replication(body: dict[str, Any]) -> Any:
    require_system(Action.CREATE, Resource.REPLICATION)
    execution = service.launch(service.get(body["policy_id"]), MANUAL)
    answer = created(execution.id)
    db.session.commit()
    return answer


@blueprint.get("/executions/<int:id>")
@blueprint.response(200, ReplicationExecutionSchema)
def get_replication_execution(id: int) -> Any:  # noqa: A002
    require_system(Action.READ, Resource.REPLICATION)
    execution = jobs.get_execution(KIND, None, id)
    return execution_described(execution, jobs.metrics([execution.id], KIND).get(execution.id, {}))


@blueprint.put("/executions/<int:id>")
@blueprint.response(200)
def stop_replication(id: int) -> None:  # noqa: A002
    require_system(Action.CREATE, Resource.REPLICATION)
    jobs.stop(jobs.get_execution(KIND, None, id))
    db.session.commit()


@blueprint.get("/executions/<int:id>/tasks")
@blueprint.arguments(TaskListArguments, location="query")
@blueprint.response(200, ReplicationTaskSchema(many=True))
def list_replication_tasks(arguments: dict[str, Any], id: int) -> Any:  # noqa: A002
    require_system(Action.LIST, Resource.REPLICATION)
    statement = jobs.tasks_of(jobs.get_execution(KIND, None, id)).where(Task.kind == KIND)
    if arguments["status"]:
        statement = statement.where(Task.status.in_(_statuses(arguments["status"])))
    if arguments["resource_type"]:
        statement = statement.where(Task.extra_attrs["resource_type"].as_string() == arguments["resource_type"])
    rows, headers = page_of(ordered(statement, arguments["sort"], TASKS, (Task.id.desc(),)), arguments)
    return [task_described(row) for row in rows], headers


@blueprint.get("/executions/<int:id>/tasks/<int:task_id>/log")
@blueprint.response(200, content_type="text/plain")
def get_replication_log(id: int, task_id: int) -> Response:  # noqa: A002
    require_system(Action.READ, Resource.REPLICATION)
    return Response(logs.read(jobs.get_task(jobs.get_execution(KIND, None, id), task_id)), mimetype="text/plain")


def _statuses(name: str) -> list[str]:
    """Ours for one of Harbor's; none for what is none."""
    return [ours for ours, status in STATUSES.items() if status == name]


def _registries(policies: Sequence[ReplicationPolicy]) -> dict[int, Registry]:
    ids = {end for policy in policies for end in (policy.source_id, policy.destination_id) if end is not None}
    return {row.id: row for row in db.session.scalars(select(Registry).where(Registry.id.in_(ids)))}
