"""A repository by its tags, one artifact, and the deletion of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request
from sqlalchemy import select

from authsvc import lifecycle
from authsvc.additions import service as additions
from authsvc.additions.rules import IMAGE
from authsvc.artifacts import accessories, history, removal, service
from authsvc.artifacts.models import Artifact, Tag
from authsvc.artifacts.rules import SIGNATURES
from authsvc.core.db import db, let_go
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.gate import copies
from authsvc.immutability import service as immutability
from authsvc.immutability.rules import protected
from authsvc.labels import service as labels
from authsvc.projects.access import load
from authsvc.projects.frame import role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.scanners import service as scanners
from authsvc.scanning import reports
from authsvc.ui import export, listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("artifacts", __name__)
COLUMNS = {"name": Tag.name, "pushed": Tag.push_time, "pulled": Tag.pull_time, "size": Artifact.size}
_NEWEST_FIRST = (Tag.push_time.desc(), Tag.id.desc())
_LONGEST_TAG = 128
_TAGGING, _MOVING = Permission(Resource.TAG, Action.CREATE), Permission(Resource.REPOSITORY, Action.PUSH)


@dataclass(frozen=True, slots=True)
class Place:
    """What a page is about: a repository of a project, or what a tag or digest in it names (`reference`, else "")."""

    project: Project
    repository: Repository
    reference: str

    @property
    def path(self) -> str:
        """The repository's name without the project's."""
        return self.repository.name.partition("/")[2]

    @property
    def by_digest(self) -> bool:
        """No tag holds a colon."""
        return ":" in self.reference

    @property
    def title(self) -> str:
        """What follows the project's name."""
        mark = "" if not self.reference else "@" if self.by_digest else ":"
        return f"{self.path}{mark}{self.reference}"

    @property
    def repository_url(self) -> str:
        """The page of its repository."""
        return f"/projects/{quote(self.project.name)}/repositories/{quote(self.path)}"

    @property
    def report_url(self) -> str:
        """The page of what a scanner found in it."""
        return f"/projects/{quote(self.project.name)}/vulnerabilities/{quote(self.title, safe='/:@')}"

    @property
    def deletion_url(self) -> str:
        """The page that deletes it."""
        return f"/projects/{quote(self.project.name)}/deletion/{quote(self.title, safe='/:@')}"


def _split(text: str) -> tuple[str, str]:
    """A repository's name without the project's, and what `:tag` or `@digest` behind it says, "" if there is neither.

    Raises:
        NotFound: nothing can be called so.
    """
    path, at, digest = text.partition("@")
    path, colon, tag = path.partition(":")
    reference = digest if at else tag
    if (at or colon) and (not reference or (":" in reference) != bool(at)):
        raise NotFound(f"nothing is called {text[:256]} here: it is a repository, repository:tag or repository@digest")
    return path, reference


@blueprint.get("/projects/<name>/repositories/<path:text>")
def show(name: str, text: str) -> Response:
    return _shown(name, text)


def _shown(name: str, text: str, problem: DomainError | None = None) -> Response:
    path, reference = _split(text)
    who, project = load(name, Action.LIST, Resource.ARTIFACT, is_name=True)
    place = Place(project, repositories.get(project, path), reference)
    return _artifact(who, place, problem) if place.reference else _repository(who, place)


def _lacking(who: Principal, place: Place) -> Role | None:
    """The role that it takes to delete this, if `who` may not."""
    return role_lacking(who, Action.DELETE, _kind(place.reference), place.project, place.repository.name)


def _kind(reference: str) -> Resource:
    """What is deleted with it."""
    return Resource.REPOSITORY if not reference else Resource.ARTIFACT if ":" in reference else Resource.TAG


def _repository(who: Principal, place: Place) -> Response:
    repository = place.repository
    asked = listing.asked(COLUMNS)
    statement = select(Tag).join(Artifact, Artifact.id == Tag.artifact_id).where(Tag.repository_id == repository.id)
    if asked.search:
        statement = statement.where(Tag.name.icontains(asked.search, autoescape=True))
    if export.is_asked():
        return export.exported(f"{repository.name}-tags", statement.add_columns(Artifact), asked, COLUMNS, _NEWEST_FIRST, _row)
    shown = listing.part(statement, asked, COLUMNS, _NEWEST_FIRST)
    here = select(Artifact).where(Artifact.id.in_([tag.artifact_id for tag in shown.rows]))
    artifacts = {artifact.id: artifact for artifact in db.session.scalars(here)}
    return page(
        "repository.html",
        place=place,
        lacking=_lacking(who, place),
        listing=shown,
        artifacts=artifacts,
        platforms=_platforms(list(artifacts.values())),
        signed=_signed(list(artifacts.values())),
        seen=reports.overviews(list(artifacts.values()), scanners.of_project(place.project.id)),
    )


def _row(row: Any) -> dict[str, Any]:
    """A tag in a file."""
    tag, artifact = row
    of_artifact = {"digest": artifact.digest, "type": artifact.type, "size": artifact.size}
    return {"tag": tag.name, **of_artifact, "pushed": tag.push_time, "pulled": tag.pull_time}


