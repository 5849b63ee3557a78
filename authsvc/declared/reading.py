"""An installation as a document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import marshmallow as ma
from marshmallow import fields

from authsvc.authn import configuration as identity
from authsvc.configuration import service as configuration
from authsvc.configuration.items import ITEMS
from authsvc.core.db import db
from authsvc.declared.document import Item
from authsvc.declared.kinds import BEFORE, OF_PROJECT, OF_SYSTEM
from authsvc.declared.places import Kind, Place
from authsvc.projects import rules
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.registries import service as registries

_SIMPLER = {"true": True, "false": False}


def whole(giver: Principal) -> Item:
    """All of it; secrets are left out."""
    found: Item = {"configuration": _configuration()}
    found |= {kind.name: _of(kind, Place(giver)) for kind in (*BEFORE, *OF_SYSTEM)}
    every = db.session.scalars(projects.all_projects().order_by(Project.name)).all()
    found["projects"] = [_project(giver, project) for project in every]
    return {name: value for name, value in found.items() if value}


def some(giver: Principal, names: Sequence[str]) -> Item:
    """Some projects.

    Raises:
        NotFound
    """
    return {"projects": [_project(giver, projects.get_by_name(name)) for name in names]}


def _configuration() -> Item:
    """What differs from the default."""
    defaults = {name: item.default for name, item in (ITEMS | identity.ITEMS).items()} | {"auth_mode": "db_auth"}
    present = configuration.values() | identity.values()
    return {name: value for name, value in sorted(present.items()) if value != defaults[name]}


def _project(giver: Principal, project: Project) -> Item:
    metadata = rules.settable(project.metadata_)
    found: Item = {"name": project.name, "owner": project.owner.username, "metadata": simpler(metadata)}
    if project.registry_id is not None:
        found["registry"] = registries.get(project.registry_id).name
    found["storage_limit"] = project.storage_limit
    for kind in OF_PROJECT:
        items = _of(kind, Place(giver, project.name))
        if items:
            found[kind.name] = items
    return found


def simpler(metadata: Mapping[str, str]) -> Item:
    """Harbor's strings as people write them."""
    return {key: _SIMPLER.get(value, value) for key, value in metadata.items()}


def _of(kind: Kind, place: Place) -> Any:
    items = [short(item, kind.schema, kind.secrets) for item in kind.present(place).values()]
    return (items[0] if items else None) if kind.is_single else items


def short(item: Item, schema: ma.Schema, secrets: Collection[str] = ()) -> Item:
    """An object without what goes without saying, and without secrets."""
    found = {}
    for name, value in item.items():
        known = schema.fields.get(name)
        if known is None or name in secrets or value is None or value == _default(known):
            continue
        inner = known.inner if isinstance(known, fields.List) else known
        if isinstance(inner, fields.Nested):
            nested = inner.schema
            value = [short(one, nested, secrets) for one in value] if isinstance(value, list) else short(value, nested, secrets)  # noqa: PLW2901
        found[name] = value
    return found


def _default(known: Any) -> Any:
    default = known.load_default
    return default() if callable(default) else default
