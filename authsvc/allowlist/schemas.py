"""Harbor's allowlist object."""

from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, Schema, Time


class AllowlistItemSchema(Schema):
    cve_id = fields.String(load_default="", validate=validate.Length(max=128))


class AllowlistSchema(Schema):
    always = frozenset({"items"})

    id = fields.Integer(dump_only=True)
    project_id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
    expires_at = fields.Integer(
        allow_none=True,
        load_default=None,
        validate=validate.Range(0, MAX_ID),
        metadata={"description": "epoch seconds; null: never"},
    )
    items = fields.List(
        fields.Nested(AllowlistItemSchema), allow_none=True, load_default=list, validate=validate.Length(max=10_000)
    )
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)
