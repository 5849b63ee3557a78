"""What of a project is kept: the rules, when they run, and how it went."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from flask import Response, request

from authsvc.core import crypto, selectors
from authsvc.core.db import db, hold
from authsvc.core.errors import BadRequest, Conflict, DomainError, NotFound
from authsvc.core.patterns import MAX_LENGTH
from authsvc.core.text import is_storable
from authsvc.jobs import logs, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, Execution, Task
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.retention import rules, service
from authsvc.retention.models import RetentionPolicy
from authsvc.retention.service import METADATA, VENDOR, Wanted
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("retention", __name__)
Rules = Sequence[Mapping[str, Any]]
_RUNS, _MOST_TASKS, _LONGEST_LOGS = 10, 100, 64 * 1024
_LONGEST_CRON, _DIGITS = 255, 9


@blueprint.get("/projects/<name>/retention")
def show_retention(name: str) -> Response:
    return _retention(name)


def _retention(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.LIST, Resource.TAG_RETENTION, is_name=True)
    policy = _policy(project)
    runs = jobs.of_vendor(VENDOR, policy.id).order_by(Execution.id.desc()).limit(_RUNS) if policy else None
    return page(
        "retention.html",
        **frame(who, project),
        problem=problem,
        given=request.form,
        policy=policy,
        final=FINAL,
        rules=rules.parse(policy.rules) if policy else [],
        seen=_seen(policy),
        templates=rules.TEMPLATES,
        runs=db.session.scalars(runs).all() if runs is not None else [],
        schedule=schedules.find(VENDOR, policy.id) if policy else None,
        lacking=role_lacking(who, Action.UPDATE, Resource.TAG_RETENTION, project),
        longest=MAX_LENGTH,
    )


def _policy(project: Project) -> RetentionPolicy | None:
    known = project.settings.get(METADATA)
    return service.find(int(known)) if known else None


def _seen(policy: RetentionPolicy | None) -> str:
    """By what a form says which rules it was made for: whoever changes the third of them means the one that he saw."""
    said = [policy.rules, policy.cron] if policy else []
    return crypto.digest(json.dumps(said, sort_keys=True))[:16]


def _changed(name: str, change: Callable[[list[Mapping[str, Any]], str], tuple[Rules, str]]) -> Response:
    """Change rules and schedule of the project's policy, which is made with the first rule.

    Raises:
        Unauthenticated, Forbidden, NotFound
    """
    who, project = load(name, Action.UPDATE, Resource.TAG_RETENTION, is_name=True)
    problem = attempted(lambda: _change(who, project, change))
    return _retention(name, problem) if problem else go(_path(name))


def _change(who: Principal, project: Project, change: Callable[[list[Mapping[str, Any]], str], tuple[Rules, str]]) -> None:
    hold(project)
    policy = _policy(project)
    if policy is not None:
        db.session.refresh(policy)
    if request.form.get("seen") != _seen(policy):
        raise Conflict(_("Somebody else has changed this meanwhile; look at it again."))
    wanted = Wanted(*change(list(policy.rules) if policy else [], policy.cron if policy else ""))
    if policy is None:
        service.create(who.name, project, wanted)
    else:
        service.update(who.name, project, policy, wanted)


def _path(name: str, *more: str) -> str:
    return "/".join((f"/projects/{quote(name, safe='')}/retention", *more))


@blueprint.post("/projects/<name>/retention/rules")
def add_rule(name: str) -> Response:
    return _changed(name, lambda known, cron: ([*known, _rule()], cron))


def _rule() -> dict[str, Any]:
    """What the form says, as Harbor has it."""
    given = request.form
    template, number = given.get("template", ""), given.get("number", "").strip()
    if template not in rules.TEMPLATES:
        raise BadRequest(f"template is one of {', '.join(rules.TEMPLATES)}")
    if rules.TEMPLATES[template].unit and not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        raise BadRequest(_("Say a number: how many, or how many days."))
    untagged = json.dumps({"untagged": given.get("untagged") == "true"})
    return {
        "priority": 0,
        "disabled": False,
        "action": rules.ACTION,
        "template": template,
        "params": {template: int(number)} if rules.TEMPLATES[template].unit else {},
        "tag_selectors": [_selector("tags", selectors.TAG, untagged)],
        "scope_selectors": {"repository": [_selector("repositories", selectors.REPOSITORY, "")]},
    }


def _selector(field: str, decorations: tuple[str, str], extras: str) -> dict[str, str]:
    pattern = request.form.get(field, "").strip()
    if not pattern:
        raise BadRequest(_("Say which: ** selects all."))
    if len(pattern) > MAX_LENGTH or not is_storable(pattern):
        raise BadRequest(f"a pattern has at most {MAX_LENGTH} characters")
    excludes = request.form.get(f"{field}_excluded") == "true"
    return {"kind": selectors.KIND, "decoration": decorations[excludes], "pattern": pattern, "extras": extras}


@blueprint.post("/projects/<name>/retention/rules/<int:number>")
def change_rule(name: str, number: int) -> Response:
    """Switch a rule off or on, or delete it."""
    return _changed(name, lambda known, cron: (_with(known, number, request.form.get("action", "")), cron))


def _with(known: list[Mapping[str, Any]], number: int, action: str) -> Rules:
    if number >= len(known):
        raise NotFound(f"there is no rule {number}")
    if action == "delete":
        return known[:number] + known[number + 1 :]
    if action not in ("disable", "enable"):
        raise BadRequest("action is one of disable, enable, delete")
    return [*known[:number], {**known[number], "disabled": action == "disable"}, *known[number + 1 :]]


@blueprint.post("/projects/<name>/retention/schedule")
def change_schedule(name: str) -> Response:
    return _changed(name, lambda known, _before: (known, fields({"cron": _LONGEST_CRON})["cron"]))


@blueprint.post("/projects/<name>/retention/runs")
def run(name: str) -> Response:
    """Now: for good, or only to see what would go."""
    _who, project = load(name, Action.UPDATE, Resource.TAG_RETENTION, is_name=True)
    started: list[int] = []
    problem = attempted(lambda: started.append(_launch(project)))
    return _retention(name, problem) if problem else go(_path(name, "runs", str(started[-1])))


def _launch(project: Project) -> int:
    policy = _policy(project)
    if policy is None or not policy.rules:
        raise BadRequest(_("There is no rule yet."))
    return service.launch(policy, MANUAL, dry_run=request.form.get("dry_run") == "true").id


@blueprint.get("/projects/<name>/retention/runs/<int:execution_id>")
def show_run(name: str, execution_id: int) -> Response:
    who, project = load(name, Action.LIST, Resource.TAG_RETENTION, is_name=True)
    policy = _policy(project)
    if policy is None:
        raise NotFound(f"execution {execution_id} not found")
    execution = jobs.get_execution(VENDOR, policy.id, execution_id)
    tasks = db.session.scalars(jobs.tasks_of(execution).order_by(Task.id).limit(_MOST_TASKS)).all()
    return page(
        "retention_run.html",
        **frame(who, project),
        execution=execution,
        tasks=[(task, logs.end_of(task, _LONGEST_LOGS // max(len(tasks), 1))) for task in tasks],
        goes_on=execution.status not in FINAL,
    )
