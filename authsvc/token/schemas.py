"""Refresh tokens as their owner sees them (beyond Harbor's API); never the secret."""

from marshmallow import fields

from authsvc.core.api import Schema, Time


class RefreshTokenSchema(Schema):
    id = fields.Integer()
    client = fields.String()
    creation_time = Time()
    expires_at = Time()
    last_used_at = Time()
    last_address = fields.String()
