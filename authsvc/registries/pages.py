"""Other registries, for system administrators: where they are, whether they answer, and by what name we are known there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request

from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, DomainError
from authsvc.rbac.guard import require_sysadmin
from authsvc.registries import providers, service
from authsvc.registries.models import Registry
from authsvc.ui import listing
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("registries", __name__)
COLUMNS = {"name": Registry.name, "url": Registry.url, "type": Registry.type, "status": Registry.status}
_LONGEST = {"name": 255, "type": 32, "url": 512, "access_key": 255, "access_secret": 16384, "ca_certificate": 16384}
THERE = "/admin/registries"


@blueprint.get(THERE)
def show_registries() -> Response:
    return _registries()


def _registries(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.every()
    if asked.search:
        statement = statement.where(Registry.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Registry.name])
    given = {**request.form} or {"type": providers.HARBOR}
    return page("registries.html", problem=problem, given=given, listing=shown, kinds=providers.ADAPTERS)


@blueprint.post(THERE)
def create_registry() -> Response:
    problem = attempted(_create)
    return _registries(problem) if problem else go(THERE)


def _create() -> None:
    who = require_sysadmin()
    given = _given()
    remote = service.check(given)
    let_go()
    service.require_healthy(remote)
    service.create(who.name, given["name"], "", given["credential_type"], remote)


def _given() -> dict[str, Any]:
    """What the form says, as the API's bodies do."""
    given: dict[str, Any] = dict(fields(_LONGEST))
    given["insecure"] = request.form.get("insecure") == "true"
    return given | {"credential_type": "basic" if given["access_key"] else ""}


@blueprint.get(f"{THERE}/<int:registry_id>")
def show_registry(registry_id: int) -> Response:
    return _registry(registry_id)


def _registry(registry_id: int, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    registry = service.get(registry_id)
    shown = [name for name in (*_LONGEST, "insecure") if name != "access_secret"]
    given: Mapping[str, Any] = request.form or {name: getattr(registry, name) for name in shown}
    return page("registry.html", problem=problem, registry=registry, given=given, kinds=[registry.type])


@blueprint.post(f"{THERE}/<int:registry_id>")
def change_registry(registry_id: int) -> Response:
    """Other fields, or no more of it; a secret that is not given stays."""
    action = request.form.get("action", "")
    actions: dict[str, Callable[[int], None]] = {"save": _save, "delete": _delete}
    problem = attempted(lambda: actions.get(action, _unknown)(registry_id))
    if problem:
        return _registry(registry_id, problem)
    return go(THERE)


def _save(registry_id: int) -> None:
    who = require_sysadmin()
    given = _given()
    if not given["access_secret"]:
        given["access_secret"] = None
    remote = service.check(given | {"type": None}, service.get(registry_id))
    let_go()
    service.require_healthy(remote)
    service.update(who.name, service.get(registry_id), given, remote)


def _delete(registry_id: int) -> None:
    who = require_sysadmin()
    service.delete(who.name, service.get(registry_id))


def _unknown(_registry_id: int) -> None:
    require_sysadmin()
    raise BadRequest("action is one of save, delete")
