"""The decision: a pure function of frozen data. Empty means no."""

from dataclasses import dataclass
from enum import StrEnum

from authsvc.rbac.permissions import Permission
from authsvc.rbac.principal import Principal, ProjectRef, permitted
from authsvc.rbac.roles import BY_POWER, PUBLIC_PERMISSIONS, ROLE_PERMISSIONS, Role


class Rule(StrEnum):
    """What allowed it."""

    SYSTEM_ADMIN = "system administrator"
    PUBLIC_PROJECT = "public project"
    ROLE = "role"
    PERMISSION = "permission"


@dataclass(frozen=True, slots=True)
class Grant:
    """The rule that allows, and the role where the rule is a role."""

    rule: Rule
    role: Role | None = None


_ADMIN = Grant(Rule.SYSTEM_ADMIN)
_PUBLIC = Grant(Rule.PUBLIC_PROJECT)
_PERMITTED = Grant(Rule.PERMISSION)
_BY_ROLE = {role: Grant(Rule.ROLE, role) for role in Role}


def why(who: Principal, permission: Permission, project: ProjectRef | None = None, repository: str = "") -> Grant | None:
    """The rule by which `who` holds `permission` in `project`, or None: denied. With a `repository` (its full name), on that
    one; without, on any.

    Without a project only system administrators, and robots that were given it, are allowed anything; what every user
    may do (create a project, look at himself) is not a permission but the feature's own rule.
    """
    if who.limits is not None and not permitted(who.limits, permission, project):
        return None
    if who.is_sysadmin:
        return _ADMIN
    if who.permissions and who.is_given(permission, project, repository):
        return _PERMITTED
    return _in_project(who, permission, project) if project is not None else None


def _in_project(who: Principal, permission: Permission, project: ProjectRef) -> Grant | None:
    held = who.roles_in(project)
    for role in BY_POWER if held else ():
        if role in held and permission in ROLE_PERMISSIONS[role]:
            return _BY_ROLE[role]
    if project.public and permission in PUBLIC_PERMISSIONS:
        return _PUBLIC
    return None


def can(who: Principal, permission: Permission, project: ProjectRef | None = None, repository: str = "") -> bool:
    """True if some rule allows it."""
    return why(who, permission, project, repository) is not None


def roles_granting(permission: Permission) -> tuple[Role, ...]:
    """The roles that would allow `permission`, the weakest first: what to ask a project administrator for."""
    return tuple(role for role in reversed(BY_POWER) if permission in ROLE_PERMISSIONS[role])
