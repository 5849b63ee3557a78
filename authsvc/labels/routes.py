"""Labels, and labels on artifacts, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact
from authsvc.core.api import Blueprint, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import filtered, ordered
from authsvc.labels import service
from authsvc.labels.models import Label
from authsvc.labels.schemas import LabelListArguments, LabelReferenceSchema, LabelSchema
from authsvc.projects import service as projects
from authsvc.projects.access import load
from authsvc.rbac.guard import require, require_login, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories

blueprint = Blueprint("label", __name__, description="Labels")

ON_ARTIFACT = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts/<reference>/labels"
COLUMNS = {
    "name": Label.name,
    "label_id": Label.id,
    "color": Label.color,
    "creation_time": Label.creation_time,
    "update_time": Label.update_time,
}


def _place(scope: str, project_id: int) -> int:
    """Where a request means: a project's id, or `GLOBAL`."""
    if scope not in ("g", "p"):
        raise BadRequest(f"invalid scope: {scope}; it is g (global) or p (of a project)")
    if scope == "p" and not project_id:
        raise BadRequest("invalid project_id: scope p needs that of a project")
    return project_id if scope == "p" else service.GLOBAL


def _allowed(action: Action, project_id: int) -> Principal:
    """The caller, if he may do this with the labels of a project, or of everybody: those all may read who are logged in."""
    if project_id != service.GLOBAL:
        return require(action, Resource.LABEL, projects.find_ref(str(project_id)))
    return require_login() if action in (Action.READ, Action.LIST) else require_system(action, Resource.LABEL)


def _load(action: Action, label_id: int) -> tuple[Principal, Label]:
    label = db.session.get(Label, label_id)
    who = _allowed(action, label.project_id if label else service.GLOBAL)
    return who, service.get(label_id)


@blueprint.get("/labels")
@blueprint.strangers
@blueprint.arguments(LabelListArguments, location="query")
@blueprint.response(200, LabelSchema(many=True))
def list_labels(arguments: dict[str, Any]) -> Any:
    place = _place(arguments["scope"], arguments["project_id"])
    _allowed(Action.LIST, place)
    statement = filtered(service.of_place(place), arguments["q"], COLUMNS)
    if arguments["name"]:
        statement = statement.where(Label.name.icontains(arguments["name"], autoescape=True))
    return page_of(ordered(statement, arguments["sort"], COLUMNS, [Label.name]), arguments)


@blueprint.post("/labels")
@blueprint.arguments(LabelSchema)
@blueprint.response(201)
def create_label(body: dict[str, Any]) -> Any:
    place = _place(body["scope"], body["project_id"])
    who = _allowed(Action.CREATE, place)
    if place != service.GLOBAL:
        projects.get(str(place))
    label = service.create(who.name, place, body["name"], body["description"], body["color"])
    answer = created(label.id)
    db.session.commit()
    return answer


@blueprint.get("/labels/<int:label_id>")
@blueprint.strangers
@blueprint.response(200, LabelSchema)
def get_label(label_id: int) -> Label:
    _, label = _load(Action.READ, label_id)
    return label


@blueprint.put("/labels/<int:label_id>")
@blueprint.arguments(LabelSchema)
@blueprint.response(200)
def update_label(body: dict[str, Any], label_id: int) -> None:
    who, label = _load(Action.UPDATE, label_id)
    service.update(who.name, label, body["name"], body["description"], body["color"])
    db.session.commit()


@blueprint.delete("/labels/<int:label_id>")
@blueprint.response(200)
def delete_label(label_id: int) -> None:
    who, label = _load(Action.DELETE, label_id)
    service.remove(who.name, label)
    db.session.commit()


def _load_artifact(project_name: str, repository_name: str, reference: str, action: Action) -> tuple[str, Artifact, str]:
    """The caller's name, the artifact, and what to call it."""
    who, project = load(project_name, action, Resource.ARTIFACT_LABEL, is_name=True)
    repository = repositories.get(project, repository_name)
    artifact = artifacts.get(repository, reference)
    return who.name, artifact, f"{repository.name}@{artifact.digest}"


@blueprint.post(ON_ARTIFACT)
@blueprint.arguments(LabelReferenceSchema)
@blueprint.response(200)
def add_label(body: dict[str, Any], project_name: str, repository_name: str, reference: str) -> None:
    actor, artifact, name = _load_artifact(project_name, repository_name, reference, Action.CREATE)
    service.put_on(actor, service.get(body["id"]), artifact, name)
    db.session.commit()


@blueprint.delete(f"{ON_ARTIFACT}/<int:label_id>")
@blueprint.response(200)
def remove_label(project_name: str, repository_name: str, reference: str, label_id: int) -> None:
    actor, artifact, name = _load_artifact(project_name, repository_name, reference, Action.DELETE)
    service.take_off(actor, label_id, artifact, name)
    db.session.commit()
