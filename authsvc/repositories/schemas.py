"""Harbor's repository object."""

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time


class RepositorySchema(Schema):
    always = frozenset({"artifact_count", "pull_count"})

    id = fields.Integer(attribute="repository.id")
    project_id = fields.Integer(attribute="repository.project_id")
    name = fields.String(attribute="repository.name")
    description = fields.String(attribute="repository.description")
    pull_count = fields.Integer(attribute="repository.pull_count")
    artifact_count = fields.Integer()
    creation_time = Time(attribute="repository.creation_time")
    update_time = Time(attribute="repository.update_time")


class RepositoryUpdateSchema(Schema):
    description = fields.String(load_default="", validate=validate.Length(max=10_000))
