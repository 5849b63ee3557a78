"""Telling those who want to know: one execution for each event and policy, with one task for each target, which gets its events
in their order. They are launched in the transaction of what they tell of: neither without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from flask import current_app
from sqlalchemy import select

from authsvc.audit.service import Entry
from authsvc.configuration import service as configuration
from authsvc.core import names
from authsvc.core.db import db, utcnow
from authsvc.core.errors import NotFound
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT, MANUAL, Execution
from authsvc.notification import events, rules
from authsvc.notification.events import Event, Resource
from authsvc.notification.models import WebhookPolicy
from authsvc.notification.service import KIND
from authsvc.projects.models import Project
from authsvc.repositories import service as repositories

SLACK = "SLACK"  # Harbor's queue of its own for it
_TYPES = {"create": "PUSH_ARTIFACT", "delete": "DELETE_ARTIFACT", "pull": "PULL_ARTIFACT"}


def hear(entry: Entry) -> None:
    """What is audited, in its transaction: pushes, pulls and deletions are told."""
    event_type = _TYPES.get(entry.operation) if entry.resource_type == "artifact" and entry.succeeded else None
    if event_type is None or entry.project_id is None:
        return
    policies = listening(entry.project_id, event_type)
    if policies:
        name, tag, digest = named(entry)
        tell(policies, _event(event_type, entry.project_id, entry.username, name, entry.at, [_resource(name, tag, digest)]))


def announce(
    event_type: str,
    project_id: int,
    operator: str,
    place: str,
    details: Mapping[str, Any],
    resources: Sequence[tuple[str, str]] = (),
    said: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Tell of what happened in a project, or to a repository there (`place`), in the caller's transaction; `resources`: tag (""
    if there is none) and digest of what it was about, and `said` is of each of them."""
    policies = listening(project_id, event_type)
    if policies:
        about = [replace(_resource(place, tag or digest, digest), details=dict(said)) for tag, digest in resources]
        event = _event(event_type, project_id, operator, place, utcnow(), about)
        tell(policies, replace(event, details=details))


def tell(policies: Sequence[WebhookPolicy], event: Event, trigger: str = EVENT) -> list[Execution]:
    """Launch the deliveries of an event, in the caller's transaction."""
    return [_launch(policy, event, trigger) for policy in policies]


def listening(project_id: int, event_type: str) -> list[WebhookPolicy]:
    """The policies by which somebody is told of such events now."""
    here = select(WebhookPolicy).where(WebhookPolicy.project_id == project_id, WebhookPolicy.enabled)
    found = [policy for policy in db.session.scalars(here.order_by(WebhookPolicy.id)) if event_type in policy.event_types]
    return found if found and configuration.value("notification_enable") else []


def _event(event_type: str, project_id: int, operator: str, name: str, at: datetime, resources: Sequence[Resource]) -> Event:
    project, repository = db.session.get(Project, project_id), repositories.find(name)
    return Event(
        type=event_type,
        occurred=int(at.timestamp()),
        operator=operator,
        project_id=project_id,
        repository=name,
        is_public=bool(project and project.public),
        created=int(repository.creation_time.timestamp()) if repository else 0,
        resources=resources,
    )


def _resource(name: str, tag: str, digest: str) -> Resource:
    settings: Settings = current_app.config["TIDEGATE"]
    separator = "@" if tag == digest else ":"
    return Resource(digest=digest, tag=tag, url=f"{settings.registry_host}/{name}{separator}{tag}")


def named(entry: Entry) -> tuple[str, str, str]:
    """Repository, tag (the digest if there is none) and digest of what an entry is about."""
    name, at, digest = entry.resource.partition("@")
    if at:
        return name, digest, digest
    name, _, tag = entry.resource.rpartition(":")
    return name, tag, entry.description if names.is_digest(entry.description) else ""


def _launch(policy: WebhookPolicy, event: Event, trigger: str) -> Execution:
    shown = {"event_type": event.type, "notify_type": policy.targets[0]["type"], "payload": events.default(event)}
    execution = jobs.begin(KIND, trigger, policy.id, shown | {"event": event.as_json()})
    for number, target in enumerate(policy.targets):
        kind = SLACK if target["type"] == rules.SLACK else KIND
        shown_as = {"address": rules.shown(target["type"], target["address"])}
        jobs.add_task(execution, kind, {"target": number}, shown_as, key=f"{KIND}:{policy.id}:{number}")
    return execution


def redeliver(policy: WebhookPolicy, execution: Execution) -> Execution:
    """Tell an event of a delivery once more, to the targets that the policy has now.

    Raises:
        NotFound: it is of a release that kept no events.
    """
    return _launch(policy, event_of(execution), MANUAL)


def event_of(execution: Execution) -> Event:
    """What a delivery tells of.

    Raises:
        NotFound
    """
    said: Mapping[str, Any] | None = execution.extra_attrs.get("event")
    if said is None:
        raise NotFound(f"delivery {execution.id} holds no event that could be told again")
    return Event.from_json(said)


def sample(project: Project, policy: WebhookPolicy, operator: str, at: datetime | None = None) -> Event:
    """An event as the first that a policy wants, of an image that does not exist: for trying its targets."""
    name = f"{project.name}/tidegate-test"
    image = _resource(name, "test", f"sha256:{'0' * 64}")
    event = _event(policy.event_types[0], project.id, operator, name, at or utcnow(), [image])
    return replace(event, details=events.sentence("a test, nothing has happened"))
