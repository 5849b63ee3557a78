"""Harbor's quotas."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import MAX_ID, PageArguments, Schema, Time
from authsvc.projects.models import Project
from authsvc.projects.schemas import ResourcesSchema


class QuotaReferenceSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    owner_name = fields.String()


class QuotaSchema(Schema):
    id = fields.Integer()
    ref = fields.Nested(QuotaReferenceSchema)
    hard = fields.Nested(ResourcesSchema)
    used = fields.Nested(ResourcesSchema)
    creation_time = Time()
    update_time = Time()


class QuotaUpdateSchema(Schema):
    hard = fields.Nested(ResourcesSchema, required=True)


class QuotaListArguments(PageArguments):
    sort = fields.String(load_default="", validate=validate.Length(max=256), metadata={"description": "`key,-key`"})
    reference = fields.String(load_default="", validate=validate.Length(max=255), metadata={"description": "`project`"})
    reference_id = fields.Integer(
        load_default=None, validate=validate.Range(0, MAX_ID), metadata={"description": "a project's id"}
    )


def described(project: Project) -> dict[str, Any]:
    """A quota on the wire."""
    return {
        "id": project.id,
        "ref": {"id": project.id, "name": project.name, "owner_name": project.owner.username},
        "hard": {"storage": project.storage_limit},
        "used": {"storage": project.usage.bytes},
        "creation_time": project.creation_time,
        "update_time": project.update_time,
    }
