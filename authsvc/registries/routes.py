"""Remote registries, by Harbor's paths."""

from typing import Any

from flask import jsonify
from flask.wrappers import Response
from marshmallow import fields

from authsvc.core.api import Blueprint, ListArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.query import filtered, ordered
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.registries import providers, service
from authsvc.registries.models import Registry
from authsvc.registries.schemas import (
    RegistryInfoSchema,
    RegistryPingSchema,
    RegistrySchema,
    RegistryUpdateSchema,
    described,
)

blueprint = Blueprint("registry", __name__, description="Registries that images come from and go to")

COLUMNS = {
    "id": Registry.id,
    "name": Registry.name,
    "url": Registry.url,
    "type": Registry.type,
    "status": Registry.status,
    "creation_time": Registry.creation_time,
    "update_time": Registry.update_time,
}


class RegistryListArguments(ListArguments):
    name = fields.String(load_default="", metadata={"description": "part of the name"})


@blueprint.get("/replication/adapters")
@blueprint.response(200)
def list_adapters() -> Response:
    require_system(Action.LIST, Resource.REPLICATION_ADAPTER)
    return jsonify(providers.ADAPTERS)


@blueprint.get("/replication/adapterinfos")
@blueprint.response(200)
def list_adapter_infos() -> Response:
    require_system(Action.LIST, Resource.REPLICATION_ADAPTER)
    return jsonify(providers.infos())


@blueprint.get("/registries")
@blueprint.arguments(RegistryListArguments, location="query")
@blueprint.response(200, RegistrySchema(many=True))
def list_registries(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.REGISTRY)
    named = service.every().where(Registry.name.icontains(arguments["name"], autoescape=True))
    narrowed = filtered(named, arguments["q"], COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], COLUMNS, (Registry.name,)), arguments)
    return [described(row) for row in rows], headers


@blueprint.post("/registries")
@blueprint.arguments(RegistrySchema)
@blueprint.response(201)
def create_registry(body: dict[str, Any]) -> Any:
    who = require_system(Action.CREATE, Resource.REGISTRY)
    credential = body["credential"] or {}
    remote = service.check(body | credential | {"type": body["type"], "credential_type": credential.get("type")})
    service.require_healthy(remote)
    registry = service.create(who.name, body["name"], body["description"], credential.get("type", ""), remote)
    answer = created(registry.id)
    db.session.commit()
    return answer


@blueprint.post("/registries/ping")
@blueprint.arguments(RegistryPingSchema)
@blueprint.response(200)
def ping_registry(body: dict[str, Any]) -> None:
    require_system(Action.READ, Resource.REGISTRY)
    stored = service.get(body["id"]) if body["id"] else None
    remote = service.check(body, stored)
    db.session.rollback()  # asking takes its time, and nothing is to wait for it
    service.require_healthy(remote)


@blueprint.get("/registries/<int:id>")
@blueprint.response(200, RegistrySchema)
def get_registry(id: int) -> Any:  # noqa: A002 - Harbor's name for it
    require_system(Action.READ, Resource.REGISTRY)
    return described(service.get(id))


@blueprint.put("/registries/<int:id>")
@blueprint.arguments(RegistryUpdateSchema)
@blueprint.response(200)
def update_registry(body: dict[str, Any], id: int) -> None:  # noqa: A002
    who = require_system(Action.UPDATE, Resource.REGISTRY)
    remote = service.check(body, service.get(id))
    if service.is_other(remote, service.get(id)):
        db.session.rollback()
        service.require_healthy(remote)
    service.update(who.name, service.get(id), body, remote)
    db.session.commit()


@blueprint.delete("/registries/<int:id>")
@blueprint.response(200)
def delete_registry(id: int) -> None:  # noqa: A002
    who = require_system(Action.DELETE, Resource.REGISTRY)
    service.delete(who.name, service.get(id))
    db.session.commit()


@blueprint.get("/registries/<int:id>/info")
@blueprint.response(200, RegistryInfoSchema)
def get_registry_info(id: int) -> Any:  # noqa: A002
    require_system(Action.READ, Resource.REGISTRY)
    kind = providers.HARBOR if id == providers.LOCAL else service.get(id).type
    return {
        "type": kind,
        "supported_resource_filters": providers.filters(kind),
        "supported_triggers": providers.triggers(local=id == providers.LOCAL),
        "supported_copy_by_chunk": kind == providers.HARBOR,
    }
