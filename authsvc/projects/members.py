"""Members: who holds which role in a project."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Select, select

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, NotFound
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.roles import Role
from authsvc.users.models import User


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


def add(actor: str, project: Project, user: User, role: Role) -> ProjectMember:
    """Give a user a role.

    Raises:
        Conflict: the user is a member already.
    """
    if db.session.scalar(_of(project).where(ProjectMember.entity_id == user.id)):
        raise Conflict(f"{user.username} is a member of {project.name} already")
    member = ProjectMember(project_id=project.id, entity_type="u", entity_id=user.id, role=role)
    db.session.add(member)
    db.session.flush()
    _record(actor, "create", project, user, role)
    return member


def set_role(actor: str, project: Project, member_id: int, role: Role) -> None:
    """Change a member's role.

    Raises:
        NotFound
    """
    member, user = _member(project, member_id)
    member.role = role
    _record(actor, "update", project, user, role)


def remove(actor: str, project: Project, member_id: int) -> None:
    """Take a member's role away.

    Raises:
        NotFound
    """
    member, user = _member(project, member_id)
    db.session.delete(member)
    _record(actor, "delete", project, user, Role(member.role))


def _record(actor: str, operation: str, project: Project, user: User, role: Role) -> None:
    audit.record(actor, operation, "member", user.username, project_id=project.id, description=f"{role.label} in {project.name}")


def _of(project: Project) -> Select[Any]:
    return select(ProjectMember).where(ProjectMember.project_id == project.id, ProjectMember.entity_type == "u")


def of(project: Project, entity_name: str = "") -> Select[ProjectMember, User]:
    """(member, user) pairs of a project; deleted users are none."""
    statement = (
        select(ProjectMember, User)
        .join(User, User.id == ProjectMember.entity_id)
        .where(ProjectMember.project_id == project.id, ProjectMember.entity_type == "u", User.deleted.is_(False))
    )
    if entity_name:
        statement = statement.where(User.username.icontains(entity_name, autoescape=True))
    return statement


def _member(project: Project, member_id: int) -> Row[ProjectMember, User]:
    row: Row[ProjectMember, User] | None = db.session.execute(of(project).where(ProjectMember.id == member_id)).first()
    if row is None:
        raise NotFound(f"member {member_id} not found in project {project.name}")
    return row


def get(project: Project, member_id: int) -> dict[str, Any]:
    """One member in Harbor's terms.

    Raises:
        NotFound
    """
    return as_entity(_member(project, member_id))


def as_entity(row: Row[ProjectMember, User]) -> dict[str, Any]:
    """A (member, user) pair in Harbor's terms, `ProjectMemberEntity`."""
    member, user = row
    return {
        "id": member.id,
        "project_id": member.project_id,
        "entity_name": user.username,
        "entity_id": user.id,
        "entity_type": member.entity_type,
        "role_id": member.role,
        "role_name": member.role_name,
    }
