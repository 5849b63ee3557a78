"""Harbor's robot objects."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from authsvc.configuration import service as configuration
from authsvc.core.api import Schema, Time
from authsvc.robots import rules
from authsvc.robots.rules import Grant, Wanted

_SHORT = validate.Length(max=255)
_SECRET = fields.String(load_default="", validate=validate.Length(max=1024))


class AccessSchema(Schema):
    resource = fields.String(load_default="", validate=_SHORT)
    action = fields.String(load_default="", validate=_SHORT)
    effect = fields.String(load_default="allow", dump_default="allow", validate=validate.OneOf(["allow", ""]))


class RobotPermissionSchema(Schema):
    kind = fields.String(load_default="", validate=_SHORT, metadata={"description": "system or project"})
    namespace = fields.String(load_default="", validate=_SHORT)
    access = fields.List(fields.Nested(AccessSchema), load_default=list, validate=validate.Length(max=200))


class RobotCreateSchema(Schema):
    name = fields.String(load_default="", validate=_SHORT)
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    level = fields.String(load_default="", validate=_SHORT, metadata={"description": "system or project"})
    duration = fields.Integer(load_default=None, allow_none=True)
    disable = fields.Boolean(load_default=False)
    secret = _SECRET
    permissions = fields.List(fields.Nested(RobotPermissionSchema), load_default=list, validate=validate.Length(max=1000))


class RobotUpdateSchema(RobotCreateSchema):
    id = fields.Integer(load_default=None, allow_none=True)


class RobotSchema(Schema):
    always = frozenset({"editable", "disable"})

    id = fields.Integer()
    name = fields.String()
    description = fields.String()
    level = fields.String()
    duration = fields.Integer()
    editable = fields.Boolean()
    disable = fields.Boolean()
    expires_at = fields.Integer()
    permissions = fields.List(fields.Nested(RobotPermissionSchema))
    creator_type = fields.String()
    creator_ref = fields.Integer()
    creation_time = Time()
    update_time = Time()


class RobotCreatedSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    secret = fields.String()
    creation_time = Time()
    expires_at = fields.Integer()


class RobotSecSchema(Schema):
    always = frozenset({"secret"})
    secret = _SECRET


class RobotV1AccessSchema(Schema):
    resource = fields.String(load_default="", validate=_SHORT)
    action = fields.String(load_default="", validate=_SHORT)


class RobotCreateV1Schema(Schema):
    name = fields.String(load_default="", validate=_SHORT)
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    expires_at = fields.Integer(load_default=-1)
    access = fields.List(fields.Nested(RobotV1AccessSchema), load_default=list, validate=validate.Length(max=200))


class RobotDisableSchema(Schema):
    disable = fields.Boolean(load_default=False)


class RobotSecretSchema(Schema):
    """One of the secrets of a robot, without the secret itself (beyond Harbor's API)."""

    id = fields.Integer()
    creation_time = Time()
    last_used_at = Time()
    last_address = fields.String()


class RobotSecretCreatedSchema(Schema):
    id = fields.Integer()
    secret = fields.String()


def wanted(body: dict[str, Any], project: str) -> Wanted:
    """What a body asks for, of a project ("": at system level).

    Raises:
        BadRequest: a permission that no robot can have.
    """
    duration = body["duration"] if body["duration"] is not None else configuration.value("robot_token_duration")
    grants = [
        Grant(
            entry["kind"],
            entry["namespace"],
            rules.parse_access(entry["kind"], ((access["resource"], access["action"]) for access in entry["access"])),
        )
        for entry in body["permissions"]
    ]
    return Wanted(body["name"], project, body["description"], duration, tuple(grants))
