"""Artifacts and their tags, by Harbor's paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app

from authsvc.artifacts import removal, service
from authsvc.artifacts.models import Artifact, Tag
from authsvc.artifacts.schemas import ArtifactListArguments, ArtifactSchema, TagSchema, WithTagArguments
from authsvc.core.api import Blueprint, ListArguments, page_of
from authsvc.core.db import db
from authsvc.core.query import Exact, filtered, ordered, parse_q
from authsvc.projects.access import load
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

blueprint = Blueprint("artifact", __name__, description="Artifacts and tags")

PATH = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts"
COLUMNS = {
    "digest": Artifact.digest,
    "type": Artifact.type,
    "media_type": Artifact.media_type,
    "artifact_type": Artifact.artifact_type,
    "manifest_media_type": Artifact.manifest_media_type,
    "size": Artifact.size,
    "push_time": Artifact.push_time,
    "pull_time": Artifact.pull_time,
}
TAG_COLUMNS = {"name": Tag.name, "push_time": Tag.push_time, "pull_time": Tag.pull_time, "artifact_id": Tag.artifact_id}


def _load(project_name: str, repository_name: str, action: Action, resource: Resource) -> Repository:
    _, project = load(project_name, action, resource, is_name=True)
    return repositories.get(project, repository_name)


def _described(rows: Sequence[Artifact], repository: Repository, *, with_tag: bool) -> list[dict[str, Any]]:
    tags = service.tags_by_artifact(rows) if with_tag else {}
    references = service.references_by_artifact(rows)
    return [
        {
            "artifact": artifact,
            "repository_name": repository.name,
            "tags": tags.get(artifact.id, []),
            "references": references[artifact.id],
        }
        for artifact in rows
    ]


@blueprint.get(PATH)
@blueprint.arguments(ArtifactListArguments, location="query")
@blueprint.response(200, ArtifactSchema(many=True))
def list_artifacts(arguments: dict[str, Any], project_name: str, repository_name: str) -> Any:
    repository = _load(project_name, repository_name, Action.LIST, Resource.ARTIFACT)
    asked = parse_q(arguments["q"])
    statement = service.everything(repository) if asked.get("base") == Exact("*") else service.top_level(repository)
    if "tags" in asked:
        statement = statement.where(service.tag_condition(asked["tags"]))
    newest_first = (Artifact.push_time.desc(), Artifact.id.desc())
    narrowed = filtered(statement, arguments["q"], COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], COLUMNS, newest_first), arguments)
    return _described(rows, repository, with_tag=arguments["with_tag"]), headers


@blueprint.get(f"{PATH}/<reference>")
@blueprint.arguments(WithTagArguments, location="query")
@blueprint.response(200, ArtifactSchema)
def get_artifact(arguments: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    repository = _load(project_name, repository_name, Action.READ, Resource.ARTIFACT)
    artifact = service.get(repository, reference)
    return _described([artifact], repository, with_tag=arguments["with_tag"])[0]


@blueprint.delete(f"{PATH}/<reference>")
@blueprint.response(200)
def delete_artifact(project_name: str, repository_name: str, reference: str) -> None:
    who, project = load(project_name, Action.DELETE, Resource.ARTIFACT, is_name=True)
    repository = repositories.get(project, repository_name)
    removal.delete_artifact(who.name, current_app.extensions["registry"], repository, service.get(repository, reference))
    db.session.commit()


@blueprint.get(f"{PATH}/<reference>/tags")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, TagSchema(many=True))
def list_tags(arguments: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    repository = _load(project_name, repository_name, Action.LIST, Resource.TAG)
    statement = service.tags_of(service.get(repository, reference))
    newest_first = (Tag.push_time.desc(), Tag.name)
    narrowed = filtered(statement, arguments["q"], TAG_COLUMNS)
    return page_of(ordered(narrowed, arguments["sort"], TAG_COLUMNS, newest_first), arguments)
