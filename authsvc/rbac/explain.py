"""Why somebody may or may not: the decision in words, for people and for programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.core.errors import BadRequest
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import Rule, roles_granting, why
from authsvc.rbac.principal import Principal, ProjectRef, permitted
from authsvc.rbac.roles import ALL_PERMISSIONS, strongest


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision: who, what, where, the answer, the rule behind it, and a sentence."""

    user: str
    permission: str
    project: str
    allowed: bool
    rule: str
    role: str
    reason: str
    notes: tuple[str, ...] = ()


def permission_of(text: str) -> Permission:
    """`pull`, `push`, `delete`, or a pair such as `member:create`.

    Raises:
        BadRequest: it is none.
    """
    resource, _, action = text.rpartition(":")
    try:
        permission = Permission(Resource(resource or "repository"), Action(action))
    except ValueError:
        permission = None
    if permission not in ALL_PERMISSIONS:
        raise BadRequest(f"{text} is no permission; pull, push and delete are, and resource:action pairs such as member:create")
    return permission


def explain(
    who: Principal, permission: Permission, project_name: str, project: ProjectRef | None, repository: str = ""
) -> Explanation:
    """Explain the decision that `policy.can` makes for the same arguments."""
    name = who.name or "anybody without login"
    held = strongest(who.roles_in(project))
    grant = why(who, permission, project, repository) if project is not None else None
    if project is None:
        rule, reason = "no such project", f"there is no project {project_name}; somebody has to create it first"
    elif grant is None:
        rule, reason = "default deny", _denial(who, permission, project, held.label if held else "")
    elif grant.rule is Rule.SYSTEM_ADMIN:
        rule, reason = grant.rule, f"{name} is a system administrator"
    elif grant.rule is Rule.PERMISSION:
        rule, reason = grant.rule, f"{name} was given {permission} in {project.name}"
    elif grant.rule is Rule.PUBLIC_PROJECT:
        rule, reason = grant.rule, f"{project.name} is public: everybody may {permission.action} there"
    else:
        label = grant.role.label if grant.role else ""
        rule, reason = grant.rule, f"{name} is {label} in {project.name}, and that role has {permission}"
    return Explanation(
        user=who.name,
        permission=str(permission),
        project=project_name,
        allowed=grant is not None,
        rule=str(rule),
        role=held.label if held else "",
        reason=reason,
    )


def _denial(who: Principal, permission: Permission, project: ProjectRef, held: str) -> str:
    name = who.name or "anybody without login"
    if who.limits is not None and not permitted(who.limits, permission, project):
        return f"this credential is limited to other things than {permission} in {project.name}, whatever {name} may"
    if patterns := who.bound_to(project, permission):
        return f"{name} was given {permission} in {project.name} on {', '.join(patterns)} only"
    if who.kind in ("robot", "workload", "scanner"):
        return f"{name} was not given {permission} in {project.name}, which whoever manages it can do"
    standing = f"{name} is {held} in {project.name}" if held else f"{name} holds no role in {project.name}"
    granting = [role.label for role in roles_granting(permission)]
    if not granting:
        return f"{standing}, and no role has {permission}: only system administrators do"
    needed = f"{granting[0]} or more" if len(granting) > 1 else granting[0]
    private = "" if project.public else ", which is private"
    return f"{standing}{private}; {permission} needs {needed}, which a project administrator can give"
