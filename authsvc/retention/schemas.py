"""Harbor's retention policies, executions and tasks."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, Schema, Time
from authsvc.core.selectors import KIND, REPOSITORY, TAG
from authsvc.immutability.schemas import ScopeSelectorsSchema, SelectorSchema
from authsvc.jobs.models import FINAL, RUNNING, Execution, Task
from authsvc.retention.models import RetentionPolicy
from authsvc.retention.rules import ACTION, ALGORITHM, TEMPLATES
from authsvc.retention.service import Wanted

_MAX_INT = 2**31 - 1
SCHEDULED = "Schedule"  # Harbor's only kind of trigger; without a cron it never comes


class RetentionRuleSchema(Schema):
    id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
    priority = fields.Integer(load_default=0, validate=validate.Range(-_MAX_INT, _MAX_INT))
    disabled = fields.Boolean(load_default=False)
    action = fields.String(load_default=ACTION, validate=validate.Equal(ACTION))
    template = fields.String(required=True, validate=validate.Length(max=64))
    params = fields.Dict(fields.String(validate=validate.Length(max=64)), fields.Raw(), load_default=dict, allow_none=True)
    tag_selectors = fields.List(fields.Nested(SelectorSchema), required=True, validate=validate.Length(max=10))
    scope_selectors = fields.Nested(ScopeSelectorsSchema, required=True)


class TriggerSettingsSchema(Schema):
    always = frozenset({"cron"})

    cron = fields.String(load_default="", validate=validate.Length(max=255))


class TriggerSchema(Schema):
    kind = fields.String(load_default=SCHEDULED, validate=validate.Equal(SCHEDULED))
    settings = fields.Nested(TriggerSettingsSchema, load_default=lambda: {"cron": ""}, allow_none=True)


class RetentionScopeSchema(Schema):
    level = fields.String(required=True, validate=validate.Length(max=32))
    ref = fields.Integer(required=True, validate=validate.Range(-MAX_ID, MAX_ID))


class RetentionPolicySchema(Schema):
    always = frozenset({"rules"})

    id = fields.Integer(load_default=0)
    algorithm = fields.String(load_default=ALGORITHM, validate=validate.Equal(ALGORITHM))
    rules = fields.List(fields.Nested(RetentionRuleSchema), load_default=list, allow_none=True)
    trigger = fields.Nested(TriggerSchema, load_default=dict, allow_none=True)
    scope = fields.Nested(RetentionScopeSchema, required=True)


class RunSchema(Schema):
    dry_run = fields.Boolean(load_default=False)


class OperateSchema(Schema):
    action = fields.String(required=True, validate=validate.Length(max=32))


class RetentionExecutionSchema(Schema):
    id = fields.Integer()
    policy_id = fields.Integer()
    start_time = Time()
    end_time = Time()
    status = fields.String()
    trigger = fields.String()
    dry_run = fields.Boolean()


class RetentionTaskSchema(Schema):
    always = frozenset({"status_code", "total", "retained"})

    id = fields.Integer()
    execution_id = fields.Integer()
    repository = fields.String()
    job_id = fields.String()
    status = fields.String()
    status_code = fields.Integer()
    status_revision = fields.Integer()
    start_time = Time()
    end_time = Time()
    total = fields.Integer()
    retained = fields.Integer()


class _ParameterSchema(Schema):
    always = frozenset({"required"})

    type = fields.String()
    unit = fields.String()
    required = fields.Boolean()


class _TemplateSchema(Schema):
    always = frozenset({"params"})

    rule_template = fields.String()
    display_text = fields.String()
    action = fields.String()
    params = fields.List(fields.Nested(_ParameterSchema))


class _SelectorKindSchema(Schema):
    display_text = fields.String()
    kind = fields.String()
    decorations = fields.List(fields.String())


class RetentionMetadataSchema(Schema):
    templates = fields.List(fields.Nested(_TemplateSchema))
    scope_selectors = fields.List(fields.Nested(_SelectorKindSchema))
    tag_selectors = fields.List(fields.Nested(_SelectorKindSchema))


def metadata() -> dict[str, Any]:
    """What rules can be made of."""
    return {
        "templates": [
            {
                "rule_template": name,
                "display_text": template.text,
                "action": ACTION,
                "params": [{"type": "int", "unit": template.unit, "required": True}] if template.unit else [],
            }
            for name, template in TEMPLATES.items()
        ],
        "scope_selectors": [{"display_text": "Repositories", "kind": KIND, "decorations": list(REPOSITORY)}],
        "tag_selectors": [{"display_text": "Tags", "kind": KIND, "decorations": list(TAG)}],
    }


def wanted(body: dict[str, Any]) -> Wanted:
    """What a body asks for."""
    rules = [{**rule, "params": rule["params"] or {}} for rule in body["rules"] or []]
    return Wanted(rules, ((body["trigger"] or {}).get("settings") or {"cron": ""})["cron"])


def described(policy: RetentionPolicy) -> dict[str, Any]:
    """A policy on the wire."""
    return {
        "id": policy.id,
        "algorithm": ALGORITHM,
        "rules": policy.rules,
        "trigger": {"kind": SCHEDULED, "settings": {"cron": policy.cron}},
        "scope": {"level": "project", "ref": policy.project_id},
    }


def execution_described(execution: Execution) -> dict[str, Any]:
    """An execution on the wire."""
    names = ("id", "start_time", "end_time", "status", "trigger")
    said = {name: getattr(execution, name) for name in names}
    return said | {"policy_id": execution.vendor_id, "dry_run": execution.extra_attrs["dry_run"]}


def task_described(task: Task) -> dict[str, Any]:
    """A task on the wire. `status_code`: how far it is, by Harbor's numbers."""
    names = ("id", "execution_id", "job_id", "status", "start_time", "end_time")
    code = 3 if task.status in FINAL else 2 if task.status == RUNNING else 0
    said = {name: getattr(task, name) for name in names}
    return said | {"status_code": code, "status_revision": int(task.update_time.timestamp())} | task.extra_attrs
