"""Repositories: verbs and queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from authsvc.audit import service as audit
from authsvc.core import names
from authsvc.core.db import db, utcnow
from authsvc.core.errors import NotFound, PreconditionFailed
from authsvc.core.inserts import insert_or_lock
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Principal
from authsvc.rbac.reach import reach
from authsvc.repositories.models import Repository

LIST = Permission(Resource.REPOSITORY, Action.LIST)


def ensure(full_name: str, at: datetime) -> Repository | None:
    """The repository of that full name, locked, made if it is new; None if no project of ours could hold it."""
    found = lock(full_name)
    if found is not None or not names.is_repository(full_name):
        return found
    project = db.session.scalar(select(Project).where(Project.name == names.project_of(full_name)))
    if project is None:
        return None
    new = {"project_id": project.id, "description": "", "pull_count": 0, "creation_time": at, "update_time": at}
    insert_or_lock(Repository, "name", name=full_name, **new)
    return lock(full_name)


def lock(full_name: str) -> Repository | None:
    """The repository of that full name, or None; until this transaction ends nobody else records anything in it."""
    return db.session.scalar(select(Repository).where(Repository.name == full_name).with_for_update())


def find(full_name: str) -> Repository | None:
    """The repository of that full name, or None."""
    return db.session.scalar(select(Repository).where(Repository.name == full_name))


def get(project: Project, name: str) -> Repository:
    """A repository by its name within the project.

    Raises:
        NotFound
    """
    found = find(f"{project.name}/{name}")
    if found is None:
        raise NotFound(f"repository {project.name}/{name} not found")
    return found


def names_of(repository_ids: Collection[int]) -> dict[int, str]:
    """The full names of these repositories, by id; one query."""
    return dict(db.session.execute(select(Repository.id, Repository.name).where(Repository.id.in_(repository_ids))).all())


def of_project(project: Project) -> Select[Any]:
    """All repositories of a project."""
    return select(Repository).where(Repository.project_id == project.id)


def in_reach(who: Principal, permission: Permission = LIST) -> Select[Any]:
    """The repositories on which the caller holds a permission."""
    reached = reach(who, permission)
    where = projects.within(reached)
    if where is None:
        return select(Repository)
    statement = select(Repository).where(Repository.project_id.in_(select(Project.id).where(where)))
    bound = select(Project).where(Project.id.in_(reached.bound))
    for project in db.session.scalars(bound) if reached.bound else ():
        if not (reached.public and project.public):
            patterns = (Repository.name.like(_like(project.name, pattern), escape="\\") for pattern in reached.bound[project.id])
            statement = statement.where(or_(Repository.project_id != project.id, *patterns))
    return statement


def _like(project: str, pattern: str) -> str:
    """A pattern with `*` and `?` for what comes after a project's name, as SQL has it."""
    escaped = "".join(f"\\{character}" if character in "\\%_" else character for character in f"{project}/{pattern}")
    return escaped.replace("*", "%").replace("?", "_")


def describe(actor: str, repository: Repository, description: str) -> None:
    """Set the description."""
    repository.description = description
    repository.update_time = utcnow()
    audit.record(actor, "update", "repository", repository.name, project_id=repository.project_id)


def count_by_project(project_ids: Sequence[int]) -> dict[int, int]:
    """How many repositories each of these projects holds."""
    if not project_ids:
        return {}
    statement = (
        select(Repository.project_id, func.count()).where(Repository.project_id.in_(project_ids)).group_by(Repository.project_id)
    )
    return dict(db.session.execute(statement).all())


def require_empty(project: Project) -> None:
    """A project that holds repositories cannot be deleted.

    Raises:
        PreconditionFailed
    """
    if count_by_project([project.id]):
        raise PreconditionFailed("the project contains repositories, can not be deleted")
