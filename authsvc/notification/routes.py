"""Webhook policies of projects, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from authsvc.audit import service as audit
from authsvc.core.api import Blueprint, ListArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import filtered, ordered
from authsvc.jobs import logs
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, Execution, Task
from authsvc.jobs.schemas import ExecutionSchema, TaskSchema
from authsvc.jobs.schemas import described as executions_described
from authsvc.notification import deliveries, service
from authsvc.notification.models import WebhookPolicy
from authsvc.notification.schemas import (
    SUPPORTED,
    LastTriggerSchema,
    SupportedSchema,
    WebhookJobArguments,
    WebhookJobSchema,
    WebhookPolicySchema,
    as_job,
    wanted,
)
from authsvc.projects.access import load
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("webhook", __name__, url_prefix="/projects", description="Whom a project tells of what happens in it")

PATH = "/<project_name_or_id>/webhook"
POLICY = f"{PATH}/policies/<int:webhook_policy_id>"
COLUMNS = {
    "id": WebhookPolicy.id,
    "name": WebhookPolicy.name,
    "enabled": WebhookPolicy.enabled,
    "creation_time": WebhookPolicy.creation_time,
    "update_time": WebhookPolicy.update_time,
}
EXECUTION_COLUMNS = {
    "id": Execution.id,
    "status": Execution.status,
    "trigger": Execution.trigger,
    "start_time": Execution.start_time,
    "creation_time": Execution.start_time,
    "end_time": Execution.end_time,
}
TASK_COLUMNS = {
    "id": Task.id,
    "status": Task.status,
    "creation_time": Task.creation_time,
    "start_time": Task.start_time,
    "end_time": Task.end_time,
}
NEWEST_FIRST = (WebhookPolicy.creation_time.desc(), WebhookPolicy.id.desc())
LATEST_FIRST = (Execution.start_time.desc(), Execution.id.desc())


@blueprint.get(f"{PATH}/policies")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, WebhookPolicySchema(many=True))
def list_webhook_policies(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.NOTIFICATION_POLICY)
    narrowed = filtered(service.of_project(project), arguments["q"], COLUMNS)
    return page_of(ordered(narrowed, arguments["sort"], COLUMNS, NEWEST_FIRST), arguments)


@blueprint.post(f"{PATH}/policies")
@blueprint.arguments(WebhookPolicySchema)
@blueprint.response(201)
def create_webhook_policy(body: dict[str, Any], project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.CREATE, Resource.NOTIFICATION_POLICY)
    policy = service.create(who.name, project, wanted(body))
    answer = created(policy.id)
    db.session.commit()
    return answer


@blueprint.get(POLICY)
@blueprint.response(200, WebhookPolicySchema)
def get_webhook_policy(project_name_or_id: str, webhook_policy_id: int) -> Any:
    _, project = load(project_name_or_id, Action.READ, Resource.NOTIFICATION_POLICY)
    return service.get(project, webhook_policy_id)


@blueprint.put(POLICY)
@blueprint.arguments(WebhookPolicySchema)
@blueprint.response(200)
def update_webhook_policy(body: dict[str, Any], project_name_or_id: str, webhook_policy_id: int) -> None:
    who, project = load(project_name_or_id, Action.UPDATE, Resource.NOTIFICATION_POLICY)
    policy = service.get(project, webhook_policy_id)
    if body["project_id"] not in (0, project.id):
        raise BadRequest("a webhook policy cannot move to another project")
    service.update(who.name, project, policy, wanted(body))
    db.session.commit()


@blueprint.delete(POLICY)
@blueprint.response(200)
def delete_webhook_policy(project_name_or_id: str, webhook_policy_id: int) -> None:
    who, project = load(project_name_or_id, Action.DELETE, Resource.NOTIFICATION_POLICY)
    service.delete(who.name, project, service.get(project, webhook_policy_id))
    db.session.commit()


@blueprint.get(f"{POLICY}/executions")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, ExecutionSchema(many=True))
def list_webhook_executions(arguments: dict[str, Any], project_name_or_id: str, webhook_policy_id: int) -> Any:
    _, project = load(project_name_or_id, Action.READ, Resource.NOTIFICATION_POLICY)
    narrowed = filtered(service.deliveries(service.get(project, webhook_policy_id)), arguments["q"], EXECUTION_COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], EXECUTION_COLUMNS, LATEST_FIRST), arguments)
    return executions_described(rows), headers


@blueprint.get(f"{POLICY}/executions/<int:execution_id>/tasks")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, TaskSchema(many=True))
def list_webhook_tasks(arguments: dict[str, Any], project_name_or_id: str, webhook_policy_id: int, execution_id: int) -> Any:
    execution = _execution(project_name_or_id, webhook_policy_id, execution_id)
    narrowed = filtered(jobs.tasks_of(execution), arguments["q"], TASK_COLUMNS)
    return page_of(ordered(narrowed, arguments["sort"], TASK_COLUMNS, (Task.id.desc(),)), arguments)


@blueprint.get(f"{POLICY}/executions/<int:execution_id>/tasks/<int:task_id>/log")
@blueprint.response(200, content_type="text/plain")
def get_webhook_task_log(project_name_or_id: str, webhook_policy_id: int, execution_id: int, task_id: int) -> Response:
    execution = _execution(project_name_or_id, webhook_policy_id, execution_id)
    return Response(logs.read(jobs.get_task(execution, task_id)), mimetype="text/plain")


def _execution(project_name_or_id: str, policy_id: int, execution_id: int) -> Execution:
    """A delivery of a policy of a project: an id of one of the three alone opens nothing."""
    _, project = load(project_name_or_id, Action.READ, Resource.NOTIFICATION_POLICY)
    return jobs.get_execution(service.KIND, service.get(project, policy_id).id, execution_id)


@blueprint.post(f"{POLICY}/executions/<int:execution_id>/redeliver")
@blueprint.response(201)
def redeliver_webhook(project_name_or_id: str, webhook_policy_id: int, execution_id: int) -> Any:
    """Tell the event of a delivery once more, to the targets that the policy has now."""
    who, project = load(project_name_or_id, Action.UPDATE, Resource.NOTIFICATION_POLICY)
    policy = service.get(project, webhook_policy_id)
    execution = deliveries.redeliver(policy, jobs.get_execution(service.KIND, policy.id, execution_id))
    audit.record(who.name, "redeliver", "webhook-policy", f"{project.name}/{policy.name}", project_id=project.id)
    return _launched(execution)


@blueprint.post(f"{POLICY}/test")
@blueprint.response(201)
def test_webhook_policy(project_name_or_id: str, webhook_policy_id: int) -> Any:
    """Tell an event that did not happen, to try the targets; also of a policy that is disabled."""
    who, project = load(project_name_or_id, Action.UPDATE, Resource.NOTIFICATION_POLICY)
    policy = service.get(project, webhook_policy_id)
    (execution,) = deliveries.tell([policy], deliveries.sample(project, policy, who.name), MANUAL)
    audit.record(who.name, "test", "webhook-policy", f"{project.name}/{policy.name}", project_id=project.id)
    return _launched(execution)


def _launched(execution: Execution) -> Any:
    policies = request.path.partition("/policies/")[0] + "/policies"
    location = f"{policies}/{execution.vendor_id}/executions/{execution.id}"
    db.session.commit()
    return None, 201, {"Location": location}


@blueprint.get(f"{PATH}/lasttrigger")
@blueprint.response(200, LastTriggerSchema(many=True))
def list_last_triggers(project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.READ, Resource.NOTIFICATION_POLICY)
    policies = db.session.scalars(service.of_project(project).order_by(WebhookPolicy.id)).all()
    known = service.last_triggers(policies)
    return [
        {
            "policy_name": policy.name,
            "event_type": event_type,
            "enabled": policy.enabled,
            "creation_time": policy.creation_time,
            "last_trigger_time": known.get((policy.id, event_type)),
        }
        for policy in policies
        for event_type in policy.event_types
    ]


@blueprint.get(f"{PATH}/events")
@blueprint.response(200, SupportedSchema)
def get_supported_events(project_name_or_id: str) -> Any:
    load(project_name_or_id, Action.READ, Resource.NOTIFICATION_POLICY)
    return SUPPORTED


@blueprint.get(f"{PATH}/jobs")
@blueprint.arguments(WebhookJobArguments, location="query")
@blueprint.response(200, WebhookJobSchema(many=True))
def list_webhook_jobs(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.NOTIFICATION_POLICY)
    statement = service.deliveries(service.get(project, arguments["policy_id"]))
    if arguments["status"]:
        statement = statement.where(Execution.status.in_(arguments["status"]))
    narrowed = filtered(statement, arguments["q"], EXECUTION_COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], EXECUTION_COLUMNS, LATEST_FIRST), arguments)
    return [as_job(row) for row in rows], headers
