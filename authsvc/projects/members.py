"""Members: which user or group holds which role in a project."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.groups.models import UserGroup
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.giving import require_holding
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import ROLE_PERMISSIONS, Role
from authsvc.users.models import User

Entity = User | UserGroup
NAME = func.coalesce(User.username, UserGroup.group_name)


def role_of(role_id: int) -> Role:
    """Harbor's role id as a role.

    Raises:
        BadRequest: it is none.
    """
    try:
        return Role(role_id)
    except ValueError:
        known = ", ".join(f"{role.value} {role.label}" for role in Role)
        raise BadRequest(f"role_id {role_id} is none of {known}") from None


def add(giver: Principal, project: Project, entity: Entity, role: Role) -> ProjectMember:
    """Give a user or group a role.

    Raises:
        Conflict: it is a member already.
        Denied: the giver does not hold what the role holds.
    """
    require_holding(giver, ROLE_PERMISSIONS[role], project.ref)
    type_, name = ("u", entity.username) if isinstance(entity, User) else ("g", entity.group_name)
    if id_of(project, entity) is not None:
        raise Conflict(f"{name} is a member of {project.name} already")
    member = ProjectMember(project_id=project.id, entity_type=type_, entity_id=entity.id, role=role)
    db.session.add(member)
    db.session.flush()
    _record(giver.name, "create", project.name, project.id, name, role)
    return member


def set_role(giver: Principal, project: Project, member_id: int, role: Role) -> None:
    """Change a member's role.

    Raises:
        NotFound
        Denied: the giver does not hold what the role holds.
    """
    require_holding(giver, ROLE_PERMISSIONS[role], project.ref)
    member, name = _member(project, member_id)
    member.role = role
    _record(giver.name, "update", project.name, project.id, name, role)


def remove(actor: str, project: Project, member_id: int) -> None:
    """Take a member's role away.

    Raises:
        NotFound
    """
    member, name = _member(project, member_id)
    db.session.delete(member)
    _record(actor, "delete", project.name, project.id, name, Role(member.role))


def remove_group(actor: str, group: UserGroup) -> None:
    """Take every role of a group away, in all projects."""
    held = select(ProjectMember, Project.name).join(Project, Project.id == ProjectMember.project_id)
    for member, project in db.session.execute(held.where(*_is(group))).all():
        db.session.delete(member)
        _record(actor, "delete", project, member.project_id, group.group_name, Role(member.role))


def _record(actor: str, operation: str, project: str, project_id: int, name: str, role: Role) -> None:
    audit.record(actor, operation, "member", name, project_id=project_id, description=f"{role.label} in {project}")


def _is(entity: Entity) -> tuple[Any, Any]:
    type_ = "u" if isinstance(entity, User) else "g"
    return ProjectMember.entity_type == type_, ProjectMember.entity_id == entity.id


def id_of(project: Project, entity: Entity) -> int | None:
    """The member id of a user or group in a project; None if it is no member."""
    member_id: int | None = db.session.scalar(
        select(ProjectMember.id).where(ProjectMember.project_id == project.id, *_is(entity))
    )
    return member_id


def count_by_role(project: Project) -> dict[Role, int]:
    """How many members hold each role; deleted users are none."""
    counted = select(ProjectMember.role, func.count()).outerjoin(User, _joins("u", User.id))
    counted = counted.where(
        ProjectMember.project_id == project.id, or_(ProjectMember.entity_type == "g", User.deleted.is_(False))
    )
    return {Role(role): count for role, count in db.session.execute(counted.group_by(ProjectMember.role))}


def of(project: Project, entity_name: str = "") -> Select[ProjectMember, str]:
    """(member, name) pairs of a project, by name; deleted users are none."""
    statement = (
        select(ProjectMember, NAME)
        .outerjoin(User, _joins("u", User.id))
        .outerjoin(UserGroup, _joins("g", UserGroup.id))
        .where(ProjectMember.project_id == project.id, or_(User.deleted.is_(False), UserGroup.id.is_not(None)))
        .order_by(NAME, ProjectMember.id)
    )
    return statement.where(NAME.icontains(entity_name, autoescape=True)) if entity_name else statement


def _joins(entity_type: str, column: InstrumentedAttribute[int]) -> Any:
    return and_(ProjectMember.entity_type == entity_type, column == ProjectMember.entity_id)


def _member(project: Project, member_id: int) -> Row[ProjectMember, str]:
    row: Row[ProjectMember, str] | None = db.session.execute(of(project).where(ProjectMember.id == member_id)).first()
    if row is None:
        raise NotFound(f"member {member_id} not found in project {project.name}")
    return row


def get(project: Project, member_id: int) -> dict[str, Any]:
    """One member in Harbor's terms.

    Raises:
        NotFound
    """
    return as_entity(_member(project, member_id))


def as_entity(row: Row[ProjectMember, str]) -> dict[str, Any]:
    """A (member, name) pair in Harbor's terms, `ProjectMemberEntity`."""
    member, name = row
    return {
        "id": member.id,
        "project_id": member.project_id,
        "entity_name": name,
        "entity_id": member.entity_id,
        "entity_type": member.entity_type,
        "role_id": member.role,
        "role_name": member.role_name,
    }
