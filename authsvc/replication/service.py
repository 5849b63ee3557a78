"""Replication policies: verbs and queries, and starting them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.jobs import cron as crons
from authsvc.jobs import schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import SCHEDULE, Execution
from authsvc.registries import providers
from authsvc.registries import service as registries
from authsvc.replication import rules
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.planning import Item
from authsvc.replication.rules import EVENT_BASED, SCHEDULED

# Harbor's queue, of what copies; and ours, of what looks for what is to be copied: one task of it begins each execution.
KIND, PLAN = "REPLICATION", "REPLICATION_PLAN"
COPY, DELETION = "copy", "deletion"
COUNTED = frozenset({"artifacts", "equal", "deletions", "deleted"})  # what an execution says of itself in numbers
SKIPPED = "skipped: the one before has not ended"
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as it is asked for. `source` and `destination`: ids of registries, of which one is 0, our own."""

    name: str
    description: str
    source: int
    destination: int
    namespace: str
    replace_count: int
    trigger: str
    cron: str
    filters: Sequence[Mapping[str, Any]]
    deletion: bool
    override: bool
    enabled: bool
    speed: int
    copy_by_chunk: bool
    single_active: bool


def create(actor: str, wanted: Wanted) -> ReplicationPolicy:
    """A new policy.

    Raises:
        BadRequest: something of it cannot be used.
        Conflict: the name is taken.
    """
    _require_free(wanted.name)
    policy = ReplicationPolicy(creator=actor)
    _apply(policy, wanted)
    audit.record(actor, "create", "replication-policy", policy.name)
    return policy


def update(actor: str, policy: ReplicationPolicy, wanted: Wanted) -> None:
    """All of it anew; what waits goes by it, too.

    Raises:
        BadRequest, Conflict: as for `create`.
    """
    if wanted.name != policy.name:
        _require_free(wanted.name)
    _apply(policy, wanted)
    audit.record(actor, "update", "replication-policy", policy.name)


def switch(actor: str, policy: ReplicationPolicy, *, enabled: bool) -> None:
    """Switch a policy off or on; executions that run go on."""
    policy.enabled = enabled
    audit.record(actor, "update", "replication-policy", policy.name)


def delete(actor: str, policy: ReplicationPolicy) -> None:
    """Delete a policy with its schedule and history.

    Raises:
        PreconditionFailed: an execution of it has not ended.
    """
    if jobs.is_active(KIND, policy.id):
        raise PreconditionFailed(f"the policy {policy.id} is running; stop it first")
    audit.record(actor, "delete", "replication-policy", policy.name)
    schedules.remove(KIND, policy.id)
    jobs.delete_of_vendors(KIND, [policy.id])
    db.session.delete(policy)


def every() -> Select[Any]:
    """All policies."""
    return select(ReplicationPolicy)


def find(policy_id: int) -> ReplicationPolicy | None:
    """A policy by id, or None."""
    return db.session.get(ReplicationPolicy, policy_id)


def get(policy_id: int) -> ReplicationPolicy:
    """A policy by id.

    Raises:
        NotFound
    """
    policy = find(policy_id)
    if policy is None:
        raise NotFound(f"replication policy {policy_id} not found")
    return policy


def get_by_name(name: str) -> ReplicationPolicy:
    """A policy by its name.

    Raises:
        NotFound
    """
    policy: ReplicationPolicy | None = db.session.scalar(every().where(ReplicationPolicy.name == name))
    if policy is None:
        raise NotFound(f"replication policy {name} not found")
    return policy


def listening() -> Sequence[ReplicationPolicy]:
    """The policies by which something happens when something is pushed here."""
    chosen = every().where(ReplicationPolicy.enabled, ReplicationPolicy.trigger == EVENT_BASED)
    return db.session.scalars(chosen.order_by(ReplicationPolicy.id)).all()


def launch(policy: ReplicationPolicy, trigger: str) -> Execution:
    """Start it: what is to be copied is looked for by the first task, which begins the others. With `single_active`, while
    another one goes on, nothing is started, and that is what the execution says; but for what was pushed, which would be lost.

    Raises:
        PreconditionFailed: it is disabled.
    """
    if not policy.enabled:
        raise PreconditionFailed(f"the policy {policy.id} is disabled")
    is_second = policy.single_active and jobs.is_active(KIND, policy.id)
    execution = jobs.begin(KIND, trigger, policy.id)
    if is_second:
        jobs.skip(execution, SKIPPED)
    else:
        jobs.add_task(execution, PLAN)
    return execution


