"""Harbor's health, general information, search and statistics objects."""

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time
from authsvc.projects.schemas import ProjectSchema


class ComponentSchema(Schema):
    name = fields.String()
    status = fields.String()
    error = fields.String()
    warning = fields.String(metadata={"description": "what somebody should see to, though everything works (beyond Harbor)"})


class HealthSchema(Schema):
    status = fields.String()
    components = fields.List(fields.Nested(ComponentSchema))


class DamageSchema(Schema):
    repository = fields.String()
    reference = fields.String(metadata={"description": "a tag or digest"})
    reason = fields.String()
    found_at = Time()
    seen_at = Time()


class HealthArguments(Schema):
    strict = fields.Boolean(load_default=False, metadata={"description": "answer 503 when something is unhealthy"})


class MetricsArguments(Schema):
    comp = fields.String(
        load_default="",
        metadata={"description": "only those of core, jobservice or exporter, as Harbor's scrape configurations ask"},
    )


class GeneralInfoSchema(Schema):
    always = frozenset({"self_registration", "primary_auth_mode", "has_ca_root", "read_only", "notification_enable"})

    auth_mode = fields.String()
    primary_auth_mode = fields.Boolean()
    oidc_provider_name = fields.String()
    self_registration = fields.Boolean()
    harbor_version = fields.String()
    registry_url = fields.String()
    external_url = fields.String()
    project_creation_restriction = fields.String()
    has_ca_root = fields.Boolean()
    read_only = fields.Boolean()
    notification_enable = fields.Boolean()
    banner_message = fields.String()
    registry_storage_provider_name = fields.String()
    current_time = Time()


class StorageSchema(Schema):
    always = frozenset({"total", "free"})

    total = fields.Integer(metadata={"description": "bytes"})
    free = fields.Integer(metadata={"description": "bytes"})


class VolumesSchema(Schema):
    storage = fields.List(fields.Nested(StorageSchema))


class SearchArguments(Schema):
    q = fields.String(required=True, validate=validate.Length(max=255), metadata={"description": "contained in the name"})


class SearchRepositorySchema(Schema):
    always = frozenset({"project_public", "pull_count", "artifact_count"})

    project_id = fields.Integer()
    project_name = fields.String()
    project_public = fields.Boolean()
    repository_name = fields.String()
    pull_count = fields.Integer()
    artifact_count = fields.Integer()


class SearchSchema(Schema):
    always = frozenset({"project", "repository"})

    project = fields.List(fields.Nested(ProjectSchema))
    repository = fields.List(fields.Nested(SearchRepositorySchema))


class StatisticSchema(Schema):
    always = frozenset(
        {f"{which}_{kind}_count" for which in ("private", "public", "total") for kind in ("project", "repo")}
        | {"total_storage_consumption"}
    )

    private_project_count = fields.Integer()
    private_repo_count = fields.Integer()
    public_project_count = fields.Integer()
    public_repo_count = fields.Integer()
    total_project_count = fields.Integer()
    total_repo_count = fields.Integer()
    total_storage_consumption = fields.Integer(metadata={"description": "bytes of all blobs, each once"})


class PermissionSchema(Schema):
    resource = fields.String()
    action = fields.String()


class PermissionsSchema(Schema):
    system = fields.List(fields.Nested(PermissionSchema))
    project = fields.List(fields.Nested(PermissionSchema))


class CurrentPermissionsArguments(Schema):
    scope = fields.String(load_default="", validate=validate.Length(max=64), metadata={"description": "/system or /project/1"})
    relative = fields.Boolean(load_default=False, metadata={"description": "name resources from the scope on"})
