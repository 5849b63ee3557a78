"""Two artifacts of a repository, side by side."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request
from sqlalchemy import select

from authsvc.additions import service
from authsvc.additions.comparison import Difference, compare
from authsvc.additions.steps import Step
from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, let_go
from authsvc.core.errors import DomainError
from authsvc.core.text import is_storable
from authsvc.distribution.client import RegistryClient
from authsvc.projects.access import load
from authsvc.rbac.permissions import Action, Resource
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.ui.shell import Pages, page

blueprint = Pages("additions", __name__)
_OFFERED = 200  # tags
_LONGEST = 256


@blueprint.get("/projects/<name>/comparison/<path:path>")
def show(name: str, path: str) -> Response:
    """`from` and `to`: a tag or digest each."""
    _, project = load(name, Action.LIST, Resource.ARTIFACT, is_name=True)
    repository = repositories.get(project, path)
    asked = {end: request.args.get(end, "").strip()[:_LONGEST] for end in ("from", "to")}
    tags = db.session.scalars(_tags(repository)).all()
    shown: dict[str, Any] = {"project": project, "path": path, "asked": asked, "tags": tags}
    if not all(asked.values()) or not all(is_storable(value) for value in asked.values()):
        return page("comparison.html", **shown, ends=None, difference=None)
    try:
        ends = [artifacts.get(repository, reference) for reference in asked.values()]
    except DomainError as error:
        return page("comparison.html", problem=error, **shown, ends=None, difference=None)
    problem, difference = _difference(repository.name, ends)
    return page("comparison.html", **shown, ends=ends, difference=difference, unread=problem)


def _tags(repository: Repository) -> Any:
    newest_first = (Tag.push_time.desc(), Tag.id.desc())
    return select(Tag.name).where(Tag.repository_id == repository.id).order_by(*newest_first).limit(_OFFERED)


def _difference(repository: str, ends: list[Artifact]) -> tuple[str, Difference | None]:
    """Why it cannot be told, or what it is."""
    configs = [_config(one) for one in ends]
    digests = [one.digest for one in ends if one.type == "IMAGE"]
    let_go()  # the registry is asked outside of any transaction
    client: RegistryClient = current_app.extensions["registry"]
    try:
        built: list[list[Step]] = [service.build(client, repository, digest) for digest in digests]
    except DomainError as error:
        return error.message, None
    return "", compare(built[0], built[1], configs[0], configs[1]) if len(built) == len(ends) else None


def _config(artifact: Artifact) -> dict[str, Any]:
    config = artifact.extra_attrs.get("config")
    return config if isinstance(config, dict) else {}
