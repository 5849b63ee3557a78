"""Additions of artifacts, and icons, by Harbor's paths."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response, current_app

from authsvc.additions import service
from authsvc.additions.schemas import IconSchema
from authsvc.artifacts import icons
from authsvc.artifacts import service as artifacts
from authsvc.core import names
from authsvc.core.api import Blueprint
from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, NotFound
from authsvc.projects.access import load
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service as repositories

blueprint = Blueprint("addition", __name__, description="What there is to read about artifacts")

PATH = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts/<reference>/additions/<addition>"


@blueprint.get(PATH)
@blueprint.strangers
@blueprint.response(200, content_type="application/json")
def get_addition(project_name: str, repository_name: str, reference: str, addition: str) -> Response:
    """Build history of an image, values, readme and dependencies of a chart, readme, license and files of a model."""
    _, project = load(project_name, Action.READ, Resource.ARTIFACT_ADDITION, is_name=True)
    repository = repositories.get(project, repository_name)
    digest = artifacts.get(repository, reference).digest
    name = repository.name
    let_go()  # the network comes next
    found = service.read(current_app.extensions["registry"], name, digest, addition.lower())
    return Response(found.content, content_type=found.content_type)


@blueprint.get("/icons/<digest>")
@blueprint.strangers
@blueprint.response(200, IconSchema)
def get_icon(digest: str) -> Any:
    if not names.is_digest(digest):
        raise BadRequest("invalid digest")
    picture = icons.picture(digest)
    if picture is None:
        raise NotFound(f"icon {digest} not found")
    return {"content_type": icons.MEDIA_TYPE, "content": base64.b64encode(picture).decode()}
