"""Whom a project tells of what happens in it: webhooks, a trial of each, and what was told."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.jobs import logs
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, Execution, Task
from authsvc.notification import deliveries, rules, service
from authsvc.notification.models import WebhookPolicy
from authsvc.notification.rules import Target, Wanted
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("notification", __name__)
# What something tells by now.
EVENTS = ("PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "QUOTA_WARNING", "QUOTA_EXCEED", "REPLICATION", "TAG_RETENTION")
_LONGEST = {"name": 255, "address": 512, "auth_header": 4096, "secret": 256}
_DELIVERIES, _LONGEST_LOG = 20, 16 * 1024


@blueprint.get("/projects/<name>/webhooks")
def show_webhooks(name: str) -> Response:
    return _webhooks(name)


def _webhooks(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.LIST, Resource.NOTIFICATION_POLICY, is_name=True)
    policies = service.of_project(project).order_by(WebhookPolicy.name, WebhookPolicy.id)
    return page(
        "webhooks.html",
        **frame(who, project),
        problem=problem,
        given=request.form,
        policies=db.session.scalars(policies).all(),
        kinds=[*rules.FORMATS],
        events=EVENTS,
        lacking=role_lacking(who, Action.CREATE, Resource.NOTIFICATION_POLICY, project),
    )


@blueprint.post("/projects/<name>/webhooks")
def create_webhook(name: str) -> Response:
    who, project = load(name, Action.CREATE, Resource.NOTIFICATION_POLICY, is_name=True)
    problem = attempted(lambda: service.create(who.name, project, _wanted()))
    return _webhooks(name, problem) if problem else go(_path(name))


def _path(name: str, *more: str) -> str:
    return "/".join((f"/projects/{quote(name, safe='')}/webhooks", *more))


def _wanted() -> Wanted:
    """What the form asks for: one target."""
    given = fields(_LONGEST)
    kind, payload = request.form.get("kind", ""), request.form.get("payload_format", "")
    unverified = request.form.get("skip_cert_verify") == "true"
    formatted = payload if kind == rules.HTTP else rules.DEFAULT
    target = Target(kind, given["address"], formatted, unverified, given["auth_header"], given["secret"])
    return Wanted(given["name"], "", (target,), tuple(request.form.getlist("event")), enabled=True)


@blueprint.get("/projects/<name>/webhooks/<int:policy_id>")
def show_webhook(name: str, policy_id: int) -> Response:
    return _webhook(name, policy_id)


def _webhook(name: str, policy_id: int, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.READ, Resource.NOTIFICATION_POLICY, is_name=True)
    policy = service.get(project, policy_id)
    told = db.session.scalars(service.deliveries(policy).order_by(Execution.id.desc()).limit(_DELIVERIES)).all()
    return page(
        "webhook.html",
        **frame(who, project),
        problem=problem,
        policy=policy,
        told=[(one, db.session.scalars(jobs.tasks_of(one).order_by(Task.id)).all()) for one in told],
        lacking=role_lacking(who, Action.UPDATE, Resource.NOTIFICATION_POLICY, project),
    )


@blueprint.get("/projects/<name>/webhooks/<int:policy_id>/deliveries/<int:execution_id>")
def show_delivery(name: str, policy_id: int, execution_id: int) -> Response:
    who, project = load(name, Action.READ, Resource.NOTIFICATION_POLICY, is_name=True)
    policy = service.get(project, policy_id)
    execution = jobs.get_execution(service.KIND, policy.id, execution_id)
    tasks = db.session.scalars(jobs.tasks_of(execution).order_by(Task.id)).all()
    told = [(task, logs.end_of(task, _LONGEST_LOG)) for task in tasks]
    return page("delivery.html", **frame(who, project), policy=policy, execution=execution, told=told, final=FINAL)


@blueprint.post("/projects/<name>/webhooks/<int:policy_id>")
def change_webhook(name: str, policy_id: int) -> Response:
    """Switch it off or on, try it, or delete it."""
    action = request.form.get("action", "")
    needed = Action.DELETE if action == "delete" else Action.UPDATE
    who, project = load(name, needed, Resource.NOTIFICATION_POLICY, is_name=True)
    if problem := attempted(lambda: _change(who, project, policy_id, action)):
        return _webhook(name, policy_id, problem)
    return go(_path(name) if action == "delete" else _path(name, str(policy_id)))


def _change(who: Principal, project: Project, policy_id: int, action: str) -> None:
    policy = service.get(project, policy_id)
    if action == "delete":
        service.delete(who.name, project, policy)
    elif action == "test":
        deliveries.tell([policy], deliveries.sample(project, policy, who.name), MANUAL)
        audit.record(who.name, "test", "webhook-policy", f"{project.name}/{policy.name}", project_id=project.id)
    elif action in ("disable", "enable"):
        service.set_enabled(who.name, project, policy, action == "enable")
    else:
        raise BadRequest("action is one of disable, enable, test, delete")
