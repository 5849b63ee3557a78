"""What Harbor answers about scanners where none is registered, by its paths: clients ask at every look at a project, even where
nobody wants one. Scanners themselves are not served, so there is never one."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from authsvc.artifacts import service as artifacts
from authsvc.core.api import Blueprint, PageArguments
from authsvc.projects.access import load
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service as repositories
from authsvc.scanning.schemas import ScannerSchema

blueprint = Blueprint("scanner", __name__, description="Scanners, of which there are none")

NONE: tuple[list[Any], dict[str, str]] = ([], {"X-Total-Count": "0"})
PROJECT = "/projects/<project_name_or_id>/scanner"
ARTIFACT = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts/<reference>"


@blueprint.get("/scanners")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, ScannerSchema(many=True))
def list_scanners(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.SCANNER)
    return NONE


@blueprint.get(PROJECT)
@blueprint.strangers
@blueprint.response(200, ScannerSchema)
def get_scanner_of_project(project_name_or_id: str) -> Any:
    load(project_name_or_id, Action.READ, Resource.SCANNER)
    return {}


@blueprint.get(f"{PROJECT}/candidates")
@blueprint.strangers
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, ScannerSchema(many=True))
def list_scanner_candidates_of_project(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    load(project_name_or_id, Action.READ, Resource.SCANNER)
    return NONE


@blueprint.get(f"{ARTIFACT}/additions/vulnerabilities")
@blueprint.strangers
@blueprint.response(200, content_type="application/json")
def get_vulnerabilities_addition(project_name: str, repository_name: str, reference: str) -> Response:
    """The reports about an artifact, by their media type."""
    _, project = load(project_name, Action.READ, Resource.ARTIFACT_ADDITION, is_name=True)
    artifacts.get(repositories.get(project, repository_name), reference)
    return jsonify({})
