"""Harbor's project and member objects."""

import marshmallow as ma
from marshmallow import fields, validate

from authsvc.allowlist.schemas import AllowlistSchema
from authsvc.core.api import MAX_ID, ListArguments, PageArguments, Schema, Time
from authsvc.registries.schemas import RegistrySchema


class ProjectUpdateSchema(Schema):
    public = fields.Boolean(allow_none=True, load_default=None)
    metadata = fields.Dict(fields.String(), fields.String(allow_none=True), allow_none=True, load_default=None)
    cve_allowlist = fields.Nested(AllowlistSchema, allow_none=True, load_default=None)
    storage_limit = fields.Integer(
        allow_none=True, load_default=None, metadata={"description": "bytes, -1: no limit; for system administrators"}
    )


class ProjectRequestSchema(ProjectUpdateSchema):
    project_name = fields.String(required=True, validate=validate.Length(max=255))
    registry_id = fields.Integer(
        allow_none=True,
        load_default=None,
        validate=validate.Range(0, MAX_ID),
        metadata={"description": "the registry whose images it caches; for system administrators"},
    )


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
    registry_id = fields.Integer(attribute="project.registry_id")
    owner_name = fields.String(attribute="project.owner.username")
    creation_time = Time(attribute="project.creation_time")
    update_time = Time(attribute="project.update_time")
    metadata = fields.Dict(attribute="project.metadata_")
    repo_count = fields.Integer()
    cve_allowlist = fields.Nested(AllowlistSchema)
    current_user_role_id = fields.Integer()
    current_user_role_ids = fields.List(fields.Integer())


class DeletableSchema(Schema):
    always = frozenset({"deletable"})

    deletable = fields.Boolean()
    message = fields.String()


class ResourcesSchema(Schema):
    """Bytes; -1 as a limit: none."""

    always = frozenset({"storage"})

    storage = fields.Integer(required=True)


class ProjectQuotaSchema(Schema):
    hard = fields.Nested(ResourcesSchema)
    used = fields.Nested(ResourcesSchema)


class UpstreamSchema(RegistrySchema):
    """The registry whose images a project caches, as far as everybody may know."""

    class Meta:
        exclude = ("credential", "ca_certificate")


class ProjectSummarySchema(Schema):
    always = frozenset({"repo_count"})

    repo_count = fields.Integer()
    project_admin_count = fields.Integer()
    maintainer_count = fields.Integer()
    developer_count = fields.Integer()
    guest_count = fields.Integer()
    limited_guest_count = fields.Integer()
    quota = fields.Nested(ProjectQuotaSchema)
    registry = fields.Nested(UpstreamSchema)


class MetadataSchema(ma.Schema):
    """One key and its value, both strings."""

    class Meta:
        unknown = ma.INCLUDE

    @ma.validates_schema
    def _only_strings(self, data: dict[str, object], **_: object) -> None:
        if wrong := sorted(key for key, value in data.items() if not isinstance(value, str)):
            raise ma.ValidationError("Not a valid string.", wrong[0])


class MemberListArguments(PageArguments):
    entityname = fields.String(load_default="", validate=validate.Length(max=255))


class _UserEntitySchema(Schema):
    user_id = fields.Integer(validate=validate.Range(0, MAX_ID))
    username = fields.String(validate=validate.Length(max=255))


class _GroupEntitySchema(Schema):
    id = fields.Integer()
    group_name = fields.String(load_default="", validate=validate.Length(max=255))
    group_type = fields.Integer(load_default=1)
    ldap_group_dn = fields.String(load_default="", validate=validate.Length(max=512))
    source = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "the directory or provider whose group it is, if it could be of several (beyond Harbor's API)"},
    )


class MemberRequestSchema(Schema):
    role_id = fields.Integer(load_default=0)
    member_user = fields.Nested(_UserEntitySchema, allow_none=True, load_default=None)
    member_group = fields.Nested(_GroupEntitySchema, allow_none=True, load_default=None)


class RoleRequestSchema(Schema):
    role_id = fields.Integer(load_default=0)


class MemberSchema(Schema):
    id = fields.Integer()
    project_id = fields.Integer()
    entity_name = fields.String()
    entity_id = fields.Integer()
    entity_type = fields.String()
    role_id = fields.Integer()
    role_name = fields.String()
