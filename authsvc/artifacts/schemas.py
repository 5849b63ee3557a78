"""Harbor's repository, artifact and tag objects."""

from typing import Any

from marshmallow import fields

from authsvc.core.api import ListArguments, Schema, Time


class TagSchema(Schema):
    always = frozenset({"immutable"})

    id = fields.Integer()
    repository_id = fields.Integer()
    artifact_id = fields.Integer()
    name = fields.String()
    push_time = Time()
    pull_time = Time()
    immutable = fields.Constant(False)


class ReferenceSchema(Schema):
    parent_id = fields.Integer()
    child_id = fields.Integer()
    child_digest = fields.String()
    platform: Any = fields.Dict()
    annotations: Any = fields.Dict()
    urls = fields.List(fields.String())


class ArtifactSchema(Schema):
    id = fields.Integer(attribute="artifact.id")
    type = fields.String(attribute="artifact.type")
    media_type = fields.String(attribute="artifact.media_type")
    manifest_media_type = fields.String(attribute="artifact.manifest_media_type")
    artifact_type = fields.String(attribute="artifact.artifact_type")
    project_id = fields.Integer(attribute="artifact.project_id")
    repository_id = fields.Integer(attribute="artifact.repository_id")
    repository_name = fields.String()
    digest = fields.String(attribute="artifact.digest")
    size = fields.Integer(attribute="artifact.size")
    push_time = Time(attribute="artifact.push_time")
    pull_time = Time(attribute="artifact.pull_time")
    extra_attrs: Any = fields.Dict(attribute="artifact.extra_attrs")
    annotations: Any = fields.Dict(attribute="artifact.annotations")
    references = fields.List(fields.Nested(ReferenceSchema))
    tags = fields.List(fields.Nested(TagSchema))


class ArtifactListArguments(ListArguments):
    with_tag = fields.Boolean(load_default=True)


class WithTagArguments(Schema):
    with_tag = fields.Boolean(load_default=True)
