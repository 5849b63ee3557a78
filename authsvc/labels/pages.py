"""A project's labels."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from authsvc.core.errors import DomainError, NotFound
from authsvc.labels import service
from authsvc.labels.models import Label
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.ui import listing
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("labels", __name__)
COLUMNS = {"name": Label.name, "created": Label.creation_time}
_LONGEST = {"name": 128, "description": 1024}


@blueprint.get("/projects/<name>/labels")
def show_labels(name: str) -> Response:
    return _labels(name)


def _labels(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.LIST, Resource.LABEL, is_name=True)
    asked, statement = listing.asked(COLUMNS), service.of_place(project.id)
    if asked.search:
        statement = statement.where(Label.name.icontains(asked.search, autoescape=True))
    return page(
        "labels.html",
        **frame(who, project),
        problem=problem,
        given=request.form,
        listing=listing.part(statement, asked, COLUMNS, [Label.name]),
        lacking=role_lacking(who, Action.CREATE, Resource.LABEL, project),
    )


@blueprint.post("/projects/<name>/labels")
def create_label(name: str) -> Response:
    who, project = load(name, Action.CREATE, Resource.LABEL, is_name=True)
    problem = attempted(lambda: _create(who, project.id))
    return _labels(name, problem) if problem else go(f"/projects/{quote(name, safe='')}/labels")


def _create(who: Principal, project_id: int) -> None:
    given = fields(_LONGEST)
    service.create(who.name, project_id, given["name"], given["description"], "")


@blueprint.post("/projects/<name>/labels/<int:label_id>")
def delete_label(name: str, label_id: int) -> Response:
    who, project = load(name, Action.DELETE, Resource.LABEL, is_name=True)
    problem = attempted(lambda: _delete(who, project.id, label_id))
    return _labels(name, problem) if problem else go(f"/projects/{quote(name, safe='')}/labels")


def _delete(who: Principal, project_id: int, label_id: int) -> None:
    label = service.get(label_id)
    if label.project_id != project_id:
        raise NotFound(f"label {label_id} not found")
    service.remove(who.name, label)
