"""Artifacts and their tags, by Harbor's paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import current_app, request
from sqlalchemy import ColumnElement, Select, select

from authsvc.additions import rules as additions
from authsvc.artifacts import accessories, icons, removal, service
from authsvc.artifacts.models import Accessory, Artifact, Tag
from authsvc.artifacts.schemas import (
    AccessorySchema,
    ArtifactArguments,
    ArtifactListArguments,
    ArtifactSchema,
    CopyArguments,
    NewTagSchema,
    ProjectArtifactArguments,
    TagListArguments,
    TagSchema,
)
from authsvc.core.api import Blueprint, ListArguments, created, page_of
from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, NotAllowed
from authsvc.core.names import project_of
from authsvc.core.query import Exact, filtered, ordered, parse_q
from authsvc.gate import copies
from authsvc.gate.service import Gate
from authsvc.immutability import service as immutability
from authsvc.labels import service as labels
from authsvc.projects.access import load
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.scanners import rules
from authsvc.scanners import service as scanners
from authsvc.scanning import reports

blueprint = Blueprint("artifact", __name__, description="Artifacts and tags")

PATH = "/projects/<project_name>/repositories/<repository:repository_name>/artifacts"
COLUMNS = {
    "id": Artifact.id,
    "repository_id": Artifact.repository_id,
    "digest": Artifact.digest,
    "type": Artifact.type,
    "media_type": Artifact.media_type,
    "artifact_type": Artifact.artifact_type,
    "manifest_media_type": Artifact.manifest_media_type,
    "size": Artifact.size,
    "push_time": Artifact.push_time,
    "pull_time": Artifact.pull_time,
}
TAG_COLUMNS = {
    "id": Tag.id,
    "name": Tag.name,
    "push_time": Tag.push_time,
    "pull_time": Tag.pull_time,
    "artifact_id": Tag.artifact_id,
    "repository_id": Tag.repository_id,
}
ACCESSORY_COLUMNS = {
    "id": Accessory.id,
    "type": Accessory.type,
    "digest": Artifact.digest,
    "size": Artifact.size,
    "artifact_id": Accessory.artifact_id,
    "creation_time": Artifact.push_time,
}


def _load(project_name: str, repository_name: str, action: Action, resource: Resource) -> Repository:
    _, project = load(project_name, action, resource, is_name=True)
    return repositories.get(project, repository_name)


def _described(rows: Sequence[Artifact], names: Mapping[int, str], arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A page of artifacts of one project in Harbor's terms; `names`: repository id -> full name. No query is asked per row."""
    tags = service.tags_by_artifact(rows) if arguments["with_tag"] else {}
    if arguments["with_immutable_status"] and rows:
        tagged = ((names[tag.repository_id], tag) for page in tags.values() for tag in page)
        immutability.mark(rows[0].project_id, tagged)
    borne = labels.by_artifact(rows) if arguments["with_label"] else {}
    references = service.references_by_artifact(rows)
    attached = accessories.by_artifact(rows) if arguments["with_accessory"] else {}
    scanner = scanners.of_project(rows[0].project_id) if rows else None
    report = rules.accepted(request.headers.get("X-Accept-Vulnerabilities", ""))
    seen = reports.overviews(rows, scanner) if arguments["with_scan_overview"] and report else {}
    return [
        {
            "artifact": row,
            "repository_name": names[row.repository_id],
            "tags": tags.get(row.id, []),
            "labels": borne.get(row.id, []),
            "accessories": _attached(attached.get(row.id, []), row, names[row.repository_id]),
            "references": references[row.id],
            "scan_overview": {report: seen[row.id]} if row.id in seen else {},
            "icon": icons.digest_of(row.type),
            "addition_links": additions.links(
                row.type, row.manifest_media_type, names[row.repository_id], row.digest, is_scanned=scanner is not None
            ),
        }
        for row in rows
    ]


def _attached(found: Sequence[Any], subject: Artifact, repository_name: str) -> list[dict[str, Any]]:
    return [
        {
            "accessory": accessory,
            "artifact": artifact,
            "subject": subject,
            "repository_name": repository_name,
            "icon": icons.digest_of(accessory.type),
        }
        for accessory, artifact in found
    ]


def _asked(statement: Select[Any], q: str, tags_there: ColumnElement[bool]) -> Select[Any]:
    """Narrow a list of artifacts by `q`, with Harbor's own keys: tags, labels, and base=* for what lists do not show."""
    asked = parse_q(q)
    if asked.get("base") != Exact("*"):
        statement = service.top_level(statement)
    if "tags" in asked:
        statement = statement.where(service.tag_condition(asked["tags"], tags_there))
    if "labels" in asked:
        statement = statement.where(service.label_condition(asked["labels"]))
    return filtered(statement, q, COLUMNS, ("base", "tags", "labels"))


def _page(statement: Select[Any], arguments: Mapping[str, Any]) -> tuple[Sequence[Artifact], dict[str, str]]:
    newest_first = (Artifact.push_time.desc(), Artifact.id.desc())
    return page_of(ordered(statement, arguments["sort"], COLUMNS, newest_first), arguments)


@blueprint.get(PATH)
@blueprint.strangers
@blueprint.arguments(ArtifactListArguments, location="query")
@blueprint.response(200, ArtifactSchema(many=True))
def list_artifacts(arguments: dict[str, Any], project_name: str, repository_name: str) -> Any:
    repository = _load(project_name, repository_name, Action.LIST, Resource.ARTIFACT)
    rows, headers = _page(_asked(service.everything(repository), arguments["q"], service.tags_in(repository)), arguments)
    return _described(rows, {repository.id: repository.name}, arguments), headers


