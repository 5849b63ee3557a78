"""Webhook policies: verbs and queries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Select, select

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import Conflict, NotFound
from authsvc.core.outgoing import check_url
from authsvc.core.sealing import MASK, seal, unseal
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs.models import Execution
from authsvc.notification import rules
from authsvc.notification.models import WebhookPolicy
from authsvc.notification.rules import Target, Wanted
from authsvc.projects.models import Project

KIND = "WEBHOOK"  # the vendor type of deliveries


def create(actor: str, project: Project, wanted: Wanted) -> WebhookPolicy:
    """A new policy.

    Raises:
        BadRequest, Conflict
    """
    policy = WebhookPolicy(project_id=project.id, creator=actor)
    _apply(policy, wanted)
    db.session.add(policy)
    _record(actor, "create", project, policy)
    return policy


def update(actor: str, project: Project, policy: WebhookPolicy, wanted: Wanted) -> None:
    """Replace all of a policy; a masked `auth_header` stays if its address does.

    Raises:
        BadRequest, Conflict
    """
    _apply(policy, wanted)
    _record(actor, "update", project, policy)


def set_enabled(actor: str, project: Project, policy: WebhookPolicy, enabled: bool) -> None:
    """Switch a policy on or off, and nothing else."""
    policy.enabled = enabled
    _record(actor, "update", project, policy)


def _apply(policy: WebhookPolicy, wanted: Wanted) -> None:
    rules.check(wanted)
    stored = targets_of(policy) if policy.id else ()
    settings: Settings = current_app.config["TIDEGATE"]
    targets = [
        replace(
            target,
            address=check_url("address", target.address, settings.outgoing_allow),
            payload_format=target.payload_format or rules.DEFAULT,
        )
        for target in (rules.unmasked(target, stored, MASK) for target in wanted.targets)
    ]
    _require_free(policy, wanted.name)
    policy.name, policy.description, policy.enabled = wanted.name, wanted.description, wanted.enabled
    policy.event_types = list(wanted.event_types)
    secrets = [{name: getattr(target, name) for name in rules.SECRETS} for target in targets]
    masked = [{name: MASK if value else "" for name, value in each.items()} for each in secrets]
    policy.targets = [asdict(target) | hidden for target, hidden in zip(targets, masked, strict=True)]
    policy.sealed_headers = seal(json.dumps(secrets)) if any(any(each.values()) for each in secrets) else ""


def _require_free(policy: WebhookPolicy, name: str) -> None:
    named = select(WebhookPolicy.id).where(WebhookPolicy.project_id == policy.project_id, WebhookPolicy.name == name)
    with db.session.no_autoflush:
        if db.session.scalar(named) not in (None, policy.id):
            raise Conflict(f"webhook policy {name} exists already in this project")


def delete(actor: str, project: Project, policy: WebhookPolicy) -> None:
    """Delete a policy with what is known of its deliveries."""
    _record(actor, "delete", project, policy)
    jobs.delete_of_vendors(KIND, [policy.id])
    db.session.delete(policy)


def delete_of_project(project_id: int) -> None:
    """Forget the deliveries of a project that goes; its policies go with its row."""
    jobs.delete_of_vendors(KIND, select(WebhookPolicy.id).where(WebhookPolicy.project_id == project_id))


def targets_of(policy: WebhookPolicy) -> tuple[Target, ...]:
    """The targets with their secrets in the clear.

    Raises:
        Unavailable: they were sealed under another key.
    """
    sealed = json.loads(unseal(policy.sealed_headers)) if policy.sealed_headers else [{}] * len(policy.targets)
    secrets = (each if isinstance(each, dict) else {"auth_header": each} for each in sealed)  # by older releases: headers alone
    return tuple(Target(**target | {"secret": ""} | each) for target, each in zip(policy.targets, secrets, strict=True))


def of_project(project: Project) -> Select[Any]:
    """The policies of a project."""
    return select(WebhookPolicy).where(WebhookPolicy.project_id == project.id)


def get(project: Project, policy_id: int) -> WebhookPolicy:
    """A policy, if it is of this project.

    Raises:
        NotFound
    """
    policy: WebhookPolicy | None = db.session.scalar(of_project(project).where(WebhookPolicy.id == policy_id))
    if policy is None:
        raise NotFound(f"webhook policy {policy_id} not found")
    return policy


def deliveries(policy: WebhookPolicy) -> Select[Any]:
    """The executions of a policy: one for each event."""
    return jobs.of_vendor(KIND, policy.id)


def last_triggers(policies: Iterable[WebhookPolicy]) -> dict[tuple[int, str], datetime]:
    """(policy id, event type) -> when it was triggered last, of those that were; among the deliveries that are kept."""
    ids = [policy.id for policy in policies]
    statement = select(Execution.vendor_id, Execution.extra_attrs, Execution.start_time)
    known = statement.where(Execution.vendor_type == KIND, Execution.vendor_id.in_(ids)).order_by(Execution.id)
    return {(policy_id, str(attrs.get("event_type", ""))): moment for policy_id, attrs, moment in db.session.execute(known)}


def _record(actor: str, operation: str, project: Project, policy: WebhookPolicy) -> None:
    audit.record(actor, operation, "webhook-policy", f"{project.name}/{policy.name}", project_id=project.id)
