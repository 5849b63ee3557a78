"""Projects: the list, one of them with its repositories, and a new one."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request
from sqlalchemy import select

from authsvc import lifecycle
from authsvc.artifacts import service as artifacts
from authsvc.authn.session import require_same_origin
from authsvc.configuration import service as configuration
from authsvc.core.db import db
from authsvc.core.errors import STATUS, DomainError
from authsvc.projects import service
from authsvc.projects.access import load, refusal_to_create
from authsvc.projects.models import Project, StorageUsage
from authsvc.rbac.guard import principal
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import Role, strongest
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.ui import listing
from authsvc.ui.shell import Pages, go, page
from authsvc.users.service import BUILT_IN_ADMIN

blueprint = Pages("projects", __name__)
COLUMNS = {"name": Project.name, "created": Project.creation_time, "limit": Project.storage_limit}
REPOSITORIES = {"name": Repository.name, "pulls": Repository.pull_count, "updated": Repository.update_time}
_QUOTA, _PUSH = Permission(Resource.QUOTA, Action.READ), Permission(Resource.REPOSITORY, Action.PUSH)


@blueprint.get("/projects")
def list_projects() -> Response:
    who, asked = principal(), listing.asked(COLUMNS)
    statement = service.readable_by(who)
    if asked.search:
        statement = statement.where(Project.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Project.name])
    refused = refusal_to_create(who) if who.is_authenticated else None
    return page(
        "projects.html",
        listing=shown,
        counts=repositories.count_by_project([project.id for project in shown.rows]),
        used=_used(who, shown.rows),
        roles={project.id: strongest(who.roles_in(project.ref)) for project in shown.rows},
        role_names=Role,
        refused=refused.message if refused else "",
    )


def _used(who: Principal, projects: Sequence[Project]) -> dict[int, int]:
    """Bytes that each of these stores, of those whose quota may be read."""
    ids = [project.id for project in projects if who.is_authenticated and can(who, _QUOTA, project.ref)]
    statement = select(StorageUsage.project_id, StorageUsage.bytes).where(StorageUsage.project_id.in_(ids))
    return dict.fromkeys(ids, 0) | {id_: used for id_, used in db.session.execute(statement)}  # noqa: C416 - rows are no pairs


@blueprint.get("/projects/new")
def new_project() -> Response:
    if (refused := refusal_to_create(principal())) is not None:
        raise refused
    return page("project_new.html", name="", public=False, problem="")


@blueprint.post("/projects/new")
def create_project() -> Response:
    require_same_origin(request)
    who = principal()
    if (refused := refusal_to_create(who)) is not None:
        raise refused
    name, public = request.form.get("name", "").strip(), request.form.get("public") == "true"
    try:
        with lifecycle.place_of(who, name) as place:
            lifecycle.create_project(who, who.id or BUILT_IN_ADMIN, place, {"public": str(public).lower()})
            db.session.commit()
    except DomainError as error:
        db.session.rollback()
        return page("project_new.html", status=STATUS[error.code], name=name, public=public, problem=error.message)
    return go(f"/projects/{name}")


@blueprint.get("/projects/<name>")
def show_project(name: str) -> Response:
    who, project = load(name, Action.LIST, Resource.REPOSITORY, is_name=True)
    asked = listing.asked(REPOSITORIES)
    statement = repositories.of_project(project)
    if asked.search:
        statement = statement.where(Repository.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, REPOSITORIES, [Repository.update_time.desc(), Repository.id.desc()])
    limited = configuration.value("quota_per_project_enable")
    return page(
        "project.html",
        project=project,
        listing=shown,
        counts=artifacts.count_by_repository([repository.id for repository in shown.rows]),
        role=strongest(who.roles_in(project.ref)),
        used=_used(who, [project]).get(project.id),
        limit=project.storage_limit if limited and project.storage_limit >= 0 else None,
        may_push=who.is_authenticated and can(who, _PUSH, project.ref),
    )
