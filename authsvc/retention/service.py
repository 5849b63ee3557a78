"""Retention policies: verbs and queries, and starting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.jobs import cron as crons
from authsvc.jobs import schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import Execution
from authsvc.projects.models import Project
from authsvc.repositories.models import Repository
from authsvc.retention import rules
from authsvc.retention.models import RetentionPolicy

VENDOR = "RETENTION"
METADATA = "retention_id"  # the key in the project's metadata, which clients read and nobody sets


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as it is asked for: Harbor's rule objects, and six fields or ""."""

    rules: Sequence[Mapping[str, Any]]
    cron: str


# Harbor's for a project that caches the images of another registry: what nobody has pulled for a week goes.
OF_CACHES = Wanted(
    rules=[
        {
            "disabled": False,
            "action": "retain",
            "template": "nDaysSinceLastPull",
            "params": {"nDaysSinceLastPull": 7},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": '{"untagged":true}'}],
            "scope_selectors": {
                "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]
            },
        }
    ],
    cron="0 0 0 * * *",
)


def create(actor: str, project: Project, wanted: Wanted) -> RetentionPolicy:
    """The project's policy.

    Raises:
        BadRequest: a rule or the schedule cannot be used, or the project has a policy.
        Conflict: two rules say the same.
    """
    if present := project.settings.get(METADATA):
        raise BadRequest(f"project {project.id} already has retention policy {present}")
    policy = RetentionPolicy(project_id=project.id, rules=[])
    db.session.add(policy)
    _apply(policy, wanted)
    project.settings = project.settings | {METADATA: str(policy.id)}
    _note(actor, "create", project, policy)
    return policy


def update(actor: str, project: Project, policy: RetentionPolicy, wanted: Wanted) -> None:
    """Other rules, another schedule; executions that run go on by the old ones.

    Raises:
        BadRequest, Conflict: as for `create`.
    """
    _apply(policy, wanted)
    _note(actor, "update", project, policy)


def remove(actor: str, project: Project, policy: RetentionPolicy) -> None:
    """Delete a policy with its schedule and history."""
    _note(actor, "delete", project, policy)
    _forget(policy)
    project.settings = {name: value for name, value in project.settings.items() if name != METADATA}


def remove_of_project(project: Project) -> None:
    """Delete the policy of a project that goes, if it has one."""
    policy = db.session.scalar(select(RetentionPolicy).where(RetentionPolicy.project_id == project.id))
    if policy is not None:
        _forget(policy)


def find(policy_id: int) -> RetentionPolicy | None:
    """A policy by its id, or None."""
    return db.session.get(RetentionPolicy, policy_id)


def get(policy_id: int) -> RetentionPolicy:
    """A policy by its id.

    Raises:
        NotFound
    """
    policy = find(policy_id)
    if policy is None:
        raise NotFound(f"retention policy {policy_id} not found")
    return policy


def launch(policy: RetentionPolicy, trigger: str, *, dry_run: bool) -> Execution:
    """Start it: a task for each repository that a rule looks at. The rules are those of this moment."""
    execution = jobs.begin(VENDOR, trigger, policy.id, {"dry_run": dry_run, "rules": policy.rules})
    parsed = rules.parse(policy.rules)
    statement = select(Repository.id, Repository.name).where(Repository.project_id == policy.project_id)
    for repository_id, full_name in db.session.execute(statement.order_by(Repository.name)).all():
        name = full_name.partition("/")[2]
        if any(rule.concerns(name) for rule in parsed):
            attrs = {"repository": name, "total": 0, "retained": 0}
            jobs.add_task(execution, VENDOR, {"repository_id": repository_id}, attrs)
    jobs.conclude(execution)
    return execution


def _apply(policy: RetentionPolicy, wanted: Wanted) -> None:
    rules.parse(wanted.rules)
    policy.rules = [{**rule, "id": number} for number, rule in enumerate(wanted.rules)]
    policy.cron = crons.parse(crons.CUSTOM, wanted.cron) if wanted.cron.strip() else ""
    db.session.flush()
    if policy.cron:
        schedules.put(VENDOR, policy.id, crons.CUSTOM, policy.cron)
    else:
        schedules.remove(VENDOR, policy.id)


def _forget(policy: RetentionPolicy) -> None:
    schedules.remove(VENDOR, policy.id)
    jobs.delete_of_vendors(VENDOR, [policy.id])
    db.session.delete(policy)


def _note(actor: str, operation: str, project: Project, policy: RetentionPolicy) -> None:
    description = f"{len(policy.rules)} rules, {policy.cron or 'on demand'}"
    resource = f"{project.name}: retention policy {policy.id}"
    audit.record(actor, operation, "retention-policy", resource, project_id=project.id, description=description)
