"""Harbor's `AuditLog` and `AuditLogExt`; ours add where it came from, and what changed (column -> [before, after])."""

from marshmallow import fields

from authsvc.core.api import Schema, Time


class AuditLogSchema(Schema):
    id = fields.Integer()
    username = fields.String()
    resource = fields.String()
    resource_type = fields.String()
    operation = fields.String()
    op_time = Time()


class AuditLogExtSchema(AuditLogSchema):
    always = frozenset({"operation_result"})

    operation_description = fields.String(attribute="description")
    operation_result = fields.Boolean(attribute="succeeded")
    address = fields.String()
    user_agent = fields.String()
    request_id = fields.String()
    changes = fields.Dict()


class EventTypeSchema(Schema):
    event_type = fields.String()
