"""A project with one of everything: what the placeholders of `operations.OPERATIONS` stand for.

`OBJECTS` maps a placeholder to the function that makes the thing and returns what stands in the path. It is made when it is
first asked for, once in each place, and must differ between two places, so that ids of one can be tried in the other. Where
one name stands for different things, the path up to it is the key. To add a kind of thing: a function, a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authsvc.artifacts import icons, intake
from authsvc.artifacts import service as artifacts
from authsvc.authn.backends.keyless import service as keyless
from authsvc.core.db import db, utcnow
from authsvc.core.patterns import Selector
from authsvc.gate.asked import Asked
from authsvc.gate.asked import Kind as KindAsked
from authsvc.gate.checks import Refusal
from authsvc.gate.decisions import decision, new_id
from authsvc.groups import service as groups
from authsvc.immutability import service as immutability
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT, MANUAL, Execution, Task, TaskLog
from authsvc.labels import service as labels
from authsvc.notification import deliveries
from authsvc.notification import service as notification
from authsvc.notification.rules import Target
from authsvc.notification.rules import Wanted as WantedPolicy
from authsvc.projects import members
from authsvc.projects import service as projects
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.registries import service as registries
from authsvc.registries.remote import Remote
from authsvc.replication import service as replication
from authsvc.replication.service import Wanted as WantedCopies
from authsvc.repositories import service as repositories
from authsvc.retention import service as retention
from authsvc.robots import service as robots
from authsvc.robots.rules import Grant, Wanted
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.users import service as users
from tests.api import scans
from tests.support.registry import PlainRegistry
from tests.support.world import World

PLACEHOLDER = re.compile(r"\{(\w+)\}")
CREATOR = replace(operator("admin"), id=1)
PULL = frozenset({Permission(Resource.REPOSITORY, Action.PULL)})


@dataclass
class Place:
    """A project, and the things in it and around it."""

    world: World
    registry: PlainRegistry
    project: str
    made: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, path: str = "") -> str:
        """What a placeholder stands for here, at the end of `path`."""
        key = path if path in OBJECTS else name
        if key not in self.made:
            self.made[key] = str(OBJECTS[key](self))
        return self.made[key]

    def fill(self, text: str, but: Mapping[str, str] | None = None) -> str:
        """Replace the placeholders in a path or a string, some of them by others than what they stand for here."""
        other = but or {}
        return PLACEHOLDER.sub(lambda found: other.get(found[1]) or self.value(found[1], text[: found.end()]), text)

    def body(self, value: Any) -> Any:
        """Replace the placeholders in all strings of a body."""
        if isinstance(value, dict):
            return {key: self.body(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.body(inner) for inner in value]
        return self.fill(value) if isinstance(value, str) else value


def placeholders(path: str) -> list[str]:
    """The names of the placeholders in a path, in order."""
    return PLACEHOLDER.findall(path)


def _project_id(place: Place) -> int:
    with place.world.changes():
        return projects.get_by_name(place.project).id


def _member(place: Place) -> int:
    user_id = int(place.value("user_id"))
    with place.world.changes():
        return members.add(operator("test"), projects.get_by_name(place.project), users.get(user_id), Role.GUEST).id


def _image(place: Place) -> str:
    name = f"{place.project}/{place.value('repository_name')}"
    digest = place.registry.image(name, "v1", content=place.project)
    with place.world.front.flask.app_context():
        fetched = intake.fetch(place.registry.client, name, "v1")
    assert fetched is not None
    with place.world.changes():
        intake.store(name, fetched, "v1", utcnow())
    return digest


def _free_label(place: Place) -> int:
    with place.world.changes():
        return labels.create("test", projects.get_by_name(place.project).id, "free", "", "").id


def _label(place: Place) -> int:
    digest = place.value("reference")
    with place.world.changes():
        project = projects.get_by_name(place.project)
        label = labels.create("test", project.id, "borne", "", "")
        repository = repositories.get(project, place.value("repository_name"))
        labels.put_on("test", label, artifacts.get(repository, digest), "it")
        return label.id


def _robot(place: Place) -> int:
    with place.world.changes():
        wanted = Wanted("seven", place.project, "", -1, (Grant("project", place.project, PULL),))
        return robots.create(CREATOR, "project", wanted)[0].id


def _robot_secret(place: Place) -> int:
    robot_id = int(place.value("robot_id"))
    with place.world.changes():
        return secrets.issue(Kind.ROBOT, robot_id, robots.get(robot_id).epoch, owner_kind="robot")[1].id


def _user_secret(kind: Kind) -> Callable[[Place], int]:
    def make(place: Place) -> int:
        user_id = int(place.value("user_id"))
        with place.world.changes():
            user = users.get(user_id)
            return secrets.issue(kind, user.id, user.epoch, name="kept")[1].id

    return make


def _group(place: Place) -> int:
    with place.world.changes():
        return groups.create("test", groups.group_name(1, "", f"cn=g,dc={place.project}")).id


def _trust_rule(place: Place) -> int:
    with place.world.changes():
        rule = keyless.create(
            "test",
            name=place.project,
            issuer="https://idp.example.com",
            audience="a",
            claims={"a": "b"},
            project=place.project,
            repositories="*",
            actions=["pull"],
        )
        return rule.id


def _immutable_rule(place: Place) -> int:
    with place.world.changes():
        wanted = immutability.Wanted(Selector("none"), Selector("none"), disabled=False, priority=0)
        return immutability.create("test", projects.get_by_name(place.project), wanted).id


def _retention_policy(place: Place) -> int:
    with place.world.changes():
        return retention.create("test", projects.get_by_name(place.project), retention.Wanted([], "")).id


def _retention_execution(place: Place) -> int:
    policy_id = int(place.value("retention_id"))
    with place.world.changes():
        return jobs.begin(retention.VENDOR, MANUAL, policy_id, {"dry_run": True, "rules": []}).id


def _retention_task(place: Place) -> int:
    execution_id = int(place.value("execution_id", "/retentions/{retention_id}/executions/{execution_id}"))
    with place.world.changes():
        task = jobs.add_task(db.session.get_one(Execution, execution_id), retention.VENDOR, {}, {"repository": "app"})
        db.session.add(TaskLog(task_id=task.id, text="2026-01-01T00:00:00Z [INFO] hello\n"))
        return task.id


def _event(place: Place) -> object:
    with place.world.changes():
        inbox.store(f"event-{place.project}", "{}", quarantined="not understood")
        return db.session.scalars(inbox.quarantined().where(InboxEvent.event_id == f"event-{place.project}")).one().id


def _webhook_policy(place: Place) -> int:
    with place.world.changes():
        target = Target("http", "https://hooks.example.com", "", skip_cert_verify=False)
        wanted = WantedPolicy("told", "", (target,), ("PUSH_ARTIFACT",), enabled=True)
        return notification.create("test", projects.get_by_name(place.project), wanted).id


def _delivery(place: Place) -> int:
    policy_id = int(place.value("webhook_policy_id"))
    with place.world.changes():
        project = projects.get_by_name(place.project)
        event = deliveries.sample(project, notification.get(project, policy_id), "test")
        execution = jobs.launch(notification.KIND, EVENT, policy_id, extra_attrs={"event": event.as_json()})
        db.session.add(TaskLog(task_id=jobs.only_task(execution).id, text="sent\n"))
        return execution.id


def _delivery_task(place: Place) -> int:
    policy_id, execution_id = (int(place.value(name)) for name in ("webhook_policy_id", "execution_id"))
    with place.world.changes():
        return jobs.only_task(jobs.get_execution(notification.KIND, policy_id, execution_id)).id


def _registry(place: Place) -> int:
    with place.world.changes():
        remote = Remote("docker-registry", f"https://{place.project}.example.com")
        return registries.create("test", place.project, "", "", remote).id


def _copies(place: Place) -> int:
    """A replication policy."""
    with place.world.changes():
        remote = Remote("docker-registry", f"https://copies.{place.project}.example.com")
        registry = registries.create("test", f"copies of {place.project}", "", "", remote).id
        wanted = WantedCopies(
            name=place.project,
            description="",
            source=0,
            destination=registry,
            namespace="",
            replace_count=-1,
            trigger="manual",
            cron="",
            filters=[],
            deletion=False,
            override=True,
            enabled=True,
            speed=0,
            copy_by_chunk=False,
            single_active=False,
        )
        return replication.create("test", wanted).id


def _copying(place: Place) -> int:
    with place.world.changes():
        return jobs.begin(replication.KIND, MANUAL, 10**9).id


def _copying_task(place: Place) -> int:
    execution_id = int(place.value("id", "/replication/executions/{id}"))
    with place.world.changes():
        execution = db.session.get_one(Execution, execution_id)
        replication.add_task(execution, replication.COPY, ("a/b", "a/b"), 1, [])
        task = jobs.only_task(execution)
        db.session.add(TaskLog(task_id=task.id, text="2026-01-01T00:00:00Z [INFO] hello\n"))
        return task.id


def _task(place: Place, kind: str) -> Task:
    with place.world.changes():
        task = jobs.only_task(jobs.launch(kind, MANUAL))
        db.session.add(TaskLog(task_id=task.id, text="2026-01-01T00:00:00Z [INFO] hello\n"))
        db.session.flush()
        db.session.refresh(task)
        db.session.expunge(task)
        return task


def _decision(place: Place) -> str:
    with place.world.changes():
        project_id = projects.get_by_name(place.project).id
        asked = Asked("PUT", KindAsked.MANIFEST, f"{place.project}/app", "v1")
        refusal = Refusal(403, "DENIED", "no", "rights")
        db.session.add(row := decision(new_id(), None, asked, project_id, refusal))
        return row.id


def _scanner(place: Place) -> str:
    with place.world.changes():
        return scans.scanner(place.project)


def _report(place: Place) -> str:
    scanner, digest = place.value("registration_id"), place.value("reference")
    with place.world.changes():
        return scans.report(scanner, digest)


OBJECTS: dict[str, Callable[[Place], object]] = {
    "project_name": lambda place: place.project,
    "project_name_or_id": lambda place: place.project,
    "project_id": _project_id,
    "decision_id": _decision,
    "user_id": lambda place: place.world.user(f"somebody-{place.project}"),
    "member_id": _member,
    "repository_name": lambda place: f"app-{place.project}",
    "reference": _image,
    "label_id": _label,
    "free_label_id": _free_label,
    "addition": lambda _place: "build_history",
    "digest": lambda _place: icons.digest_of("IMAGE"),
    "tag_name": lambda _place: "v1",
    "meta_name": lambda _place: "auto_scan",
    "robot_id": _robot,
    "/robots/{robot_id}/secrets/{secret_id}": _robot_secret,
    "/users/{user_id}/refresh-tokens/{secret_id}": _user_secret(Kind.REFRESH),
    "/users/{user_id}/sessions/{secret_id}": _user_secret(Kind.SESSION),
    "/users/{user_id}/access-tokens/{secret_id}": _user_secret(Kind.ACCESS),
    "group_id": _group,
    "rule_id": _trust_rule,
    "event_id": _event,
    "pool_id": lambda _place: "all",
    "webhook_policy_id": _webhook_policy,
    "execution_id": _delivery,
    "task_id": _delivery_task,
    "/registries/{id}": _registry,
    "/replication/policies/{id}": _copies,
    "/replication/executions/{id}": _copying,
    "/replication/executions/{id}/tasks/{task_id}": _copying_task,
    "job_id": lambda place: _task(place, "RETENTION").job_id,
    "/system/purgeaudit/{run_id}": lambda place: _task(place, "PURGE_AUDIT_LOG").execution_id,
    "/system/gc/{run_id}": lambda place: _task(place, "GARBAGE_COLLECTION").execution_id,
    "job_type": lambda _place: "all",
    "immutable_rule_id": _immutable_rule,
    "quota_id": _project_id,
    "retention_id": _retention_policy,
    "/retentions/{retention_id}/executions/{execution_id}": _retention_execution,
    "/retentions/{retention_id}/executions/{execution_id}/tasks/{task_id}": _retention_task,
    "registration_id": _scanner,
    "report_id": _report,
    "name": lambda place: f"source-{place.project}",
}
