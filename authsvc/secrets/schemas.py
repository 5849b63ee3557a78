"""Refresh tokens, access tokens and sessions as their owner sees them (beyond Harbor's API); the secret only once."""

from marshmallow import fields, validate

from authsvc.core.api import Schema, StrictSchema, Time


class SecretSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    client = fields.String(metadata={"description": "the same as name, for logins that a client keeps"})
    creation_time = Time()
    expires_at = Time()
    last_used_at = Time()
    last_address = fields.String()


class AccessTokenSchema(SecretSchema):
    class Meta:
        exclude = ("client",)

    projects = fields.List(fields.String(), allow_none=True)
    actions = fields.List(fields.String(), allow_none=True)
    networks = fields.List(fields.String())


class AccessTokenCreateSchema(StrictSchema):
    nullable = frozenset({"days"})

    name = fields.String(required=True, validate=validate.Length(1, 255))
    days = fields.Integer(
        load_default=90,
        allow_none=True,
        validate=validate.Range(1, 3650),
        metadata={"description": "null: until it is revoked"},
    )
    projects = fields.List(
        fields.String(validate=validate.Length(max=255)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={"description": "names; without it all projects"},
    )
    actions = fields.List(
        fields.String(validate=validate.Length(max=16)),
        load_default=None,
        allow_none=True,
        metadata={"description": "of pull, push, delete, read, write; without it and projects all that you may do"},
    )
    networks = fields.List(fields.String(validate=validate.Length(max=64)), load_default=[])


class AccessTokenCreatedSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    token = fields.String()
    expires_at = Time()
