"""Quarantined events (beyond Harbor's API)."""

from marshmallow import fields

from authsvc.core.api import Schema, Time


class QuarantinedEventSchema(Schema):
    id = fields.Integer()
    event_id = fields.String()
    reason = fields.String()
    attempts = fields.Integer()
    received_at = Time()
    body = fields.String()
