"""Harbor's repository, artifact and tag objects."""

from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import Bounded, ListArguments, PageArguments, Schema, Time
from authsvc.labels.schemas import LabelSchema
from authsvc.scanning.schemas import ReportSummarySchema


class TagSchema(Schema):
    always = frozenset({"immutable"})

    id = fields.Integer()
    repository_id = fields.Integer()
    artifact_id = fields.Integer()
    name = fields.String()
    push_time = Time()
    pull_time = Time()
    immutable = fields.Boolean()


class ReferenceSchema(Schema):
    parent_id = fields.Integer()
    child_id = fields.Integer()
    child_digest = fields.String()
    platform: Any = fields.Dict()
    annotations: Any = fields.Dict()
    urls = fields.List(fields.String())


class AccessorySchema(Schema):
    always = frozenset({"artifact_id", "subject_artifact_digest", "subject_artifact_repo", "size", "digest", "type", "icon"})

    id = fields.Integer(attribute="accessory.id")
    artifact_id = fields.Integer(attribute="accessory.artifact_id")
    subject_artifact_id = fields.Integer(attribute="subject.id")
    subject_artifact_digest = fields.String(attribute="subject.digest")
    subject_artifact_repo = fields.String(attribute="repository_name")
    size = fields.Integer(attribute="artifact.size")
    digest = fields.String(attribute="artifact.digest")
    type = fields.String(attribute="accessory.type")
    icon = fields.String()
    creation_time = Time(attribute="artifact.push_time")


class AdditionLinkSchema(Schema):
    always = frozenset({"absolute"})

    href = fields.String()
    absolute = fields.Boolean()


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
    accessories = fields.List(fields.Nested(AccessorySchema))
    labels = fields.List(fields.Nested(LabelSchema))
    icon = fields.String()
    scan_overview = fields.Dict(keys=fields.String(), values=fields.Nested(ReportSummarySchema))
    addition_links = fields.Dict(keys=fields.String(), values=fields.Nested(AdditionLinkSchema))


class ShownWith(Bounded):
    """What artifacts are shown with."""

    with_tag = fields.Boolean(load_default=True)
    with_label = fields.Boolean(load_default=False)
    with_immutable_status = fields.Boolean(load_default=False)
    with_accessory = fields.Boolean(load_default=False)
    with_scan_overview = fields.Boolean(load_default=False)


class ArtifactArguments(ShownWith, PageArguments):
    """One artifact; Harbor takes a page here, too."""


class ArtifactListArguments(ShownWith, ListArguments):
    """Some of a repository's."""


class ProjectArtifactArguments(ArtifactListArguments):
    latest_in_repository = fields.Boolean(
        load_default=False,
        metadata={"description": "of each repository the last one pushed; q must name media_type or artifact_type, not both"},
    )


class TagListArguments(ListArguments):
    with_immutable_status = fields.Boolean(load_default=False)


class CopyArguments(Schema):
    source = fields.String(
        data_key="from",
        required=True,
        validate=validate.Length(1, 512),
        metadata={"description": "project/repository:tag or project/repository@digest"},
    )


class NewTagSchema(Schema):
    name = fields.String(load_default="", validate=validate.Length(max=255))