def _artifact(who: Principal, place: Place, problem: DomainError | None = None) -> Response:
    artifact = service.get(place.repository, place.reference)
    attached = accessories.by_artifact([artifact])[artifact.id]
    scanner = scanners.of_project(place.project.id)
    shown: dict[str, Any] = {
        "place": place,
        "lacking": _lacking(who, place),
        **_moves(who, place),
        "artifact": artifact,
        "tags": service.tags_by_artifact([artifact])[artifact.id],
        "children": service.references_by_artifact([artifact])[artifact.id],
        "platforms": _platforms([artifact])[artifact.id],
        "attached": [(accessory.type, one) for accessory, one in attached],
        "labels": labels.by_artifact([artifact]).get(artifact.id, []),
        "config": _config(artifact),
        "is_scanned": scanner is not None and artifact.type == IMAGE,
        "seen": reports.overviews([artifact], scanner).get(artifact.id),
    }
    return page("artifact.html", problem=problem, given=request.form, **shown, **_build(place.repository.name, artifact))


def _moves(who: Principal, place: Place) -> dict[str, Any]:
    """Of a tag, where it was before, for who may read the log; and whether tags can be put here."""
    may_read_log = role_lacking(who, Action.LIST, Resource.LOG, place.project) is None
    return {
        "may_read_log": may_read_log,
        "moves": history.moves(place.repository, place.reference) if may_read_log and not place.by_digest else [],
        "tag_lacking": role_lacking(who, _TAGGING.action, _TAGGING.resource, place.project, place.repository.name),
        "move_lacking": role_lacking(who, _MOVING.action, _MOVING.resource, place.project, place.repository.name),
    }


def _build(repository: str, artifact: Artifact) -> dict[str, Any]:
    """How it was built, which only the registry knows; or why it does not say."""
    digest, has_layers = artifact.digest, artifact.type == IMAGE
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
    return {id_ for id_, attached in found.items() if any(accessory.type in SIGNATURES for accessory, _ in attached)}


@blueprint.post("/projects/<name>/tags/<path:text>")
def put_tag(name: str, text: str) -> Response:
    """Put a tag on an artifact: a new one, or, `moved`, one that may be on another, as a push does."""
    path, reference = _split(text)
    if not reference:
        raise NotFound(f"{text[:256]} is no artifact: repository:tag and repository@digest are")
    moved = request.form.get("moved") == "true"
    needed = _MOVING if moved else _TAGGING
    who, project = load(name, needed.action, needed.resource, is_name=True, repository=path)
    place = Place(project, repositories.get(project, path), reference)
    url, hand = place.repository_url, current_app.extensions["gate"].hand(who, project.ref)
    try:
        tag = fields({"tag": _LONGEST_TAG})["tag"]
        artifact = service.get(place.repository, reference)
        copies.create_tag(hand, place.repository, artifact, tag, moved=moved)
    except DomainError as error:
        db.session.rollback()
        return _shown(name, text, error)
    return go(f"{url}:{quote(tag)}")


@blueprint.get("/projects/<name>/deletion/<path:text>")
def ask_deletion(name: str, text: str) -> Response:
    return _ask(name, text)


def _ask(name: str, text: str, problem: DomainError | None = None) -> Response:
    """What would be deleted, what stays, and whether that is meant."""
    _, place = _deletable(name, text)
    artifact = service.get(place.repository, place.reference) if place.reference else None
    tags = [tag.name for tag in service.tags_by_artifact([artifact])[artifact.id]] if artifact else []
    rules = immutability.rules_of(place.project.id)
    found = protected(rules, place.repository.name, tags if place.by_digest else [place.reference]) if place.reference else None
    return page(
        "deletion.html",
        problem=problem,
        place=place,
        artifact=artifact,
        others=sorted(tag for tag in tags if tag != place.reference),
        count=service.count_by_repository([place.repository.id]).get(place.repository.id, 0),
        along=len(removal.doomed(artifact)) - 1 if artifact else 0,
        immutable=found.tag if found else "",
    )


def _deletable(name: str, text: str) -> tuple[Principal, Place]:
    """
    Raises:
        Unauthenticated, Forbidden, NotFound
    """
    path, reference = _split(text)
    who, project = load(name, Action.DELETE, _kind(reference), is_name=True, repository=path)
    return who, Place(project, repositories.get(project, path), reference)


@blueprint.post("/projects/<name>/deletion/<path:text>")
def delete(name: str, text: str) -> Response:
    who, place = _deletable(name, text)
    back = f"/projects/{quote(place.project.name)}" if not place.reference else place.repository_url
    if request.form.get("confirmation", "").strip() != place.title:
        problem: DomainError | None = BadRequest(_("What you wrote is not the name, so nothing was deleted."))
    else:
        problem = attempted(lambda: _delete(who, place))
    return _ask(name, text, problem) if problem else go(back)


def _delete(who: Principal, place: Place) -> None:
    registry, name, project_id = current_app.extensions["registry"], place.repository.name, place.project.id
    if not place.reference:
        immutability.require_deletable(project_id, name, db.session.scalars(service.tag_names(place.repository, "")).all())
        let_go()
        lifecycle.delete_repository(who.name, registry, name, project_id)
        return
    artifact = service.get(place.repository, place.reference)
    if place.by_digest:
        digest = artifact.digest
        let_go()
        removal.delete_artifact(who.name, registry, name, digest, immutability.approve)
    else:
        copies.delete_tag(
            current_app.extensions["gate"].hand(who, place.project.ref), place.repository, artifact, place.reference
        )
