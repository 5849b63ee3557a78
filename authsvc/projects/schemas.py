"""Harbor's project and member objects."""

from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, ListArguments, Schema, Time


class ProjectRequestSchema(Schema):
    project_name = fields.String(required=True, validate=validate.Length(max=255))
    public = fields.Boolean(allow_none=True, load_default=None)
    metadata = fields.Dict(fields.String(), fields.String(allow_none=True), allow_none=True, load_default=None)


class ProjectUpdateSchema(Schema):
    public = fields.Boolean(allow_none=True, load_default=None)
    metadata = fields.Dict(fields.String(), fields.String(allow_none=True), allow_none=True, load_default=None)


class ProjectListArguments(ListArguments):
    name = fields.String(load_default="", validate=validate.Length(max=255), metadata={"description": "contains"})
    public = fields.Boolean(load_default=None, allow_none=True)
    owner = fields.String(load_default="", validate=validate.Length(max=255))
    with_detail = fields.Boolean(load_default=True)


class ProjectHeadArguments(Schema):
    project_name = fields.String(required=True, validate=validate.Length(1, 255))


class ProjectSchema(Schema):
    always = frozenset({"repo_count"})

    project_id = fields.Integer(attribute="project.id")
    name = fields.String(attribute="project.name")
    owner_id = fields.Integer(attribute="project.owner_id")
    owner_name = fields.String(attribute="project.owner.username")
    creation_time = Time(attribute="project.creation_time")
    update_time = Time(attribute="project.update_time")
    metadata = fields.Dict(attribute="project.metadata_")
    repo_count = fields.Integer()
    current_user_role_id = fields.Integer()
    current_user_role_ids = fields.List(fields.Integer())


class MemberListArguments(ListArguments):
    entityname = fields.String(load_default="", validate=validate.Length(max=255))


class _UserEntitySchema(Schema):
    user_id = fields.Integer(validate=validate.Range(0, MAX_ID))
    username = fields.String(validate=validate.Length(max=255))


class _GroupEntitySchema(Schema):
    id = fields.Integer()
    group_name = fields.String(load_default="", validate=validate.Length(max=255))
    group_type = fields.Integer(load_default=1)
    ldap_group_dn = fields.String(load_default="", validate=validate.Length(max=512))


class MemberRequestSchema(Schema):
    role_id = fields.Integer(required=True)
    member_user = fields.Nested(_UserEntitySchema, allow_none=True, load_default=None)
    member_group = fields.Nested(_GroupEntitySchema, allow_none=True, load_default=None)


class RoleRequestSchema(Schema):
    role_id = fields.Integer(required=True)


class MemberSchema(Schema):
    id = fields.Integer()
    project_id = fields.Integer()
    entity_name = fields.String()
    entity_id = fields.Integer()
    entity_type = fields.String()
    role_id = fields.Integer()
    role_name = fields.String()
