"""Harbor's objects of webhook policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import ListArguments, Schema, Time
from authsvc.jobs.models import Execution
from authsvc.notification import rules
from authsvc.notification.rules import Target, Wanted


class TargetSchema(Schema):
    type = fields.String(load_default="")
    address = fields.String(load_default="", validate=validate.Length(max=512))
    auth_header = fields.String(load_default="", validate=validate.Length(max=4096))
    secret = fields.String(load_default="", validate=validate.Length(max=256))
    skip_cert_verify = fields.Boolean(load_default=False)
    payload_format = fields.String(load_default="")


class WebhookPolicySchema(Schema):
    always = frozenset({"enabled"})

    id = fields.Integer(load_default=0)
    name = fields.String(load_default="")
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    project_id = fields.Integer(load_default=0)
    targets = fields.List(fields.Nested(TargetSchema), load_default=list)
    event_types = fields.List(fields.String(), load_default=list, validate=validate.Length(max=64))
    creator = fields.String(dump_only=True)
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)
    enabled = fields.Boolean(load_default=False)


class PayloadFormatSchema(Schema):
    notify_type = fields.String()
    formats = fields.List(fields.String())


class SupportedSchema(Schema):
    event_type = fields.List(fields.String())
    notify_type = fields.List(fields.String())
    payload_formats = fields.List(fields.Nested(PayloadFormatSchema))


class LastTriggerSchema(Schema):
    policy_name = fields.String()
    event_type = fields.String()
    enabled = fields.Boolean()
    creation_time = Time()
    last_trigger_time = Time()


class WebhookJobSchema(Schema):
    id = fields.Integer()
    policy_id = fields.Integer()
    event_type = fields.String()
    notify_type = fields.String()
    status = fields.String()
    job_detail = fields.String()
    creation_time = Time()
    update_time = Time()


class WebhookJobArguments(ListArguments):
    policy_id = fields.Integer(required=True)
    status = fields.List(fields.String(), load_default=list)


def wanted(body: Mapping[str, Any]) -> Wanted:
    """A body as the rules take it."""
    targets = tuple(Target(**target) for target in body["targets"])
    return Wanted(body["name"], body["description"], targets, tuple(dict.fromkeys(body["event_types"])), body["enabled"])


SUPPORTED = {
    "event_type": rules.EVENT_TYPES,
    "notify_type": list(rules.FORMATS),
    "payload_formats": [{"notify_type": name, "formats": formats} for name, formats in rules.FORMATS.items()],
}


def as_job(execution: Execution) -> dict[str, Any]:
    """A delivery in the words of Harbor's older list."""
    attrs = execution.extra_attrs
    return {
        "id": execution.id,
        "policy_id": execution.vendor_id,
        "event_type": attrs.get("event_type", ""),
        "notify_type": attrs.get("notify_type", rules.HTTP),
        "status": execution.status,
        "job_detail": json.dumps(attrs["payload"]) if "payload" in attrs else "",
        "creation_time": execution.start_time,
        "update_time": execution.update_time,
    }
