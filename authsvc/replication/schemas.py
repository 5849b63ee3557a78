"""Harbor's replication policies, executions and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app
from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, Schema, Time
from authsvc.core.settings import Settings
from authsvc.jobs.models import ERROR, PENDING, RUNNING, STOPPED, SUCCESS, Execution, Task
from authsvc.registries.models import HEALTHY, Registry
from authsvc.registries.providers import HARBOR, LOCAL
from authsvc.registries.schemas import CredentialSchema
from authsvc.registries.schemas import described as registry_described
from authsvc.replication import rules
from authsvc.replication.models import ReplicationPolicy
from authsvc.replication.service import Wanted, proof

STATUSES = {PENDING: "InProgress", RUNNING: "InProgress", SUCCESS: "Succeed", ERROR: "Failed", STOPPED: "Stopped"}
TRIGGERS = {"MANUAL": rules.MANUAL, "SCHEDULE": rules.SCHEDULED, "EVENT": rules.EVENT_BASED}
_MAX_SPEED = 2**31 - 1


class ReplicationFilterSchema(Schema):
    type = fields.String(required=True, validate=validate.Length(max=32))
    value = fields.Raw(load_default="")
    decoration = fields.String(load_default="", validate=validate.Length(max=32))


class ReplicationTriggerSettingsSchema(Schema):
    cron = fields.String(load_default="", validate=validate.Length(max=255))


class ReplicationTriggerSchema(Schema):
    type = fields.String(load_default=rules.MANUAL, validate=validate.Length(max=32))
    trigger_settings = fields.Nested(ReplicationTriggerSettingsSchema, load_default=dict)


class ReplicationEndSchema(Schema):
    """A registry, chosen by its id; the rest of it is only shown."""

    always = frozenset({"id"})

    id = fields.Integer(load_default=LOCAL, validate=validate.Range(0, MAX_ID))
    name = fields.String(dump_only=True)
    url = fields.String(dump_only=True)
    type = fields.String(dump_only=True)
    description = fields.String(dump_only=True)
    insecure = fields.Boolean(dump_only=True)
    ca_certificate = fields.String(dump_only=True)
    credential = fields.Nested(CredentialSchema, dump_only=True)
    status = fields.String(dump_only=True)
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)


class ReplicationPolicySchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True)
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    src_registry = fields.Nested(ReplicationEndSchema, load_default=dict)
    dest_registry = fields.Nested(ReplicationEndSchema, load_default=dict)
    dest_namespace = fields.String(load_default="", validate=validate.Length(max=255))
    dest_namespace_replace_count = fields.Integer(load_default=rules.ALL_LEVELS)
    trigger = fields.Nested(ReplicationTriggerSchema, load_default=dict)
    filters = fields.List(fields.Nested(ReplicationFilterSchema), load_default=list, validate=validate.Length(max=20))
    replicate_deletion = fields.Boolean(load_default=False)
    deletion = fields.Boolean(load_default=False)  # what old clients call it
    override = fields.Boolean(load_default=False)
    enabled = fields.Boolean(load_default=False)
    speed = fields.Integer(load_default=0, validate=validate.Range(-1, _MAX_SPEED))
    copy_by_chunk = fields.Boolean(load_default=False)
    single_active_replication = fields.Boolean(load_default=False)
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)


class StartReplicationSchema(Schema):
    policy_id = fields.Integer(required=True, validate=validate.Range(1, MAX_ID))


class ReplicationExecutionSchema(Schema):
    always = frozenset({"status_text", "total", "failed", "succeed", "in_progress", "stopped"})

    id = fields.Integer()
    policy_id = fields.Integer()
    status = fields.String()
    trigger = fields.String()
    start_time = Time()
    end_time = Time()
    status_text = fields.String()
    total = fields.Integer()
    failed = fields.Integer()
    succeed = fields.Integer()
    in_progress = fields.Integer()
    stopped = fields.Integer()


class ReplicationTaskSchema(Schema):
    id = fields.Integer()
    execution_id = fields.Integer()
    status = fields.String()
    job_id = fields.String()
    operation = fields.String()
    resource_type = fields.String()
    src_resource = fields.String()
    dst_resource = fields.String()
    start_time = Time()
    end_time = Time()


def wanted(body: dict[str, Any]) -> Wanted:
    """What a body asks for."""
    trigger = body["trigger"] or {}
    return Wanted(
        name=body["name"],
        description=body["description"],
        source=body["src_registry"].get("id", LOCAL),
        destination=body["dest_registry"].get("id", LOCAL),
        namespace=body["dest_namespace"],
        replace_count=body["dest_namespace_replace_count"],
        trigger=trigger.get("type", rules.MANUAL),
        cron=(trigger.get("trigger_settings") or {}).get("cron", ""),
        filters=[{name: value for name, value in one.items() if value != ""} for one in body["filters"]],
        deletion=body["replicate_deletion"] or body["deletion"],
        override=body["override"],
        enabled=body["enabled"],
        speed=body["speed"],
        copy_by_chunk=body["copy_by_chunk"],
        single_active=body["single_active_replication"],
    )


def described(policy: ReplicationPolicy, known: Mapping[int, Registry]) -> dict[str, Any]:
    """A policy on the wire; `known`: the registries that it may name, by id."""
    names = ("id", "name", "description", "filters", "override", "enabled", "speed", "copy_by_chunk")
    said = {name: getattr(policy, name) for name in (*names, "creation_time", "update_time")}
    return said | {
        "src_registry": _end(known.get(policy.source_id or LOCAL)),
        "dest_registry": _end(known.get(policy.destination_id or LOCAL)),
        "dest_namespace": policy.namespace,
        "dest_namespace_replace_count": policy.replace_count,
        "trigger": {"type": policy.trigger, "trigger_settings": {"cron": policy.cron}},
        "replicate_deletion": policy.deletion,
        "deletion": policy.deletion,
        "single_active_replication": policy.single_active,
    }


def _end(registry: Registry | None) -> dict[str, Any]:
    if registry is not None:
        return registry_described(registry)
    settings: Settings = current_app.config["TIDEGATE"]
    here = {"id": LOCAL, "name": "Local", "type": HARBOR, "url": settings.external_url, "status": HEALTHY}
    return here | {"insecure": False, "creation_time": None, "update_time": None}


def execution_described(execution: Execution, counted: Mapping[str, int]) -> dict[str, Any]:
    """An execution on the wire; `counted`: how many of its copies have which status."""
    said = {name: getattr(execution, name) for name in ("id", "start_time", "end_time")}
    return said | {
        "policy_id": execution.vendor_id,
        "status": STATUSES[execution.status],
        "trigger": TRIGGERS[execution.trigger],
        "status_text": execution.status_message or proof(execution),
        "total": sum(counted.values()),
        "failed": counted.get(ERROR, 0),
        "succeed": counted.get(SUCCESS, 0),
        "in_progress": counted.get(PENDING, 0) + counted.get(RUNNING, 0),
        "stopped": counted.get(STOPPED, 0),
    }


def task_described(task: Task) -> dict[str, Any]:
    """A task on the wire."""
    said = {name: getattr(task, name) for name in ("id", "execution_id", "job_id", "start_time", "end_time")}
    shown = {name: task.extra_attrs.get(name, "") for name in ("operation", "resource_type", "src_resource", "dst_resource")}
    return said | shown | {"status": STATUSES[task.status]}
