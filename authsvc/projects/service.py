"""Projects: verbs and queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import joinedload

from authsvc.audit import service as audit
from authsvc.configuration import service as configuration
from authsvc.core import names
from authsvc.core.db import db, hold
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.projects.models import Project, ProjectMember, StorageUsage
from authsvc.projects.rules import clean_metadata
from authsvc.rbac.giving import require_holding
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.rbac.reach import Reach, reach
from authsvc.rbac.roles import Role
from authsvc.users.models import User

READ = Permission(Resource.PROJECT, Action.READ)
_PULL = Permission(Resource.REPOSITORY, Action.PULL)


def create(
    actor: str, owner_id: int, name: str, metadata: Mapping[str, str | None] | None = None, registry_id: int | None = None
) -> Project:
    """A new project; its creator becomes its first project administrator. It may store as much as is configured now.
    `registry_id`: the registry whose images it caches.

    Raises:
        BadRequest: name or metadata against the rules.
        Conflict: the name is taken.
    """
    require_free(name)
    limit = configuration.value("storage_per_project")
    project = Project(name=name, owner_id=owner_id, public=False, settings={}, storage_limit=limit, registry_id=registry_id)
    _apply(project, metadata or {})
    db.session.add(project)
    db.session.flush()
    db.session.add(StorageUsage(project_id=project.id))
    db.session.add(ProjectMember(project_id=project.id, entity_type="u", entity_id=owner_id, role=Role.PROJECT_ADMIN))
    audit.record(actor, "create", "project", name, project_id=project.id)
    return project


def require_free(name: str) -> None:
    """
    Raises:
        BadRequest: a project cannot be called so.
        Conflict: the name is taken.
    """
    if not names.is_project(name):
        raise BadRequest(
            "a project name has 1 to 255 lower-case letters, digits and single . _ - between them, such as web or team-a.web"
        )
    if db.session.scalar(select(Project.id).where(Project.name == name)):
        raise Conflict(f"project {name} exists already")


def update(giver: Principal, project: Project, metadata: Mapping[str, str | None]) -> None:
    """Change metadata; keys that are not named stay.

    Raises:
        BadRequest: unknown key or impossible value.
        Denied: it lets everybody pull, and the caller may not himself.
    """
    hold(project)
    was_public = project.public
    _apply(project, metadata)
    if project.public and not was_public:
        require_holding(giver, [_PULL], replace(project.ref, public=False))
    audit.record(giver.name, "update", "project", project.name, project_id=project.id)


def _apply(project: Project, metadata: Mapping[str, str | None]) -> None:
    cleaned = clean_metadata(metadata)
    if (public := cleaned.pop("public", None)) is not None:
        project.public = public == "true"
    project.settings = project.settings | cleaned


def add_metadata(giver: Principal, project: Project, metadata: Mapping[str, str]) -> None:
    """Set metadata that is not set yet.

    Raises:
        Conflict: one is set.
        BadRequest, Denied: as `update`.
    """
    hold(project)
    if present := sorted(metadata.keys() & project.metadata_.keys()):
        raise Conflict(f"metadata {present[0]} of project {project.name} exists already")
    update(giver, project, metadata)


def remove_metadata(actor: str, project: Project, key: str) -> None:
    """Forget a setting, if there is one; a project that says nothing about `public` is private."""
    hold(project)
    if key == "public":
        project.public = False
    project.settings = {name: value for name, value in project.settings.items() if name != key}
    audit.record(actor, "update", "project", project.name, project_id=project.id, description=f"metadata {key} removed"[:1000])


def delete(actor: str, project: Project) -> None:
    """Delete an empty project; whether it is empty is for the caller to know (`repositories.service.require_empty`)."""
    audit.record(actor, "delete", "project", project.name, project_id=project.id)
    db.session.delete(project)


def names_of(project_ids: Sequence[int] | None) -> list[str] | None:
    """The names of projects by their ids, in order; of those that are left."""
    if project_ids is None:
        return None
    return list(db.session.scalars(select(Project.name).where(Project.id.in_(project_ids)).order_by(Project.name)))


def all_projects() -> Select[Any]:
    """Every project, with its owner's name."""
    return select(Project).options(joinedload(Project.owner).lazyload(User.origin))


def find(name_or_id: str, *, is_name: bool = False) -> Project | None:
    """A project by Harbor's path segment, or None: digits only mean an id, unless `is_name`."""
    by_id = name_or_id.isascii() and name_or_id.isdigit() and not is_name
    if by_id and len(name_or_id) > 18:
        return None
    condition = Project.id == int(name_or_id) if by_id else Project.name == name_or_id
    project: Project | None = db.session.scalar(all_projects().where(condition))
    return project


def get(name_or_id: str, *, is_name: bool = False) -> Project:
    """As `find`.

    Raises:
        NotFound
    """
    project = find(name_or_id, is_name=is_name)
    if project is None:
        raise NotFound(f"project {name_or_id} not found")
    return project


def get_by_name(name: str) -> Project:
    """A project by name, even if the name looks like a number.

    Raises:
        NotFound
    """
    return get(name, is_name=True)


def find_ref(name_or_id: str, *, is_name: bool = False) -> ProjectRef | None:
    """As `find`, but the frozen form: what guards take."""
    project = find(name_or_id, is_name=is_name)
    return project.ref if project is not None else None


def readable_by(who: Principal) -> Select[Any]:
    """The projects that the caller may read."""
    statement, where = all_projects(), within(reach(who, READ))
    return statement if where is None else statement.where(where)


def within(reached: Reach) -> ColumnElement[bool] | None:
    """The projects in reach, as a condition; None: all of them."""
    where: list[ColumnElement[bool]] = []
    if not reached.everywhere:
        held = Project.id.in_(reached.projects)
        where.append(held | Project.public.is_(True) if reached.public else held)
    if reached.within is not None:
        where.append(Project.id.in_(reached.within))
    return and_(*where) if where else None