def _hand(who: Principal, project: Project) -> copies.Hand:
    """
    Raises:
        NotAllowed: the project holds what another registry has, and nothing else.
    """
    if project.registry_id is not None:
        raise NotAllowed("the operation isn't supported for a proxy project")
    gate: Gate = current_app.extensions["gate"]
    return gate.hand(who, project.ref)


@blueprint.post(PATH)
@blueprint.arguments(CopyArguments, location="query")
@blueprint.response(201)
def copy_artifact(arguments: dict[str, Any], project_name: str, repository_name: str) -> Any:
    """Copy an artifact with its tags, an index's children and what is attached; no byte is moved."""
    who, project = load(project_name, Action.CREATE, Resource.ARTIFACT, is_name=True)
    source, reference = service.parse_reference(arguments["source"])
    for action, resource in ((Action.READ, Resource.ARTIFACT), (Action.PULL, Resource.REPOSITORY)):
        _, source_project = load(project_of(source), action, resource, is_name=True)
    repository = repositories.get(source_project, source.partition("/")[2])
    target = f"{project.name}/{repository_name}"
    return created(copies.copy(_hand(who, project), repository, service.get(repository, reference), target))


@blueprint.get("/projects/<project_name_or_id>/artifacts")
@blueprint.strangers
@blueprint.arguments(ProjectArtifactArguments, location="query")
@blueprint.response(200, ArtifactSchema(many=True))
def list_artifacts_of_project(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.ARTIFACT)
    tags_there = service.tags_in_project(project.id)
    if arguments["latest_in_repository"]:
        if len({"mediatype", "artifacttype"} & parse_q(arguments["q"]).keys()) != 1:
            raise BadRequest("latest_in_repository needs either media_type or artifact_type in q, and not both")
        statement = service.latest(project.id, _asked(select(Artifact), arguments["q"], tags_there))
    else:
        statement = _asked(service.of_project(project.id), arguments["q"], tags_there)
    rows, headers = _page(statement, arguments)
    return _described(rows, repositories.names_of({row.repository_id for row in rows}), arguments), headers


@blueprint.get(f"{PATH}/<reference>")
@blueprint.strangers
@blueprint.arguments(ArtifactArguments, location="query")
@blueprint.response(200, ArtifactSchema)
def get_artifact(arguments: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    repository = _load(project_name, repository_name, Action.READ, Resource.ARTIFACT)
    artifact = service.get(repository, reference)
    return _described([artifact], {repository.id: repository.name}, arguments)[0]


@blueprint.delete(f"{PATH}/<reference>")
@blueprint.response(200)
def delete_artifact(project_name: str, repository_name: str, reference: str) -> None:
    who, project = load(project_name, Action.DELETE, Resource.ARTIFACT, is_name=True)
    repository = repositories.get(project, repository_name)
    name, digest = repository.name, service.get(repository, reference).digest
    let_go()
    removal.delete_artifact(who.name, current_app.extensions["registry"], name, digest, immutability.approve)


@blueprint.get(f"{PATH}/<reference>/tags")
@blueprint.strangers
@blueprint.arguments(TagListArguments, location="query")
@blueprint.response(200, TagSchema(many=True))
def list_tags(arguments: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    repository = _load(project_name, repository_name, Action.LIST, Resource.TAG)
    statement = service.tags_of(service.get(repository, reference))
    newest_first = (Tag.push_time.desc(), Tag.name)
    narrowed = filtered(statement, arguments["q"], TAG_COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], TAG_COLUMNS, newest_first), arguments)
    if arguments["with_immutable_status"]:
        immutability.mark(repository.project_id, ((repository.name, tag) for tag in rows))
    return rows, headers


@blueprint.post(f"{PATH}/<reference>/tags")
@blueprint.arguments(NewTagSchema)
@blueprint.response(201)
def create_tag(body: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    who, project = load(project_name, Action.CREATE, Resource.TAG, is_name=True)
    repository = repositories.get(project, repository_name)
    copies.create_tag(_hand(who, project), repository, service.get(repository, reference), body["name"])
    return created(body["name"])


@blueprint.delete(f"{PATH}/<reference>/tags/<tag_name>")
@blueprint.response(200)
def delete_tag(project_name: str, repository_name: str, reference: str, tag_name: str) -> None:
    gate: Gate = current_app.extensions["gate"]
    who, project = load(project_name, Action.DELETE, Resource.TAG, is_name=True)
    repository = repositories.get(project, repository_name)
    copies.delete_tag(gate.hand(who, project.ref), repository, service.get(repository, reference), tag_name)


@blueprint.get(f"{PATH}/<reference>/accessories")
@blueprint.strangers
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, AccessorySchema(many=True))
def list_accessories(arguments: dict[str, Any], project_name: str, repository_name: str, reference: str) -> Any:
    repository = _load(project_name, repository_name, Action.LIST, Resource.ACCESSORY)
    subject = service.get(repository, reference)
    narrowed = filtered(accessories.of(subject), arguments["q"], ACCESSORY_COLUMNS)
    newest_first = (Artifact.push_time.desc(), Accessory.id.desc())
    statement = ordered(narrowed, arguments["sort"], ACCESSORY_COLUMNS, newest_first)
    rows, headers = page_of(statement, arguments, scalars=False)
    return _attached(rows, subject, repository.name), headers
