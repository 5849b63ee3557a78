"""Repositories, by Harbor's paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app

from authsvc import lifecycle
from authsvc.artifacts import service as artifacts
from authsvc.core.api import Blueprint, ListArguments, page_of
from authsvc.core.db import db, let_go
from authsvc.core.query import filtered, ordered, parse_q
from authsvc.immutability import service as immutability
from authsvc.projects.access import load
from authsvc.rbac.guard import principal
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service
from authsvc.repositories.models import Repository
from authsvc.repositories.schemas import RepositorySchema, RepositoryUpdateSchema

blueprint = Blueprint("repository", __name__, description="Repositories")

COLUMNS = {
    "name": Repository.name,
    "repository_id": Repository.id,
    "project_id": Repository.project_id,
    "pull_count": Repository.pull_count,
    "creation_time": Repository.creation_time,
    "update_time": Repository.update_time,
}


def _described(rows: Sequence[Repository]) -> list[dict[str, Any]]:
    counts = artifacts.count_by_repository([repository.id for repository in rows])
    return [{"repository": repository, "artifact_count": counts.get(repository.id, 0)} for repository in rows]


def _page(statement: Any, arguments: dict[str, Any]) -> Any:
    newest_first = (Repository.creation_time.desc(), Repository.id.desc())
    narrowed = filtered(statement, arguments["q"], COLUMNS, ("blob_digest",))
    if (blob := parse_q(arguments["q"]).get("blobdigest")) is not None:
        narrowed = narrowed.where(artifacts.holding(blob))
    rows, headers = page_of(ordered(narrowed, arguments["sort"], COLUMNS, newest_first), arguments)
    return _described(rows), headers


@blueprint.get("/repositories")
@blueprint.strangers
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, RepositorySchema(many=True))
def list_all_repositories(arguments: dict[str, Any]) -> Any:
    return _page(service.in_reach(principal()), arguments)


@blueprint.get("/projects/<project_name>/repositories")
@blueprint.strangers
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, RepositorySchema(many=True))
def list_repositories(arguments: dict[str, Any], project_name: str) -> Any:
    _, project = load(project_name, Action.LIST, Resource.REPOSITORY, is_name=True)
    return _page(service.of_project(project), arguments)


@blueprint.get("/projects/<project_name>/repositories/<repository:repository_name>")
@blueprint.response(200, RepositorySchema)
def get_repository(project_name: str, repository_name: str) -> Any:
    _, project = load(project_name, Action.READ, Resource.REPOSITORY, is_name=True)
    return _described([service.get(project, repository_name)])[0]


@blueprint.put("/projects/<project_name>/repositories/<repository:repository_name>")
@blueprint.arguments(RepositoryUpdateSchema)
@blueprint.response(200)
def update_repository(body: dict[str, Any], project_name: str, repository_name: str) -> None:
    who, project = load(project_name, Action.UPDATE, Resource.REPOSITORY, is_name=True)
    service.describe(who.name, service.get(project, repository_name), body["description"])
    db.session.commit()


@blueprint.delete("/projects/<project_name>/repositories/<repository:repository_name>")
@blueprint.response(200)
def delete_repository(project_name: str, repository_name: str) -> None:
    who, project = load(project_name, Action.DELETE, Resource.REPOSITORY, is_name=True, repository=repository_name)
    repository = service.get(project, repository_name)
    tags = list(db.session.scalars(artifacts.tag_names(repository, "")))
    immutability.require_deletable(repository.project_id, repository.name, tags)
    name, project_id = repository.name, repository.project_id
    let_go()
    lifecycle.delete_repository(who.name, current_app.extensions["registry"], name, project_id)
