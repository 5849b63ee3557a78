"""Harbor's user group objects."""

from marshmallow import fields, validate

from authsvc.core.api import Schema


class UserGroupSchema(Schema):
    id = fields.Integer(dump_only=True)
    group_name = fields.String(load_default="", validate=validate.Length(max=255))
    group_type = fields.Integer(load_default=1)
    ldap_group_dn = fields.String(load_default="", validate=validate.Length(max=512))
    source = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "the directory or provider whose group it is, if it could be of several (beyond Harbor's API)"},
    )


class UserGroupRenameSchema(Schema):
    group_name = fields.String(required=True, validate=validate.Length(1, 255))


class UserGroupSearchSchema(Schema):
    id = fields.Integer()
    group_name = fields.String()
    group_type = fields.Integer()
    source = fields.String()
