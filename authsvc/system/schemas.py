"""Harbor's health and general information objects."""

from marshmallow import fields

from authsvc.core.api import Schema, Time


class ComponentSchema(Schema):
    name = fields.String()
    status = fields.String()
    error = fields.String()


class HealthSchema(Schema):
    status = fields.String()
    components = fields.List(fields.Nested(ComponentSchema))


class HealthArguments(Schema):
    strict = fields.Boolean(load_default=False, metadata={"description": "answer 503 when something is unhealthy"})


class GeneralInfoSchema(Schema):
    always = frozenset({"self_registration", "primary_auth_mode", "has_ca_root", "read_only", "notification_enable"})

    auth_mode = fields.String()
    primary_auth_mode = fields.Boolean()
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
