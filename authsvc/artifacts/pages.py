"""A repository by its tags, and one artifact."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app
from sqlalchemy import select

from authsvc.additions import service as additions
from authsvc.artifacts import accessories, service
from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, let_go
from authsvc.core.errors import DomainError
from authsvc.labels import service as labels
from authsvc.projects.access import load
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.ui import listing
from authsvc.ui.shell import Pages, page

blueprint = Pages("artifacts", __name__)
COLUMNS = {"name": Tag.name, "pushed": Tag.push_time, "pulled": Tag.pull_time, "size": Artifact.size}
_SIGNATURES = ("signature.cosign", "signature.notation")


@blueprint.get("/projects/<name>/repositories/<path:place>")
def show(name: str, place: str) -> Response:
    """`place` is a repository's name without the project's; with `:tag` or `@digest` behind it, an artifact's."""
    _, project = load(name, Action.LIST, Resource.ARTIFACT, is_name=True)
    path, at, digest = place.partition("@")
    path, _, tag = path.partition(":")
    repository = repositories.get(project, path)
    if at or tag:
        return _artifact(project, repository, digest if at else tag)
    return _repository(project, repository)


def _repository(project: Project, repository: Repository) -> Response:
    asked = listing.asked(COLUMNS)
    statement = select(Tag).join(Artifact, Artifact.id == Tag.artifact_id).where(Tag.repository_id == repository.id)
    if asked.search:
        statement = statement.where(Tag.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Tag.push_time.desc(), Tag.id.desc()])
    here = select(Artifact).where(Artifact.id.in_([tag.artifact_id for tag in shown.rows]))
    artifacts = {artifact.id: artifact for artifact in db.session.scalars(here)}
    return page(
        "repository.html",
        project=project,
        repository=repository,
        path=repository.name.partition("/")[2],
        listing=shown,
        artifacts=artifacts,
        platforms=_platforms(list(artifacts.values())),
        signed=_signed(list(artifacts.values())),
    )


def _artifact(project: Project, repository: Repository, reference: str) -> Response:
    artifact = service.get(repository, reference)
    attached = accessories.by_artifact([artifact])[artifact.id]
    shown: dict[str, Any] = {
        "project": project,
        "repository": repository,
        "path": repository.name.partition("/")[2],
        "reference": reference,
        "artifact": artifact,
        "tags": service.tags_by_artifact([artifact])[artifact.id],
        "children": service.references_by_artifact([artifact])[artifact.id],
        "platforms": _platforms([artifact])[artifact.id],
        "attached": [(accessory.type, one) for accessory, one in attached],
        "labels": labels.by_artifact([artifact]).get(artifact.id, []),
        "config": _config(artifact),
    }
    return page("artifact.html", **shown, **_build(repository.name, artifact))


def _build(repository: str, artifact: Artifact) -> dict[str, Any]:
    """How it was built, which only the registry knows; or why it does not say."""
    digest, has_layers = artifact.digest, artifact.type == "IMAGE"
    let_go()  # the registry is asked outside of any transaction
    try:
        found = additions.build(current_app.extensions["registry"], repository, digest) if has_layers else []
    except DomainError as error:
        return {"steps": [], "unread": error.message}
    return {"steps": found, "unread": "", "largest": max((step.layer.size for step in found if step.layer), default=0)}


def _config(artifact: Artifact) -> dict[str, Any]:
    """What an image runs, of its config as Harbor keeps it."""
    config = artifact.extra_attrs.get("config")
    return config if isinstance(config, dict) else {}


def _platforms(artifacts: list[Artifact]) -> dict[int, list[str]]:
    """What each of these runs on: `linux/amd64`; of an index, its children's."""
    children = service.references_by_artifact(artifacts)
    return {one.id: _named([one.extra_attrs, *(child["platform"] or {} for child in children[one.id])]) for one in artifacts}


def _named(platforms: list[dict[str, Any]]) -> list[str]:
    parts = ([one.get(name) for name in ("os", "architecture", "variant")] for one in platforms)
    named = ("/".join(str(part) for part in found if part) for found in parts)
    return sorted({name for name in named if name and not name.startswith("unknown")})


def _signed(artifacts: list[Artifact]) -> set[int]:
    """The ids of those that are signed."""
    found = accessories.by_artifact(artifacts)
    return {id_ for id_, attached in found.items() if any(accessory.type in _SIGNATURES for accessory, _ in attached)}
