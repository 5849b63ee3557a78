"""The text: YAML, or JSON, with the API's objects in it. Whatever it holds that means nothing is an error with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marshmallow as ma
import yaml
from marshmallow import fields, validate

from authsvc.core.api import Schema
from authsvc.core.crypto import read_given
from authsvc.core.errors import BadRequest
from authsvc.immutability.schemas import ImmutableRuleSchema
from authsvc.labels.schemas import LabelSchema
from authsvc.notification.schemas import WebhookPolicySchema
from authsvc.rbac.roles import Role
from authsvc.registries.schemas import RegistrySchema
from authsvc.replication.rules import ALL_LEVELS, MANUAL, TRIGGERS
from authsvc.replication.schemas import ReplicationFilterSchema
from authsvc.retention.schemas import RetentionRuleSchema
from authsvc.robots.schemas import RobotCreateSchema

_MOST_NODES = 5_000_000
MAX_BYTES = 16 * 1024 * 1024
_SHORT = validate.Length(max=255)

Item = dict[str, Any]


class MemberSchema(Schema):
    """A user or a group, and the role."""

    user = fields.String(load_default="", validate=_SHORT)
    group = fields.String(load_default="", validate=validate.Length(max=512))
    type = fields.String(load_default="", validate=validate.OneOf(["", "ldap", "oidc"]))
    source = fields.String(load_default="", validate=validate.Length(max=64))
    role = fields.String(required=True, validate=validate.OneOf([role.label for role in Role]))

    @ma.validates_schema
    def _one(self, data: Item, **_: Any) -> None:
        if bool(data["user"]) == bool(data["group"]):
            raise ma.ValidationError("either a user or a group is a member")


class RetentionSchema(Schema):
    """The one policy of a project."""

    schedule = fields.String(load_default="", validate=_SHORT)
    rules = fields.List(fields.Nested(RetentionRuleSchema), required=True)


class UserSchema(Schema):
    """A local user; a new one gets a generated password."""

    username = fields.String(required=True, validate=_SHORT)
    email = fields.String(load_default="", validate=_SHORT)
    realname = fields.String(load_default="", validate=_SHORT)
    comment = fields.String(load_default="", validate=_SHORT)
    sysadmin_flag = fields.Boolean(load_default=False)


class ReplicationSchema(Schema):
    """A policy; an end that is not named is this registry."""

    name = fields.String(required=True, validate=_SHORT)
    description = fields.String(load_default="", validate=validate.Length(max=1024))
    source = fields.String(load_default="", validate=_SHORT)
    destination = fields.String(load_default="", validate=_SHORT)
    filters = fields.List(fields.Nested(ReplicationFilterSchema), load_default=list)
    namespace = fields.String(load_default="", validate=_SHORT)
    replace_count = fields.Integer(load_default=ALL_LEVELS)
    trigger = fields.String(load_default=MANUAL, validate=validate.OneOf(TRIGGERS))
    cron = fields.String(load_default="", validate=_SHORT)
    deletion = fields.Boolean(load_default=False)
    override = fields.Boolean(load_default=False)
    enabled = fields.Boolean(load_default=True)
    speed = fields.Integer(load_default=0)
    copy_by_chunk = fields.Boolean(load_default=False)
    single_active = fields.Boolean(load_default=False)


class ProjectSchema(Schema):
    """A project and what is in it, but for images."""

    name = fields.String(required=True, validate=_SHORT)
    owner = fields.String(load_default="admin", validate=_SHORT)
    registry = fields.String(load_default=None, allow_none=True, validate=_SHORT)
    metadata = fields.Dict(fields.String(), fields.Raw(), load_default=dict)
    storage_limit = fields.Integer(load_default=None, allow_none=True)
    members = fields.List(fields.Nested(MemberSchema), load_default=None, allow_none=True)
    labels = fields.List(fields.Nested(LabelSchema), load_default=None, allow_none=True)
    robots = fields.List(fields.Nested(RobotCreateSchema), load_default=None, allow_none=True)
    immutable_tag_rules = fields.List(fields.Nested(ImmutableRuleSchema), load_default=None, allow_none=True)
    retention = fields.Nested(RetentionSchema, load_default=None, allow_none=True)
    webhooks = fields.List(fields.Nested(WebhookPolicySchema), load_default=None, allow_none=True)


class DocumentSchema(Schema):
    """All of it; what is not there is left as it is."""

    configuration = fields.Dict(fields.String(), fields.Raw(), load_default=dict)
    users = fields.List(fields.Nested(UserSchema), load_default=None, allow_none=True)
    labels = fields.List(fields.Nested(LabelSchema), load_default=None, allow_none=True)
    robots = fields.List(fields.Nested(RobotCreateSchema), load_default=None, allow_none=True)
    registries = fields.List(fields.Nested(RegistrySchema), load_default=None, allow_none=True)
    replications = fields.List(fields.Nested(ReplicationSchema), load_default=None, allow_none=True)
    projects = fields.List(fields.Nested(ProjectSchema), load_default=list)


class _Loader(yaml.SafeLoader):
    """A key that stands twice is a mistake, not the second one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {str(key) for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"{min(twice)} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def parse(text: str) -> Item:
    """A document as `DocumentSchema` has it, with secrets in the place of what refers to them.

    Raises:
        BadRequest: it cannot be read, or holds what means nothing; the text says where.
    """
    if len(text) > MAX_BYTES:
        raise BadRequest(f"a document has at most {MAX_BYTES} bytes")
    try:
        raw = yaml.load(text, _Loader) or {}  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadRequest(f"the document cannot be read: {' '.join(str(error).split())[:300]}") from None
    if _size(raw, {}) > _MOST_NODES:
        raise BadRequest("the document is too large: its anchors make much of little")
    if not isinstance(raw, dict):
        raise BadRequest(
            "the document is no mapping of configuration, users, labels, robots, registries, replications and projects"
        )
    _require_known(raw, DocumentSchema(), "")
    try:
        loaded: Item = DocumentSchema().load(_resolved(raw, ""))
    except ma.ValidationError as error:
        raise BadRequest(f"the document does not fit: {_first(error.messages)}") from None
    return loaded


def _size(raw: Any, sizes: dict[int, int]) -> int:
    """How many nodes there are, with anchors written out; one that holds itself has more than any number."""
    if not isinstance(raw, (dict, list)):
        return 1
    if id(raw) not in sizes:
        sizes[id(raw)] = _MOST_NODES
        sizes[id(raw)] = 1 + sum(_size(inner, sizes) for inner in (raw.values() if isinstance(raw, dict) else raw))
    return sizes[id(raw)]


def _require_known(raw: Any, schema: ma.Schema, path: str) -> None:
    """What a schema drops silently, where the API says so, is most likely misspelt here."""
    if not isinstance(raw, Mapping):
        return
    if unknown := sorted(str(name) for name in raw if name not in schema.fields):
        known = ", ".join(sorted(name for name, field in schema.fields.items() if not field.dump_only))
        raise BadRequest(f"{path}{unknown[0]}: there is no such field; there are {known}")
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested) and raw.get(name) is not None:
            several = raw[name] if isinstance(field, fields.List) and isinstance(raw[name], list) else None
            for number, one in enumerate(several if several is not None else [raw[name]]):
                _require_known(one, inner.schema, f"{path}{name}[{number}]." if several is not None else f"{path}{name}.")


def _resolved(raw: Any, path: str) -> Any:
    """With what `{env: NAME}` and `{file: PATH}` stand for."""
    match raw:
        case {"env": str(name), **rest} if not rest:
            if name not in os.environ:
                raise BadRequest(f"{path}: there is no environment variable {name}")
            return os.environ[name]
        case {"file": str(name), **rest} if not rest:
            try:
                return read_given(Path(name))
            except (OSError, UnicodeDecodeError) as error:
                raise BadRequest(f"{path}: {error}") from None
        case dict():
            return {name: _resolved(value, f"{path}.{name}" if path else str(name)) for name, value in raw.items()}
        case list():
            return [_resolved(value, f"{path}[{number}]") for number, value in enumerate(raw)]
        case _:
            return raw


def _first(messages: Any, path: str = "") -> str:
    while isinstance(messages, Mapping):
        key, messages = next(iter(messages.items()))
        path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
    return f"{path}: {messages[0]}".replace("._schema", "")


def written(document: Item) -> str:
    """A document as YAML, in the order that it has."""
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120))