def add_task(execution: Execution, operation: str, names: tuple[str, str], destination: int, items: Sequence[Item]) -> None:
    """A task for some artifacts of a repository, called `names` where they come from and where they go: to the registry with the
    id `destination`. Of one repository there one task runs at a time, whatever the policy."""
    number = f"[{len(items)} item(s) in total]"
    shown = {"operation": operation, "resource_type": rules.IMAGE}
    shown |= {"src_resource": f"{names[0]} {number}", "dst_resource": f"{names[1]} {number}"}
    said = [item.as_json() for item in items]
    payload = {"operation": operation, "source": names[0], "target": names[1], "items": said}
    key = hashlib.sha256(f"{destination} {names[1]}".encode()).hexdigest()
    jobs.add_task(execution, KIND, payload, shown, key=key)


def start(policy_id: int, _params: Mapping[str, Any]) -> object:
    """What the schedule does."""
    policy = find(policy_id)
    return launch(policy, SCHEDULE) if policy is not None and policy.enabled else None


def proof(execution: Execution) -> str:
    """What a run found to be equal at both ends, or has deleted, in a sentence; "" while it goes on, or if it did neither."""
    said = execution.extra_attrs
    if execution.end_time is None or COUNTED.isdisjoint(said):
        return ""
    moment = f"{execution.end_time:%Y-%m-%d %H:%M:%S} UTC"
    found = (
        [f"{said.get('equal', 0)} of {said['artifacts']} artifacts equal by digest at {moment}"] if "artifacts" in said else []
    )
    found += [f"{said['deleted']} of {said['deletions']} deletions made at {moment}"] if "deletions" in said else []
    excepted = rules.excepted(said.get("excepted", []))
    return "; ".join([*found, *([f"except: {excepted}"] if excepted else [])])


def _require_free(name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise BadRequest(f"the name of a replication policy has 1 to {_LONGEST_NAME} characters")
    if db.session.scalar(select(ReplicationPolicy.id).where(ReplicationPolicy.name == name)) is not None:
        raise Conflict(f"replication policy {name} exists already")


def _apply(policy: ReplicationPolicy, wanted: Wanted) -> None:
    _check(wanted)
    policy.name, policy.description = wanted.name, wanted.description
    policy.source_id, policy.destination_id = wanted.source or None, wanted.destination or None
    policy.namespace, policy.replace_count = wanted.namespace, wanted.replace_count
    policy.trigger, policy.filters = wanted.trigger, [dict(one) for one in wanted.filters]
    policy.cron = crons.parse(crons.CUSTOM, wanted.cron) if wanted.trigger == SCHEDULED else ""
    policy.deletion, policy.override, policy.enabled = wanted.deletion, wanted.override, wanted.enabled
    policy.speed, policy.copy_by_chunk, policy.single_active = wanted.speed, wanted.copy_by_chunk, wanted.single_active
    db.session.add(policy)
    db.session.flush()
    if policy.cron:
        schedules.put(KIND, policy.id, crons.CUSTOM, policy.cron)
    else:
        schedules.remove(KIND, policy.id)


def _check(wanted: Wanted) -> None:
    """
    Raises:
        BadRequest
    """
    if bool(wanted.source) is bool(wanted.destination):
        raise BadRequest("either the source or the destination of a replication is this registry (id 0), and the other is not")
    try:
        other = registries.get(wanted.source or wanted.destination)
    except NotFound as error:
        raise BadRequest(error.message) from None
    if wanted.trigger not in rules.TRIGGERS:
        raise BadRequest(f"the trigger of a replication is {', '.join(rules.TRIGGERS)}")
    if wanted.trigger == EVENT_BASED and wanted.source:
        raise BadRequest("only what is pushed here can start a replication by events")
    if wanted.trigger == SCHEDULED:
        rules.check_cron(wanted.cron)
    rules.check_namespace(wanted.namespace, wanted.replace_count)
    if rules.choice(wanted.filters).labels and wanted.source and other.type != providers.HARBOR:
        raise BadRequest(f"a {other.type} has no labels to choose by")
