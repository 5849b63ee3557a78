"""Scanners, by Harbor's paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select

from authsvc.core.api import Blueprint, ListArguments, created, page_of
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.core.query import filtered, ordered
from authsvc.projects.access import load
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.scanners import service
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import Metadata
from authsvc.scanners.schemas import (
    IsDefaultSchema,
    ProjectScannerSchema,
    ScannerMetadataSchema,
    ScannerRequestSchema,
    ScannerSchema,
    ScannerSettingsSchema,
    described,
)
from authsvc.scanners.service import Wanted

blueprint = Blueprint("scanner", __name__, description="Scanners: programs of others that look into images")

PROJECT = "/projects/<project_name_or_id>/scanner"
COLUMNS = {
    "name": Scanner.name,
    "url": Scanner.url,
    "description": Scanner.description,
    "create_time": Scanner.creation_time,
    "update_time": Scanner.update_time,
}


def _asked(wanted: Wanted) -> Metadata:
    """What the scanner says, before anything is written.

    Raises:
        BadRequest: it does not answer as a scanner does.
    """
    let_go()
    try:
        return service.ask(wanted.endpoint)
    except Unavailable as error:
        raise BadRequest(f"the scanner cannot be used: {error.message}") from None


@blueprint.get("/scanners")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, ScannerSchema(many=True))
def list_scanners(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.SCANNER)
    rows, headers = _page(service.every(), arguments)
    return [described(row) for row in rows], headers


def _page(found: Select[Any], arguments: dict[str, Any]) -> tuple[Sequence[Scanner], dict[str, str]]:
    oldest_first = (Scanner.creation_time, Scanner.id)
    return page_of(ordered(filtered(found, arguments["q"], COLUMNS), arguments["sort"], COLUMNS, oldest_first), arguments)


@blueprint.post("/scanners")
@blueprint.arguments(ScannerRequestSchema)
@blueprint.response(201)
def create_scanner(body: dict[str, Any]) -> Any:
    who = require_system(Action.CREATE, Resource.SCANNER)
    wanted = service.check(body)
    scanner = service.create(who.name, wanted, _asked(wanted))
    answer = created(scanner.uuid)
    db.session.commit()
    return answer


@blueprint.post("/scanners/ping")
@blueprint.arguments(ScannerSettingsSchema)
@blueprint.response(200)
def ping_scanner(body: dict[str, Any]) -> None:
    require_system(Action.READ, Resource.SCANNER)
    _asked(service.check(body, service.find_by_url(body["url"])))


@blueprint.get("/scanners/<registration_id>")
@blueprint.response(200, ScannerSchema)
def get_scanner(registration_id: str) -> Any:
    require_system(Action.READ, Resource.SCANNER)
    return described(service.get(registration_id))


@blueprint.put("/scanners/<registration_id>")
@blueprint.arguments(ScannerRequestSchema)
@blueprint.response(200)
def update_scanner(body: dict[str, Any], registration_id: str) -> None:
    who = require_system(Action.UPDATE, Resource.SCANNER)
    wanted = service.check(body, service.get(registration_id))
    said = None if body["disabled"] else _asked(wanted)
    service.change(who.name, service.get(registration_id), wanted, said)
    db.session.commit()


@blueprint.delete("/scanners/<registration_id>")
@blueprint.response(200, ScannerSchema)
def delete_scanner(registration_id: str) -> Any:
    who = require_system(Action.DELETE, Resource.SCANNER)
    scanner = service.get(registration_id)
    was = described(scanner)
    service.delete_scanner(who.name, scanner)
    db.session.commit()
    return was


@blueprint.patch("/scanners/<registration_id>")
@blueprint.arguments(IsDefaultSchema)
@blueprint.response(200)
def set_scanner_as_default(body: dict[str, Any], registration_id: str) -> None:
    who = require_system(Action.UPDATE, Resource.SCANNER)
    scanner = service.get(registration_id)
    if body["is_default"]:
        service.make_default(who.name, scanner)
    db.session.commit()


@blueprint.get("/scanners/<registration_id>/metadata")
@blueprint.response(200, ScannerMetadataSchema)
def get_scanner_metadata(registration_id: str) -> Any:
    """What it says of itself now."""
    require_system(Action.READ, Resource.SCANNER)
    endpoint = service.endpoint_of(service.get(registration_id))
    let_go()
    return service.ask(endpoint).as_json()


@blueprint.get(PROJECT)
@blueprint.strangers
@blueprint.response(200, ScannerSchema)
def get_scanner_of_project(project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.READ, Resource.SCANNER)
    scanner = service.of_project(project.id)
    return _seen(who, scanner) if scanner is not None else {}


def _seen(who: Principal, scanner: Scanner) -> dict[str, Any]:
    """As those see it who may not manage scanners: where it is and how it is asked is not theirs to know."""
    shown = described(scanner)
    hidden = {} if who.is_sysadmin else {"url": "", "auth": "", "access_credential": ""}
    return shown | hidden


@blueprint.put(PROJECT)
@blueprint.arguments(ProjectScannerSchema)
@blueprint.response(200)
def set_scanner_of_project(body: dict[str, Any], project_name_or_id: str) -> None:
    who, project = load(project_name_or_id, Action.CREATE, Resource.SCANNER)
    service.choose(who.name, project, service.get(body["uuid"]))
    db.session.commit()


@blueprint.get(f"{PROJECT}/candidates")
@blueprint.strangers
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, ScannerSchema(many=True))
def list_scanner_candidates_of_project(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    who, _ = load(project_name_or_id, Action.READ, Resource.SCANNER)
    rows, headers = _page(service.every().where(~Scanner.disabled), arguments)
    return [_seen(who, row) for row in rows], headers
