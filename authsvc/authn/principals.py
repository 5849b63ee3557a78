"""From rows to frozen principals: one query for the account, one for its roles."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from authsvc.core.db import db
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.rbac.roles import Role
from authsvc.users.models import User


@dataclass(frozen=True, slots=True)
class Account:
    """A principal, and whether it may act at all."""

    principal: Principal
    disabled: bool


def load_account(user_id: int) -> Account | None:
    """The account with that id, or None: deleted, or never there."""
    columns = (User.username, User.sysadmin, User.disabled, User.epoch)
    row = db.session.execute(select(*columns).where(User.id == user_id, User.deleted.is_(False))).first()
    if row is None:
        return None
    roles: dict[int, set[Role]] = {}
    held = select(ProjectMember.project_id, ProjectMember.role).where(
        ProjectMember.entity_type == "u", ProjectMember.entity_id == user_id
    )
    for project_id, role in db.session.execute(held):
        roles.setdefault(project_id, set()).add(Role(role))
    principal = Principal(
        kind="user",
        id=user_id,
        name=row.username,
        is_sysadmin=row.sysadmin,
        epoch=row.epoch,
        roles={project_id: frozenset(held_roles) for project_id, held_roles in roles.items()},
    )
    return Account(principal, row.disabled)


def load_project(name: str) -> ProjectRef | None:
    """The project of that name, or None."""
    row = db.session.execute(select(Project.id, Project.name, Project.public).where(Project.name == name)).first()
    return ProjectRef(row.id, row.name, row.public) if row else None
