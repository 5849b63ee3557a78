"""Harbor's objects of remote registries."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time
from authsvc.core.sealing import MASK
from authsvc.registries.models import Registry

_KEY, _SECRET = validate.Length(max=255), validate.Length(max=16 * 1024)


class CredentialSchema(Schema):
    type = fields.String(load_default="", validate=validate.Length(max=16))
    access_key = fields.String(load_default="", validate=_KEY)
    access_secret = fields.String(load_default="", validate=_SECRET)


class RegistrySchema(Schema):
    always = frozenset({"id"})

    id = fields.Integer(dump_only=True)
    name = fields.String(required=True)
    url = fields.String(required=True, validate=validate.Length(max=512))
    type = fields.String(required=True)
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    insecure = fields.Boolean(load_default=False)
    ca_certificate = fields.String(load_default="", allow_none=True, validate=_SECRET)
    credential = fields.Nested(CredentialSchema, load_default=None, allow_none=True)
    status = fields.String(dump_only=True)
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)


class _ChangeSchema(Schema):
    url = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=512))
    credential_type = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=16))
    access_key = fields.String(load_default=None, allow_none=True, validate=_KEY)
    access_secret = fields.String(load_default=None, allow_none=True, validate=_SECRET)
    insecure = fields.Boolean(load_default=None, allow_none=True)
    ca_certificate = fields.String(load_default=None, allow_none=True, validate=_SECRET)


class RegistryUpdateSchema(_ChangeSchema):
    name = fields.String(load_default=None, allow_none=True)
    description = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1024))


class RegistryPingSchema(_ChangeSchema):
    id = fields.Integer(load_default=None, allow_none=True)
    type = fields.String(load_default=None, allow_none=True)


class FilterSchema(Schema):
    type = fields.String()
    style = fields.String()
    values = fields.List(fields.String())


class RegistryInfoSchema(Schema):
    type = fields.String()
    description = fields.String()
    supported_resource_filters = fields.List(fields.Nested(FilterSchema))
    supported_triggers = fields.List(fields.String())
    supported_copy_by_chunk = fields.Boolean()


def described(registry: Registry) -> dict[str, Any]:
    """A registry as `RegistrySchema` takes it: of its secret only whether there is one."""
    credential = {
        "type": registry.credential_type,
        "access_key": registry.access_key,
        "access_secret": MASK if registry.sealed_secret else "",
    }
    names = ("id", "name", "url", "type", "description", "insecure", "ca_certificate", "status", "creation_time", "update_time")
    return {name: getattr(registry, name) for name in names} | {"credential": credential if any(credential.values()) else None}
