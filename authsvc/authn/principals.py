"""From rows to frozen principals: one query for the account, one for its roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select

from authsvc.groups.models import GroupMembership
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.principal import Principal, ProjectRef
from authsvc.rbac.roles import Role
from authsvc.users.models import User, UserIdentity

# How statements are run: by a session, or by `core.direct.DirectReader`, which is several times as fast.
Execute = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Account:
    """A principal, and whether it may act at all."""

    principal: Principal
    disabled: bool


def load_account(execute: Execute, user_id: int) -> Account | None:
    """The account with that id, or None: deleted, or never there."""
    statement = (
        select(User.username, User.sysadmin, User.disabled, User.epoch, UserIdentity.sysadmin.label("by_group"))
        .outerjoin(UserIdentity, UserIdentity.user_id == User.id)
        .where(User.id == user_id, User.deleted.is_(False))
    )
    row = execute(statement).first()
    if row is None:
        return None
    principal = Principal(
        kind="user",
        id=user_id,
        name=row.username,
        is_sysadmin=bool(row.sysadmin or row.by_group),
        epoch=row.epoch,
        roles=_roles(execute, user_id),
    )
    return Account(principal, bool(row.disabled))


def _roles(execute: Execute, user_id: int) -> dict[int, frozenset[Role]]:
    """Project id -> roles held, by the user himself or by a group of his."""
    own_groups = select(GroupMembership.group_id).where(GroupMembership.user_id == user_id)
    held = select(ProjectMember.project_id, ProjectMember.role).where(
        or_(
            and_(ProjectMember.entity_type == "u", ProjectMember.entity_id == user_id),
            and_(ProjectMember.entity_type == "g", ProjectMember.entity_id.in_(own_groups)),
        )
    )
    roles: dict[int, set[Role]] = {}
    for project_id, role in execute(held):
        roles.setdefault(project_id, set()).add(Role(role))
    return {project_id: frozenset(held_roles) for project_id, held_roles in roles.items()}


def load_project(execute: Execute, name: str) -> ProjectRef | None:
    """The project of that name, or None."""
    row = execute(select(Project.id, Project.name, Project.public).where(Project.name == name)).first()
    return ProjectRef(row.id, row.name, bool(row.public)) if row else None
