"""Harbor's label object."""

from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, ListArguments, Schema, Time


class LabelSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(load_default="", validate=validate.Length(max=255))
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    color = fields.String(load_default="", validate=validate.Length(max=16))
    scope = fields.String(
        load_default="", validate=validate.Length(max=16), metadata={"description": "g (global) or p (of a project)"}
    )
    project_id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)


class LabelListArguments(ListArguments):
    name = fields.String(load_default="", validate=validate.Length(max=255), metadata={"description": "contains"})
    scope = fields.String(load_default="", validate=validate.Length(max=16), metadata={"description": "g or p; needed"})
    project_id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))


class LabelReferenceSchema(Schema):
    """What is read of a label that is put on an artifact."""

    id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
