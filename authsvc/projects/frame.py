"""What the pages of one project share: the ways to those that whoever looks may see, and whom to ask for the rest."""

from __future__ import annotations

from typing import Any

from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can, roles_granting
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import Role
from authsvc.registries import service as registries

# The last part of a page's path -> what it takes to see it.
TABS = {
    "repositories": Permission(Resource.REPOSITORY, Action.LIST),
    "connect": Permission(Resource.REPOSITORY, Action.LIST),
    "members": Permission(Resource.MEMBER, Action.LIST),
    "robots": Permission(Resource.ROBOT, Action.LIST),
    "vulnerabilities": Permission(Resource.ARTIFACT_ADDITION, Action.READ),
    "labels": Permission(Resource.LABEL, Action.LIST),
    "retention": Permission(Resource.TAG_RETENTION, Action.LIST),
    "immutability": Permission(Resource.IMMUTABLE_TAG, Action.LIST),
    "webhooks": Permission(Resource.NOTIFICATION_POLICY, Action.LIST),
    "logs": Permission(Resource.LOG, Action.LIST),
    "settings": Permission(Resource.PROJECT, Action.UPDATE),
}


def frame(who: Principal, project: Project) -> dict[str, Any]:
    """For the template `project_frame.html`; `upstream`: the registry whose images the project caches, or None."""
    upstream = registries.get(project.registry_id) if project.registry_id is not None else None
    tabs = [name for name, permission in TABS.items() if can(who, permission, project.ref)]
    return {"project": project, "tabs": tabs, "upstream": upstream}


def role_lacking(who: Principal, action: Action, resource: Resource, project: Project, repository: str = "") -> Role | None:
    """The weakest role that would allow it; None if it is allowed."""
    permission = Permission(resource, action)
    return None if can(who, permission, project.ref, repository) else roles_granting(permission)[0]
