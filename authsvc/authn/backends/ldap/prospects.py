"""What would become of a person of a directory here: which account, and which roles by what."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from authsvc.authn.backends.ldap.answers import DirectoryDown
from authsvc.authn.onboarding import Proof, identity_of, obstacle
from authsvc.core.db import db
from authsvc.groups.models import UserGroup
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import Role
from authsvc.users import service as users
from authsvc.users.models import User


def told(source: str, proof: Proof) -> str:
    """In words. Needs a transaction.

    Raises:
        DirectoryDown: he could not be a user here, or may do nothing; what is in the way.
    """
    user = _account(proof)
    by_group = _by_groups(source, proof)
    held = by_group | ((ProjectMember.entity_type == "u") & (ProjectMember.entity_id == user.id)) if user else by_group
    is_group = (ProjectMember.entity_type == "g") & (UserGroup.id == ProjectMember.entity_id)
    rows = db.session.execute(
        select(Project.name, ProjectMember.role, UserGroup.group_name)
        .join(Project, Project.id == ProjectMember.project_id)
        .outerjoin(UserGroup, is_group)
        .where(held)
        .order_by(Project.name)
    )
    roles = [f"{Role(role).label} in {project}{f' by {group}' if group else ''}" for project, role, group in rows]
    if proof.is_sysadmin:
        roles.insert(0, "system administrator by group")
    here = f"{user.username} here" if user else "new here"
    return f"{here}; {'; '.join(roles) or 'no roles: make the user or one of the groups a member of a project'}"


def principal(proof: Proof) -> Principal:
    """Who that person would be here, with the first login. Needs a transaction."""
    roles: dict[int, set[Role]] = {}
    held = select(ProjectMember.project_id, ProjectMember.role).where(_by_groups(proof.source, proof))
    for project_id, role in db.session.execute(held):
        roles.setdefault(project_id, set()).add(Role(role))
    theirs = {project_id: frozenset(held_roles) for project_id, held_roles in roles.items()}
    return Principal("user", 0, proof.username, is_sysadmin=proof.is_sysadmin, roles=theirs)


def _by_groups(source: str, proof: Proof) -> ColumnElement[bool]:
    keys = [group.key for group in proof.groups or ()]
    theirs = (UserGroup.group_type == 1, UserGroup.source == source, UserGroup.key.in_(keys))
    ids = list(db.session.scalars(select(UserGroup.id).where(*theirs)))
    return (ProjectMember.entity_type == "g") & ProjectMember.entity_id.in_(ids)


def _account(proof: Proof) -> User | None:
    """The user who that person is, or None: he would come aboard with the next login.

    Raises:
        DirectoryDown: as `told`.
    """
    identity = identity_of(proof)
    if identity is None:
        if in_the_way := obstacle(proof):
            raise DirectoryDown(in_the_way)
        return None
    user = users.get(identity.user_id)
    if user.disabled:
        raise DirectoryDown(f"the account {user.username} is disabled here: authsvc users enable {user.username}")
    return user
